"""Working through the outbox of one target."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime

from ...store.connection import Store
from ..targets.target import GROUP, NOTE, OutboxRecord, Outcome, Sender, TargetUnavailable
from . import outbox
from .outbox import RetryPolicy

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
class _OutcomeRecorder:
    """Saves outcomes in the store, each batch in a transaction of its own."""

    store: Store
    target: str
    retry_policy: RetryPolicy
    now: datetime
    accepted: int = 0
    rejected: list[tuple[str, str]] = field(default_factory=list)

    def add(self, batch: Batch, outcomes: Sequence[Outcome]) -> None:
        """Commits the outcomes of a batch."""
        results = list(zip(batch, outcomes, strict=True))
        for record, outcome in results:
            if outcome.error is None:
                self.accepted += 1
            else:
                self.rejected.append((record.object_id, outcome.error))
        with self.store.begin() as connection:
            outbox.save_outcomes(connection, self.target, results, self.retry_policy, self.now)


def deliver(
    store: Store,
    target: Sender,
    *,
    now: datetime,
    retry_policy: RetryPolicy,
    progress: Progress = lambda _label, _share: None,
) -> DeliveryResult:
    """Sends what is due; one bad record or batch never stops the others.

    Args:
        store: whose lock the caller holds.
        target: where to.
        now: decides what is due.
        retry_policy: what becomes of refused records.
        progress: called with a label and the share done.

    Raises:
        StoreFailed: the store could not be written; records whose outcomes were not saved are
            sent again by the next run, to the same effect.
    """
    with store.begin() as connection:
        due = outbox.claim_due(connection, target.name, now)
    recorder, stop_reason = _OutcomeRecorder(store, target.name, retry_policy, now), None
    try:
        for kind in target.kinds:
            records = [record for record in due if record.kind == kind]
            if records and kind == NOTE:
                records = _with_parent_ids(store, target, records)
            for batch, outcomes in _send_in_batches(target, kind, records):
                recorder.add(batch, outcomes)
                progress("push", (recorder.accepted + len(recorder.rejected)) / len(due))
    except TargetUnavailable as reason:
        stop_reason = str(reason)
    if due:
        with store.begin() as connection:
            outbox.recover_interrupted(connection, target.name)
    rejected = tuple(sorted(recorder.rejected))
    left = len(due) - recorder.accepted - len(rejected)
    return DeliveryResult(recorder.accepted, rejected, left, stop_reason)


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
