"""The line that what sales can take draws."""

from __future__ import annotations

import numpy as np

from ...model.thresholds import just_above
from .new_entries import Floats, Flow


def capacity_line(flow: Flow, capacity_per_week: float, least: float = 0.0) -> float:
    """The lowest line at which sales can still take every newly qualified group.

    The flow need not fall with the line (a loose one keeps groups in that a strict one lets in
    again), so the scan starts at the strictest reach and stops before the first line with too
    much. If even that one is too much, the line lies just above it and no group qualifies. Where
    sales could take everybody, it ends at `least`: a group no likelier than the average does not
    qualify because somebody is free.

    Args:
        flow: who enters at which line.
        capacity_per_week: groups that sales can take each week.
        least: lowest line that may be chosen, such as the base rate; without an entry at or
            above it the highest reach is taken, and `least` itself without any.
    """
    lines = _candidates(np.concatenate((flow.now, flow.before)), least)
    if not lines.size:
        return least
    chosen = _chosen(flow.per_week(lines), capacity_per_week)
    return float(lines[chosen]) if chosen >= 0 else just_above(float(lines[0]))


def _candidates(reach: Floats, least: float) -> Floats:
    """Lines worth a look, from strict to loose."""
    observed = np.unique(reach[np.isfinite(reach)])[::-1]
    allowed = observed[observed >= least]
    return allowed if allowed.size else observed[:1]


def _chosen(per_week: Floats, capacity_per_week: float) -> int:
    """Place of the last line before the first with too much; -1 if that is the first."""
    too_many = np.flatnonzero(per_week > capacity_per_week)
    return int(too_many[0]) - 1 if too_many.size else per_week.size - 1
