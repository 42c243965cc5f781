"""From what the store remembers to messages on their way."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from ....explain.language import Language, load_language
from ....settings import Settings
from ...store.connection import Store
from ...store.queries import load_group
from ...store.schema import runs
from ..outbox import outbox
from ..outbox.deliver import DeliveryResult, deliver
from ..outbox.outbox import RetryPolicy
from ..targets.target import DesiredRecords
from .channels import KIND, idempotency_key, open_channel
from .messages import FORMATTERS, digest_blocks, message_blocks
from .triggers import Alert, find_due_alerts

DIGEST = "digest"  # begins the key of one


def enqueue_alerts(
    connection: sa.Connection, channel: str, as_of: datetime, settings: Settings
) -> int:
    """Notes what a channel has to tell; an alert that it was ever given is never noted again.

    Many alerts, and those of a store's first night, are one message.

    Args:
        connection: in a transaction.
        channel: slack, teams or email.
        as_of: of the latest run.
        settings: [alerts] and the language are read.

    Returns:
        How many messages are new.
    """
    known = outbox.load_known_ids(connection, channel, KIND)
    due = [a for a in find_due_alerts(connection, as_of, settings.alerts) if a.key not in known]
    language_code = settings.alerts.language or settings.explain.language
    alert_language = load_language(language_code, settings.explain.languages_folder)
    if len(due) > settings.alerts.digest_above or (len(due) > 1 and _first_night(connection)):
        return _enqueue_digest(connection, channel, due, as_of, alert_language, settings)
    payloads = [_payload(connection, channel, alert, alert_language, settings) for alert in due]
    new_alerts = [
        (alert.key, payload)
        for alert, payload in zip(due, payloads, strict=True)
        if payload is not None
    ]
    keys = [key for key, _ in new_alerts]
    hashes = [idempotency_key(key) for key in keys]
    desired = DesiredRecords(KIND, keys, [payload for _, payload in new_alerts], hashes)
    return outbox.enqueue_changes(connection, channel, [desired], build_retry_policy(settings))


def _first_night(connection: sa.Connection) -> bool:
    """Whether the store has a single run: there everything is new, and little of it is news."""
    return connection.scalar(sa.select(sa.func.count()).select_from(runs)) == 1


def _enqueue_digest(
    connection: sa.Connection,
    channel: str,
    due: Sequence[Alert],
    as_of: datetime,
    alert_language: Language,
    settings: Settings,
) -> int:
    """Notes one message for all alerts of a night, and each of them as told by it."""
    policy, keys = build_retry_policy(settings), [alert.key for alert in due]
    told = [(alert, load_group(connection, alert.group_id, alert.as_of)) for alert in due]
    told_groups = [(alert, group) for alert, group in told if group is not None]
    hashes = [idempotency_key(key) for key in keys]
    outbox.enqueue_changes(
        connection, channel, [DesiredRecords(KIND, keys, ["{}"] * len(keys), hashes)], policy
    )
    outbox.mark_digested(connection, channel, KIND, keys)
    if not told_groups:
        return 0
    blocks = digest_blocks(told_groups, alert_language, settings.alerts.link)
    digest_key = f"{DIGEST}|{as_of.isoformat()}|{idempotency_key('|'.join(keys))[:16]}"
    payload = json.dumps(FORMATTERS[channel](blocks), ensure_ascii=False)
    digest = DesiredRecords(KIND, [digest_key], [payload], [idempotency_key(digest_key)])
    return outbox.enqueue_changes(connection, channel, [digest], policy)


def _payload(
    connection: sa.Connection,
    channel: str,
    alert: Alert,
    alert_language: Language,
    settings: Settings,
) -> str | None:
    found_group = load_group(connection, alert.group_id, alert.as_of)
    if found_group is None:  # retention dropped the scores of that run
        return None
    blocks = message_blocks(alert, found_group, alert_language, settings.alerts.link)
    return json.dumps(FORMATTERS[channel](blocks), ensure_ascii=False)


def deliver_alerts(
    store: Store, channel: str, settings: Settings, *, now: datetime
) -> DeliveryResult:
    """Sends what a channel has to tell, one alert at a time, each kept before the next.

    Raises:
        BadInput: the channel's environment variable is not set.
        StoreFailed: the store could not be written.
    """
    with open_channel(channel, settings.alerts, now) as sender:
        return deliver(store, sender, now=now, retry_policy=build_retry_policy(settings))


def build_retry_policy(settings: Settings) -> RetryPolicy:
    """What becomes of refused records, by the settings."""
    return RetryPolicy.from_minutes(settings.push.max_attempts, settings.push.retry_minutes)
