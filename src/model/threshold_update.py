"""A threshold that follows: month by month, what sales can take decides where it lies.

A capacity threshold learned once does not hold its flow. The portfolio grows, accounts that
training saw score higher, seasons pass: on a simulated world it let in twice the capacity three
months later. No label is needed to see that, only the readiness of groups as it was known at each
snapshot. So the threshold is checked at every snapshot and drawn again where it lets in too many or
too few. Training judges itself by the threshold so drawn, and serving goes on from there.
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

from ..settings import ThresholdSettings
from .thresholds import Floats, Thresholds, just_above

CAPACITY_TOLERANCE = 0.05
"""The threshold stays while the flow lies within this share of the capacity."""

SEGMENT_COLUMNS = {"tier": "tier", "solution": "solution_id", "country": "country"}
"""Column of the rows that holds each segment's value."""


def update_threshold(
    rows: pd.DataFrame, thresholds: Thresholds, settings: ThresholdSettings
) -> Thresholds:
    """Goes on with the schedule of a capacity threshold over the snapshots of `rows`.

    The first snapshot is stock: those who qualify there by the threshold in force are not new. At
    each later one the newly qualified are counted. The threshold stays if they are within 5 % of
    what sales can take between two snapshots, and otherwise it becomes the readiness of the last
    group that sales can take; what rounding to whole groups left over is made up for at the next.
    Where far more are equal to that one it lies just above them. It never falls under
    `thresholds.floor`: where supply is short, capacity stays free.

    The threshold of a snapshot depends on that snapshot and those before it, never on outcomes and
    never on what came later. Snapshots that the schedule has already keep their threshold.

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
    qualified_before: frozenset[Any] = frozenset()
    balance, previous_as_of = 0.0, None
    for as_of, snapshot in rows_by_snapshot(rows):
        segments = segment_values(snapshot, thresholds)
        qualifying = qualifying_thresholds(snapshot, thresholds)
        updated_until = thresholds.updated_until
        if previous_as_of is not None and (updated_until is None or as_of > updated_until):
            capacity = balance + _weeks_between(previous_as_of, as_of) * weekly_capacity(
                as_of.month, segments, settings
            )
            entries = np.sort(qualifying[~snapshot["group_id"].isin(qualified_before).to_numpy()])[
                ::-1
            ]
            threshold, admitted = _next_threshold(
                entries, capacity, thresholds.pooled_at(as_of), thresholds.floor
            )
            balance = float(np.clip(capacity - admitted, -1.0, 1.0))
            step = (as_of.isoformat(), threshold)
            thresholds = replace(thresholds, schedule=(*thresholds.schedule, step))
        qualified_before = frozenset(
            snapshot["group_id"][qualifying >= thresholds.pooled_at(as_of)]
        )
        previous_as_of = as_of
    return thresholds


def _next_threshold(
    entries: Floats, capacity: float, threshold: float, floor: float
) -> tuple[float, int]:
    """The threshold for newcomers, strictest first, and how many of them it lets in."""
    admitted, target = int((entries >= threshold).sum()), min(round(capacity), entries.size)
    unchanged = abs(admitted - capacity) <= CAPACITY_TOLERANCE * capacity or admitted == target
    if threshold < floor or not unchanged:
        if target > 0:
            threshold = max(float(entries[target - 1]), floor)
        elif entries.size:
            threshold = just_above(max(float(entries[0]), floor))
        admitted = int((entries >= threshold).sum())
        if admitted - target > max(CAPACITY_TOLERANCE * capacity, 1.0):
            # Equal ones, more than sales can take: which of them enter, only a run can tell that
            # knows who entered before it (see `entry_budget`).
            threshold = just_above(threshold)
            admitted = int((entries >= threshold).sum())
    return threshold, admitted


def weekly_capacity(month: int, segments: Sequence[Any], settings: ThresholdSettings) -> float:
    """Groups a week that all teams together can take in a month.

    Args:
        month: 1 to 12.
        segments: the segments that there are; a team without groups takes none.
        settings: whose capacities count.
    """
    present = set(segments)
    by_segment = settings.capacity_by_segment
    shared = settings.capacity_by_month.get(str(month), settings.capacity_per_week)
    return (shared if present - set(by_segment) else 0.0) + sum(
        capacity for value, capacity in by_segment.items() if value in present
    )


def qualified(rows: pd.DataFrame, thresholds: Thresholds) -> NDArray[np.bool_]:
    """Whether each row reaches both thresholds of its segment and snapshot, shape (rows,).

    Args:
        rows: as_of, readiness, completeness and the column of the segment, if there are segments.
        thresholds: those in force.
    """
    qualifies = np.zeros(len(rows), dtype=np.bool_)
    for as_of, indices in rows.groupby("as_of", sort=False).indices.items():
        snapshot = rows.iloc[indices]
        qualifies[indices] = thresholds.qualifies(
            snapshot["readiness"].to_numpy(np.float64),
            snapshot["completeness"].to_numpy(np.float64),
            segment_values(snapshot, thresholds),
            pd.Timestamp(as_of).to_pydatetime(),  # type: ignore[arg-type]
        )
    return qualifies


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


def qualifying_thresholds(rows: pd.DataFrame, thresholds: Thresholds) -> Floats:
    """The highest pooled threshold at which each row still qualifies, shape (rows,).

    Minus infinity for a row whose completeness is too low.

    Args:
        rows: as for `qualified`.
        thresholds: whose shifts and completeness count.
    """
    segments, month = segment_values(rows, thresholds), pd.DatetimeIndex(rows["as_of"]).month
    shift = np.zeros(len(rows))
    for month_number in np.unique(month):
        in_month = month == month_number
        shift[in_month] = thresholds.shifts_from_pooled(
            [segments[i] for i in np.flatnonzero(in_month)], int(month_number)
        )
    readiness = rows["readiness"].to_numpy(np.float64)
    qualifying = np.where(shift == 0, readiness, expit(logit(readiness) - shift))
    complete = rows["completeness"].to_numpy(np.float64) >= thresholds.completeness
    return np.where(complete, qualifying, -np.inf)


def rows_by_snapshot(rows: pd.DataFrame) -> list[tuple[datetime, pd.DataFrame]]:
    """The rows of each as_of, in order of time."""
    parts = rows.groupby("as_of", sort=True)
    return [(pd.Timestamp(as_of).to_pydatetime(), part) for as_of, part in parts]  # type: ignore[arg-type]


def _weeks_between(earlier: datetime, later: datetime) -> float:
    return (later - earlier).total_seconds() / (7 * 86_400)
