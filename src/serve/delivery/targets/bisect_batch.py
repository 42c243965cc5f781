"""A batch that is refused as a whole is halved until the bad records are found."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .no_response import NoResponse
from .target import OutboxRecord, Outcome, TargetUnavailable

PROBES = 5
"""Records of a refused batch that are sent alone to see whether the refusal hits everything."""

MAX_REFUSALS_IN_A_ROW = 16
"""Refused requests after which a target that took records before is probed again."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A batch was refused as a whole, and nothing of it written; `reason` says why."""

    reason: str


PostBatch = Callable[[Sequence[OutboxRecord]], "list[Outcome] | Refusal"]


@dataclass
class BisectBatch:
    """Sends batches; finds the records that spoil theirs, whatever status the refusal has.

    A property that is missing at the target, or a token without its scope, refuses every batch.
    Halving each down to its records would take twice as many requests as there are records. So as
    long as nothing was taken, and again after many refusals in a row, a few records from all over
    the batch are sent alone: where each of them is refused, too, the fault is the target's.

    Attributes:
        name: of the target, for messages.
        post_batch: sends records in one request.
    """

    name: str
    post_batch: PostBatch
    _taken: bool = False
    _refusals_in_a_row: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, records: Sequence[OutboxRecord]) -> list[Outcome]:
        """One outcome for each record, in their order.

        Raises:
            TargetUnavailable: by `post_batch`, or every record is refused alike.
        """
        outcomes: dict[int, Outcome] = {}
        self._send(records, range(len(records)), outcomes)
        return [outcomes[position] for position in range(len(records))]

    def _send(
        self, records: Sequence[OutboxRecord], positions: Sequence[int], into: dict[int, Outcome]
    ) -> None:
        left = [position for position in positions if position not in into]
        if not left:
            return
        refusal = self._post(records, left, into)
        if refusal is None:
            return
        if len(left) == 1:
            into[left[0]] = Outcome(refusal.reason)
            return
        if not self._taken or self._refusals_in_a_row >= MAX_REFUSALS_IN_A_ROW:
            self._probe(records, into, refusal)
        middle = len(left) // 2
        self._send(records, left[:middle], into)
        self._send(records, left[middle:], into)

    def _probe(
        self,
        records: Sequence[OutboxRecord],
        into: dict[int, Outcome],
        refusal: Refusal,
    ) -> None:
        """Sends a few records alone; the target is at fault where each of them is refused."""
        if any(outcome.error is None for outcome in into.values()):
            return  # it took others of this batch
        positions = [position for position in range(len(records)) if position not in into]
        last = len(positions) - 1
        chosen = dict.fromkeys(positions[round(n * last / (PROBES - 1))] for n in range(PROBES))
        for position in chosen:
            alone = self._post(records, [position], into)
            if alone is None:
                return
            into[position] = Outcome(alone.reason)
        raise TargetUnavailable(
            f"{self.name}: expected records to be taken, got every one refused ({refusal.reason}); "
            "correct that at the target or in its settings. No record counts this as an attempt"
        )

    def _post(
        self, records: Sequence[OutboxRecord], positions: Sequence[int], into: dict[int, Outcome]
    ) -> Refusal | None:
        """Sends records in one request; their outcomes, or the refusal."""
        try:
            result = self.post_batch([records[position] for position in positions])
        except NoResponse as no_response:
            silence = Outcome(f"no answer: {no_response}", counts_as_attempt=False)
            into.update(dict.fromkeys(positions, silence))
            return None
        with self._lock:
            if isinstance(result, Refusal):
                self._refusals_in_a_row += 1
                return result
            self._taken |= any(outcome.error is None for outcome in result)
            self._refusals_in_a_row = 0
        into.update(zip(positions, result, strict=True))
        return None
