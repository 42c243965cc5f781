"""Whole tables of Arrow into the store, as fast as its database takes them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pv
import sqlalchemy as sa

from .schema import DUCKDB, POSITION

COPY_CHUNK_BYTES = 1 << 20  # bytes handed to COPY at a time
STAGING_VIEW = "mqbg_incoming"
ARROW_TYPES: Mapping[Any, Any] = {
    sa.Text: pa.string(),
    sa.Double: pa.float64(),
    sa.BigInteger: pa.int64(),
    sa.DateTime: pa.timestamp("us"),
    sa.Boolean: pa.bool_(),
}


def insert_rows(connection: sa.Connection, table: sa.Table, rows: pa.Table) -> None:
    """Adds rows; columns by name, lists as JSON.

    Args:
        connection: in a transaction.
        table: a table of the store.
        rows: has its columns, but for `POSITION`, which is counted within each group.
    """
    if not rows.num_rows:
        return
    prepared = lists_as_json(rows)
    if POSITION in table.c and POSITION not in prepared.column_names:
        prepared = prepared.append_column(POSITION, _positions_in_groups(prepared))
    prepared = prepared.select([column.name for column in table.columns])
    dbapi: Any = connection.connection.driver_connection
    if connection.dialect.name == DUCKDB:
        dbapi.register(STAGING_VIEW, prepared)
        try:
            dbapi.execute(f"INSERT INTO {table.name} BY NAME SELECT * FROM {STAGING_VIEW}")  # noqa: S608 - our own names
        finally:
            dbapi.unregister(STAGING_VIEW)
        return
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    with (
        dbapi.cursor() as cursor,
        cursor.copy(f"COPY {table.name} ({names}) FROM STDIN CSV") as copy,
    ):
        text = memoryview(to_copy_csv(prepared))
        for start in range(0, len(text), COPY_CHUNK_BYTES):
            copy.write(text[start : start + COPY_CHUNK_BYTES])


def fetch_table(connection: sa.Connection, query: sa.Select[Any]) -> pa.Table:
    """The rows of a query on one table of the store, as they are stored: lists as JSON.

    Args:
        connection: of the store.
        query: some of the rows of a table.
    """
    names = [column.name for column in query.selected_columns]
    types = [ARROW_TYPES[type(column.type)] for column in query.selected_columns]
    schema = pa.schema(list(zip(names, types, strict=True)))
    if connection.dialect.name == DUCKDB:
        text = query.compile(connection.engine, compile_kwargs={"literal_binds": True})
        dbapi: Any = connection.connection.driver_connection
        return dbapi.sql(str(text)).to_arrow_table().cast(schema)
    columns = zip(*connection.execute(query).all(), strict=True)
    arrays = [pa.array(list(c), kind) for c, kind in zip(columns, types, strict=False)]
    return pa.table(arrays, schema=schema) if arrays else schema.empty_table()


def to_copy_csv(rows: pa.Table) -> bytes:
    """Rows as COPY reads them: every value quoted but null, so that no text is taken for one."""
    sink = io.BytesIO()
    options = pv.WriteOptions(include_header=False, quoting_style="all_valid")
    pv.write_csv(rows, sink, options)
    return sink.getvalue()


def lists_as_json(rows: pa.Table) -> pa.Table:
    """Rows with every list as JSON text, which DuckDB writes faster than Python would."""
    list_columns = [field.name for field in rows.schema if pa.types.is_list(field.type)]
    if not list_columns:
        return rows
    json_columns = ", ".join(f'to_json("{name}")::VARCHAR AS "{name}"' for name in list_columns)
    with duckdb.connect() as memory:
        memory.register(STAGING_VIEW, rows)
        return memory.sql(f"SELECT * REPLACE ({json_columns}) FROM {STAGING_VIEW}").to_arrow_table()  # noqa: S608


def frame_to_arrow(table: sa.Table, rows: pd.DataFrame) -> pa.Table:
    """A frame with the columns of a table of the store, as Arrow."""
    fields = [(column.name, ARROW_TYPES[type(column.type)]) for column in table.columns]
    return pa.Table.from_pandas(rows, pa.schema(fields), preserve_index=False)


def _positions_in_groups(rows: pa.Table) -> pa.Array:
    """0, 1, ... within each group; its rows stand together."""
    groups = rows["group_id"].to_numpy(zero_copy_only=False)
    first = np.flatnonzero(np.append(True, groups[1:] != groups[:-1]))
    counts = np.diff(np.append(first, groups.size))
    return pa.array(np.arange(groups.size) - np.repeat(first, counts), pa.int64())
