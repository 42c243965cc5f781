"""Bringing the tables of a store to this version, by the revisions shipped with the package."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

import sqlalchemy as sa

from ...contract import BadInput
from .schema import POSTGRESQL, metadata

if TYPE_CHECKING:
    from alembic.config import Config

VERSION = "r0003"
"""The newest revision. It is written here so that a store that has it opens without Alembic."""

VERSION_TABLE = "mqbg_store_version"
RETIRED_VERSIONS = ("0001", "0002")  # revisions of stores that this version cannot upgrade
MIGRATION_LOCK_ID = (
    7_206_001  # advisory lock: two jobs that meet a new database must not both make it
)

_version_table = sa.table(VERSION_TABLE, sa.column("version_num", sa.Text()))


def is_current(connection: sa.Connection, redacted_url: str) -> bool:
    """Whether a store is of this version; False for an empty database.

    Raises:
        BadInput: as `migrate`.
    """
    return _stored_version(connection, redacted_url) == VERSION


def migrate(connection: sa.Connection, redacted_url: str) -> bool:
    """Makes the tables of an empty database, or upgrades those of an older version.

    Args:
        connection: in a transaction, which holds all of it.
        redacted_url: how to call the store in messages.

    Returns:
        Whether the database was empty.

    Raises:
        BadInput: the store is from a newer version, or from one that cannot be upgraded, or the
            database holds other tables of our names.
    """
    if connection.dialect.name == POSTGRESQL:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK_ID)))
    version = _stored_version(connection, redacted_url)
    if version != VERSION:  # another process may have been first
        from alembic import command

        config = _alembic_config()
        config.attributes |= {"connection": connection, "version_table": VERSION_TABLE}
        command.upgrade(config, VERSION)
    return version is None


def require_current_version(connection: sa.Connection, redacted_url: str) -> None:
    """Makes sure that a store can be read as it is.

    Raises:
        BadInput: it is absent, or from another version.
    """
    version = _stored_version(connection, redacted_url)
    if version != VERSION:
        found = f"version {version}" if version else "none"
        raise BadInput(
            f"store {redacted_url}: expected a store of version {VERSION}, found {found}; run "
            "`mqbg score` once, which makes or upgrades it"
        )


def revisions() -> list[str]:
    """Every revision that the package ships, the newest first."""
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(_alembic_config())
    return [script.revision for script in scripts.walk_revisions()]


def _stored_version(connection: sa.Connection, redacted_url: str) -> str | None:
    """The version of the store, one that this package knows; None for an empty database."""
    tables = set(sa.inspect(connection).get_table_names())
    version = (
        connection.scalar(sa.select(_version_table.c.version_num))
        if _version_table.name in tables
        else None
    )
    if version in RETIRED_VERSIONS:
        raise BadInput(
            f"store {redacted_url}: expected a store of version {VERSION}, found {version}, of "
            "before rows were kept by runs, which cannot be upgraded; choose an empty database, "
            "where states and history begin again"
        )
    if version is not None and version != VERSION and version not in revisions():
        raise BadInput(
            f"store {redacted_url}: expected version {VERSION} or older, found {version}, which a "
            "newer version of mqbg made; update mqbg, or choose another store"
        )
    if version is None and (foreign_tables := sorted(tables & set(metadata.tables))):
        raise BadInput(
            f"store {redacted_url}: expected an empty database or a store of ours, found a table "
            f"{foreign_tables[0]!r} that is not ours; choose another database"
        )
    return version


def _alembic_config() -> Config:
    from alembic.config import Config

    config = Config()
    folder = str(files(__package__) / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
