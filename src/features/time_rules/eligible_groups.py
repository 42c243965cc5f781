"""Which (group_id, as_of) there are: cut-offs, eligible groups, the end of observation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import ibis.expr.types as ir

from ...contract import BadInput
from ...settings import Settings, SnapshotSettings
from ...source.observation import end_of_observation, start_of_groups
from ..declare.expressions import AsOf

REOPENED = "reopened"

__all__ = [
    "REOPENED",
    "cutoffs",
    "eligible_groups",
    "end_of_observation",
    "later_cutoffs",
    "start_of_groups",
    "start_of_history",
    "training_cutoffs",
]


def _fetch_instant(time: ir.TimestampScalar) -> datetime | None:
    instant: datetime | None = time.to_pyarrow().as_py()
    return instant


def start_of_history(tables: Mapping[str, ir.Table]) -> datetime:
    """The first thing that happened: before it no group has a history."""
    times = [tables["activities"].occurred_at, tables["buying_groups"].created_at]
    return min(instant for time in times if (instant := _fetch_instant(time.min())) is not None)


def cutoffs(start: datetime, end: datetime, every: str) -> tuple[datetime, ...]:
    """Instants from `start` to `end`, both included, by calendar month or by weeks.

    Args:
        start: the first cut-off.
        end: no cut-off is later.
        every: "1mo", "1w" or "2w".
    """
    instants, number = [], 0
    while (instant := _nth_cutoff(start, every, number)) <= end:
        instants.append(instant)
        number += 1
    return tuple(instants)


def _nth_cutoff(start: datetime, every: str, number: int) -> datetime:
    if every != "1mo":
        return start + number * timedelta(weeks=int(every.removesuffix("w")))
    months = start.month - 1 + number
    year, month = start.year + months // 12, months % 12 + 1
    following = datetime(year + month // 12, month % 12 + 1, 1)
    last_day = (following - timedelta(days=1)).day
    return start.replace(year=year, month=month, day=min(start.day, last_day))


def training_cutoffs(settings: Settings, first: datetime, end: datetime) -> tuple[datetime, ...]:
    """Cut-offs whose whole horizon was observed: as_of + horizon <= end of observation.

    Without a start in the settings, every snapshot has at least four weeks of history: the first
    is the second first-of-month, or the fifth Monday, after the first instant of the groups.

    Raises:
        BadInput: there is none.
    """
    snapshots: SnapshotSettings = settings.snapshots
    last = end - timedelta(days=settings.target.horizon_days)
    start = snapshots.start or _default_start(first, snapshots.every)
    found = cutoffs(start, last, snapshots.every)
    if not found:
        raise BadInput(
            f"snapshots: expected at least one cut-off from {start:%Y-%m-%d} whose horizon of "
            f"{settings.target.horizon_days} days ends by {end:%Y-%m-%d}, the end of observation; "
            "there is none. Set an earlier [snapshots] start, a shorter [target] horizon_days, or "
            "bring a longer history"
        )
    return found


def later_cutoffs(settings: Settings, last: datetime, end: datetime) -> tuple[datetime, ...]:
    """The cut-offs that come after `last` in its series, up to `end`.

    Args:
        settings: how far apart they are.
        last: one of a series, such as that of `training_cutoffs`.
        end: no cut-off is later.
    """
    return cutoffs(last, end, settings.snapshots.every)[1:]


def _default_start(first: datetime, every: str) -> datetime:
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    if every == "1mo":
        return _nth_cutoff(midnight.replace(day=1), "1mo", 2)
    return midnight + timedelta(days=7 - midnight.weekday() + 28)


def eligible_groups(
    tables: Mapping[str, ir.Table], settings: Settings, as_of: datetime | AsOf
) -> ir.Table:
    """Groups a score may speak for at `as_of`: group_id, account_id, solution_id, created_at.

    Created before it, and without a target, won or lost event before it, unless a later
    `reopened` (also before it) made the group open again (design.md, rules of time).
    """
    groups = tables["buying_groups"]
    events = tables["stage_events"]
    past = events.filter(events.occurred_at < as_of)
    ends = past.stage.isin([settings.target.stage, *settings.target.closed_stages])
    closings = past.group_by("group_id").agg(
        closed_at=past.occurred_at.max(where=ends),
        reopened_at=past.occurred_at.max(where=past.stage == REOPENED),
    )
    closed_groups = closings.filter(
        closings.closed_at.notnull(),
        closings.reopened_at.isnull() | (closings.reopened_at <= closings.closed_at),
    )
    return groups.filter(groups.created_at < as_of).anti_join(closed_groups, "group_id")
