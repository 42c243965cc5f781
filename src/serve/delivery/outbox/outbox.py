"""The outbox: what each target should hold, what it does hold, and what is still to be done.

A row is `pending` until its target holds its payload, `sending` while a run works on it, then
`sent`; `failed` after a refusal, until it is due again; `dead` after too many of them. A run marks
everything it is about to send before the first request, so a row that is found `sending` tells of
a run that was cut off: the target may hold the old payload or the new one. Such a row is sent
again, whatever its hash says, which is why every request must be one that may be repeated.

Anyone who calls this holds the lock on the store (`store.job_lock`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pyarrow as pa
import sqlalchemy as sa

from ..targets.target import DesiredRecords, OutboxRecord, Outcome
from .outbox_table import DEAD, DIGESTED, FAILED, PENDING, SENDING, SENT, outbox
from .staged_rows import staged_table

MAX_RETRY_DELAY = timedelta(days=1)  # until a refused record is due again
MAX_IDS_IN_A_STATEMENT = 500
MAX_ERROR_LENGTH = 500  # characters of a reason that are kept

_MATCH_KEY = "outbox.target = s.target AND outbox.kind = s.kind AND outbox.object_id = s.object_id"
_UPDATE_CHANGED = f"""
UPDATE outbox SET
    sent_payload = CASE WHEN outbox.state = 'sent' THEN outbox.payload
                        ELSE outbox.sent_payload END,
    payload = CASE WHEN s.state = 'sent' THEN coalesce(outbox.sent_payload, s.payload)
                   ELSE s.payload END,
    payload_hash = s.payload_hash, state = s.state, attempts = s.attempts,
    last_error = NULL, next_attempt_at = NULL, as_of = s.as_of
FROM {{staged}} AS s WHERE {_MATCH_KEY}
"""  # noqa: S608 - built of constants
_INSERT_NEW = """
INSERT INTO outbox (target, kind, object_id, payload, payload_hash, state, attempts, as_of)
SELECT target, kind, object_id, payload, payload_hash, state, attempts, as_of FROM {staged}
"""
_UPDATE_OUTCOMES = f"""
UPDATE outbox SET
    state = s.state, attempts = s.attempts, last_error = s.last_error,
    next_attempt_at = s.next_attempt_at,
    remote_id = coalesce(s.remote_id, outbox.remote_id),
    sent_hash = CASE WHEN s.state = 'sent' THEN outbox.payload_hash END
