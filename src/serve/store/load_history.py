"""The history that pages show: scores and states of the last runs, and what was not delivered."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

import sqlalchemy as sa

from ..batch.score_history import HistoryPoint, ScoreHistory, StatusChange
from .copy_rows import fetch_table
from .schema import RUN_TABLES, runs, transitions

MAX_RUNS = 30
"""Runs whose scores a history holds, the latest ones."""

UNDELIVERED = ("failed", "dead")

_outbox = sa.table(  # the delivery's own; a store knows it from its first revision on
    "outbox", sa.column("target", sa.Text()), sa.column("state", sa.Text())
)


def load_history(
    connection: sa.Connection, as_of: datetime, *, max_runs: int = MAX_RUNS
) -> ScoreHistory:
    """What the runs up to a cut-off made of the groups.

    Args:
        connection: of the store.
        as_of: of the latest run that counts; later ones are left out.
        max_runs: how many runs' scores, the latest ones.
    """
    latest = (
        sa.select(runs.c.as_of)
        .where(runs.c.as_of <= as_of, runs.c.rows_kept)
        .order_by(runs.c.as_of.desc())
        .limit(max_runs)
    )
    cutoffs = sorted(connection.scalars(latest).all())
    return ScoreHistory(
        runs=tuple(cutoffs),
        points=_load_points(connection, cutoffs),
        changes=_load_changes(connection, as_of),
        failed=_load_failed(connection),
    )


def holds_run(connection: sa.Connection, as_of: datetime, model_version: str, groups: int) -> bool:
    """Whether scores are those of a run of this store, and not of other data.

    Args:
        connection: of the store.
        as_of: of the scores.
        model_version: that made them.
        groups: how many there are.
    """
    query = sa.select(runs.c.model_version, runs.c.groups).where(runs.c.as_of == as_of)
    return connection.execute(query).first() == (model_version, groups)


def load_previous_cutoff(connection: sa.Connection, as_of: datetime) -> datetime | None:
    """Cut-off of the last run before one; None where there is none that is kept."""
    query = sa.select(sa.func.max(runs.c.as_of)).where(runs.c.as_of < as_of, runs.c.rows_kept)
    found: datetime | None = connection.scalar(query)
    return found


def _load_points(
    connection: sa.Connection, cutoffs: list[datetime]
) -> dict[str, tuple[HistoryPoint, ...]]:
    if not cutoffs:
        return {}
    table = RUN_TABLES["scores"]
    query = (
        sa.select(
            table.c.group_id, table.c.as_of, table.c.readiness, table.c.threshold, table.c.status
        )
        .where(table.c.as_of >= cutoffs[0], table.c.as_of <= cutoffs[-1])
        .order_by(table.c.as_of)
    )
    points: defaultdict[str, list[HistoryPoint]] = defaultdict(list)
    columns = fetch_table(connection, query).to_pydict()
    names = ("group_id", "as_of", "readiness", "threshold", "status")
    for group_id, *values in zip(*(columns[name] for name in names), strict=True):
        points[group_id].append(HistoryPoint(*values))
    return {group_id: tuple(of_group) for group_id, of_group in points.items()}


def _load_changes(
    connection: sa.Connection, as_of: datetime
) -> dict[str, tuple[StatusChange, ...]]:
    table = transitions.c
    query = (
        sa.select(
            table.group_id, table.as_of, table.from_status, table.to_status, table.reason,
            table.readiness,
        )
        .where(table.as_of <= as_of)
        .order_by(table.as_of)
    )  # fmt: skip
    changes: defaultdict[str, list[StatusChange]] = defaultdict(list)
    for group_id, *values in connection.execute(query).all():
        changes[group_id].append(StatusChange(*values))
    return {group_id: tuple(of_group) for group_id, of_group in changes.items()}


def _load_failed(connection: sa.Connection) -> tuple[tuple[str, int], ...]:
    query = (
        sa.select(_outbox.c.target, sa.func.count())
        .where(_outbox.c.state.in_(UNDELIVERED))
        .group_by(_outbox.c.target)
        .order_by(_outbox.c.target)
    )
    return tuple((target, number) for target, number in connection.execute(query).all())
