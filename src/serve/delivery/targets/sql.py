"""A table in PostgreSQL: one row for each group, upserted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pyarrow as pa

from ....contract import BadInput
from ....settings import Settings
from ....settings.delivery import SqlSettings
from ...batch.score_tables import SCORES
from ..desired_records import as_json, build_desired_records, group_columns
from .bisect_batch import BisectBatch, Refusal
from .no_response import NoResponse
from .target import GROUP, DesiredRecords, OutboxRecord, Outcome, PushInputs, TargetUnavailable

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

BATCH_SIZE = 1000
_SQL_TYPES = {
    pa.string(): "text",
    pa.float64(): "double precision",
    pa.int64(): "bigint",
    pa.timestamp("us"): "timestamp with time zone",
    pa.list_(pa.string()): "text[]",
}
_COLUMNS = (
    "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 "
    "AND NOT attisdropped"
)
DATA_ERROR, INTEGRITY_ERROR, SYNTAX_ERROR = "22", "23", "42"  # classes of SQLSTATE


class SqlTarget:
    """Rows by the column that holds the group_id; a batch is one statement, and so whole.

    The table is made where it is absent, with the columns of the settings. One that is there is
    taken as it is; `--prepare` adds the columns it lacks.
    """

    name = "sql"
    kinds = (GROUP,)
    connections = 1

    def __init__(self, settings: SqlSettings, connect: Callable[[], psycopg.Connection]) -> None:
        self._settings, self._connect = settings, connect
        self._connection: psycopg.Connection | None = None
        self._batches = BisectBatch(self.name, self._post_batch)

    def batch_size(self, kind: str, record_count: int) -> int:  # noqa: ARG002 - of the protocol
        """Rows of a statement."""
        return BATCH_SIZE

    def prepare(self) -> list[str]:
        """Makes the table, or adds the columns that it lacks."""
        connection = self._open_connection()
        table = self._settings.table
        try:
            present = {row[0] for row in connection.execute(_COLUMNS, (_quoted(table),)).fetchall()}
            for name, column_name in self._settings.mapping.items():
                if column_name not in present:
                    connection.execute(_add_column(table, column_name, column_type(name)))
        except _psycopg_error() as error:
            raise _table_refused(error) from None
        return [f"table {self._settings.table} with {len(self._settings.mapping)} columns"]

    def send(self, records: Sequence[OutboxRecord]) -> list[Outcome]:
        """One statement, or more where rows are refused."""
        return self._batches.send(records)

    def close(self) -> None:
        """Gives the connection back."""
        if self._connection is not None:
            self._connection.close()

    def _post_batch(self, records: Sequence[OutboxRecord]) -> list[Outcome] | Refusal:
        rows = "[" + ",".join(record.payload for record in records) + "]"
        statement = _upsert_rows(self._settings.table, self._settings.mapping)
        try:
            self._open_connection().execute(statement, (rows,))
        except _psycopg_error() as error:
            code = error.sqlstate or ""
            if code[:2] in (DATA_ERROR, INTEGRITY_ERROR) or code in ("42703", "42804"):  # a column
                return Refusal(_first_line(error))
            if code[:2] == SYNTAX_ERROR or code[:2] == "28":
                raise _table_refused(error) from None
            self._connection = None
            raise NoResponse(_first_line(error)) from None
        return [Outcome()] * len(records)

    def _open_connection(self) -> psycopg.Connection:
        """The connection, made anew where it was lost.

        Raises:
            TargetUnavailable: the database cannot be reached, or refuses.
        """
        if self._connection is None:
            try:
                self._connection = self._connect()
                self._create_unless_there(self._connection)
            except _psycopg_error() as error:
                code = error.sqlstate or ""
                if code[:2] in (SYNTAX_ERROR, "28", "3D"):
                    raise _table_refused(error) from None
                self._connection = None
                # Every batch would wait as long for a database that cannot be reached.
                raise TargetUnavailable(
                    f"sql: expected a database that answers, got none ({_first_line(error)})"
                ) from None
        return self._connection

    def _create_unless_there(self, connection: psycopg.Connection) -> None:
        """Makes the table; who may only read and write one that is there need not be able to."""
        table, mapping = self._settings.table, self._settings.mapping
        found = connection.execute("SELECT to_regclass(%s)", (_quoted(table),)).fetchone()
        if found is None or found[0] is None:
            connection.execute(_create_table(table, mapping))


def column_type(name: str) -> str:
    """PostgreSQL's type of a field."""
    return _SQL_TYPES[SCORES.field(name).type] if name in SCORES.names else "text"


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


def _psycopg_error() -> type[psycopg.Error]:
    import psycopg

    return psycopg.Error


def _table_identifier(name: str) -> sql.Identifier:
    from psycopg import sql

    return sql.Identifier(*name.split("."))


def _quoted(table: str) -> str:
    """The name of a table as PostgreSQL reads it in a text."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in table.split("."))


def _create_table(table: str, mapping: dict[str, str]) -> sql.Composed:
    from psycopg import sql

    columns = [
        sql.SQL("{} {}").format(sql.Identifier(column_name), sql.SQL(column_type(name)))
        for name, column_name in mapping.items()
    ]
    key = sql.SQL("PRIMARY KEY ({})").format(sql.Identifier(mapping["group_id"]))
    return sql.SQL("CREATE TABLE IF NOT EXISTS {} ({})").format(
        _table_identifier(table), sql.SQL(", ").join([*columns, key])
    )


def _add_column(table: str, column: str, sql_type: str) -> sql.Composed:
    from psycopg import sql

    return sql.SQL("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} {}").format(
        _table_identifier(table), sql.Identifier(column), sql.SQL(sql_type)
    )


def _upsert_rows(table: str, mapping: dict[str, str]) -> sql.Composed:
    from psycopg import sql

    names = [sql.Identifier(column_name) for column_name in mapping.values()]
    key = sql.Identifier(mapping["group_id"])
    assignments = [
        sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(column_name))
        for name, column_name in mapping.items()
        if name != "group_id"
    ]
    on_conflict = (
        sql.SQL("UPDATE SET {}").format(sql.SQL(", ").join(assignments))
        if assignments
        else sql.SQL("NOTHING")
    )
    return sql.SQL(
        "INSERT INTO {table} ({names}) SELECT {names} "
        "FROM jsonb_populate_recordset(NULL::{table}, %s::jsonb) ON CONFLICT ({key}) DO {then}"
    ).format(
        table=_table_identifier(table), names=sql.SQL(", ").join(names), key=key, then=on_conflict
    )


def _table_refused(error: psycopg.Error) -> TargetUnavailable:
    return TargetUnavailable(
        f"sql: expected a table that may be written, the database said {_first_line(error)!r}; "
        "fix that and run again"
    )


def _first_line(error: psycopg.Error) -> str:
    """What the server said, without secrets."""
    from ...store.postgres import shown_reason

    return shown_reason(error)


def sql_records(inputs: PushInputs, settings: Settings) -> list[DesiredRecords]:
    """Every scored group."""
    mapping = settings.push.sql.mapping
    columns = group_columns(inputs, settings, tuple(mapping))
    return [build_desired_records(GROUP, columns["group_id"], columns, mapping, as_json)]
