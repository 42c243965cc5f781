"""Working through the outbox of one target."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from ....contract import BadInput
from ....support.progress import Progress, no_progress
from ...store.connection import Store
from ..targets.target import GROUP, NOTE, OutboxRecord, Outcome, Sender, TargetUnavailable
from . import outbox
from .outbox import RetryPolicy

Batch = Sequence[OutboxRecord]
_Result = tuple[OutboxRecord, Outcome]

MAX_REFUSED_BATCHES, MAX_REFUSED_RECORDS = 3, 50
"""Refusals alike without a success between, after which a run takes the target to be at fault."""

logger = logging.getLogger(__name__)


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
    _doubtful: list[_Result] = field(default_factory=list)  # refused; whose fault it is is unknown
    _doubtful_batches: int = 0
    _kind_accepted: bool = False

    @property
    def seen(self) -> int:
        """Records with an outcome."""
        return self.accepted + len(self.rejected) + len(self._doubtful)

    def add(self, batch: Batch, outcomes: Sequence[Outcome]) -> None:
        """Commits the outcomes of a batch, but for refusals that may hit everything.

        Raises:
            TargetUnavailable: as many were refused without a success between that the fault is the
                target's.
        """
        results = list(zip(batch, outcomes, strict=True))
        accepted = any(outcome.error is None for _, outcome in results)
        self._kind_accepted |= accepted
        refused = [pair for pair in results if pair[1].error and pair[1].counts_as_attempt]
        if accepted:
            self._save([*self._doubtful, *results])
            self._doubtful, self._doubtful_batches = [], 0
            return
        self._save([pair for pair in results if pair not in refused])
        self._doubtful += refused
        self._doubtful_batches += bool(refused)
        if (
            self._doubtful_batches >= MAX_REFUSED_BATCHES
            and len(self._doubtful) >= MAX_REFUSED_RECORDS
            and len({_reason_class(*pair) for pair in self._doubtful}) == 1
        ):
            raise self._target_at_fault()

    def end_kind(self) -> str | None:
        """Decides on the refusals of a kind, the record's fault where another was taken.

        Returns:
            What is wrong with the target, where nothing of the kind was taken.
        """
        doubtful, accepted = self._doubtful, self._kind_accepted
        self._doubtful_batches, self._kind_accepted = 0, False
        if doubtful and not accepted:
            return str(self._target_at_fault())
        self._doubtful = []
        self._save(doubtful)
        return None

    def _target_at_fault(self) -> TargetUnavailable:
        count, (record, outcome) = len(self._doubtful), self._doubtful[-1]
        self._doubtful = []
        return TargetUnavailable(
            f"{self.target}: expected records to be taken, got {count:,} of {count:,} refused, "
            f"such as {record.object_id} ({outcome.error}); correct that at the target or in its "
            "settings. No record counts this as an attempt"
        )

    def _save(self, results: Sequence[_Result]) -> None:
        for record, outcome in results:
            if outcome.error is None:
                self.accepted += 1
            else:
                self.rejected.append((record.object_id, outcome.error))
        if results:
            with self.store.begin() as connection:
                outbox.save_outcomes(connection, self.target, results, self.retry_policy, self.now)


def _reason_class(record: OutboxRecord, outcome: Outcome) -> str:
    """A reason without what differs from record to record."""
    return re.sub(r"\d+", "0", (outcome.error or "").replace(record.object_id, ""))


def deliver(
    store: Store,
    target: Sender,
    *,
    now: datetime,
    retry_policy: RetryPolicy,
    progress: Progress = no_progress,
) -> DeliveryResult:
    """Sends what is due; one bad record or batch never stops the others.

    A refusal is the record's fault where another record of its kind is taken. Where every one is
    refused the target is at fault: the run stops, and no record counts it as an attempt.

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
                progress("push", recorder.seen / len(due))
            stop_reason = recorder.end_kind() or stop_reason
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
                if error := future.exception():
                    unavailable = _as_unavailable(target, error)
                else:
                    yield sent, future.result()
            if unavailable:
                break
        for future, sent in in_flight.items():
            if unavailable and future.cancel():
                continue
            if error := future.exception():
                unavailable = unavailable or _as_unavailable(target, error)
            else:
                yield sent, future.result()
    if unavailable:
        raise unavailable


def _as_unavailable(target: Sender, error: BaseException) -> TargetUnavailable:
    """Why a target takes no more; an error that nobody foresaw stops it, too, and nothing else.

    Raises:
        BadInput: the error is one.
    """
    if isinstance(error, TargetUnavailable):
        return error
    if isinstance(error, BadInput) or not isinstance(error, Exception):
        raise error
    return TargetUnavailable(unexpected_error_message(target.name, error))


def unexpected_error_message(name: str, error: Exception) -> str:
    """What to say of an error that is a fault of ours; its own text may hold a secret."""
    logger.debug("%s: unexpected error", name, exc_info=error)
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = (
        ""
        if frame is None
        else (f" in {Path(frame.tb_frame.f_code.co_filename).name}, line {frame.tb_lineno}")
    )
    return (
        f"{name}: stopped by an unexpected {type(error).__name__}{place}; what is left waits for "
        "the next run: please report this"
    )
