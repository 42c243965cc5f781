"""What the last night decided of a group: the one threshold that is in force until the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class NightDecision:
    """What a run that is kept in a store says of a group, beside its score.

    A night lets in as many groups as sales can take, so its threshold is known only when it is
    over; a score of a single group reads it, and cannot draw it.

    Attributes:
        threshold: of readiness, 0..1.
        completeness_threshold: 0..1.
        status: by the state machine.
    """

    threshold: float
    completeness_threshold: float
    status: str


NOTHING_DECIDED: Mapping[str, NightDecision] = MappingProxyType({})
"""No store, or no night in it."""
