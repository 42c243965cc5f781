"""What earlier runs made of the groups: the values that the store hands to pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """A group in one run.

    Attributes:
        as_of: cut-off of the run.
        readiness: 0..1.
        threshold: of readiness, then.
        status: it came out with.
    """

    as_of: datetime
    readiness: float
    threshold: float
    status: str


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A transition of a group.

    Attributes:
        as_of: cut-off of the run that moved it.
        from_status: before.
        to_status: after.
        reason: a key of `states.TRANSITION_REASONS`.
        readiness: then, 0..1.
    """

    as_of: datetime
    from_status: str
    to_status: str
    reason: str
    readiness: float


@dataclass(frozen=True)
class ScoreHistory:
    """The runs up to a cut-off, and what they made of the groups.

    Attributes:
        runs: cut-offs of the runs that are kept, the earliest first.
        points: of each group, the earliest first.
        changes: of each group, the earliest first.
        failed: how many records of each target, or alerts of each channel, could not be delivered.
    """

    runs: tuple[datetime, ...] = ()
    points: Mapping[str, tuple[HistoryPoint, ...]] = field(default_factory=dict)
    changes: Mapping[str, tuple[StatusChange, ...]] = field(default_factory=dict)
    failed: tuple[tuple[str, int], ...] = ()

    def qualified_at(self, group_id: str) -> StatusChange | None:
        """When a group last qualified; None where no run that is kept saw it."""
        changes = self.changes.get(group_id, ())
        return next((one for one in reversed(changes) if one.to_status == "qualified"), None)


NO_HISTORY = ScoreHistory()
