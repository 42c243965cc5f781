"""Curves of the model's page: lines, points with intervals and bands in a box of 100 by 100.

Lines are drawn in a box that stretches, words and points beside it in percent of the picture, so
that a picture fits any screen and its words keep their size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Point = tuple[float, float]
MAX_TICKS = 5
ROUND_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Curve:
    """A line, and points on it if they are to be seen.

    Attributes:
        name: what it is of.
        style: how to draw it: `model`, `other0`, `other1`, ... or `guide`.
        path: of the line, in the box.
        points: x, y, low and high of each point, in percent of the box from its upper left corner.
    """

    name: str
    style: str
    path: str
    points: tuple[tuple[float, float, float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture.

    Attributes:
        x_ticks: place in percent, and label.
        y_ticks: the same, from the top.
        curves: the model's last, so that it lies on top.
        band: path of an interval around the model's line; None without one.
        mark: place of a vertical line; None without one.
    """

    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    curves: tuple[Curve, ...]
    band: str | None = None
    mark: float | None = None


@dataclass(frozen=True, slots=True)
class Axes:
    """Where values lie in a picture: both axes begin at 0."""

    x_end: float
    y_end: float

    def position(self, x: float, y: float) -> Point:
        """Percent from the left and from the top; what lies outside is put on the edge."""
        return (_percent(x / self.x_end), round(100 - _percent(y / self.y_end), 2))

    def path(self, points: Sequence[Point]) -> str:
        """A line through values, as an SVG path."""
        positions = [self.position(*point) for point in points]
        return " ".join(
            f"{'L' if number else 'M'}{x:g} {y:g}" for number, (x, y) in enumerate(positions)
        )

    def band(self, xs: Sequence[float], low: Sequence[float], high: Sequence[float]) -> str:
        """The area between two lines, as an SVG path."""
        upper = list(zip(xs, high, strict=True))
        lower = list(zip(reversed(xs), reversed(low), strict=True))
        return f"{self.path([*upper, *lower])} Z"

    def points(
        self, rows: Sequence[tuple[float, float, float, float]]
    ) -> tuple[tuple[float, float, float, float], ...]:
        """Points with intervals (x, y, low, high) as places."""
        return tuple(
            (*self.position(x, y), self.position(x, low)[1], self.position(x, high)[1])
            for x, y, low, high in rows
        )


def _percent(share: float) -> float:
    return round(100 * min(max(share, 0.0), 1.0), 2)


def round_axis_end(largest: float) -> float:
    """The end of an axis from 0 that holds a value: a whole number of round steps."""
    step = _step(largest)
    return step * math.ceil(round(largest / step, 9)) if largest > 0 else 1.0


def ticks(end: float, label: Callable[[float], str]) -> tuple[tuple[float, str], ...]:
    """Round values from 0 to the end of an axis, in percent of it."""
    step = _step(end)
    count = math.floor(round(end / step, 9))
    return tuple((_percent(n * step / end), label(n * step)) for n in range(count + 1))


def from_top(ticks: Sequence[tuple[float, str]]) -> tuple[tuple[float, str], ...]:
    """Ticks of an upright axis."""
    return tuple((round(100 - place, 2), label) for place, label in ticks)


def _step(end: float) -> float:
    if end <= 0:
        return 1.0
    size = 10.0 ** math.floor(math.log10(end / MAX_TICKS))
    return next(
        (size * step for step in ROUND_STEPS if end / (size * step) <= MAX_TICKS), size * 10
    )
