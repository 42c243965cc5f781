"""Many rows at once beside a statement: what SQL alone would take row by row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from ...store.copy_rows import to_copy_csv
from ...store.schema import DUCKDB

_SQL_TYPES = {pa.string(): "TEXT", pa.int64(): "BIGINT", pa.timestamp("us"): "TIMESTAMP"}


@contextmanager
def staged_table(connection: sa.Connection, rows: pa.Table, name: str = "staged") -> Iterator[str]:
    """A table of rows under a name that statements on the connection may read.

    Args:
        connection: in a transaction, on DuckDB or PostgreSQL.
        rows: columns of text, whole numbers and times.
        name: of the table, while the block lasts.
    """
    dbapi: Any = connection.connection.driver_connection
    if connection.dialect.name == DUCKDB:
        dbapi.register(name, rows)
        try:
            yield name
        finally:
            dbapi.unregister(name)
        return
    columns = ", ".join(f"{field.name} {_SQL_TYPES[field.type]}" for field in rows.schema)
    with dbapi.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE {name} ({columns}) ON COMMIT DROP")
        with cursor.copy(f"COPY {name} FROM STDIN CSV") as copy:
            copy.write(to_copy_csv(rows))
        cursor.execute(f"ANALYZE {name}")
        yield name
        cursor.execute(f"DROP TABLE {name}")
