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
MIGRATING = 7_206_001  # advisory lock: two jobs that meet a new database must not both make it


class DuckDBImpl(DefaultImpl):
    """Lets Alembic run on DuckDB, which knows transactions for tables as well."""

    __dialect__ = "duckdb"
    transactional_ddl = True


def migrate(connection: sa.Connection, shown: str) -> None:
    """Makes the tables of an empty database, or upgrades those of an older version.

    Args:
        connection: in a transaction, which holds all of it.
        shown: how to call the store in messages.

    Raises:
        BadInput: the store is from a newer version, or the database holds other tables of our
            names.
    """
    if connection.dialect.name == POSTGRESQL:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATING)))
    if _version(connection, shown) == _newest():
        return
    config = _config()
    config.attributes |= {"connection": connection, "version_table": VERSION_TABLE}
    command.upgrade(config, "head")


def require_current(connection: sa.Connection, shown: str) -> None:
    """Makes sure that a store can be read as it is.

    Raises:
        BadInput: it is absent, or from another version.
    """
    version = _version(connection, shown)
    if version != _newest():
        found = f"version {version}" if version else "none"
        raise BadInput(
            f"store {shown}: expected a store of version {_newest()}, found {found}; run "
            "`mqbg score` once, which makes or upgrades it"
        )


def _version(connection: sa.Connection, shown: str) -> str | None:
    """The version of the store, one that this package knows; None for an empty database."""
    options = {"version_table": VERSION_TABLE}
    context = MigrationContext.configure(connection, opts=options)
    tables = _tables(connection)
    # Asked by ourselves: Alembic would look in a way that DuckDB does not understand.
    heads = context.get_current_heads() if VERSION_TABLE in tables else ()
    known = {script.revision for script in _scripts().walk_revisions()}
    if newer := sorted(set(heads) - known):
        raise BadInput(
            f"store {shown}: expected version {_newest()} or older, found {newer[-1]}, which a "
            "newer version of mqbg made; update mqbg, or choose another store"
        )
    if not heads and (foreign := sorted(tables & set(metadata.tables))):
        raise BadInput(
            f"store {shown}: expected an empty database or a store of ours, found a table "
            f"{foreign[0]!r} that is not ours; choose another database"
        )
    return heads[0] if heads else None


def _tables(connection: sa.Connection) -> set[str]:
    rows = connection.execute(
        sa.text(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
        )
    )
    return set(rows.scalars())


def _newest() -> str:
    newest = _scripts().get_current_head()
    if newest is None:
        raise RuntimeError("the package ships no revisions of the store")
    return newest


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    folder = str(files(__package__) / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
