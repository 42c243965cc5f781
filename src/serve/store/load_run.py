"""A whole run as the tables that `mqbg score` wrote."""

from __future__ import annotations

import json
from datetime import datetime

import pyarrow as pa
import sqlalchemy as sa

from ..batch.score_tables import SCORE_SCHEMAS
from ..batch.scoring import ScoreTables
from .copy_rows import fetch_table
from .queries import LIST_COLUMNS
from .schema import POSITION, RUN_TABLES


def load_run(connection: sa.Connection, as_of: datetime) -> ScoreTables:
    """The tables of a run; without rows where there was none.

    Args:
        connection: of the store.
        as_of: of the run.
    """
    return ScoreTables(**{name: _load_table(connection, name, as_of) for name in SCORE_SCHEMAS})


def _load_table(connection: sa.Connection, name: str, as_of: datetime) -> pa.Table:
    table = RUN_TABLES[name]
    order_columns = [table.c.rank] if "rank" in table.c else [table.c.group_id]
    order_columns += [table.c[POSITION]] if POSITION in table.c else []
    rows = fetch_table(
        connection, sa.select(table).where(table.c.as_of == as_of).order_by(*order_columns)
    )
    for column in LIST_COLUMNS[name]:
        lists = [text and json.loads(text) for text in rows[column].to_pylist()]
        column_index = rows.schema.get_field_index(column)
        rows = rows.set_column(column_index, column, pa.array(lists, pa.list_(pa.string())))
    return rows.select(SCORE_SCHEMAS[name].names).cast(SCORE_SCHEMAS[name])
