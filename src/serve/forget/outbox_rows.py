"""Removing a person from what was sent, or is still to be sent."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from ..delivery.outbox.outbox_table import DEAD, SENT, outbox
from .person import REDACTION, Person
from .text_search import holds_text, may_name

MEMBER = "member"  # kind of the rows about one contact; their object_id has its id
EMPTY_PAYLOAD = "{}"
TEXT_COLUMNS = ("payload", "sent_payload", "last_error")


def forget_in_outbox(
    connection: sa.Connection, person: Person, groups: Collection[str]
) -> Counter[str]:
    """Removes a person from the outbox, so that nothing is lost for others or sent to them twice.

    Rows about the person go. From other payloads goes every part that names them; hashes stay, so
    what was sent counts as sent. Where no name is known, nobody can tell who is named in a payload
    about one of the person's groups: it is emptied if it was sent, and goes if it was not. The
    next push makes it again of what the store then holds; an alert that still waited is not given.

    Args:
        connection: in a transaction.
        person: whom.
        groups: that the person stood in.

    Returns:
        How many rows were removed, or changed.
    """
    counts: Counter[str] = Counter()
    object_id = outbox.c.object_id
    any_of_group = [] if person.names else [holds_text(connection, object_id, g) for g in groups]
    candidates = sa.or_(
        *(may_name(connection, outbox.c[column], person) for column in TEXT_COLUMNS),
        *any_of_group,
        sa.and_(outbox.c.kind == MEMBER, may_name(connection, object_id, person)),
    )
    for row in connection.execute(sa.select(outbox).where(candidates)).all():
        is_row = sa.and_(
            *(outbox.c[part] == row._mapping[part] for part in ("target", "kind", "object_id"))
        )
        is_about_person = row.kind == MEMBER and person.is_named_in(row.object_id)
        redacted = {column: _redact_text(row._mapping[column], person) for column in TEXT_COLUMNS}
        if not person.names and not is_about_person:
            if row.state in (SENT, DEAD):
                redacted |= {
                    "payload": EMPTY_PAYLOAD,
                    "sent_payload": row.sent_payload and EMPTY_PAYLOAD,
                }
            else:
                is_about_person = True
        if is_about_person:
            connection.execute(sa.delete(outbox).where(is_row))
            counts["outbox rows"] += 1
        elif any(redacted[column] != row._mapping[column] for column in TEXT_COLUMNS):
            connection.execute(sa.update(outbox).where(is_row).values(redacted))
            counts["outbox texts"] += 1
    return counts


def _redact_text(text: str | None, person: Person) -> str | None:
    """A payload, or a plain text, without the person; as it was where it does not name them."""
    if text is None:
        return None
    try:
        payload = json.loads(text)
    except ValueError:
        return person.pattern.sub(REDACTION, text)
    cleaned = _redact_json(payload, person)
    return text if cleaned == payload else json.dumps(cleaned, ensure_ascii=False)


def _redact_json(value: Any, person: Person) -> Any:
    """A JSON value: objects of a list that name the person go, texts get a dash for them."""
    if isinstance(value, str):
        return person.pattern.sub(REDACTION, value)
    if isinstance(value, dict):
        return {key: _redact_json(item, person) for key, item in value.items()}
    if isinstance(value, list):
        return [_redact_json(item, person) for item in value if not _names_person(item, person)]
    return value


def _names_person(item: Any, person: Person) -> bool:
    return isinstance(item, dict) and any(
        isinstance(text, str) and person.is_named_in(text) for text in item.values()
    )
