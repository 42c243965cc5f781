"""Where a group becomes marketing qualified, learned from what sales can take."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..calibrated import Threshold

STOCK_WEEKS = 4.0
"""Weeks over which sales work off the groups of a first and only snapshot."""

CURVE_POINTS = 200
"""Points of a threshold's curve at most."""

COLUMNS = ("group_id", "as_of", "readiness", "completeness")


def capacity_threshold(
    rows: pd.DataFrame,
    *,
    capacity_per_week: float,
    completeness_threshold: float,
    least: float = 0.0,
) -> Threshold:
    """The lowest readiness at which sales can still take every newly qualified group.

    A group qualifies at a snapshot if both its readiness and its completeness reach their
    thresholds. Sales take the flow: groups that qualify now and did not at the snapshot before,
    or were not in it. The flow a week is all entries after the first snapshot over the weeks
    from the first to the last; the first snapshot is stock and not counted. With one snapshot
    only, its stock is spread over four weeks.

    The flow need not fall with the threshold (a loose one keeps groups in that a strict one lets
    in again), so the scan starts at the strictest observed readiness and stops before the first
    one with too much. If even that one is too much, the threshold lies just above it and no
    group qualifies. Where sales could take everybody, it ends at `least`: a group no likelier
    than the average does not qualify because somebody is free.

    Args:
        rows: one row per (group_id, as_of), with readiness and completeness in [0, 1];
            as_of as timestamps.
        capacity_per_week: groups that sales can take each week.
        completeness_threshold: completeness that a group must have, 0..1.
        least: lowest readiness that may be chosen, such as the base rate.

    Raises:
        ValueError: a column is missing, there are no rows, a (group_id, as_of) stands twice,
            a value is missing or outside [0, 1], or the capacity is not above 0.
    """
    _require(rows, capacity_per_week, completeness_threshold)
    now, before, weeks = _flow_rows(rows, completeness_threshold)
    observed = np.unique(rows["readiness"].to_numpy(np.float64))[::-1]
    candidates = observed[observed >= least] if observed[0] >= least else observed[:1]
    per_week = _entries(now, before, candidates) / weeks
    too_many = np.flatnonzero(per_week > capacity_per_week)
    chosen = int(too_many[0]) - 1 if too_many.size else candidates.size - 1
    if chosen < 0:
        readiness, expected = float(np.nextafter(candidates[0], np.inf)), 0.0
    else:
        readiness, expected = float(candidates[chosen]), float(per_week[chosen])
    shown = _points_shown(candidates.size, max(chosen, 0))
    curve = tuple((float(candidates[i]), float(per_week[i])) for i in shown)
    return Threshold("capacity", readiness, float(completeness_threshold), expected, curve)


def _flow_rows(
    rows: pd.DataFrame, completeness_threshold: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Reach now and at the snapshot before, of rows that count, and the weeks they span.

    Reach is the highest threshold at which a row still qualifies: its readiness, or minus
    infinity if its completeness is too low or the group was not there.
    """
    moments, snapshot = np.unique(rows["as_of"].to_numpy("datetime64[us]"), return_inverse=True)
    group = pd.factorize(rows["group_id"])[0]
    complete = rows["completeness"].to_numpy(np.float64) >= completeness_threshold
    reach = np.where(complete, rows["readiness"].to_numpy(np.float64), -np.inf)
    order = np.lexsort((snapshot, group))
    snapshot, group, reach = snapshot[order], group[order], reach[order]
    follows = (np.diff(group) == 0) & (np.diff(snapshot) == 1)
    before = np.concatenate(([-np.inf], np.where(follows, reach[:-1], -np.inf)))
    if moments.size == 1:
        return reach, before, STOCK_WEEKS
    weeks = float((moments[-1] - moments[0]) / np.timedelta64(7, "D"))
    return reach[snapshot > 0], before[snapshot > 0], weeks


def _entries(
    now: NDArray[np.float64], before: NDArray[np.float64], thresholds: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Rows with now >= threshold > before, for each threshold: all that qualify less the old."""

    def at_or_above(values: NDArray[np.float64]) -> NDArray[np.intp]:
        return values.size - np.searchsorted(np.sort(values), thresholds)

    return at_or_above(now) - at_or_above(np.minimum(now, before))


def _points_shown(candidates: int, chosen: int) -> NDArray[np.intp]:
    spread = np.linspace(0, candidates - 1, min(candidates, CURVE_POINTS - 1)).astype(np.intp)
    return np.unique(np.append(spread, chosen))


def _require(rows: pd.DataFrame, capacity_per_week: float, completeness_threshold: float) -> None:
    if missing := [name for name in COLUMNS if name not in rows.columns]:
        raise ValueError(f"a threshold needs the columns {list(COLUMNS)}; missing: {missing}")
    if rows.empty:
        raise ValueError(
            "a threshold needs at least one scored snapshot, got none: "
            "leave more snapshots for calibration"
        )
    if not capacity_per_week > 0:
        raise ValueError(
            f"capacity_per_week must be above 0, got {capacity_per_week}: "
            "set how many groups sales can take in a week"
        )
    if not 0 <= completeness_threshold <= 1:
        raise ValueError(
            f"the completeness threshold must lie in 0..1, got {completeness_threshold}: "
            "write 60 % as 0.6"
        )
    for name in ("readiness", "completeness"):
        if outside := int((~rows[name].between(0, 1)).sum()):
            raise ValueError(
                f"{name} must lie in 0..1 in every row, got {outside} rows where it does not"
            )
    if twice := int(rows.duplicated(["group_id", "as_of"]).sum()):
        raise ValueError(
            f"each group must stand once per snapshot, got {twice} rows again: drop the repeats"
        )
