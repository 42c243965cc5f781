"""From what the store remembers to messages on their way."""

from __future__ import annotations

import json
from datetime import datetime

import sqlalchemy as sa

from ....explain.language import Language, load_language
from ....settings import Settings
from ...store.connection import Store
from ...store.queries import group
from ..outbox import outbox
from ..outbox.deliver import Delivered, deliver
from ..outbox.outbox import Patience
from ..targets.target import Wanted
from .channels import KIND, idempotency_key, opened_channel
from .messages import WRITERS, blocks_of
from .triggers import Alert, alerts_due


def plan_alerts(
    connection: sa.Connection, channel: str, as_of: datetime, settings: Settings
) -> int:
    """Notes what a channel has to tell; an alert that it was ever given is never noted again.

    Args:
        connection: in a transaction.
        channel: slack, teams or email.
        as_of: of the latest run.
        settings: [alerts] and the language are read.

    Returns:
        How many alerts are new.
    """
    known = outbox.known_ids(connection, channel, KIND)
    due = [a for a in alerts_due(connection, as_of, settings.alerts) if a.key not in known]
    language = settings.alerts.language or settings.explain.language
    spoken = load_language(language, settings.explain.languages_folder)
    payloads = [_payload(connection, channel, alert, spoken, settings) for alert in due]
    told = [
        (alert.key, payload)
        for alert, payload in zip(due, payloads, strict=True)
        if payload is not None
    ]
    keys = [key for key, _ in told]
    hashes = [idempotency_key(key) for key in keys]
    alerts = Wanted(KIND, keys, [payload for _, payload in told], hashes)
    return outbox.plan(connection, channel, [alerts], patience_of(settings))


def _payload(
    connection: sa.Connection, channel: str, alert: Alert, spoken: Language, settings: Settings
) -> str | None:
    found = group(connection, alert.group_id, alert.as_of)
    if found is None:  # retention dropped the scores of that run
        return None
    blocks = blocks_of(alert, found, spoken, settings.alerts.link)
    return json.dumps(WRITERS[channel](blocks), ensure_ascii=False)


def deliver_alerts(store: Store, channel: str, settings: Settings, *, now: datetime) -> Delivered:
    """Sends what a channel has to tell, one alert at a time, each kept before the next.

    Raises:
        BadInput: the channel's environment variable is not set.
        StoreFailed: the store could not be written.
    """
    with opened_channel(channel, settings.alerts) as sender:
        return deliver(store, sender, now=now, patience=patience_of(settings), kept_every=0.0)


def patience_of(settings: Settings) -> Patience:
    """What becomes of refused records, by the settings."""
    return Patience.of(settings.push.max_attempts, settings.push.retry_minutes)
