"""Working through the outbox of one target."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime

from ...store.connection import Store
from ...store.schema import DUCKDB
from ..targets.target import GROUP, NOTE, Item, Outcome, Sender, Stopped
from . import outbox
from .outbox import Patience

KEPT_EVERY = 10.0
"""Seconds between two transactions on DuckDB, where each opens the file anew and keeps others out.
PostgreSQL keeps every answer as it comes. What a crash loses is sent again, to the same effect."""

Progress = Callable[[str, float], None]
Batch = Sequence[Item]


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a run did.

    Attributes:
        accepted: records that the target named as written.
        rejected: object_id and reason of every other one that was sent.
        left: records that were due and were not sent, because the run stopped.
        stopped: why it did; None where it went through.
    """

    accepted: int = 0
    rejected: tuple[tuple[str, str], ...] = ()
    left: int = 0
    stopped: str | None = None


@dataclass
class _Ledger:
    """Answers on their way into the store."""

    store: Store
    target: str
    patience: Patience
    now: datetime
    every: float
    accepted: int = 0
    rejected: list[tuple[str, str]] = field(default_factory=list)
    _answers: list[tuple[Item, Outcome]] = field(default_factory=list)
    _kept_at: float = field(default_factory=time.monotonic)

    def add(self, batch: Batch, outcomes: Sequence[Outcome]) -> None:
        """Takes the answers on a batch."""
        for item, outcome in zip(batch, outcomes, strict=True):
            if outcome.error is None:
                self.accepted += 1
            else:
                self.rejected.append((item.object_id, outcome.error))
            self._answers.append((item, outcome))
        if time.monotonic() - self._kept_at >= self.every:
            self.keep()

    def keep(self) -> None:
        """Commits what has come in."""
        if self._answers:
            with self.store.begin() as connection:
                outbox.record(connection, self.target, self._answers, self.patience, self.now)
            self._answers.clear()
        self._kept_at = time.monotonic()


def deliver(
    store: Store,
    target: Sender,
    *,
    now: datetime,
    patience: Patience,
    kept_every: float | None = None,
    progress: Progress = lambda _label, _share: None,
) -> Delivered:
    """Sends what is due; one bad record or batch never stops the others.

    Args:
        store: whose lock the caller holds.
        target: where to.
        now: decides what is due.
        patience: what becomes of refused records.
        kept_every: seconds between two transactions; default: `KEPT_EVERY` on DuckDB, else 0.
        progress: called with a label and the share done.

    Raises:
        StoreFailed: the store could not be written; what was sent since the last commit is sent
            again by the next run, to the same effect.
    """
    with store.begin() as connection:
        due = outbox.start(connection, target.name, now)
    if kept_every is None:
        kept_every = KEPT_EVERY if store.engine.dialect.name == DUCKDB else 0.0
    ledger, stopped = _Ledger(store, target.name, patience, now, kept_every), None
    try:
        for kind in target.kinds:
            items = [item for item in due if item.kind == kind]
            if items and kind == NOTE:
                items = _below_groups(store, target, items)
            for batch, outcomes in _answers(target, kind, items):
                ledger.add(batch, outcomes)
                progress("push", (ledger.accepted + len(ledger.rejected)) / len(due))
            ledger.keep()
    except Stopped as reason:
        stopped = str(reason)
    ledger.keep()
    if due:
        with store.begin() as connection:
            outbox.recover(connection, target.name)
    rejected = tuple(sorted(ledger.rejected))
    left = len(due) - ledger.accepted - len(rejected)
    return Delivered(ledger.accepted, rejected, left, stopped)


def _below_groups(store: Store, target: Sender, items: Batch) -> list[Item]:
    with store.begin() as connection:
        parents = outbox.remote_ids(connection, target.name, GROUP)
    return [replace(item, parent_id=parents.get(item.object_id)) for item in items]


def _answers(target: Sender, kind: str, items: Batch) -> Iterator[tuple[Batch, Sequence[Outcome]]]:
    """Batches with their outcomes, as the answers come in.

    Raises:
        Stopped: by one of them; the answers of those under way are given first.
    """
    if not items:
        return
    size = target.batch(kind, len(items))
    batches = (items[start : start + size] for start in range(0, len(items), size))
    stopped: Stopped | None = None
    # One connection at a time means one after the other: the next is sent once this one is kept.
    most = 2 * target.connections if target.connections > 1 else 1
    with ThreadPoolExecutor(target.connections) as pool:
        under_way: dict[Future[list[Outcome]], Batch] = {}
        for batch in batches:
            under_way[pool.submit(target.send, batch)] = batch
            if len(under_way) < most:
                continue
            for answer in wait(under_way, return_when=FIRST_COMPLETED).done:
                sent = under_way.pop(answer)
                if isinstance(error := answer.exception(), Stopped):
                    stopped = error
                else:
                    yield sent, answer.result()
            if stopped:
                break
        for answer, sent in under_way.items():
            if stopped and answer.cancel():
                continue
            if isinstance(error := answer.exception(), Stopped):
                stopped = stopped or error
            else:
                yield sent, answer.result()
    if stopped:
        raise stopped
