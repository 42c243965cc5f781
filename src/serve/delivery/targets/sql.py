"""A table in PostgreSQL: one row for each group, upserted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pyarrow as pa

from ....contract import BadInput
from ....settings import Settings
from ....settings.delivery import Sql as Own
from ...batch.score_tables import SCORES
from ..desired_records import as_json, group_columns, wanted
from .bisect_batch import Halving, Refusal
from .service_client import Unanswered
from .target import GROUP, Given, Item, Outcome, Stopped, Wanted

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

BATCH = 1000
_TYPES = {
    pa.string(): "text",
    pa.float64(): "double precision",
    pa.int64(): "bigint",
    pa.timestamp("us"): "timestamp with time zone",
    pa.list_(pa.string()): "text[]",
}
DATA, INTEGRITY, SYNTAX = "22", "23", "42"  # classes of SQLSTATE


class Sql:
    """Rows by the column that holds the group_id; a batch is one statement, and so whole.

    The table is made where it is absent, with the columns of the settings. One that is there is
    taken as it is; `--prepare` adds the columns it lacks.
    """

    name = "sql"
    kinds = (GROUP,)
    connections = 1

    def __init__(self, own: Own, connect: Callable[[], psycopg.Connection]) -> None:
        self._own, self._connect = own, connect
        self._connection: psycopg.Connection | None = None
        self._halving = Halving(self._upsert)

    def batch(self, kind: str, records: int) -> int:  # noqa: ARG002 - of the protocol
        """Rows of a statement."""
        return BATCH

    def prepare(self) -> list[str]:
        """Makes the table, or adds the columns that it lacks."""
        try:
            connection = self._opened()
        except Unanswered as silence:
            raise Stopped(f"sql: expected a database that answers, got none ({silence})") from None
        try:
            for name, there in self._own.mapping.items():
                connection.execute(_added(self._own.table, there, column_type(name)))
        except _error() as error:
            raise _refused(error) from None
        return [f"table {self._own.table} with {len(self._own.mapping)} columns"]

    def send(self, items: Sequence[Item]) -> list[Outcome]:
        """One statement, or more where rows are refused."""
        return self._halving.send(items)

    def close(self) -> None:
        """Gives the connection back."""
        if self._connection is not None:
            self._connection.close()

    def _upsert(self, items: Sequence[Item]) -> list[Outcome] | Refusal:
        rows = "[" + ",".join(item.payload for item in items) + "]"
        statement = _upserted(self._own.table, self._own.mapping)
        try:
            self._opened().execute(statement, (rows,))
        except _error() as error:
            code = error.sqlstate or ""
            if code[:2] in (DATA, INTEGRITY) or code in ("42703", "42804"):  # a column
                return Refusal(_first_line(error))
            if code[:2] == SYNTAX or code[:2] == "28":
                raise _refused(error) from None
            self._connection = None
            raise Unanswered(_first_line(error)) from None
        return [Outcome()] * len(items)

    def _opened(self) -> psycopg.Connection:
        if self._connection is None:
            try:
                self._connection = self._connect()
                self._connection.execute(_made(self._own.table, self._own.mapping))
            except _error() as error:
                code = error.sqlstate or ""
                if code[:2] in (SYNTAX, "28", "3D"):
                    raise _refused(error) from None
                # Without a code the server was not reached, and the message names host and user.
                raise Unanswered(_first_line(error)) from None
        return self._connection


def column_type(name: str) -> str:
    """PostgreSQL's type of a field."""
    return _TYPES[SCORES.field(name).type] if name in SCORES.names else "text"


def require_driver() -> None:
    """Makes sure that psycopg is there.

    Raises:
        BadInput: it is not.
    """
    if find_spec("psycopg") is None:
        raise BadInput(
            "push: the target sql needs a driver that is not installed: run "
            'pip install "mqbg[postgres]"'
        )


def _error() -> type[psycopg.Error]:
    import psycopg

    return psycopg.Error


def _table(name: str) -> sql.Identifier:
    from psycopg import sql

    return sql.Identifier(*name.split("."))


def _made(table: str, mapping: dict[str, str]) -> sql.Composed:
    from psycopg import sql

    columns = [
        sql.SQL("{} {}").format(sql.Identifier(there), sql.SQL(column_type(name)))
        for name, there in mapping.items()
    ]
    key = sql.SQL("PRIMARY KEY ({})").format(sql.Identifier(mapping["group_id"]))
    return sql.SQL("CREATE TABLE IF NOT EXISTS {} ({})").format(
        _table(table), sql.SQL(", ").join([*columns, key])
    )


def _added(table: str, column: str, kind: str) -> sql.Composed:
    from psycopg import sql

    return sql.SQL("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} {}").format(
        _table(table), sql.Identifier(column), sql.SQL(kind)
    )


def _upserted(table: str, mapping: dict[str, str]) -> sql.Composed:
    from psycopg import sql

    names = [sql.Identifier(there) for there in mapping.values()]
    key = sql.Identifier(mapping["group_id"])
    changes = [
        sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(there))
        for name, there in mapping.items()
        if name != "group_id"
    ]
    then = (
        sql.SQL("UPDATE SET {}").format(sql.SQL(", ").join(changes))
        if changes
        else sql.SQL("NOTHING")
    )
    return sql.SQL(
        "INSERT INTO {table} ({names}) SELECT {names} "
        "FROM jsonb_populate_recordset(NULL::{table}, %s::jsonb) ON CONFLICT ({key}) DO {then}"
    ).format(table=_table(table), names=sql.SQL(", ").join(names), key=key, then=then)


def _refused(error: psycopg.Error) -> Stopped:
    return Stopped(
        f"sql: expected a table that may be written, the database said {_first_line(error)!r}; "
        "mend that and run again"
    )


def _first_line(error: psycopg.Error) -> str:
    """What the server said, without the connection's parameters."""
    said = error.diag.message_primary
    return said or type(error).__name__


def sql_records(given: Given, settings: Settings) -> list[Wanted]:
    """Every scored group."""
    mapping = settings.push.sql.mapping
    columns = group_columns(given, settings, tuple(mapping))
    return [wanted(GROUP, columns["group_id"], columns, mapping, as_json)]
