"""The tables of the store, on one MetaData; those of a run are derived from what a run writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from ..batch.score_tables import SCORE_SCHEMAS

POSTGRESQL, DUCKDB = "postgresql", "duckdb"  # dialects

metadata = sa.MetaData()

POSITION = "place"
"""Where a row stands among those of its group; for tables whose rows have an order."""

PRIMARY_KEYS: Mapping[str, tuple[str, ...]] = {
    "scores": ("as_of", "group_id"),
    "stakeholders": ("as_of", "group_id", "contact_id"),
    "actions": ("as_of", "group_id", POSITION),
    "horizons": ("as_of", "group_id", "horizon_days"),
    "themes": ("as_of", "group_id", "contact_id", "theme"),
    "summaries": ("as_of", "group_id"),
}
"""What names a row of each table of a run; the run first, as whole runs come and go."""

_SQL_TYPES: Mapping[Any, Any] = {
    pa.string(): sa.Text(),
    pa.float64(): sa.Double(),
    pa.int64(): sa.BigInteger(),
    pa.timestamp("us"): sa.DateTime(),
    pa.bool_(): sa.Boolean(),
    pa.list_(pa.string()): sa.Text(),  # as JSON
}


def _run_table(name: str, schema: pa.Schema) -> sa.Table:
    columns = [
        sa.Column(field.name, _SQL_TYPES[field.type], nullable=field.name not in PRIMARY_KEYS[name])
        for field in schema
    ]
    if POSITION in PRIMARY_KEYS[name]:
        columns.append(sa.Column(POSITION, sa.BigInteger(), nullable=False, autoincrement=False))
    # A key costs DuckDB four times the space, and a night that is scored again 13 s instead of
    # 0.5 s. There, a run that takes the place of the one before keeps rows apart on its own.
    key = sa.PrimaryKeyConstraint(*PRIMARY_KEYS[name]).ddl_if(dialect=POSTGRESQL)
    return sa.Table(name, metadata, *columns, key)


RUN_TABLES: Mapping[str, sa.Table] = {
    name: _run_table(name, schema) for name, schema in SCORE_SCHEMAS.items()
}
"""The tables that `mqbg score` writes, by name."""

sa.Index("scores_of_group", RUN_TABLES["scores"].c.group_id).ddl_if(dialect=POSTGRESQL)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("as_of", sa.DateTime(), primary_key=True),
    sa.Column("model_version", sa.Text(), nullable=False),
    sa.Column("groups", sa.BigInteger(), nullable=False),
    sa.Column("digest", sa.Text(), nullable=False),  # SHA-256 of what the run wrote
)

states = sa.Table(  # a row where something changed; the latest one of a group holds
    "states",
    metadata,
    sa.Column("group_id", sa.Text(), primary_key=True),
    sa.Column("as_of", sa.DateTime(), primary_key=True),
    sa.Column("status", sa.Text(), nullable=False),
    sa.Column("since", sa.DateTime(), nullable=False),  # as_of that the status came with
    sa.Column("below_since", sa.DateTime()),  # under the lower line without a break
    sa.Column("alerted_at", sa.DateTime()),
    sa.Column("verdict_at", sa.DateTime()),  # decided_at of the last verdict that counted
)

transitions = sa.Table(
    "transitions",
    metadata,
    sa.Column("group_id", sa.Text(), primary_key=True),
    sa.Column("as_of", sa.DateTime(), primary_key=True),
    sa.Column("from_status", sa.Text(), nullable=False),
    sa.Column("to_status", sa.Text(), nullable=False),
    sa.Column("reason", sa.Text(), nullable=False),  # see `states.TRANSITION_REASONS`
    sa.Column("score", sa.BigInteger(), nullable=False),
    sa.Column("readiness", sa.Double(), nullable=False),
    sa.Column("threshold", sa.Double(), nullable=False),
    sa.Column("completeness", sa.Double(), nullable=False),
    sa.Column("completeness_threshold", sa.Double(), nullable=False),
    sa.Column("model_version", sa.Text(), nullable=False),
    sa.Column("alert", sa.Boolean(), nullable=False),
)

meta = sa.Table(  # "lock": who holds it, where the database has no file beside it that could say
    "meta",
    metadata,
    sa.Column("key", sa.Text(), primary_key=True),
    sa.Column("value", sa.Text(), nullable=False),
)
