"""The time line of a group: a lane for each person, a mark for each day and family of activities.

A family is told by its shape, not by its colour alone; what was done to a member is hollow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ...features.tables.feature_source import NO_ID
from ...settings import Settings
from .activities import DAYS, Done

SHAPES = 8
"""Shapes that `parts.html` draws, numbered from 0; the last is that of all further families."""

KNOWN = ("web", "content", "event", "email", "form", "product", "meeting")
BY_US, OTHER = "by_us", "other"
MANY = 3
"""From so many of a day and family on, a mark is larger."""

MAX_LISTED = 60
"""Activities in the table beside the picture, the latest ones."""

EDGE = 94.0  # percent; a month's name further right would be cut off


@dataclass(frozen=True, slots=True)
class Mark:
    """Some activities of one day and family: place in percent, shape, and what they were."""

    x: float
    shape: int
    by_us: bool
    many: bool
    day: datetime
    kinds: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Lane:
    """One person's marks, and how many activities they stand for.

    Attributes:
        contact_id: of the person; None for the group without a person, and for the others.
        others: how many people without a lane of their own these marks are of; 0 for one person.
        count: activities of the lane.
        marks: the earliest first.
    """

    contact_id: str | None
    others: int
    count: int
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """An activity in words; `contact_id` is None where it is of the group without a person."""

    at: datetime
    contact_id: str | None
    kind: str
    title: str | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """The activities of a group.

    Attributes:
        start: the earliest instant that is shown.
        end: the cut-off.
        months: first days of months within it, as far as their names have room, and their
            places in percent.
        lanes: the people in the order given, then the group without a person, then the others.
        families: name and shape of each family that is shown.
        by_us: whether anything that was done to a member is shown.
        count: all activities.
        latest: the latest of them, the latest first.
    """

    start: datetime
    end: datetime
    months: tuple[tuple[datetime, float], ...]
    lanes: tuple[Lane, ...]
    families: tuple[tuple[str, int], ...]
    by_us: bool
    count: int
    latest: tuple[Listed, ...]


def timeline(
    done: Mapping[str, list[Done]], shown: Sequence[str], as_of: datetime, settings: Settings
) -> Timeline:
    """The time line of one group.

    Args:
        done: activities by contact_id, see `activities_of`.
        shown: contacts with a lane of their own, in its order; lanes without marks stay.
        as_of: the cut-off.
        settings: say what family a kind is of, and whether we did it.
    """
    start = as_of - timedelta(days=DAYS)
    shapes = _shapes(done, settings)
    own = [_lane(one, 0, done.get(one, []), start, shapes, settings) for one in shown]
    left = [one for one in done if one not in set(shown) and one != NO_ID]
    rest = [activity for one in left for activity in done[one]]
    if logged := done.get(NO_ID):
        own.append(_lane(None, 0, logged, start, shapes, settings))
    if rest:
        own.append(_lane(None, len(left), rest, start, shapes, settings))
    everything = [(activity, one) for one, activities in done.items() for activity in activities]
    everything.sort(key=lambda pair: (pair[0][0], pair[0][1], pair[1]), reverse=True)
    return Timeline(
        start=start,
        end=as_of,
        months=tuple(_months(start, as_of)),
        lanes=tuple(own),
        families=tuple(shapes.items()),
        by_us=any(mark.by_us for lane in own for mark in lane.marks),
        count=len(everything),
        latest=tuple(
            Listed(at, None if one == NO_ID else one, kind, title)
            for (at, kind, title), one in everything[:MAX_LISTED]
        ),
    )


def _shapes(done: Mapping[str, list[Done]], settings: Settings) -> dict[str, int]:
    """The families of inbound activities that are there, each with its shape; known ones first."""
    kinds = {kind for activities in done.values() for _at, kind, _title in activities}
    inbound = {settings.kind(kind) for kind in kinds if settings.kind(kind).direction == "inbound"}
    there = {kind.family or OTHER for kind in inbound}
    further = sorted(there - {*KNOWN, OTHER})
    # A known family has the same shape on every page.
    free = [place for place, family in enumerate(KNOWN) if family not in there]
    found = {family: place for place, family in enumerate(KNOWN) if family in there}
    for family in further:
        found[family] = free.pop(0) if free else SHAPES - 1
    if OTHER in there:
        found[OTHER] = SHAPES - 1
    return found


def _lane(
    contact_id: str | None,
    others: int,
    activities: Sequence[Done],
    start: datetime,
    shapes: Mapping[str, int],
    settings: Settings,
) -> Lane:
    days: dict[tuple[datetime, bool, int], Counter[str]] = {}
    for at, kind, _title in activities:
        of = settings.kind(kind)
        by_us = of.direction != "inbound"
        shape = SHAPES - 1 if by_us else shapes[of.family or OTHER]
        day = at.replace(hour=0, minute=0, second=0, microsecond=0)
        days.setdefault((day, by_us, shape), Counter())[kind] += 1
    return Lane(
        contact_id,
        others,
        len(activities),
        tuple(
            Mark(
                _place(day + timedelta(hours=12), start), shape, by_us,
                kinds.total() >= MANY, day, tuple(kinds.most_common()),
            )
            for (day, by_us, shape), kinds in sorted(days.items(), key=lambda item: item[0])
        ),
    )  # fmt: skip


def _place(at: datetime, start: datetime) -> float:
    share = (at - start) / timedelta(days=DAYS)
    return round(100 * min(max(share, 0.0), 1.0), 2)


def _months(start: datetime, end: datetime) -> list[tuple[datetime, float]]:
    found: list[tuple[datetime, float]] = []
    year, month = start.year, start.month
    while True:
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
        first = datetime(year, month, 1)
        if first >= end:
            return found
        if (place := _place(first, start)) <= EDGE:
            found.append((first, place))
