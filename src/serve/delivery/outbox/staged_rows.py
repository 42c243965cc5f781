"""Many rows at once beside a statement: what SQL alone would take row by row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import sqlalchemy as sa

from ...store.copy_rows import insert_rows_into
from ...store.schema import POSTGRESQL

_SQL_TYPES = {pa.string(): "TEXT", pa.int64(): "BIGINT", pa.timestamp("us"): "TIMESTAMP"}


@contextmanager
def staged_table(connection: sa.Connection, rows: pa.Table, name: str = "staged") -> Iterator[str]:
    """A table of rows under a name that statements on the connection may read.

    Args:
        connection: in a transaction.
        rows: columns of text, whole numbers and times.
        name: of the table, while the block lasts.
    """
    columns = ", ".join(f"{field.name} {_SQL_TYPES[field.type]}" for field in rows.schema)
    connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {name} ({columns})")
    insert_rows_into(connection, name, rows)
    if connection.dialect.name == POSTGRESQL:
        connection.exec_driver_sql(f"ANALYZE {name}")
    yield name
    connection.exec_driver_sql(f"DROP TABLE {name}")
