"""Geometry of a group's history: a small trend line, and a chart of readiness, threshold, states.

Places are percent of the picture, as in `charts.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ..batch.score_history import HistoryPoint
from .charts import scale_end

TREND_RUNS = 12
"""Runs that a trend line shows, the latest ones."""

TREND_WIDTH, TREND_HEIGHT = 60, 16
"""Box of a trend line; whole numbers in it keep ten thousand of them small."""

MIN_LABEL_DISTANCE = 22.0  # percent; dates that would stand closer are left out


@dataclass(frozen=True, slots=True)
class StateSpan:
    """A stretch of runs with one status: from `x` over `width` percent."""

    x: float
    width: float
    status: str
    since: datetime


@dataclass(frozen=True, slots=True)
class HistoryChart:
    """Readiness and threshold over the runs.

    Attributes:
        readiness: path of the readiness, in a box of 100 x 100.
        threshold: path of the threshold.
        last: place of the latest readiness, from the left and from the top.
        states: the statuses, the earliest first.
        x_ticks: places and dates.
        end: what the top of the scale is, 0..1.
    """

    readiness: str
    threshold: str
    last: tuple[float, float]
    states: tuple[StateSpan, ...]
    x_ticks: tuple[tuple[float, datetime], ...]
    end: float


def trend_line(points: Sequence[HistoryPoint]) -> str:
    """The points of a small line of the last runs, for an SVG `polyline`; "" below two points.

    It spans its own lowest to highest readiness, and at least five score points.
    """
    shown = points[-TREND_RUNS:]
    if len(shown) < 2:
        return ""
    values = [100 * point.readiness for point in shown]
    span = max(5.0, max(values) - min(values))
    middle = (max(values) + min(values)) / 2
    return " ".join(
        f"{round(TREND_WIDTH * index / (len(values) - 1))},"
        f"{round(TREND_HEIGHT / 2 - (TREND_HEIGHT - 2) * (value - middle) / span)}"
        for index, value in enumerate(values)
    )


def history_chart(points: Sequence[HistoryPoint]) -> HistoryChart | None:
    """The chart of a group; None below two runs.

    Args:
        points: of the group, the earliest first.
    """
    if len(points) < 2:
        return None
    # A threshold that nobody reaches would press the line of readiness to the floor.
    reachable = [point.threshold for point in points if point.threshold < 1]
    end = scale_end(1.05 * max(*(point.readiness for point in points), *reachable, 0.01))
    start, whole = points[0].as_of, points[-1].as_of - points[0].as_of
    places = [round(100 * (point.as_of - start) / whole, 2) for point in points]
    last = (places[-1], _height(points[-1].readiness, end))
    return HistoryChart(
        readiness=_path(places, [_height(point.readiness, end) for point in points]),
        threshold=_path(places, [_height(point.threshold, end) for point in points]),
        last=last,
        states=_state_spans(points, places),
        x_ticks=_date_ticks(points, places),
        end=end,
    )


def _height(value: float, end: float) -> float:
    return round(100 * (1 - min(value / end, 1.0)), 2)


def _path(places: Sequence[float], heights: Sequence[float]) -> str:
    return "M" + "L".join(f"{x} {y}" for x, y in zip(places, heights, strict=True))


def _state_spans(points: Sequence[HistoryPoint], places: Sequence[float]) -> tuple[StateSpan, ...]:
    starts = [
        index
        for index in range(len(points))
        if index == 0 or points[index].status != points[index - 1].status
    ]
    ends = [*(places[index] for index in starts[1:]), 100.0]
    return tuple(
        StateSpan(
            places[index],
            # The latest status would have no width where it came with the latest run.
            round(max(end - places[index], 1.5), 2),
            points[index].status,
            points[index].as_of,
        )
        for index, end in zip(starts, ends, strict=True)
    )


def _date_ticks(
    points: Sequence[HistoryPoint], places: Sequence[float]
) -> tuple[tuple[float, datetime], ...]:
    ticks = [(places[0], points[0].as_of)]
    for place, point in zip(places[1:-1], points[1:-1], strict=True):
        if place - ticks[-1][0] >= MIN_LABEL_DISTANCE and 100 - place >= MIN_LABEL_DISTANCE:
            ticks.append((place, point.as_of))
    return (*ticks, (100.0, points[-1].as_of))
