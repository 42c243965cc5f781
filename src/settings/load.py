"""Settings from a file."""

from __future__ import annotations

import tomllib
from pathlib import Path

from ..contract import BadInput
from .settings import Settings, settings_from_values


def load_settings(path: Path | None) -> Settings:
    """Settings from a TOML file; None gives the defaults.

    Raises:
        BadInput: the file is absent or not TOML, a key is unknown, or a value does not fit.
    """
    if path is None:
        return Settings()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise BadInput(f"settings: expected a TOML file at {path}, found none there") from None
    except OSError as error:
        raise BadInput(
            f"settings: expected a TOML file at {path}, could not read it: {error.strerror}"
        ) from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: expected UTF-8 text, {error.reason}; save it as UTF-8") from None
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path}: expected TOML, got: {error}") from None
    return settings_from_values(tree, str(path))
