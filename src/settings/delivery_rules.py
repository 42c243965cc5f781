"""Values of `[push]`, `[alerts]` and `[api]` that have the right type and still cannot be meant."""

from __future__ import annotations

import difflib
import string
from collections.abc import Iterator, Mapping

from .api import ApiSettings
from .delivery import (
    CHANNELS,
    MEMBER_FIELDS,
    PUSH_FIELDS,
    AlertSettings,
    PushSettings,
    RequestSettings,
)

SettingRule = tuple[bool, str]
LINK_PLACEHOLDERS = {"group_id", "page"}
"""Placeholders of `[alerts] link`."""


def push_rules(push: PushSettings) -> Iterator[SettingRule]:
    """Rules of the targets."""
    yield push.max_attempts > 0, "[push] max_attempts must be at least 1"
    yield push.retry_minutes >= 0, "[push] retry_minutes must not be negative"
    yield 0 <= push.decimals <= 12, "[push] decimals must be 0 to 12"
    yield push.steady_points >= 0, "[push] steady_points must not be negative"
    yield (
        len(push.grades) == 3 and push.grades == tuple(sorted(push.grades, reverse=True)),
        "[push] grades must be three falling scores: the lowest of A, of B and of C",
    )
    for name in ("hubspot", "salesforce", "dynamics", "webhook"):
        yield from _request_rules(getattr(push, name), f"push.{name}")
    for name in ("hubspot", "salesforce", "dynamics", "sql", "webhook", "jsonl"):
        target = getattr(push, name)
        yield from _field_rules(target.fields, target.mapping, PUSH_FIELDS, f"push.{name}.fields")
    yield from _field_rules(
        push.salesforce.member_fields,
        push.salesforce.member_mapping,
        MEMBER_FIELDS,
        "push.salesforce.member_fields",
    )
    yield "group_id" in push.sql.mapping, "[push.sql.fields] must keep group_id, the table's key"
    yield push.webhook.batch > 0, "[push.webhook] batch must be at least 1"
    yield push.salesforce.bulk_above >= 0, "[push.salesforce] bulk_above must not be negative"
    yield (
        push.salesforce.bulk_poll_seconds > 0,
        "[push.salesforce] bulk_poll_seconds must be over 0",
    )
    yield bool(push.jsonl.path), '[push.jsonl] path must be a file, or "-" for stdout'


def alert_rules(alerts: AlertSettings) -> Iterator[SettingRule]:
    """Rules of the alerts."""
    yield from _request_rules(alerts, "alerts")
    for channel in alerts.channels:
        yield (
            channel in CHANNELS,
            f"[alerts] channels: expected {', '.join(CHANNELS)}, got {channel!r}",
        )
    yield alerts.fall_points > 0, "[alerts] fall_points must be over 0"
    yield alerts.max_age_days > 0, "[alerts] max_age_days must be over 0"
    yield 0 < alerts.smtp_port < 65536, "[alerts] smtp_port must be 1 to 65535"
    yield (
        "email" not in alerts.channels or bool(alerts.email_from and alerts.email_to),
        '[alerts] channels with "email" need email_from and email_to',
    )
    yield (
        _is_link_template(alerts.link),
        "[alerts] link may hold {group_id} and {page}, and no other braces",
    )


def api_rules(api: ApiSettings) -> Iterator[SettingRule]:
    """Rules of the HTTP API."""
    for name in (
        "max_body_bytes", "max_depth", "max_members", "max_activities", "max_rows", "workers",
    ):  # fmt: skip
        yield getattr(api, name) > 0, f"[api] {name} must be at least 1"
    for name in ("waiting", "cached_answers", "lock_timeout_seconds"):
        yield getattr(api, name) >= 0, f"[api] {name} must not be negative"
    for name in ("body_seconds", "reload_seconds", "refresh_seconds"):
        yield getattr(api, name) > 0, f"[api] {name} must be over 0"
    yield api.max_depth <= 100, "[api] max_depth must be 1 to 100"


def _is_link_template(link: str) -> bool:
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(link) if name is not None]
    except ValueError:
        return False
    return set(names) <= LINK_PLACEHOLDERS


def _request_rules(limits: RequestSettings, section: str) -> Iterator[SettingRule]:
    yield (
        limits.requests_per_10_seconds > 1,
        f"[{section}] requests_per_10_seconds must be 2 or more",
    )
    for name in ("requests_per_day", "connections", "tries"):
        yield getattr(limits, name) > 0, f"[{section}] {name} must be at least 1"
    yield limits.timeout_seconds > 0, f"[{section}] timeout_seconds must be over 0"
    yield limits.wait_seconds >= 0, f"[{section}] wait_seconds must not be negative"


def _field_rules(
    overrides: Mapping[str, str], mapping: Mapping[str, str], known: tuple[str, ...], section: str
) -> Iterator[SettingRule]:
    for name in overrides:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
        yield (
            name in known,
            f"[{section}] unknown field {name!r}; the nearest known one is {near!r}",
        )
    yield bool(mapping), f"[{section}] leaves nothing to send; keep at least one field"
    yield (
        len(set(mapping.values())) == len(mapping),
        f"[{section}] must give every field a name of its own",
    )
