"""A batch that is refused as a whole is halved until the bad records are found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .service_client import Unanswered
from .target import Item, Outcome


@dataclass(frozen=True, slots=True)
class Refusal:
    """A batch was refused as a whole, and nothing of it written; `reason` says why."""

    reason: str


Post = Callable[[Sequence[Item]], "list[Outcome] | Refusal"]


@dataclass
class Halving:
    """Sends batches; remembers what is wrong with all records alike.

    A property that is missing at the target refuses every batch. Halving each down to its records
    would take twice as many requests as there are records, so a reason that has once refused every
    record of a batch refuses the next ones as they are.

    Attributes:
        post: sends records in one request.
    """

    post: Post
    _hopeless: set[str] = field(default_factory=set)

    def send(self, items: Sequence[Item]) -> list[Outcome]:
        """One outcome for each record, in their order."""
        try:
            answer = self.post(items)
        except Unanswered as silence:
            return [Outcome(f"no answer: {silence}", counts=False)] * len(items)
        if not isinstance(answer, Refusal):
            return answer
        if len(items) == 1 or answer.reason in self._hopeless:
            return [Outcome(answer.reason)] * len(items)
        middle = len(items) // 2
        outcomes = self.send(items[:middle]) + self.send(items[middle:])
        if all(outcome.error == answer.reason for outcome in outcomes):
            self._hopeless.add(answer.reason)
        return outcomes
