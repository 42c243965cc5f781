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

from .schema import DUCKDB, PLACE

CHUNK = 1 << 20  # bytes handed to COPY at a time
INCOMING = "mqbg_incoming"
ARROW: Mapping[Any, Any] = {
    sa.Text: pa.string(),
    sa.Double: pa.float64(),
    sa.BigInteger: pa.int64(),
    sa.DateTime: pa.timestamp("us"),
    sa.Boolean: pa.bool_(),
}


def insert(connection: sa.Connection, into: sa.Table, rows: pa.Table) -> None:
    """Adds rows; columns by name, lists as JSON.

    Args:
        connection: in a transaction.
        into: a table of the store.
        rows: has its columns, but for `PLACE`, which is counted within each group.
    """
    if not rows.num_rows:
        return
    ready = flat(rows)
    if PLACE in into.c and PLACE not in ready.column_names:
        ready = ready.append_column(PLACE, _places(ready))
    ready = ready.select([column.name for column in into.columns])
    raw: Any = connection.connection.driver_connection
    if connection.dialect.name == DUCKDB:
        raw.register(INCOMING, ready)
        try:
            raw.execute(f"INSERT INTO {into.name} BY NAME SELECT * FROM {INCOMING}")  # noqa: S608 - our own names
        finally:
            raw.unregister(INCOMING)
        return
    names = ", ".join(f'"{column.name}"' for column in into.columns)
    with raw.cursor() as cursor, cursor.copy(f"COPY {into.name} ({names}) FROM STDIN CSV") as copy:
        text = memoryview(csv(ready))
        for start in range(0, len(text), CHUNK):
            copy.write(text[start : start + CHUNK])


def fetched(connection: sa.Connection, chosen: sa.Select[Any]) -> pa.Table:
    """The rows of a query on one table of the store, as they are stored: lists as JSON.

    Args:
        connection: of the store.
        chosen: some of the rows of a table.
    """
    names = [column.name for column in chosen.selected_columns]
    types = [ARROW[type(column.type)] for column in chosen.selected_columns]
    schema = pa.schema(list(zip(names, types, strict=True)))
    if connection.dialect.name == DUCKDB:
        text = chosen.compile(connection.engine, compile_kwargs={"literal_binds": True})
        raw: Any = connection.connection.driver_connection
        return raw.sql(str(text)).to_arrow_table().cast(schema)
    columns = zip(*connection.execute(chosen).all(), strict=True)
    arrays = [pa.array(list(c), kind) for c, kind in zip(columns, types, strict=False)]
    return pa.table(arrays, schema=schema) if arrays else schema.empty_table()


def csv(rows: pa.Table) -> bytes:
    """Rows as COPY reads them: every value quoted but null, so that no text is taken for one."""
    sink = io.BytesIO()
    options = pv.WriteOptions(include_header=False, quoting_style="all_valid")
    pv.write_csv(rows, sink, options)
    return sink.getvalue()


def flat(rows: pa.Table) -> pa.Table:
    """Rows with every list as JSON text, which DuckDB writes faster than Python would."""
    lists = [field.name for field in rows.schema if pa.types.is_list(field.type)]
    if not lists:
        return rows
    written = ", ".join(f'to_json("{name}")::VARCHAR AS "{name}"' for name in lists)
    with duckdb.connect() as aside:
        aside.register(INCOMING, rows)
        return aside.sql(f"SELECT * REPLACE ({written}) FROM {INCOMING}").to_arrow_table()  # noqa: S608


def as_arrow(into: sa.Table, rows: pd.DataFrame) -> pa.Table:
    """A frame with the columns of a table of the store, as Arrow."""
    fields = [(column.name, ARROW[type(column.type)]) for column in into.columns]
    return pa.Table.from_pandas(rows, pa.schema(fields), preserve_index=False)


def _places(rows: pa.Table) -> pa.Array:
    """0, 1, ... within each group; its rows stand together."""
    groups = rows["group_id"].to_numpy(zero_copy_only=False)
    first = np.flatnonzero(np.append(True, groups[1:] != groups[:-1]))
    counts = np.diff(np.append(first, groups.size))
    return pa.array(np.arange(groups.size) - np.repeat(first, counts), pa.int64())
