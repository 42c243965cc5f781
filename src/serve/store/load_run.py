"""A whole run as the tables that `mqbg score` wrote."""

from __future__ import annotations

import json
from datetime import datetime

import pyarrow as pa
import sqlalchemy as sa

from ..batch.score_tables import SCORE_SCHEMAS
from ..batch.scoring import ScoreTables
from .copy_rows import fetched
from .queries import LISTS
from .schema import OF_RUN, PLACE


def scored_of(connection: sa.Connection, as_of: datetime) -> ScoreTables:
    """The tables of a run; without rows where there was none.

    Args:
        connection: of the store.
        as_of: of the run.
    """
    return ScoreTables(**{name: _table(connection, name, as_of) for name in SCORE_SCHEMAS})


def _table(connection: sa.Connection, name: str, as_of: datetime) -> pa.Table:
    table = OF_RUN[name]
    order = [table.c.rank] if "rank" in table.c else [table.c.group_id]
    order += [table.c[PLACE]] if PLACE in table.c else []
    rows = fetched(connection, sa.select(table).where(table.c.as_of == as_of).order_by(*order))
    for column in LISTS[name]:
        lists = [text and json.loads(text) for text in rows[column].to_pylist()]
        place = rows.schema.get_field_index(column)
        rows = rows.set_column(place, column, pa.array(lists, pa.list_(pa.string())))
    return rows.select(SCORE_SCHEMAS[name].names).cast(SCORE_SCHEMAS[name])
