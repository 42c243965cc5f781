"""A registered version on this machine's disk, found without MLflow, whose import takes seconds.

MLflow keeps its registry in a SQLite file unless told otherwise, and models in folders. Which
version is meant is asked of that file at every load, so a promotion is seen at once; whatever it
does not say plainly is left to MLflow.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from .moved_registry import SQLITE, folder_beside, local_path

LATEST = "latest"
BUNDLE_PATH = Path("data") / "bundle"
"""Where a logged model holds its bundle."""

_VERSION_OF_ALIAS = "SELECT version FROM registered_model_aliases WHERE name = ? AND alias = ?"
_NOT_DELETED = "current_stage <> 'Deleted_Internal'"
_LATEST_VERSION = f"SELECT max(version) FROM model_versions WHERE name = ? AND {_NOT_DELETED}"  # noqa: S608 - a constant
_RECORD = (
    "SELECT run_id, storage_location FROM model_versions "  # noqa: S608 - a constant
    f"WHERE name = ? AND version = ? AND {_NOT_DELETED}"
)


@dataclass(frozen=True)
class LocalVersion:
    """A version whose bundle is on this machine.

    Attributes:
        version: its number.
        run_id: of the training.
        folder: of the bundle.
    """

    version: str
    run_id: str
    folder: Path


def find_local_version(registry_uri: str, name: str, version: str) -> LocalVersion | None:
    """A version of a model in a SQLite registry, with its bundle on this disk; None for any other.

    Args:
        registry_uri: of MLflow; only `sqlite:///FILE` is looked into.
        name: of the registered model.
        version: a number, `latest`, or an alias such as `champion`.
    """
    database = Path(registry_uri.removeprefix(SQLITE))
    if not registry_uri.startswith(SQLITE) or not database.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as store:
            number = _version_number(store, name, version)
            records = store.execute(_RECORD, (name, number)).fetchall()
    except sqlite3.Error:
        return None
    if len(records) != 1 or number is None:
        return None
    run_id, location = records[0]
    recorded = local_path(location)
    if not run_id or recorded is None:
        return None
    folder = folder_beside(database, recorded) / BUNDLE_PATH
    return LocalVersion(str(number), run_id, folder) if folder.is_dir() else None


def _version_number(store: sqlite3.Connection, name: str, version: str) -> int | None:
    if version.isdecimal():
        return int(version)
    if version == LATEST:
        found = store.execute(_LATEST_VERSION, (name,)).fetchall()
    else:
        found = store.execute(_VERSION_OF_ALIAS, (name, version)).fetchall()
    return found[0][0] if len(found) == 1 else None
