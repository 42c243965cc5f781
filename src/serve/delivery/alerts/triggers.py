"""What deserves an alert, from what the store remembers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import sqlalchemy as sa

from ....settings import Alerts
from ...store.queries import transitions_to_alert
from ...store.schema import OF_RUN, runs

QUALIFIED, FELL, LEFT = "qualified", "fell", "left"
WATCHED = ("qualified", "accepted")
"""Statuses of groups whose fall or loss is told."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to tell, once.

    Attributes:
        key: names it for ever: group, cut-off, and what happened.
        group_id: of the group.
        as_of: cut-off of the run that found it.
        cause: `qualified`, `fell` or `left`.
        facts: what the headline says of it.
    """

    key: str
    group_id: str
    as_of: datetime
    cause: str
    facts: dict[str, Any] = field(default_factory=dict)


def alerts_due(connection: sa.Connection, as_of: datetime, settings: Alerts) -> list[Alert]:
    """Everything to tell of the runs up to a cut-off that is still news.

    A run repeated gives the same keys. What changed while nobody looked, because a night was cut
    off before its alerts, is told by the next one.

    Args:
        connection: of the store.
        as_of: of the latest run that counts.
        settings: `fall_points` and `max_age_days` are read.
    """
    since = as_of - timedelta(days=settings.max_age_days)
    found = [
        Alert(_key(row["group_id"], row["as_of"], row["to_status"]), row["group_id"],
              row["as_of"], QUALIFIED)
        for row in transitions_to_alert(connection, since, as_of)
    ]  # fmt: skip
    for before, now in _consecutive(connection, since, as_of):
        found += _falls(connection, before, now, settings.fall_points)
        found += _losses(connection, before, now)
    return sorted(found, key=lambda alert: (alert.as_of, alert.group_id, alert.key))


def _key(group_id: str, as_of: datetime, what: str) -> str:
    return f"{group_id}|{as_of.isoformat()}|{what}"


def _consecutive(
    connection: sa.Connection, since: datetime, until: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """Cut-offs of runs that followed each other, the later of them in the time asked for."""
    kept = sa.select(runs.c.as_of, runs.c.model_version).where(runs.c.as_of <= until)
    rows = connection.execute(kept.order_by(runs.c.as_of)).all()
    for (before, old), (now, new) in pairwise(rows):
        # Another model scores otherwise: that is no news of a group.
        if now >= since and old == new:
            yield before, now


def _falls(
    connection: sa.Connection, before: datetime, now: datetime, points: float
) -> Iterator[Alert]:
    old, new = OF_RUN["scores"].alias("old"), OF_RUN["scores"].alias("new")
    query = (
        sa.select(new.c.group_id, old.c.score, new.c.score)
        .join(old, (old.c.group_id == new.c.group_id) & (old.c.as_of == before))
        .where(new.c.as_of == now, old.c.status.in_(WATCHED), old.c.score - new.c.score >= points)
    )
    for group_id, was, score in connection.execute(query).all():
        facts = {"before": was, "after": score, "points": was - score}
        yield Alert(_key(group_id, now, FELL), group_id, now, FELL, facts)


def _losses(connection: sa.Connection, before: datetime, now: datetime) -> Iterator[Alert]:
    old, new = OF_RUN["scores"].alias("old"), OF_RUN["scores"].alias("new")
    people, gone = OF_RUN["stakeholders"].alias("people"), OF_RUN["stakeholders"].alias("gone")
    rested_on = old.c.single_point_of_failure
    still_there = (
        (people.c.group_id == new.c.group_id)
        & (people.c.as_of == now)
        & (people.c.contact_id == rested_on)
    )
    then = (
        (gone.c.group_id == old.c.group_id)
        & (gone.c.as_of == before)
        & (gone.c.contact_id == rested_on)
    )
    query = (
        sa.select(new.c.group_id, rested_on, gone.c.summary)
        .join(old, (old.c.group_id == new.c.group_id) & (old.c.as_of == before))
        .outerjoin(gone, then)
        .outerjoin(people, still_there)
        .where(
            new.c.as_of == now,
            old.c.status.in_(WATCHED),
            rested_on.is_not(None),
            people.c.contact_id.is_(None),
        )
    )
    for group_id, contact_id, summary in connection.execute(query).all():
        facts = {"person": summary or contact_id}
        yield Alert(_key(group_id, now, f"{LEFT}|{contact_id}"), group_id, now, LEFT, facts)
