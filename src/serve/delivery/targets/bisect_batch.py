"""A batch that is refused as a whole is halved until the bad records are found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .service_client import NoResponse
from .target import OutboxRecord, Outcome


@dataclass(frozen=True, slots=True)
class Refusal:
    """A batch was refused as a whole, and nothing of it written; `reason` says why."""

    reason: str


PostBatch = Callable[[Sequence[OutboxRecord]], "list[Outcome] | Refusal"]


@dataclass
class BisectBatch:
    """Sends batches; remembers what is wrong with all records alike.

    A property that is missing at the target refuses every batch. Halving each down to its records
    would take twice as many requests as there are records, so a reason that has once refused every
    record of a batch refuses the next ones as they are.

    Attributes:
        post_batch: sends records in one request.
    """

    post_batch: PostBatch
    _batchwide_reasons: set[str] = field(default_factory=set)

    def send(self, records: Sequence[OutboxRecord]) -> list[Outcome]:
        """One outcome for each record, in their order."""
        try:
            result = self.post_batch(records)
        except NoResponse as no_response:
            return [Outcome(f"no answer: {no_response}", counts_as_attempt=False)] * len(records)
        if not isinstance(result, Refusal):
            return result
        if len(records) == 1 or result.reason in self._batchwide_reasons:
            return [Outcome(result.reason)] * len(records)
        middle = len(records) // 2
        outcomes = self.send(records[:middle]) + self.send(records[middle:])
        if all(outcome.error == result.reason for outcome in outcomes):
            self._batchwide_reasons.add(result.reason)
        return outcomes
