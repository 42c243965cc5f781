"""What past outcomes count for where another share of groups is expected to convert."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Count = TypeVar("Count", float, NDArray[np.float64])


@dataclass(frozen=True, slots=True)
class RateWeights:
    """What a row that converted counts, and another one (Saerens, Latinne and Decaestecker, 2002).

    Attributes:
        converted: of a row that converted.
        others: of one that did not.
    """

    converted: float = 1.0
    others: float = 1.0

    def apply(self, hits: Count, cases: Count) -> tuple[Count, Count]:
        """Hits, and cases with them, as they are to be expected of as many rows.

        Args:
            hits: cases that converted.
            cases: all of them, hits included; same shape.
        """
        weighted_hits = self.converted * hits
        return weighted_hits, weighted_hits + self.others * (cases - hits)


ALIKE = RateWeights()


def rate_weights(converted: NDArray[np.bool_], expected_rate: float | None) -> RateWeights:
    """The weights by which `expected_rate` of the rows convert; 1 each without one.

    Args:
        converted: shape (rows,).
        expected_rate: over 0 and under 1; None for the share that did.
    """
    rate = float(converted.mean()) if converted.size else 0.0
    if expected_rate is None or not 0 < rate < 1:
        return ALIKE
    return RateWeights(expected_rate / rate, (1 - expected_rate) / (1 - rate))
