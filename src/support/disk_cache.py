"""What takes long to work out and cannot change, kept in the user's cache folder between runs.

Bytecode is kept the same way: a file is read only by the version of the code, of Python and of the
libraries that wrote it. Losing the folder costs time and nothing else.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from platformdirs import user_cache_path

CACHE_VARIABLE = "MQBG_CACHE_DIR"
"""Environment variable: another folder than the user's own; empty: nothing is kept."""

MAX_VERSIONS = 4  # of the code, whose entries are kept; the oldest goes first
MAX_ENTRIES = 2_000  # of one version; then it begins with an empty folder
_PACKAGE = Path(__file__).parents[1]
_LIBRARIES = ("duckdb", "ibis-framework", "jinja2", "numpy", "pyarrow", "sqlglot")


def read_cache(key: str) -> bytes | None:
    """What was written under a key by this version of the code; None if nothing was.

    Args:
        key: says all that the content depends on, beside the code.
    """
    folder = _version_folder()
    if folder is None:
        return None
    try:
        return (folder / _file_name(key)).read_bytes()
    except OSError:
        return None


def write_cache(key: str, content: bytes) -> None:
    """Keeps content under a key; it appears whole. A folder that cannot be written is no error."""
    folder = _version_folder()
    if folder is None:
        return
    with suppress(OSError):
        _make_room(folder)
        number, name = tempfile.mkstemp(dir=folder)
        with os.fdopen(number, "wb") as file:
            file.write(content)
        Path(name).replace(folder / _file_name(key))


def _file_name(key: str) -> str:
    return sha256(key.encode()).hexdigest()


def _version_folder() -> Path | None:
    named = os.environ.get(CACHE_VARIABLE)
    if named == "":
        return None
    return (Path(named) if named else user_cache_path("mqbg")) / _code_version()


@cache
def _code_version() -> str:
    """Of every module of this package, as Python tells whether bytecode is current, and more."""
    modules = sorted(
        (str(path.relative_to(_PACKAGE)), stat.st_size, stat.st_mtime_ns)
        for path in _PACKAGE.rglob("*.py")
        for stat in [path.stat()]
    )
    libraries = [_library_version(name) for name in _LIBRARIES]
    return sha256(repr((sys.version, libraries, modules)).encode()).hexdigest()[:16]


def _library_version(name: str) -> str | None:
    with suppress(PackageNotFoundError):
        return version(name)
    return None


def _make_room(folder: Path) -> None:
    """The folder is there, and neither it nor its neighbours grow without end."""
    if folder.is_dir():
        if len(os.listdir(folder)) < MAX_ENTRIES:
            return
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    versions = sorted(
        (path for path in folder.parent.iterdir() if path.is_dir()),
        key=lambda path: path.stat().st_mtime,
    )
    for old in versions[:-MAX_VERSIONS]:
        shutil.rmtree(old, ignore_errors=True)
