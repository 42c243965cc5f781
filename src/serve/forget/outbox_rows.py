"""Removing a person from what was sent, or is still to be sent."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

import sqlalchemy as sa

from ..delivery.outbox.outbox_table import DEAD, SENT, outbox
from ..delivery.targets.salesforce import contact_digest
from .person import REDACTION, Person
from .text_search import holds_text, may_name

MEMBER = "member"  # kind of the rows about one contact; their object_id has its id
EMPTY_PAYLOAD = "{}"
TEXT_COLUMNS = ("payload", "sent_payload", "last_error")


@dataclass(frozen=True, slots=True)
class RemoteCopy:
    """What a target holds of a person, which nobody but its keeper can take back.

    Attributes:
        target: of the outbox: a CRM, a webhook, a channel of alerts.
        kind: of the record.
        object_id: of the record: a group, or the group that a member is of.
        remote_id: the target's own id, where it has said it.
    """

    target: str
    kind: str
    object_id: str
    remote_id: str | None

    def __str__(self) -> str:
        """As a command says it."""
        remote = "no id of its own is known" if self.remote_id is None else f"id {self.remote_id}"
        return f"{self.target}: {self.kind} {self.object_id} ({remote})"


def forget_in_outbox(
    connection: sa.Connection, person: Person, groups: Collection[str]
) -> tuple[Counter[str], list[RemoteCopy]]:
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
        How many rows were removed, or changed; and what targets hold of the person.
    """
    counts: Counter[str] = Counter()
    copies: list[RemoteCopy] = []
    object_id = outbox.c.object_id
    any_of_group = [] if person.names else [holds_text(connection, object_id, g) for g in groups]
    candidates = sa.or_(
        *(may_name(connection, outbox.c[column], person) for column in TEXT_COLUMNS),
        *any_of_group,
        sa.and_(outbox.c.kind == MEMBER, _may_be_of(connection, person)),
    )
    for row in connection.execute(sa.select(outbox).where(candidates)).all():
        is_row = sa.and_(
            *(outbox.c[part] == row._mapping[part] for part in ("target", "kind", "object_id"))
        )
        is_about_person = row.kind == MEMBER and _is_of(row.object_id, person)
        redacted = {column: _redact_text(row._mapping[column], person) for column in TEXT_COLUMNS}
        if not person.names and not is_about_person:
            if row.state in (SENT, DEAD):
                redacted |= {
                    "payload": EMPTY_PAYLOAD,
                    "sent_payload": row.sent_payload and EMPTY_PAYLOAD,
                }
            else:
                is_about_person = True
        changed = any(redacted[column] != row._mapping[column] for column in TEXT_COLUMNS)
        if (is_about_person or changed) and _was_sent(row):
            copies.append(RemoteCopy(row.target, row.kind, _group_of(row), row.remote_id))
        if is_about_person:
            connection.execute(sa.delete(outbox).where(is_row))
            counts["outbox rows"] += 1
        elif changed:
            connection.execute(sa.update(outbox).where(is_row).values(redacted))
            counts["outbox texts"] += 1
    return counts, copies


def _may_be_of(connection: sa.Connection, person: Person) -> sa.ColumnElement[bool]:
    """Whether a member's row may be about the person; `_is_of` decides.

    Keys of before held the id itself, as addresses write it.
    """
    object_id = outbox.c.object_id
    spellings = (contact_digest(person.contact_id), quote(person.contact_id, safe=""))
    return sa.or_(
        may_name(connection, object_id, person),
        *(holds_text(connection, object_id, spelling) for spelling in spellings),
    )


def _is_of(object_id: str, person: Person) -> bool:
    key = object_id.rpartition(":")[2]
    return (
        key == contact_digest(person.contact_id)
        or unquote(key) == person.contact_id
        or person.is_named_in(object_id)
    )


def _was_sent(row: Any) -> bool:
    """Whether the target may hold it: it said so, or its answer was lost."""
    return row.state in (SENT, DEAD) or row.sent_hash is not None or row.attempts > 0


def _group_of(row: Any) -> str:
    return unquote(row.object_id.partition(":")[0]) if row.kind == MEMBER else row.object_id


def _redact_text(text: str | None, person: Person) -> str | None:
    """A payload, or a plain text, without the person; as it was where it does not name them."""
    if text is None:
        return None
    try:
        payload = json.loads(text)
    except ValueError:
        return person.pattern.sub(REDACTION, text)
    cleaned = redact_json(payload, person)
    return text if cleaned == payload else json.dumps(cleaned, ensure_ascii=False)


def redact_json(value: Any, person: Person) -> Any:
    """A JSON value without the person: objects and keys that name them go, texts get a dash.

    Args:
        value: of `json.loads`.
        person: whom.
    """
    if isinstance(value, str):
        return person.pattern.sub(REDACTION, value)
    if isinstance(value, dict):
        return {
            key: redact_json(item, person)
            for key, item in value.items()
            if not person.is_named_in(key)
        }
    if isinstance(value, list):
        return [redact_json(item, person) for item in value if not _names_person(item, person)]
    return value


def _names_person(item: Any, person: Person) -> bool:
    return isinstance(item, dict) and any(
        isinstance(text, str) and person.is_named_in(text) for text in item.values()
    )
