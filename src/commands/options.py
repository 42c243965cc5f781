"""Arguments and options that commands share, and how their texts are read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..contract import BadInput

if TYPE_CHECKING:
    from ..settings import Settings

# Settings are imported inside the functions: `mqbg --help` should not wait for pydantic.

Data = Annotated[
    str,
    typer.Argument(
        help="Folder of Parquet or CSV tables, a DuckDB file, or postgresql://user@host/database."
    ),
]
Config = Annotated[
    Path | None, typer.Option(help="Settings; default: mqbg.toml here, if there is one.")
]
Quarantine = Annotated[
    Path | None,
    typer.Option(help="Write rows that break the contract here, and go on with the rest."),
]
AsOf = Annotated[str, typer.Option("--as-of", help="The cut-off, such as 2024-05-01; UTC.")]
Language = Annotated[str | None, typer.Option("--lang", help="en or ja; default: the settings'.")]
Engine = Annotated[str, typer.Option(help="Where the tables are scanned: duckdb or spark.")]
ChangedSince = Annotated[
    str | None,
    typer.Option(
        "--changed-since",
        help="--out holds the result of this earlier cut-off: compute again only what changed.",
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Score although the model knows few of the data's names.")
]
JsonFile = Annotated[
    Path | None, typer.Option("--json", help="Write the result here, too, as JSON.")
]
Version = Annotated[str, typer.Option(help="Model version: champion, latest, or a number.")]


def write_json(file: Path | None, document: Mapping[str, Any]) -> None:
    """Writes what `--json` asked for; nothing without it.

    Args:
        file: of the option.
        document: instants are written as ISO 8601.
    """
    if file is None:
        return
    from ..support.atomic_output import replaced_file

    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False, default=_json_value)
    with replaced_file(file) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def _json_value(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def read_settings(config: Path | None) -> Settings:
    """The settings that `--config` names, else those of mqbg.toml in the working folder."""
    from ..settings import load_settings

    return load_settings(_settings_file(config))


def require_readable_settings(config: Path | None) -> None:
    """Refuses a file of settings that has a fault, for a command that needs none of them."""
    if _settings_file(config) is not None:
        read_settings(config)


def _settings_file(config: Path | None) -> Path | None:
    here = Path("mqbg.toml")
    return config or (here if here.exists() else None)


def parse_instant(text: str) -> datetime:
    """An instant from the command line; naive means UTC.

    Raises:
        BadInput: it is not a date or time.
    """
    from ..settings import to_instant

    parsed = to_instant(text.strip())
    if parsed is None:
        raise BadInput(
            "expected a date or time from 1990 to 2199 such as 2024-05-01 or 2024-05-01T09:00, "
            f"got {text!r}"
        )
    return parsed


def parse_changed_since(changed_since: str | None, as_of: list[datetime]) -> datetime | None:
    """The cut-off that `--changed-since` names.

    Raises:
        BadInput: it is not before the one cut-off asked for.
    """
    if changed_since is None:
        return None
    since = parse_instant(changed_since)
    if len(as_of) != 1 or since > as_of[0]:
        raise BadInput(
            "--changed-since: expected one --as-of, at or after it, got "
            f"{', '.join(f'{at:%Y-%m-%d %H:%M:%S}' for at in as_of)} after {changed_since}; name "
            "the cut-off of the result that --out holds, and one later cut-off"
        )
    return since
