"""A whole run as the tables that `mqbg score` wrote."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from ..batch.score_tables import SCORE_SCHEMAS
from ..batch.scoring import ScoreTables
from .copy_rows import fetch_table
from .queries import LIST_COLUMNS
from .schema import PACKED, POSITION, RUN_TABLES


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
        rows = _with(rows, column, pa.array(_read(rows[column]), pa.list_(pa.string())))
    for column in PACKED.get(name, ()):
        kind = pa.list_(SCORE_SCHEMAS[name].field(column).type)
        rows = _with(rows, column, pa.array(_read(rows[column]), kind))
    return (
        _unpacked(rows, PACKED.get(name, ()))
        .select(SCORE_SCHEMAS[name].names)
        .cast(SCORE_SCHEMAS[name])
    )


def _read(texts: pa.ChunkedArray) -> list[Any]:
    return [text and json.loads(text) for text in texts.to_pylist()]


def _with(rows: pa.Table, column: str, values: pa.Array) -> pa.Table:
    return rows.set_column(rows.schema.get_field_index(column), column, values)


def _unpacked(rows: pa.Table, packed: Sequence[str]) -> pa.Table:
    """A row for each element of these columns."""
    if not packed:
        return rows
    single = rows.drop_columns(list(packed)).take(pc.list_parent_indices(rows[packed[0]]))
    for column in packed:
        single = single.append_column(column, pc.list_flatten(rows[column]))
    return single
