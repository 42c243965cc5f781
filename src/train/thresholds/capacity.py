"""The threshold that what sales can take draws."""

from __future__ import annotations

import numpy as np

from ...model.thresholds import just_above
from .new_entries import Floats, NewEntries


def capacity_threshold(entries: NewEntries, capacity_per_week: float, floor: float = 0.0) -> float:
    """The lowest threshold at which sales can still take every newly qualified group.

    The flow need not fall with the threshold (a loose one keeps groups in that a strict one lets in
    again), so the scan starts at the strictest reach and stops before the first threshold with too
    much. If even that one is too much, the threshold lies just above it and no group qualifies.
    Where sales could take everybody, it ends at `floor`: a group no likelier than the average does
    not qualify because somebody is free.

    Args:
        entries: who enters at which threshold.
        capacity_per_week: groups that sales can take each week.
        floor: lowest threshold that may be chosen, such as the base rate; without an entry at or
            above it the highest reach is taken, and `floor` itself without any.
    """
    thresholds = _thresholds_to_scan(
        np.concatenate((entries.qualifying_threshold, entries.previous_threshold)), floor
    )
    if not thresholds.size:
        return floor
    chosen = _last_within_capacity(entries.per_week(thresholds), capacity_per_week)
    return float(thresholds[chosen]) if chosen >= 0 else just_above(float(thresholds[0]))


def _thresholds_to_scan(qualifying_threshold: Floats, floor: float) -> Floats:
    """Thresholds worth a look, from strict to loose."""
    observed = np.unique(qualifying_threshold[np.isfinite(qualifying_threshold)])[::-1]
    allowed = observed[observed >= floor]
    return allowed if allowed.size else observed[:1]


def _last_within_capacity(per_week: Floats, capacity_per_week: float) -> int:
    """Place of the last threshold before the first with too much; -1 if that is the first."""
    over_capacity = np.flatnonzero(per_week > capacity_per_week)
    return int(over_capacity[0]) - 1 if over_capacity.size else per_week.size - 1
