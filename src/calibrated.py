"""What turns a raw score into a decision: plain numbers that training learns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Policy = Literal["capacity", "value", "precision"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Platt:
    """probability = 1 / (1 + exp(-(slope * log_odds + intercept)))."""

    slope: float
    intercept: float

    def __call__(self, log_odds: Floats) -> Floats:
        """The calibrated probability of each log-odds, same shape."""
        return np.asarray(expit(self.slope * log_odds + self.intercept), dtype=np.float64)


@dataclass(frozen=True)
class VennAbers:
    """A Venn-Abers interval as a table over scores; lists, as JSON gives them, become tuples.

    scores  strictly increasing log-odds
    low     p0 at each score: the probability had the new group not converted
    high    p1 at each score: the probability had it converted
    """

    scores: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("scores", "low", "high"):
            object.__setattr__(self, name, tuple(map(float, getattr(self, name))))
        if not 0 < len(self.scores) == len(self.low) == len(self.high):
            lengths = len(self.scores), len(self.low), len(self.high)
            raise ValueError(
                "scores, low and high must have one common length of at least 1, "
                f"got {lengths}: fit the interval again"
            )

    def interval(self, log_odds: Floats) -> tuple[Floats, Floats]:
        """The interval (low, high) of each log-odds, both of its shape.

        Exact at the table's scores, linear between them, constant outside. It is made of
        other means than `Platt`, whose probability may therefore lie a little outside.
        """
        return (
            np.interp(log_odds, self.scores, self.low),
            np.interp(log_odds, self.scores, self.high),
        )


@dataclass(frozen=True)
class Threshold:
    """What a group must reach to qualify, and what sales should expect from it.

    policy             how `readiness` was chosen
    readiness          probability; at or above it
    completeness       0..1; at or above it
    expected_per_week  newly qualified groups a week on the rows it was learned on
    curve              (readiness, newly qualified groups a week), from strict to loose
    """

    policy: Policy
    readiness: float
    completeness: float
    expected_per_week: float
    curve: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        # JSON gives lists; a threshold read back must equal the one that was written.
        object.__setattr__(self, "curve", tuple((float(at), float(n)) for at, n in self.curve))
