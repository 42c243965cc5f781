"""The tables of the store, on one MetaData; those of a run are derived from what a run writes.

A row that did not change is not stored again. Each row says for which runs it holds: from
`first_run` on, and before `until_run`, or to this day where that is null. Both are foreign keys,
and they alone undo a run: deleting it deletes the rows that began with it, and those that ended
with it hold on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from ..batch.score_tables import SCORE_SCHEMAS, SCORES

POSTGRESQL, SQLITE = "postgresql", "sqlite"  # dialects

metadata = sa.MetaData()

POSITION = "place"
"""The place of a row among those of its group; for tables whose rows have an order."""

RANKED = ("rank", "threshold", "completeness_threshold")
"""Columns of scores that change with the scores of other groups: they are a table of their own, so
that a night does not store every score again."""
RANKINGS = "rankings"

PRIMARY_KEYS: Mapping[str, tuple[str, ...]] = {
    "scores": ("group_id",),
    RANKINGS: ("group_id",),
    "stakeholders": ("group_id", "contact_id"),
    "actions": ("group_id", POSITION),
    "horizons": ("group_id", "horizon_days"),
    "themes": ("group_id", "contact_id"),
    "summaries": ("group_id",),
}
"""What names a row of each table within a run."""

PACKED: Mapping[str, tuple[str, ...]] = {"themes": ("theme", "contribution", "points")}
"""Columns that hold a list in each row, and stand for as many rows of the batch: a member has some
nine themes, and keys would take more room than they."""

ROW_ID, FIRST_RUN, UNTIL_RUN, DIGEST = "row_id", "first_run", "until_run", "digest"

EDITED_DIGEST = b""
"""Digest of a row that was edited after its run, which no row of a later run has."""

_SQL_TYPES: Mapping[Any, Any] = {  # lists are texts of JSON
    pa.string(): sa.Text(),
    pa.float64(): sa.Double(),
    pa.int64(): sa.BigInteger(),
    pa.timestamp("us"): sa.DateTime(),
    pa.bool_(): sa.Boolean(),
}
_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), SQLITE)  # there a row's own number

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("run_id", _ROW_NUMBER, primary_key=True, autoincrement=False),  # rises with as_of
    sa.Column("as_of", sa.DateTime(), nullable=False, unique=True),
    sa.Column("model_version", sa.Text(), nullable=False),
    sa.Column("groups", sa.BigInteger(), nullable=False),
    sa.Column("digest", sa.Text(), nullable=False),  # SHA-256 of what the run wrote
    # False once the retention dropped its rows: the run stays, as states, transitions and rows of
    # later runs may have begun with it.
    sa.Column("rows_kept", sa.Boolean(), nullable=False),
)


def _content_fields(name: str) -> Iterator[tuple[str, pa.DataType]]:
    """Columns of a stored table that say something of a group, in the order of the files."""
    for field in SCORES if name == RANKINGS else SCORE_SCHEMAS[name]:
        ranked = field.name in RANKED
        if field.name == "group_id" or (field.name != "as_of" and ranked == (name == RANKINGS)):
            packed = field.name in PACKED.get(name, ())
            yield field.name, pa.list_(field.type) if packed else field.type
    if POSITION in PRIMARY_KEYS[name]:
        yield POSITION, pa.int64()


def _stored_table(name: str) -> sa.Table:
    return sa.Table(
        name,
        metadata,
        sa.Column(ROW_ID, _ROW_NUMBER, primary_key=True),
        sa.Column(
            FIRST_RUN,
            sa.ForeignKey(runs.c.run_id, ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
        sa.Column(UNTIL_RUN, sa.ForeignKey(runs.c.run_id, ondelete="SET NULL")),
        *(
            sa.Column(
                column,
                _SQL_TYPES.get(kind, sa.Text()),
                nullable=column not in (*PRIMARY_KEYS[name], "rank"),
            )
            for column, kind in _content_fields(name)
        ),
        sa.Column(DIGEST, sa.LargeBinary(), nullable=False),  # MD5 of the columns above
        sa.UniqueConstraint(*PRIMARY_KEYS[name], FIRST_RUN, name=f"{name}_versions"),
        # The rankings of the latest run lie in their order.
        sa.Index(f"ix_{name}_{UNTIL_RUN}", UNTIL_RUN, *(["rank"] if name == RANKINGS else [])),
    )


STORED_TABLES: Mapping[str, sa.Table] = {name: _stored_table(name) for name in PRIMARY_KEYS}
"""The tables that hold the rows of runs, by name: those that `mqbg score` writes, and rankings."""


def content_columns(table: sa.Table) -> list[sa.Column[Any]]:
    """Columns of a table of `STORED_TABLES` that say something of a group."""
    own = (ROW_ID, FIRST_RUN, UNTIL_RUN, DIGEST)
    return [column for column in table.columns if column.name not in own]


def is_of_latest_run(table: sa.Table) -> sa.ColumnElement[bool]:
    """Whether a row holds for the latest run."""
    return table.c[UNTIL_RUN].is_(None)


def _run_table(name: str) -> sa.Subquery:
    parts = (
        [STORED_TABLES["scores"], STORED_TABLES[RANKINGS]]
        if name == "scores"
        else [STORED_TABLES[name]]
    )
    joined: sa.FromClause = runs
    for part in parts:
        is_of_run = (part.c[FIRST_RUN] <= runs.c.run_id) & (
            part.c[UNTIL_RUN].is_(None) | (part.c[UNTIL_RUN] > runs.c.run_id)
        )
        if part.name == RANKINGS:
            is_of_run &= part.c.group_id == STORED_TABLES["scores"].c.group_id
        joined = joined.join(part, is_of_run)
    columns = {"as_of": runs.c.as_of}
    for part in reversed(parts):
        columns |= {column.name: column for column in content_columns(part)}
    names = [*SCORE_SCHEMAS[name].names, *([POSITION] if POSITION in columns else [])]
    query = sa.select(*(columns[name] for name in names)).select_from(joined)
    return query.where(runs.c.rows_kept).subquery(f"{name}_of_run")


RUN_TABLES: Mapping[str, sa.Subquery] = {name: _run_table(name) for name in SCORE_SCHEMAS}
"""The tables that `mqbg score` writes, of every run that is kept, to be read."""

states = sa.Table(  # a row where something changed; the latest one of a group holds
    "states",
    metadata,
    sa.Column("group_id", sa.Text(), primary_key=True),
    sa.Column(
        "as_of", sa.ForeignKey(runs.c.as_of, ondelete="CASCADE"), primary_key=True, index=True
    ),
    sa.Column("status", sa.Text(), nullable=False),
    sa.Column("since", sa.DateTime(), nullable=False),  # as_of that the status came with
    sa.Column("below_since", sa.DateTime()),  # under the lower threshold without a break
    sa.Column("alerted_at", sa.DateTime()),
    sa.Column("verdict_at", sa.DateTime()),  # decided_at of the last verdict that counted
)

transitions = sa.Table(
    "transitions",
    metadata,
    sa.Column("group_id", sa.Text(), primary_key=True),
    sa.Column(
        "as_of", sa.ForeignKey(runs.c.as_of, ondelete="CASCADE"), primary_key=True, index=True
    ),
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

meta = sa.Table(  # "lock": the job that holds the store; "forgotten": renewed when somebody is
    "meta",
    metadata,
    sa.Column("key", sa.Text(), primary_key=True),
    sa.Column("value", sa.Text(), nullable=False),
)
