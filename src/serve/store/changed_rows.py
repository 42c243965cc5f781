"""Of a run's rows, those alone that the run before did not have."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from .copy_rows import FETCHED_AT_A_TIME, insert_rows, with_constants
from .schema import DIGEST, FIRST_RUN, ROW_ID, SQLITE, UNTIL_RUN

_CURRENT = pa.schema([(ROW_ID, pa.int64()), (DIGEST, pa.binary())])


def store_changed_rows(
    connection: sa.Connection, table: sa.Table, rows: pa.Table, run_id: int
) -> None:
    """Ends the rows that a run has no more, and adds those that it has for the first time.

    Rows are distinguished by their digests, which the key is part of.

    Args:
        connection: in a transaction.
        table: of `schema.STORED_TABLES`.
        rows: all that the run has, as `copy_rows.prepare_rows` gives them.
        run_id: of the run, which is later than all others.
    """
    current = _load_current_digests(connection, table)
    new = rows
    if current.num_rows:
        ended = current.filter(pc.invert(pc.is_in(current[DIGEST], value_set=rows[DIGEST])))
        new = rows.filter(pc.invert(pc.is_in(rows[DIGEST], value_set=current[DIGEST])))
        _end_rows(connection, table, ended[ROW_ID].to_pylist(), run_id)
    insert_rows(connection, table, with_constants(new, **{FIRST_RUN: run_id}))


def _load_current_digests(connection: sa.Connection, table: sa.Table) -> pa.Table:
    """Number and digest of each row of the latest run, from the driver: SQLAlchemy takes longer."""
    dbapi: Any = connection.connection.driver_connection
    cursor = dbapi.cursor()
    cursor.execute(f"SELECT {ROW_ID}, {DIGEST} FROM {table.name} WHERE {UNTIL_RUN} IS NULL")  # noqa: S608 - our own names
    parts = []
    while rows := cursor.fetchmany(FETCHED_AT_A_TIME):
        columns = zip(zip(*rows, strict=True), _CURRENT.types, strict=True)
        parts.append(pa.table([pa.array(one, kind) for one, kind in columns], schema=_CURRENT))
    cursor.close()
    return pa.concat_tables(parts) if parts else _CURRENT.empty_table()


def _end_rows(connection: sa.Connection, table: sa.Table, row_ids: list[int], run_id: int) -> None:
    if not row_ids:
        return
    dbapi: Any = connection.connection.driver_connection
    changed = f"UPDATE {table.name} SET {UNTIL_RUN} = "  # noqa: S608 - our own names
    if connection.dialect.name == SQLITE:
        dbapi.executemany(
            f"{changed}? WHERE {ROW_ID} = ?", ((run_id, row_id) for row_id in row_ids)
        )
    else:
        dbapi.execute(f"{changed}%s WHERE {ROW_ID} = ANY(%s)", (run_id, row_ids))