FROM {{staged}} AS s WHERE {_MATCH_KEY}
"""  # noqa: S608 - built of constants

_DESIRED_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("target", "kind", "object_id", "payload", "payload_hash")]
    + [("state", pa.string()), ("attempts", pa.int64()), ("as_of", pa.timestamp("us"))]
)
_OUTCOME_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("target", "kind", "object_id", "state")]
    + [("attempts", pa.int64()), ("last_error", pa.string())]
    + [("next_attempt_at", pa.timestamp("us")), ("remote_id", pa.string())]
)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """What becomes of refused records.

    Attributes:
        max_attempts: a record refused so often is dead.
        first_delay: until it is due again after the first refusal; doubles with every other.
    """

    max_attempts: int
    first_delay: timedelta

    @classmethod
    def from_minutes(cls, max_attempts: int, retry_minutes: float) -> RetryPolicy:
        """As the settings have it."""
        return cls(max_attempts, timedelta(minutes=retry_minutes))

    def next_attempt_at(self, attempts: int, now: datetime) -> datetime:
        """When a record is due again that was refused so often."""
        return now + min(self.first_delay * 2.0 ** min(attempts - 1, 20), MAX_RETRY_DELAY)


def recover_interrupted(connection: sa.Connection, target: str) -> int:
    """Makes what a run left `sending` pending again; returns how many rows that were.

    Any of it may have been written, with its answer lost.
    """
    interrupted = sa.update(outbox).where(outbox.c.target == target, outbox.c.state == SENDING)
    return int(connection.execute(interrupted.values(state=PENDING, sent_hash=None)).rowcount or 0)


def enqueue_changes(
    connection: sa.Connection,
    target: str,
    desired: Sequence[DesiredRecords],
    retry_policy: RetryPolicy,
    *,
    as_of: datetime | None = None,
) -> int:
    """Notes what a target should hold; only what it does not hold yet becomes pending.

    A dead record whose payload changed has one attempt, as the refusal may have been of what it
    said. What is no longer wanted stays as it is: the last that was known of it.

    Args:
        connection: in a transaction.
        target: the target's name.
        desired: its records, by kind.
        retry_policy: what becomes of refused records.
        as_of: cut-off that the records come from.

    Returns:
        How many records changed.
    """
    recover_interrupted(connection, target)
    changed_count = 0
    for records in desired:
        changed, new = _OutboxRows(), _OutboxRows()
        known = _load_known_records(connection, target, records.kind)
        for position, (object_id, digest) in enumerate(
            zip(records.object_ids, records.hashes, strict=True)
        ):
            row = known.get(object_id)
            if row is None:
                new.add(position, PENDING, 0)
            elif row[0] != digest:
                changed.add(position, *_state_after_change(row, digest, retry_policy))
        for statement, rows in ((_UPDATE_CHANGED, changed), (_INSERT_NEW, new)):
            _execute_with_rows(connection, statement, rows.to_arrow(target, records, as_of))
            changed_count += len(rows.positions)
    return changed_count


@dataclass(frozen=True, slots=True)
class _OutboxRows:
    """Rows to write, as columns: a tuple for each would keep the garbage collector busy."""

    positions: list[int] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)

    def add(self, position: int, state: str, attempts: int) -> None:
        self.positions.append(position)
        self.states.append(state)
        self.attempts.append(attempts)

    def to_arrow(self, target: str, records: DesiredRecords, as_of: datetime | None) -> pa.Table:
        count = len(self.positions)
        texts = (records.object_ids, records.payloads, records.hashes)
        arrays = [
            pa.repeat(pa.scalar(target, pa.string()), count),
            pa.repeat(pa.scalar(records.kind, pa.string()), count),
            *(
                pa.array([text[position] for position in self.positions], pa.string())
                for text in texts
            ),
            pa.array(self.states, pa.string()),
            pa.array(self.attempts, pa.int64()),
            pa.repeat(pa.scalar(as_of, pa.timestamp("us")), count),
        ]
        return pa.table(arrays, schema=_DESIRED_SCHEMA)


def _load_known_records(
    connection: sa.Connection, target: str, kind: str
) -> dict[str, tuple[str, str | None, str, int]]:
    columns = (outbox.c.object_id, outbox.c.payload_hash, outbox.c.sent_hash)
    query = sa.select(*columns, outbox.c.state, outbox.c.attempts).where(
        outbox.c.target == target, outbox.c.kind == kind
    )
    return {row[0]: (row[1], row[2], row[3], row[4]) for row in connection.execute(query).all()}


def _state_after_change(
    row: tuple[str, str | None, str, int], digest: str, retry_policy: RetryPolicy
) -> tuple[str, int]:
    """State and attempts of a record whose payload changed."""
    _, sent_hash, state, attempts = row
    if digest == sent_hash:
        return SENT, 0
    return PENDING, retry_policy.max_attempts - 1 if state == DEAD else attempts


def claim_due(connection: sa.Connection, target: str, now: datetime) -> list[OutboxRecord]:
    """Marks everything that is due as being sent, and returns it by object_id.

    A clock that was ahead and went back must not hold records up: one that is due later than any
    wait could explain is due now.
    """
    recover_interrupted(connection, target)
    due = sa.and_(
        outbox.c.target == target,
        outbox.c.state.in_((PENDING, FAILED)),
        sa.or_(
            outbox.c.next_attempt_at.is_(None),
            outbox.c.next_attempt_at <= now,
            outbox.c.next_attempt_at > now + MAX_RETRY_DELAY,
        ),
    )
    columns = (outbox.c.kind, outbox.c.object_id, outbox.c.payload, outbox.c.attempts)
    rows = connection.execute(
        sa.select(*columns, outbox.c.remote_id).where(due).order_by(outbox.c.object_id)
    ).all()
    records = [OutboxRecord(*row) for row in rows]
    if records:
        connection.execute(sa.update(outbox).where(due).values(state=SENDING))
    return records


def save_outcomes(
    connection: sa.Connection,
    target: str,
    outcomes: Iterable[tuple[OutboxRecord, Outcome]],
    retry_policy: RetryPolicy,
    now: datetime,
) -> None:
    """Keeps what became of records that were sent.

    What the target holds of a record that it refused is not known: an earlier try of the same
    request may have been written, and only its answer lost.
    """
    rows = [
        _outcome_row(target, record, outcome, retry_policy, now) for record, outcome in outcomes
    ]
    if rows:
        columns = zip(*rows, strict=True)
        arrays = [pa.array(c, f.type) for c, f in zip(columns, _OUTCOME_SCHEMA, strict=True)]
        _execute_with_rows(connection, _UPDATE_OUTCOMES, pa.table(arrays, schema=_OUTCOME_SCHEMA))


def _outcome_row(
    target: str, record: OutboxRecord, outcome: Outcome, retry_policy: RetryPolicy, now: datetime
) -> tuple[object, ...]:
    key = (target, record.kind, record.object_id)
    if outcome.error is None:
        return (*key, SENT, 0, None, None, outcome.remote_id)
    error = outcome.error[:MAX_ERROR_LENGTH]
    if not outcome.counts_as_attempt:
        return (*key, FAILED, record.attempts, error, None, outcome.remote_id)
    attempts = record.attempts + 1
    state = DEAD if attempts >= retry_policy.max_attempts else FAILED
    next_attempt_at = retry_policy.next_attempt_at(attempts, now)
    return (*key, state, attempts, error, next_attempt_at, outcome.remote_id)


def retry_dead(connection: sa.Connection, target: str) -> int:
    """Makes dead records pending again; returns how many."""
    dead = sa.update(outbox).where(outbox.c.target == target, outbox.c.state == DEAD)
    revival = dead.values(state=PENDING, attempts=0, next_attempt_at=None)
    count = sa.select(sa.func.count()).where(outbox.c.target == target, outbox.c.state == DEAD)
    dead_count = int(connection.execute(count).scalar_one())
    connection.execute(revival)
    return dead_count


def mark_digested(
    connection: sa.Connection, target: str, kind: str, object_ids: Sequence[str]
) -> None:
    """Takes rows as told by another one: they are known, and never sent."""
    for start in range(0, len(object_ids), MAX_IDS_IN_A_STATEMENT):
        some = object_ids[start : start + MAX_IDS_IN_A_STATEMENT]
        rows = (outbox.c.target == target, outbox.c.kind == kind, outbox.c.object_id.in_(some))
        connection.execute(sa.update(outbox).where(*rows).values(state=DIGESTED))


def load_known_ids(connection: sa.Connection, target: str, kind: str) -> set[str]:
    """Object_ids of every record that a target was ever to hold."""
    query = sa.select(outbox.c.object_id).where(outbox.c.target == target, outbox.c.kind == kind)
    return set(connection.execute(query).scalars().all())


def load_remote_ids(connection: sa.Connection, target: str, kind: str) -> dict[str, str]:
    """The target's own ids of what it holds, by object_id."""
    query = sa.select(outbox.c.object_id, outbox.c.remote_id).where(
        outbox.c.target == target, outbox.c.kind == kind, outbox.c.remote_id.is_not(None)
    )
    return {row[0]: row[1] for row in connection.execute(query).all()}


