"""What deserves an alert, from what the store remembers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import sqlalchemy as sa

from ....settings import AlertSettings
from ...store.queries import load_alertable_transitions
from ...store.schema import RUN_TABLES, runs

QUALIFIED, FELL, LEFT = "qualified", "fell", "left"
ALERTED_STATUSES = ("qualified", "accepted")
"""Statuses of groups whose fall or loss is reported."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to tell, once.

    Attributes:
        key: names it for ever: group, cut-off, and what happened.
        group_id: of the group.
        as_of: cut-off of the run that found it.
        trigger: `qualified`, `fell` or `left`.
        facts: what the headline says of it.
    """

    key: str
    group_id: str
    as_of: datetime
    trigger: str
    facts: dict[str, Any] = field(default_factory=dict)


def find_due_alerts(
    connection: sa.Connection, as_of: datetime, settings: AlertSettings
) -> list[Alert]:
    """Everything to tell of the runs up to a cut-off that is still news.

    A run repeated gives the same keys. What changed while nobody looked, because a night was cut
    off before its alerts, is reported by the next one.

    Args:
        connection: of the store.
        as_of: of the latest run that counts.
        settings: `fall_points` and `max_age_days` are read.
    """
    since = as_of - timedelta(days=settings.max_age_days)
    found = [
        Alert(_alert_key(row["group_id"], row["as_of"], row["to_status"]), row["group_id"],
              row["as_of"], QUALIFIED)
        for row in load_alertable_transitions(connection, since, as_of)
    ]  # fmt: skip
    for before, now in _consecutive_runs(connection, since, as_of):
        found += _score_drops(connection, before, now, settings.fall_points)
        found += _departures(connection, before, now)
    return sorted(found, key=lambda alert: (alert.as_of, alert.group_id, alert.key))


def _alert_key(group_id: str, as_of: datetime, event: str) -> str:
    return f"{group_id}|{as_of.isoformat()}|{event}"


def _consecutive_runs(
    connection: sa.Connection, since: datetime, until: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """Cut-offs of runs that followed each other, the later of them in the time asked for."""
    stored_runs = sa.select(runs.c.as_of, runs.c.model_version).where(runs.c.as_of <= until)
    rows = connection.execute(stored_runs.order_by(runs.c.as_of)).all()
    for (before, old), (now, new) in pairwise(rows):
        # Another model scores otherwise: that is no news of a group.
        if now >= since and old == new:
            yield before, now


def _score_drops(
    connection: sa.Connection, before: datetime, now: datetime, points: float
) -> Iterator[Alert]:
    old, new = RUN_TABLES["scores"].alias("old"), RUN_TABLES["scores"].alias("new")
    query = (
        sa.select(new.c.group_id, old.c.score, new.c.score)
        .join(old, (old.c.group_id == new.c.group_id) & (old.c.as_of == before))
        .where(
            new.c.as_of == now,
            old.c.status.in_(ALERTED_STATUSES),
            old.c.score - new.c.score >= points,
        )
    )
    for group_id, previous_score, score in connection.execute(query).all():
        facts = {"before": previous_score, "after": score, "points": previous_score - score}
        yield Alert(_alert_key(group_id, now, FELL), group_id, now, FELL, facts)


def _departures(connection: sa.Connection, before: datetime, now: datetime) -> Iterator[Alert]:
    old, new = RUN_TABLES["scores"].alias("old"), RUN_TABLES["scores"].alias("new")
    current, previous = (
        RUN_TABLES["stakeholders"].alias("people"),
        RUN_TABLES["stakeholders"].alias("gone"),
    )
    key_contact = old.c.single_point_of_failure
    is_present_now = (
        (current.c.group_id == new.c.group_id)
        & (current.c.as_of == now)
        & (current.c.contact_id == key_contact)
    )
    was_present_before = (
        (previous.c.group_id == old.c.group_id)
        & (previous.c.as_of == before)
        & (previous.c.contact_id == key_contact)
    )
    query = (
        sa.select(new.c.group_id, key_contact, previous.c.summary)
        .join(old, (old.c.group_id == new.c.group_id) & (old.c.as_of == before))
        .outerjoin(previous, was_present_before)
        .outerjoin(current, is_present_now)
        .where(
            new.c.as_of == now,
            old.c.status.in_(ALERTED_STATUSES),
            key_contact.is_not(None),
            current.c.contact_id.is_(None),
        )
    )
    for group_id, contact_id, summary in connection.execute(query).all():
        facts = {"person": summary or contact_id}
        yield Alert(_alert_key(group_id, now, f"{LEFT}|{contact_id}"), group_id, now, LEFT, facts)
