"""What a push would change, field by field, without sending anything."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ..targets.target import DesiredRecords
from .outbox_table import SENT, outbox


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """One field of one record.

    Attributes:
        kind: of the record.
        object_id: of the record.
        field_name: of the field, at the target.
        old: what the target holds, as far as known; None also where the record is new.
        new: what it should hold.
    """

    kind: str
    object_id: str
    field_name: str
    old: Any
    new: Any


def find_differences(
    connection: sa.Connection | None, target: str, desired: Sequence[DesiredRecords]
) -> Iterator[FieldDifference]:
    """Fields that a push would change.

    Args:
        connection: of the store; None where there is none yet.
        target: the target's name.
        desired: its records, by kind.
    """
    for records in desired:
        held = {} if connection is None else _load_delivered(connection, target, records.kind)
        for object_id, payload, digest in zip(
            records.object_ids, records.payloads, records.hashes, strict=True
        ):
            old_digest, old_payload = held.get(object_id, (None, None))
            if old_digest == digest:
                continue
            old, new = json.loads(old_payload or "{}"), json.loads(payload)
            for name in new:
                if name not in old or old[name] != new[name]:
                    yield FieldDifference(records.kind, object_id, name, old.get(name), new[name])


def _load_delivered(
    connection: sa.Connection, target: str, kind: str
) -> dict[str, tuple[str | None, str | None]]:
    """Hash and payload of what the target holds, as far as it has said so."""
    settled = outbox.c.state == SENT
    payload = sa.case((settled, outbox.c.payload), else_=outbox.c.sent_payload)
    query = sa.select(outbox.c.object_id, outbox.c.sent_hash, payload).where(
        outbox.c.target == target, outbox.c.kind == kind
    )
    return {row[0]: (row[1], row[2]) for row in connection.execute(query).all()}