def count_by_state(connection: sa.Connection, target: str) -> dict[str, int]:
    """Rows of a target by state."""
    query = (
        sa.select(outbox.c.state, sa.func.count())
        .where(outbox.c.target == target)
        .group_by(outbox.c.state)
    )
    return {state: int(count) for state, count in connection.execute(query)}


def load_refused_records(
    connection: sa.Connection, target: str
) -> list[dict[str, str | int | None]]:
    """Records that were refused, dead ones first: kind, object_id, state, attempts, last_error."""
    columns = (outbox.c.kind, outbox.c.object_id, outbox.c.state, outbox.c.attempts)
    query = (
        sa.select(*columns, outbox.c.last_error)
        .where(outbox.c.target == target, outbox.c.state.in_((FAILED, DEAD)))
        .order_by(outbox.c.state, outbox.c.kind, outbox.c.object_id)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def load_dead_records(connection: sa.Connection, target: str, limit: int) -> list[tuple[str, str]]:
    """Object_id and last reason of dead records, the first ones by object_id."""
    query = (
        sa.select(outbox.c.object_id, outbox.c.last_error)
        .where(outbox.c.target == target, outbox.c.state == DEAD)
        .order_by(outbox.c.object_id)
        .limit(limit)
    )
    return [(row[0], row[1] or "no reason kept") for row in connection.execute(query)]


def _execute_with_rows(connection: sa.Connection, statement: str, rows: pa.Table) -> None:
    if rows.num_rows:
        with staged_table(connection, rows) as name:
            connection.exec_driver_sql(statement.format(staged=name))
