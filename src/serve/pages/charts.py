"""Geometry of the report's pictures, and rounding that keeps a shown sum true.

Pictures are SVG whose places are attributes, not styles: the pages' content security policy lets
no inline style through. All places are percent of a picture's width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

SCALE_ENDS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
MIN_BAR_WIDTH = 1.5
"""Width of the thinnest bar that can still be seen, percent."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar from `x` over `width`, percent of the picture; `up` if it adds."""

    x: float
    width: float
    up: bool


@dataclass(frozen=True, slots=True)
class Gauge:
    """A readiness on its scale: the interval's start and width, readiness and threshold."""

    low: float
    width: float
    readiness: float
    threshold: float


def round_to_total(parts: Sequence[float], total: float) -> list[float]:
    """Parts rounded to one decimal so that they add up to the rounded total.

    Each part is rounded down, then the tenths left over go to those that lost most (the method of
    the largest remainder), so none is off by a tenth or more, and a part of exactly 0 stays 0.

    Args:
        parts: shape (parts,); they add up to `total` but for float error, or for less than a tenth
            where the total itself is a rounded figure.
        total: as it is shown elsewhere with one decimal.
    """
    tenths = [math.floor(10 * part) for part in parts]
    missing_tenths = round(10 * float(f"{total:.1f}")) - sum(tenths)
    remainders = [10 * part - tenth for part, tenth in zip(parts, tenths, strict=True)]
    order = sorted(range(len(parts)), key=lambda index: -remainders[index])
    for index in order[: max(0, missing_tenths)]:
        tenths[index] += 1
    # A total that was rounded by itself may ask for a tenth less.
    for index in [index for index in reversed(order) if remainders[index]][
        : max(0, -missing_tenths)
    ]:
        tenths[index] -= 1
    return [tenth / 10 for tenth in tenths]


def waterfall(parts: Sequence[float]) -> list[Bar]:
    """One bar per part, each beginning where the one before ended, the first at 0."""
    ends = [0.0]
    for part in parts:
        ends.append(ends[-1] + part)
    left, right = min(ends), max(ends)
    scale = 100 / (right - left) if right > left else 0.0
    return [
        _bar(scale * (min(start, end) - left), scale * abs(end - start), end >= start)
        for start, end in pairwise(ends)
    ]


def _bar(x: float, width: float, up: bool) -> Bar:
    visible_width = max(width, MIN_BAR_WIDTH) if width else 0.0
    return Bar(round(min(x, 100 - visible_width), 2), round(visible_width, 2), up)


def scale_end(largest: float) -> float:
    """The smallest round end of a scale from 0 that holds a probability."""
    return next((end for end in SCALE_ENDS if end >= largest), 1.0)


def gauge(low: float, high: float, readiness: float, threshold: float, end: float) -> Gauge:
    """Probabilities as places on a scale from 0 to `end`; what lies outside is put on its edge."""
    start_at, end_at, readiness_at, threshold_at = (
        round(100 * min(max(value / end, 0.0), 1.0), 2)
        for value in (low, high, readiness, threshold)
    )
    return Gauge(start_at, round(end_at - start_at, 2), readiness_at, threshold_at)
