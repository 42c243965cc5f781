"""Where the data plausibly begins and ends: days of ordinary volume, not the oldest or newest row.

One meeting booked ahead, one due date or one wrong year would otherwise move every cut-off of a
training: groups whose horizon is not over would count as lost.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..contract import EARLIEST, LATEST
from ..settings import Settings

if TYPE_CHECKING:
    import ibis.expr.types as ir

LONG_BEFORE = timedelta(days=3 * 365)
"""History that somebody may well have before the first group."""

_KNOWN_SINCE = {
    "stage_events": "occurred_at",
    "members": "joined_at",
    "buying_groups": "created_at",
    "verdicts": "decided_at",
    "answers": "answered_at",
}
OBSERVED_TABLES = ("activities", *_KNOWN_SINCE)
"""Tables whose rows tell that somebody was still looking."""

_WEEK = timedelta(days=7)
_MONTH = timedelta(days=28)
_FEW_ROWS = 30  # fewer tell nothing of what is ordinary
_ORDINARY_SHARE = 0.1  # of the volume that the typical row lives in
_ORDINARY_ROWS = 2.0  # a row alone in its week is not ordinary where others are not alone


@dataclass(frozen=True, slots=True)
class Day:
    """Rows of one day, and the first and last instant among them."""

    day: datetime
    rows: int
    first: datetime
    last: datetime


def known_times(tables: Mapping[str, ir.Table]) -> dict[str, tuple[ir.Table, ir.TimestampValue]]:
    """By table, the time that tells that somebody was still looking when a row was known.

    A member's `left_at` may be planned, so it does not count.
    """
    import ibis

    activities = tables["activities"]
    known = ibis.coalesce(activities.recorded_at, activities.occurred_at)
    return {
        "activities": (activities, known),
        **{name: (tables[name], tables[name][column]) for name, column in _KNOWN_SINCE.items()},
    }


def count_by_day(*times: tuple[ir.Table, ir.TimestampValue]) -> list[Day]:
    """Rows by day over all of some times, in order; a time that is null or out of range is none."""
    named = {str(place): time for place, time in enumerate(times)}
    return merge_days(*days_by_name(rows_by_day(named).to_pyarrow().to_pylist()).values())


def rows_by_day(times: Mapping[str, tuple[ir.Table, ir.TimestampValue]]) -> ir.Table:
    """name, day, rows, first, last: the days of each of some times, in one query."""
    import ibis

    return ibis.union(*(_days(name, table, time) for name, (table, time) in times.items()))


def _days(name: str, table: ir.Table, time: ir.TimestampValue) -> ir.Table:
    import ibis

    rows = table.select(at=time)
    days = rows.filter(rows.at.between(EARLIEST, LATEST)).group_by(
        name=ibis.literal(name), day=lambda t: t.at.truncate("D")
    )
    return days.agg(rows=lambda t: t.count(), first=lambda t: t.at.min(), last=lambda t: t.at.max())


def days_by_name(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Day]]:
    """Rows of `rows_by_day` as days, in no order, by the name of their time."""
    days: defaultdict[str, list[Day]] = defaultdict(list)
    for row in rows:
        days[row["name"]].append(Day(row["day"], row["rows"], row["first"], row["last"]))
    return dict(days)


def merge_days(*series: Iterable[Day]) -> list[Day]:
    """The days of several times as those of all, in order."""
    merged: dict[datetime, Day] = {}
    for day in chain(*series):
        if other := merged.get(day.day):
            day = Day(
                day.day,
                day.rows + other.rows,
                min(day.first, other.first),
                max(day.last, other.last),
            )
        merged[day.day] = day
    return [merged[day] for day in sorted(merged)]


def last_ordinary_day(days: Sequence[Day]) -> Day:
    """The latest day whose week and four weeks, itself their last day, have an ordinary volume.

    Ordinary is a tenth of the volume that the typical row lives in, and more than one row where
    others are not alone. A batch of tasks that are due on one day has a full week, but four empty
    ones before it. What lies more than three years after all that comes before, and is the smaller
    part, does not count. Of a few rows in all, the latest is the last.

    Args:
        days: in order, at least one.
    """
    weeks = _ordinary(days, lambda day: (day - _WEEK, day))
    months = _ordinary(days, lambda day: (day - _MONTH, day))
    both = np.flatnonzero(weeks & months)
    found = (both if len(both) else np.flatnonzero(weeks)).tolist()
    far = [
        earlier for earlier, later in _far_apart(days, found) if _most(days[: earlier + 1], days)
    ]
    return days[far[0] if far else found[-1]]


def first_ordinary_day(days: Sequence[Day]) -> Day:
    """The earliest day whose week, itself the first day of it, has an ordinary volume.

    A default such as 2000-01-01, which many rows may bear, is none: what lies more than three years
    before all that follows, and is the smaller part, does not count.

    Args:
        days: in order, at least one.
    """
    ordinary = _ordinary(days, lambda day: (day - timedelta(days=1), day + _WEEK))
    found = np.flatnonzero(ordinary).tolist()
    far = [later for _earlier, later in _far_apart(days, found) if _most(days[later:], days)]
    return days[far[-1] if far else found[0]]


def _far_apart(days: Sequence[Day], found: Sequence[int]) -> list[tuple[int, int]]:
    """Neighbours among the found days that are more than three years apart; none of a few rows."""
    if sum(day.rows for day in days) < _FEW_ROWS:
        return []
    return [
        (earlier, later)
        for earlier, later in pairwise(found)
        if days[later].day - days[earlier].day > LONG_BEFORE
    ]


def _most(some: Sequence[Day], days: Sequence[Day]) -> bool:
    """Whether some of the days have most of the rows."""
    return 2 * sum(day.rows for day in some) > sum(day.rows for day in days)


def _ordinary(
    days: Sequence[Day], span: Callable[[datetime], tuple[datetime, datetime]]
) -> NDArray[np.bool_]:
    """Whether the span of each day (after its first, up to its second instant) is ordinary."""
    at = np.array([day.day for day in days], dtype="datetime64[us]")
    rows = np.array([day.rows for day in days], dtype=np.int64)
    if rows.sum() < _FEW_ROWS:
        return np.ones(len(days), dtype=bool)
    total = np.concatenate([[0], np.cumsum(rows)])
    bounds = np.array([span(day.day) for day in days], dtype="datetime64[us]")
    after, until = (np.searchsorted(at, bounds[:, i], side="right") for i in (0, 1))
    volume = total[until] - total[after]
    typical = float(np.median(np.repeat(volume, np.minimum(rows, 1000))))
    least = max(_ORDINARY_SHARE * typical, min(_ORDINARY_ROWS, typical / 2))
    ordinary: NDArray[np.bool_] = volume >= least
    return ordinary


def end_of_observation(tables: Mapping[str, ir.Table], settings: Settings) -> datetime:
    """The setting, or the latest instant known on a day of ordinary volume."""
    if settings.observation.until is not None:
        return settings.observation.until
    return last_ordinary_day(count_by_day(*known_times(tables).values())).last


def start_of_groups(tables: Mapping[str, ir.Table]) -> datetime:
    """The first instant of the first day on which groups are created in ordinary numbers."""
    groups = tables["buying_groups"]
    return first_ordinary_day(count_by_day((groups, groups.created_at))).first


def start_of_activities(tables: Mapping[str, ir.Table], groups_from: datetime) -> datetime | None:
    """From where on activities count, where some lie alone long before all others.

    Those are more than three years before groups begin, and before the first day on which
    activities are in ordinary numbers: a wrong year, or the one visit that nobody remembers.

    Args:
        tables: the contract's.
        groups_from: see `start_of_groups`.

    Returns:
        A midnight; None where no activity lies like that.
    """
    activities = tables["activities"]
    times = activities.filter(activities.occurred_at.between(EARLIEST, LATEST)).occurred_at
    oldest = times.min().to_pyarrow().as_py()
    if oldest is None or oldest >= groups_from - LONG_BEFORE:
        return None
    limit = (groups_from - LONG_BEFORE).replace(hour=0, minute=0, second=0, microsecond=0)
    days = count_by_day((activities, activities.occurred_at))
    since = min(first_ordinary_day(days).day, limit)
    return since if oldest < since else None
