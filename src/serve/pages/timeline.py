"""The time line of a group: a lane for each person, a mark for each day and family of activities.

A family is known by its shape, not by its colour alone; what was done to a member is hollow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ...features.tables.feature_source import NO_ID
from ...settings import Settings
from .activities import TIMELINE_DAYS, DatedActivity

SHAPE_COUNT = 8
"""Shapes that `parts.html` draws, numbered from 0; the last is that of all further families."""

KNOWN_FAMILIES = ("web", "content", "event", "email", "form", "product", "meeting")
BY_US, OTHER = "by_us", "other"
MANY_ACTIVITIES = 3
"""From this many of a day and family on, a mark is larger."""

MAX_LISTED = 60
"""Activities in the table beside the picture, the latest ones."""

MAX_MONTH_POSITION = 94.0  # percent; a month's name further right would be cut off


@dataclass(frozen=True, slots=True)
class Mark:
    """Some activities of one day and family: place in percent, shape, and what they were."""

    x: float
    shape: int
    outbound: bool
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
class ListedActivity:
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
        outbound: whether anything that was done to a member is shown.
        count: all activities.
        latest: the latest of them, the latest first.
    """

    start: datetime
    end: datetime
    months: tuple[tuple[datetime, float], ...]
    lanes: tuple[Lane, ...]
    families: tuple[tuple[str, int], ...]
    outbound: bool
    count: int
    latest: tuple[ListedActivity, ...]


def timeline(
    activities: Mapping[str, list[DatedActivity]],
    lane_contacts: Sequence[str],
    as_of: datetime,
    settings: Settings,
) -> Timeline:
    """The time line of one group.

    Args:
        activities: by contact_id, see `activities_by_member`.
        lane_contacts: contacts with a lane of their own, in its order; lanes without marks stay.
        as_of: the cut-off.
        settings: say what family a kind is of, and whether we did it.
    """
    start = as_of - timedelta(days=TIMELINE_DAYS)
    shapes = _shapes(activities, settings)
    lanes = [
        _lane(contact_id, 0, activities.get(contact_id, []), start, shapes, settings)
        for contact_id in lane_contacts
    ]
    others = [
        contact_id
        for contact_id in activities
        if contact_id not in set(lane_contacts) and contact_id != NO_ID
    ]
    others_activities = [activity for contact_id in others for activity in activities[contact_id]]
    if without_contact := activities.get(NO_ID):
        lanes.append(_lane(None, 0, without_contact, start, shapes, settings))
    if others_activities:
        lanes.append(_lane(None, len(others), others_activities, start, shapes, settings))
    by_time = [
        (activity, contact_id)
        for contact_id, of_contact in activities.items()
        for activity in of_contact
    ]
    by_time.sort(key=lambda pair: (pair[0][0], pair[0][1], pair[1]), reverse=True)
    return Timeline(
        start=start,
        end=as_of,
        months=tuple(_months(start, as_of)),
        lanes=tuple(lanes),
        families=tuple(shapes.items()),
        outbound=any(mark.outbound for lane in lanes for mark in lane.marks),
        count=len(by_time),
        latest=tuple(
            ListedActivity(at, None if contact_id == NO_ID else contact_id, kind, title)
            for (at, kind, title), contact_id in by_time[:MAX_LISTED]
        ),
    )


def _shapes(activities: Mapping[str, list[DatedActivity]], settings: Settings) -> dict[str, int]:
    """The families of inbound activities that are there, each with its shape; known ones first."""
    kinds = {kind for of_contact in activities.values() for _at, kind, _title in of_contact}
    inbound = {
        settings.activity_kind(kind)
        for kind in kinds
        if settings.activity_kind(kind).direction == "inbound"
    }
    families = {kind.family or OTHER for kind in inbound}
    other_families = sorted(families - {*KNOWN_FAMILIES, OTHER})
    # A known family has the same shape on every page.
    free = [shape for shape, family in enumerate(KNOWN_FAMILIES) if family not in families]
    shapes = {family: shape for shape, family in enumerate(KNOWN_FAMILIES) if family in families}
    for family in other_families:
        shapes[family] = free.pop(0) if free else SHAPE_COUNT - 1
    if OTHER in families:
        shapes[OTHER] = SHAPE_COUNT - 1
    return shapes


def _lane(
    contact_id: str | None,
    others: int,
    activities: Sequence[DatedActivity],
    start: datetime,
    shapes: Mapping[str, int],
    settings: Settings,
) -> Lane:
    days: dict[tuple[datetime, bool, int], Counter[str]] = {}
    for at, kind, _title in activities:
        activity_kind = settings.activity_kind(kind)
        outbound = activity_kind.direction != "inbound"
        shape = SHAPE_COUNT - 1 if outbound else shapes[activity_kind.family or OTHER]
        day = at.replace(hour=0, minute=0, second=0, microsecond=0)
        days.setdefault((day, outbound, shape), Counter())[kind] += 1
    return Lane(
        contact_id,
        others,
        len(activities),
        tuple(
            Mark(
                _position(day + timedelta(hours=12), start), shape, outbound,
                kinds.total() >= MANY_ACTIVITIES, day, tuple(kinds.most_common()),
            )
            for (day, outbound, shape), kinds in sorted(days.items(), key=lambda item: item[0])
        ),
    )  # fmt: skip


def _position(at: datetime, start: datetime) -> float:
    share = (at - start) / timedelta(days=TIMELINE_DAYS)
    return round(100 * min(max(share, 0.0), 1.0), 2)


def _months(start: datetime, end: datetime) -> list[tuple[datetime, float]]:
    found: list[tuple[datetime, float]] = []
    year, month = start.year, start.month
    while True:
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
        first = datetime(year, month, 1)
        if first >= end:
            return found
        if (position := _position(first, start)) <= MAX_MONTH_POSITION:
            found.append((first, position))
