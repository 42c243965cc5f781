"""What the last night decided of a group: the one threshold that is in force until the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from ...features.time_rules.verdicts import LatestVerdict


@dataclass(frozen=True, slots=True)
class NightDecision:
    """What a run that is kept in a store says of a group, beside its score.

    A night lets in as many groups as sales can take, so its threshold is known only when it is
    over; a score of a single group reads it, and cannot draw it.

    Attributes:
        as_of: the night's cut-off; it knew no verdict from then on.
        threshold: of readiness, 0..1.
        completeness_threshold: 0..1.
        status: by the state machine.
    """

    as_of: datetime
    threshold: float
    completeness_threshold: float
    status: str

    def columns(self, verdict: LatestVerdict | None) -> dict[str, Any]:
        """What is in force now, as columns of the scores; a later verdict of sales counts more."""
        later = verdict is not None and verdict.decided_at >= self.as_of
        return {
            "threshold": self.threshold,
            "completeness_threshold": self.completeness_threshold,
            "status": verdict.verdict if verdict is not None and later else self.status,
        }


NOTHING_DECIDED: Mapping[str, NightDecision] = MappingProxyType({})
"""No store, or no night in it."""
