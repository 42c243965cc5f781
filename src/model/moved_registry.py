"""An MLflow store in a SQLite file that was moved or copied: its artifacts lie beside it.

MLflow keeps absolute paths. After a move they lead nowhere, and in a copy they lead into the
original's folder, where the copy's trainings would be written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

SQLITE = "sqlite:///"
ARTIFACTS = "artifacts"
"""The folder beside the file where artifacts are kept."""

_PLACES = (
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)
"""Tables of MLflow, and their columns with a place below an experiment's."""


def local_path(location: str | None) -> Path | None:
    """The folder of a `file:` URL or of a plain path; None for one that is elsewhere."""
    parts = urlsplit(location or "")
    if parts.scheme == "file" and not parts.netloc:
        return Path(url2pathname(parts.path))
    return Path(location) if location and not parts.scheme else None


def folder_beside(database: Path, recorded: Path) -> Path:
    """Where a recorded folder is, if it came along with the file; else as it is recorded.

    Args:
        database: the SQLite file.
        recorded: a folder below some folder `artifacts`.
    """
    parts = recorded.parts
    if ARTIFACTS not in parts[:-1]:
        return recorded
    beside = database.resolve().parent.joinpath(*parts[parts.index(ARTIFACTS) :])
    return beside if beside.is_dir() else recorded


def adopt_artifacts(tracking_uri: str) -> None:
    """Makes a store that was moved or copied keep its artifacts beside itself from now on.

    What came along is recorded at its new place; what did not stays where it is recorded. A place
    that was chosen, and belongs to no other store, stays. A file that cannot be written stays too.

    Args:
        tracking_uri: of MLflow; only `sqlite:///FILE` is looked into.
    """
    database = Path(tracking_uri.removeprefix(SQLITE))
    if not tracking_uri.startswith(SQLITE) or not database.is_file():
        return
    own = database.resolve().parent / ARTIFACTS
    try:
        with closing(sqlite3.connect(database)) as store:
            moves = [
                (location, recorded)
                for location, recorded in _recorded_folders(store)
                if recorded != own and _is_left_behind(store, database, location, recorded, own)
            ]
            with store:
                for location, _recorded in moves:
                    _adopt(store, location, own)
    except sqlite3.Error:
        return  # another kind of store, or one that only MLflow itself can say something about


def _recorded_folders(store: sqlite3.Connection) -> Iterator[tuple[str, Path]]:
    query = "SELECT DISTINCT artifact_location FROM experiments"
    for (location,) in store.execute(query).fetchall():
        recorded = local_path(location)
        if recorded is not None and recorded.name == ARTIFACTS:
            yield location, recorded


def _is_left_behind(
    store: sqlite3.Connection, database: Path, location: str, recorded: Path, own: Path
) -> bool:
    """Whether a recorded folder is another store's, or of where this one was before."""
    other = recorded.parent / database.name
    if other.is_file() and not other.samefile(database):
        return True
    came_along = any((own / tail).exists() for *_place, tail in _places_below(store, location))
    return came_along or not recorded.parent.exists()


def _places_below(store: sqlite3.Connection, location: str) -> Iterator[tuple[str, str, str, str]]:
    """Table, column, value and the part after the experiment's place, of all that is below it."""
    for table, column in _PLACES:
        query = f"SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL"  # noqa: S608
        for (value,) in store.execute(query).fetchall():
            if value.startswith(f"{location}/"):
                yield table, column, value, url2pathname(value[len(location) + 1 :])


def _adopt(store: sqlite3.Connection, location: str, own: Path) -> None:
    for table, column, value, tail in list(_places_below(store, location)):
        if (own / tail).exists():
            statement = f"UPDATE {table} SET {column} = ? WHERE {column} = ?"  # noqa: S608
            store.execute(statement, ((own / tail).as_uri(), value))
    store.execute(
        "UPDATE experiments SET artifact_location = ? WHERE artifact_location = ?",
        (own.as_uri(), location),
    )
