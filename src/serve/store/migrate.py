"""Bringing the tables of a store to this version, by the revisions shipped with the package."""

from __future__ import annotations

from importlib.resources import files

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.ddl.impl import DefaultImpl
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from ...contract import BadInput
from .schema import POSTGRESQL, metadata

VERSION_TABLE = "mqbg_store_version"
MIGRATION_LOCK_ID = (
    7_206_001  # advisory lock: two jobs that meet a new database must not both make it
)


class DuckDBImpl(DefaultImpl):
    """Lets Alembic run on DuckDB, which knows transactions for tables as well."""

    __dialect__ = "duckdb"
    transactional_ddl = True


def migrate(connection: sa.Connection, redacted_url: str) -> None:
    """Makes the tables of an empty database, or upgrades those of an older version.

    Args:
        connection: in a transaction, which holds all of it.
        redacted_url: how to call the store in messages.

    Raises:
        BadInput: the store is from a newer version, or the database holds other tables of our
            names.
    """
    if connection.dialect.name == POSTGRESQL:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK_ID)))
    if _stored_version(connection, redacted_url) == _latest_version():
        return
    config = _alembic_config()
    config.attributes |= {"connection": connection, "version_table": VERSION_TABLE}
    command.upgrade(config, "head")


def require_current_version(connection: sa.Connection, redacted_url: str) -> None:
    """Makes sure that a store can be read as it is.

    Raises:
        BadInput: it is absent, or from another version.
    """
    version = _stored_version(connection, redacted_url)
    if version != _latest_version():
        found = f"version {version}" if version else "none"
        raise BadInput(
            f"store {redacted_url}: expected a store of version {_latest_version()}, found "
            f"{found}; run "
            "`mqbg score` once, which makes or upgrades it"
        )


def _stored_version(connection: sa.Connection, redacted_url: str) -> str | None:
    """The version of the store, one that this package knows; None for an empty database."""
    options = {"version_table": VERSION_TABLE}
    context = MigrationContext.configure(connection, opts=options)
    tables = _table_names(connection)
    # Asked by ourselves: Alembic would look in a way that DuckDB does not understand.
    heads = context.get_current_heads() if VERSION_TABLE in tables else ()
    known_revisions = {script.revision for script in _script_directory().walk_revisions()}
    if newer_revisions := sorted(set(heads) - known_revisions):
        raise BadInput(
            f"store {redacted_url}: expected version {_latest_version()} or older, found "
            f"{newer_revisions[-1]}, which a "
            "newer version of mqbg made; update mqbg, or choose another store"
        )
    if not heads and (foreign_tables := sorted(tables & set(metadata.tables))):
        raise BadInput(
            f"store {redacted_url}: expected an empty database or a store of ours, found a table "
            f"{foreign_tables[0]!r} that is not ours; choose another database"
        )
    return heads[0] if heads else None


def _table_names(connection: sa.Connection) -> set[str]:
    rows = connection.execute(
        sa.text(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
        )
    )
    return set(rows.scalars())


def _latest_version() -> str:
    newest = _script_directory().get_current_head()
    if newest is None:
        raise RuntimeError("the package ships no revisions of the store")
    return newest


def _script_directory() -> ScriptDirectory:
    return ScriptDirectory.from_config(_alembic_config())


def _alembic_config() -> Config:
    config = Config()
    folder = str(files(__package__) / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
