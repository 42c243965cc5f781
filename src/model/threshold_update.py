"""A line that follows: month by month, what sales can take decides where it lies.

A capacity line learned once does not hold its flow. The portfolio grows, accounts that training
saw score higher, seasons pass: on a simulated world it let in twice the capacity three months
later. No label is needed to see that, only the readiness of groups as it was known at each
snapshot. So the line is checked at every snapshot and drawn anew where it lets in too many or too
few. Training judges itself by the line so drawn, and serving goes on from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit

from ..settings import Thresholds as ThresholdSettings
from .thresholds import Floats, Thresholds, just_above

TOLERANCE = 0.05
"""The line stays while the flow lies within this share of the capacity."""

SEGMENT_COLUMNS = {"tier": "tier", "solution": "solution_id", "country": "country"}
"""Column of the rows that holds each segment's value."""


def follow(rows: pd.DataFrame, thresholds: Thresholds, settings: ThresholdSettings) -> Thresholds:
    """Goes on with the schedule of a capacity line over the snapshots of `rows`.

    The first snapshot is stock: those who qualify there by the line in force are not new. At each
    later one the newly qualified are counted. The line stays if they are within 5 % of what sales
    can take between two snapshots, and otherwise it becomes the readiness of the last group that
    sales can take; what rounding to whole groups left over is made up for at the next. It never
    falls under `thresholds.least`: where supply is short, capacity stays free.

    The line of a snapshot depends on that snapshot and those before it, never on outcomes and
    never on what came later. Snapshots that the schedule has already keep their line.

    Args:
        rows: group_id, as_of, readiness, completeness and the column of the segment, if there are
            segments; one row per open group and snapshot, all scored by the trees that serve, at
            consecutive snapshots. Three before the first that matters are enough.
        thresholds: those learned; for another policy than "capacity" they come back unchanged.
        settings: whose capacities count.

    Returns:
        The thresholds with a schedule up to the last snapshot of `rows`.
    """
    if thresholds.policy != "capacity" or rows.empty:
        return thresholds
    inside: frozenset[Any] = frozenset()
    owed, earlier = 0.0, None
    for as_of, now in _snapshots(rows):
        values = segment_values(now, thresholds)
        reach = reach_by_snapshot(now, thresholds)
        known = thresholds.followed_until
        if earlier is not None and (known is None or as_of > known):
            quota = owed + _weeks(earlier, as_of) * capacity_at(as_of.month, values, settings)
            new = np.sort(reach[~now["group_id"].isin(inside).to_numpy()])[::-1]
            line, let_in = _line(new, quota, thresholds.base(as_of), thresholds.least)
            owed = float(np.clip(quota - let_in, -1.0, 1.0))
            step = (as_of.isoformat(), line)
            thresholds = replace(thresholds, schedule=(*thresholds.schedule, step))
        inside = frozenset(now["group_id"][reach >= thresholds.base(as_of)])
        earlier = as_of
    return thresholds


def _line(new: Floats, quota: float, line: float, least: float) -> tuple[float, int]:
    """The line for newcomers, strictest first, and how many of them it lets in."""
    let_in, wanted = int((new >= line).sum()), min(round(quota), new.size)
    stays = abs(let_in - quota) <= TOLERANCE * quota or let_in == wanted
    if line < least or not stays:
        if wanted > 0:
            line = max(float(new[wanted - 1]), least)
        elif new.size:
            line = just_above(max(float(new[0]), least))
        let_in = int((new >= line).sum())
    return line, let_in


def capacity_at(month: int, values: Sequence[Any], settings: ThresholdSettings) -> float:
    """Groups a week that all teams together can take in a month.

    Args:
        month: 1 to 12.
        values: the segments that there are; a team without groups takes none.
        settings: whose capacities count.
    """
    present = set(values)
    own = settings.capacity_by_segment
    shared = settings.capacity_by_month.get(str(month), settings.capacity_per_week)
    return (shared if present - set(own) else 0.0) + sum(
        capacity for value, capacity in own.items() if value in present
    )


def qualified(rows: pd.DataFrame, thresholds: Thresholds) -> NDArray[np.bool_]:
    """Whether each row reaches both thresholds of its segment and snapshot, shape (rows,).

    Args:
        rows: as_of, readiness, completeness and the column of the segment, if there are segments.
        thresholds: those in force.
    """
    reached = np.zeros(len(rows), dtype=np.bool_)
    for as_of, places in rows.groupby("as_of", sort=False).indices.items():
        now = rows.iloc[places]
        reached[places] = thresholds.qualifies(
            now["readiness"].to_numpy(np.float64),
            now["completeness"].to_numpy(np.float64),
            segment_values(now, thresholds),
            pd.Timestamp(as_of).to_pydatetime(),  # type: ignore[arg-type]
        )
    return reached


def segment_values(rows: pd.DataFrame, thresholds: Thresholds) -> list[Any]:
    """The segment of each row; None for each without segments.

    Raises:
        ValueError: the column of the segment is missing.
    """
    if thresholds.segment is None:
        return [None] * len(rows)
    column = SEGMENT_COLUMNS[thresholds.segment]
    if column not in rows.columns:
        raise ValueError(
            f"thresholds by {thresholds.segment} need the column {column!r}, got "
            f"{list(rows.columns)}: join it to the rows"
        )
    return list(rows[column])


def reach_by_snapshot(rows: pd.DataFrame, thresholds: Thresholds) -> Floats:
    """The highest pooled line at which each row still qualifies, shape (rows,).

    Minus infinity for a row whose completeness is too low.

    Args:
        rows: as for `qualified`.
        thresholds: whose shifts and completeness count.
    """
    values, month = segment_values(rows, thresholds), pd.DatetimeIndex(rows["as_of"]).month
    shift = np.zeros(len(rows))
    for one in np.unique(month):
        here = month == one
        shift[here] = thresholds.shifts([values[i] for i in np.flatnonzero(here)], int(one))
    readiness = rows["readiness"].to_numpy(np.float64)
    reach = np.where(shift == 0, readiness, expit(logit(readiness) - shift))
    complete = rows["completeness"].to_numpy(np.float64) >= thresholds.completeness
    return np.where(complete, reach, -np.inf)


def _snapshots(rows: pd.DataFrame) -> list[tuple[datetime, pd.DataFrame]]:
    parts = rows.groupby("as_of", sort=True)
    return [(pd.Timestamp(as_of).to_pydatetime(), part) for as_of, part in parts]  # type: ignore[arg-type]


def _weeks(earlier: datetime, later: datetime) -> float:
    return (later - earlier).total_seconds() / (7 * 86_400)
