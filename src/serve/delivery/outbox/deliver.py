"""Working through the outbox of one target."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime

from ...store.connection import Store
from ...store.schema import DUCKDB
from ..targets.target import GROUP, NOTE, OutboxRecord, Outcome, Sender, TargetUnavailable
from . import outbox
from .outbox import RetryPolicy

COMMIT_INTERVAL_SECONDS = 10.0
"""Seconds between two transactions on DuckDB, where each opens the file anew and keeps others out.
PostgreSQL keeps every answer as it comes. What a crash loses is sent again, to the same effect."""

Progress = Callable[[str, float], None]
Batch = Sequence[OutboxRecord]


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """What a run did.

    Attributes:
        accepted: records that the target named as written.
        rejected: object_id and reason of every other one that was sent.
        unsent: records that were due and were not sent, because the run stopped.
        stop_reason: why it did; None where it went through.
    """

    accepted: int = 0
    rejected: tuple[tuple[str, str], ...] = ()
    unsent: int = 0
    stop_reason: str | None = None


@dataclass
class _OutcomeBuffer:
    """Answers on their way into the store."""

    store: Store
    target: str
    retry_policy: RetryPolicy
    now: datetime
    commit_interval_seconds: float
    accepted: int = 0
    rejected: list[tuple[str, str]] = field(default_factory=list)
    _outcomes: list[tuple[OutboxRecord, Outcome]] = field(default_factory=list)
    _committed_at: float = field(default_factory=time.monotonic)

    def add(self, batch: Batch, outcomes: Sequence[Outcome]) -> None:
        """Takes the answers on a batch."""
        for record, outcome in zip(batch, outcomes, strict=True):
            if outcome.error is None:
                self.accepted += 1
            else:
                self.rejected.append((record.object_id, outcome.error))
            self._outcomes.append((record, outcome))
        if time.monotonic() - self._committed_at >= self.commit_interval_seconds:
            self.commit()

    def commit(self) -> None:
        """Commits what has come in."""
        if self._outcomes:
            with self.store.begin() as connection:
                outbox.save_outcomes(
                    connection, self.target, self._outcomes, self.retry_policy, self.now
                )
            self._outcomes.clear()
        self._committed_at = time.monotonic()


def deliver(
    store: Store,
    target: Sender,
    *,
    now: datetime,
    retry_policy: RetryPolicy,
    commit_interval_seconds: float | None = None,
    progress: Progress = lambda _label, _share: None,
) -> DeliveryResult:
    """Sends what is due; one bad record or batch never stops the others.

    Args:
        store: whose lock the caller holds.
        target: where to.
        now: decides what is due.
        retry_policy: what becomes of refused records.
        commit_interval_seconds: seconds between two transactions; default:
            `COMMIT_INTERVAL_SECONDS` on DuckDB, else 0.
        progress: called with a label and the share done.

    Raises:
        StoreFailed: the store could not be written; what was sent since the last commit is sent
            again by the next run, to the same effect.
    """
    with store.begin() as connection:
        due = outbox.claim_due(connection, target.name, now)
    if commit_interval_seconds is None:
        commit_interval_seconds = (
            COMMIT_INTERVAL_SECONDS if store.engine.dialect.name == DUCKDB else 0.0
        )
    outcome_buffer, stop_reason = (
        _OutcomeBuffer(store, target.name, retry_policy, now, commit_interval_seconds),
        None,
    )
    try:
        for kind in target.kinds:
            records = [record for record in due if record.kind == kind]
            if records and kind == NOTE:
                records = _with_parent_ids(store, target, records)
            for batch, outcomes in _send_in_batches(target, kind, records):
                outcome_buffer.add(batch, outcomes)
                progress(
                    "push", (outcome_buffer.accepted + len(outcome_buffer.rejected)) / len(due)
                )
            outcome_buffer.commit()
    except TargetUnavailable as reason:
        stop_reason = str(reason)
    outcome_buffer.commit()
    if due:
        with store.begin() as connection:
            outbox.recover_interrupted(connection, target.name)
    rejected = tuple(sorted(outcome_buffer.rejected))
    left = len(due) - outcome_buffer.accepted - len(rejected)
    return DeliveryResult(outcome_buffer.accepted, rejected, left, stop_reason)


def _with_parent_ids(store: Store, target: Sender, records: Batch) -> list[OutboxRecord]:
    with store.begin() as connection:
        parent_ids = outbox.load_remote_ids(connection, target.name, GROUP)
    return [replace(record, parent_id=parent_ids.get(record.object_id)) for record in records]


def _send_in_batches(
    target: Sender, kind: str, records: Batch
) -> Iterator[tuple[Batch, Sequence[Outcome]]]:
    """Batches with their outcomes, as the answers come in.

    Raises:
        TargetUnavailable: by one of them; the answers of those under way are given first.
    """
    if not records:
        return
    size = target.batch_size(kind, len(records))
    batches = (records[start : start + size] for start in range(0, len(records), size))
    unavailable: TargetUnavailable | None = None
    # One connection at a time means one after the other: the next is sent once this one is kept.
    max_in_flight = 2 * target.connections if target.connections > 1 else 1
    with ThreadPoolExecutor(target.connections) as pool:
        in_flight: dict[Future[list[Outcome]], Batch] = {}
        for batch in batches:
            in_flight[pool.submit(target.send, batch)] = batch
            if len(in_flight) < max_in_flight:
                continue
            for future in wait(in_flight, return_when=FIRST_COMPLETED).done:
                sent = in_flight.pop(future)
                if isinstance(error := future.exception(), TargetUnavailable):
                    unavailable = error
                else:
                    yield sent, future.result()
            if unavailable:
                break
        for future, sent in in_flight.items():
            if unavailable and future.cancel():
                continue
            if isinstance(error := future.exception(), TargetUnavailable):
                unavailable = unavailable or error
            else:
                yield sent, future.result()
    if unavailable:
        raise unavailable
