"""Whole tables of Arrow into the store, as fast as its database takes them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import sqlalchemy as sa

from ...support.duckdb_sessions import open_session
from .schema import DIGEST, PACKED, POSITION, PRIMARY_KEYS, SQLITE, STORED_TABLES, content_columns

COPY_CHUNK_BYTES = 1 << 20  # bytes handed to COPY at a time
INSERT_BATCH_SIZE = 20_000
FETCHED_AT_A_TIME = 500  # more of them alive at once set off a search for garbage each
STAGING_VIEW = "mqbg_incoming"
ARROW_TYPES: Mapping[Any, Any] = {
    sa.Text: pa.string(),
    sa.Double: pa.float64(),
    sa.BigInteger: pa.int64(),
    sa.Integer: pa.int64(),
    sa.DateTime: pa.timestamp("us"),
    sa.Boolean: pa.bool_(),
    sa.LargeBinary: pa.binary(),
}


def insert_rows(connection: sa.Connection, table: sa.Table, rows: pa.Table) -> None:
    """Adds rows.

    Args:
        connection: in a transaction.
        table: a table of the store.
        rows: columns by name, without lists; a column of `into` that is absent gets its default.
    """
    insert_rows_into(connection, table.name, rows)


def insert_rows_into(connection: sa.Connection, name: str, rows: pa.Table) -> None:
    """Adds rows to a table of this name, which may be a temporary one."""
    if not rows.num_rows:
        return
    dbapi: Any = connection.connection.driver_connection
    names = ", ".join(f'"{column}"' for column in rows.column_names)
    if connection.dialect.name == SQLITE:
        places = ", ".join("?" * rows.num_columns)
        dbapi.executemany(f"INSERT INTO {name} ({names}) VALUES ({places})", sqlite_rows(rows))  # noqa: S608 - our own names
        return
    with dbapi.cursor() as cursor, cursor.copy(f"COPY {name} ({names}) FROM STDIN CSV") as copy:
        text = memoryview(to_copy_csv(rows))
        for start in range(0, len(text), COPY_CHUNK_BYTES):
            copy.write(text[start : start + COPY_CHUNK_BYTES])


def sqlite_rows(rows: pa.Table) -> Iterator[tuple[Any, ...]]:
    """Rows as the driver of SQLite takes them; times as SQLAlchemy writes them there."""
    texts = [
        column.cast(pa.string()) if pa.types.is_timestamp(column.type) else column
        for column in rows.columns
    ]
    batches = pa.table(texts, names=rows.column_names).to_batches(INSERT_BATCH_SIZE)
    return chain.from_iterable(
        zip(*(column.to_pylist() for column in batch.columns), strict=True) for batch in batches
    )


def fetch_table(connection: sa.Connection, query: sa.Select[Any]) -> pa.Table:
    """The rows of a query on one table of the store, as they are stored: lists as JSON.

    Args:
        connection: of the store.
        query: some of the rows of a table.
    """
    columns = list(query.selected_columns)
    schema = pa.schema([(column.name, ARROW_TYPES[type(column.type)]) for column in columns])
    parts = []
    for rows in connection.execute(query).partitions(FETCHED_AT_A_TIME):
        columns_of_part = zip(zip(*rows, strict=True), schema.types, strict=True)
        parts.append(pa.table([pa.array(c, kind) for c, kind in columns_of_part], schema=schema))
    return pa.concat_tables(parts) if parts else schema.empty_table()


def to_copy_csv(rows: pa.Table) -> bytes:
    """Rows as COPY reads them: every value quoted but null, so that no text is taken for one."""
    sink = io.BytesIO()
    options = pv.WriteOptions(include_header=False, quoting_style="all_valid")
    hexadecimal = [
        pc.binary_join_element_wise("\\x", _hex(column), "")
        if pa.types.is_binary(column.type)
        else column
        for column in rows.columns
    ]
    pv.write_csv(pa.table(hexadecimal, names=rows.column_names), sink, options)
    return sink.getvalue()


def prepare_rows(name: str, rows: pa.Table) -> pa.Table:
    """Rows of a run as a table of the store has them, by their key and with their digests.

    Lists become JSON text; DuckDB writes that, and the digests, faster than Python would.

    Args:
        name: of a table of `schema.STORED_TABLES`.
        rows: as the batch wrote them, those of a group together.
    """
    table = STORED_TABLES[name]
    if POSITION in table.c:
        rows = rows.append_column(POSITION, _positions_in_groups(rows))
    packed = PACKED.get(name, ())
    read = ", ".join(
        f'to_json(list("{column}" ORDER BY "{packed[0]}"))::VARCHAR AS "{column}"'
        if column in packed
        else f'to_json("{column}")::VARCHAR AS "{column}"'
        if pa.types.is_list(rows.schema.field(column).type)
        else f'"{column}"'
        for column in (one.name for one in content_columns(table))
    )
    key = ", ".join(PRIMARY_KEYS[name])
    grouped = f"GROUP BY {key}" if packed else ""
    with open_session() as memory:
        memory.register(STAGING_VIEW, rows)
        return memory.sql(
            f"WITH flat AS (SELECT {read} FROM {STAGING_VIEW} {grouped}) "  # noqa: S608 - our own names
            f"SELECT *, unhex(md5(to_json(flat)::VARCHAR)) AS {DIGEST} FROM flat ORDER BY {key}"
        ).to_arrow_table()


def frame_to_arrow(table: sa.Table, rows: pd.DataFrame) -> pa.Table:
    """A frame with the columns of a table of the store, as Arrow."""
    fields = [(column.name, ARROW_TYPES[type(column.type)]) for column in table.columns]
    return pa.Table.from_pandas(rows, pa.schema(fields), preserve_index=False)


def with_constants(rows: pa.Table, **values: int | None) -> pa.Table:
    """Rows with a whole number, or null, in further columns."""
    for name, value in values.items():
        rows = rows.append_column(name, pa.repeat(pa.scalar(value, pa.int64()), rows.num_rows))
    return rows


def _hex(column: pa.ChunkedArray) -> pa.Array:
    texts: Sequence[bytes | None] = column.to_pylist()
    return pa.array([None if text is None else text.hex() for text in texts], pa.string())


def _positions_in_groups(rows: pa.Table) -> pa.Array:
    """0, 1, ... within each group; its rows are next to each other."""
    groups = rows["group_id"].to_numpy(zero_copy_only=False)
    first = np.flatnonzero(np.append(True, groups[1:] != groups[:-1]))
    counts = np.diff(np.append(first, groups.size))
    return pa.array(np.arange(groups.size) - np.repeat(first, counts), pa.int64())
