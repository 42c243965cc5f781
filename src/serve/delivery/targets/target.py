"""What every target is: something that takes records and says of each what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ...batch.scoring import ScoreTables

GROUP, MEMBER, NOTE = "group", "member", "note"  # kinds of records


@dataclass(frozen=True, slots=True)
class DesiredRecords:
    """What a target should hold of one kind, as columns of equal length.

    Attributes:
        kind: of the records.
        object_ids: each once.
        payloads: JSON objects, as text.
        hashes: of what counts as a change.
    """

    kind: str
    object_ids: Sequence[str]
    payloads: Sequence[str]
    hashes: Sequence[str]


@dataclass(frozen=True, slots=True)
class OutboxRecord:
    """A record to send.

    Attributes:
        kind: see `DesiredRecords`.
        object_id: the group_id, or for other kinds what names the object.
        payload: a JSON object, as text.
        attempts: refusals so far.
        remote_id: the target's own id, where it has said it.
        parent_id: the target's own id of the group, for kinds that hang on it.
    """

    kind: str
    object_id: str
    payload: str
    attempts: int = 0
    remote_id: str | None = None
    parent_id: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a record.

    Attributes:
        error: why it was refused; None where the target named it as written.
        remote_id: the target's own id.
        counts_as_attempt: whether the refusal is the record's own; False where the target is to
            blame, for then it must not die of it.
    """

    error: str | None = None
    remote_id: str | None = None
    counts_as_attempt: bool = True

    def __post_init__(self) -> None:
        """Leaves out what no store and no terminal takes: services write anything."""
        if self.error is not None:
            object.__setattr__(self, "error", printable(self.error))
        if self.remote_id is not None:
            remote_id = self.remote_id if isinstance(self.remote_id, str | int) else ""
            object.__setattr__(self, "remote_id", printable(str(remote_id)) or None)


def printable(text: str) -> str:
    """A text with a space for each control character, and each half of a character."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else " " for letter in text)


class TargetUnavailable(RuntimeError):  # noqa: N818 - users meet it as a sentence
    """Nothing more can be sent to this target now; its text says why and what to do."""


@dataclass(frozen=True, slots=True)
class PushInputs:
    """What payloads are made of.

    Attributes:
        scored: the tables of one cut-off.
        previous_scores: score by group_id at the cut-off before, as far as known.
    """

    scored: ScoreTables
    previous_scores: Mapping[str, int]


class Sender(Protocol):
    """Where records go. Whatever is sent may be sent again, and is then the same."""

    @property
    def name(self) -> str:
        """Of the target, as on the command line."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of records, in the order in which they must be sent."""

    @property
    def connections(self) -> int:
        """How many threads may call `send` at a time."""

    def batch_size(self, kind: str, record_count: int) -> int:
        """Records to hand over at a time, where this many are to be sent."""

    def send(self, records: Sequence[OutboxRecord]) -> list[Outcome]:
        """Sends records of one kind; one outcome for each, in their order.

        Raises:
            TargetUnavailable: the target lets us in no more, or does not answer; none of these
                records is known to be written.
        """


class Target(Sender, Protocol):
    """Where scores go."""

    def prepare(self) -> list[str]:
        """Makes what the target needs before it can take records; says what it made."""
