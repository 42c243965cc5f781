"""What turns a raw score into a probability: plain numbers that training learns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit

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
class Beta:
    """Beta calibration (Kull, Silva Filho and Flach, 2017) of the probability behind log-odds.

    log-odds = above * ln(s) - below * ln(1 - s) + intercept, where s is the raw score's own
    probability. With above = below it is Platt's map; apart, they bend its two ends differently.
    """

    above: float
    below: float
    intercept: float

    def __call__(self, log_odds: Floats) -> Floats:
        """The calibrated probability of each log-odds, same shape."""
        stretched = self.above * log_expit(log_odds) - self.below * log_expit(-log_odds)
        return np.asarray(expit(stretched + self.intercept), dtype=np.float64)


Calibrator = Platt | Beta


def calibrator_from_dict(fields: dict[str, Any]) -> Calibrator:
    """The calibrator whose `dataclasses.asdict` this is."""
    return Platt(**fields) if "slope" in fields else Beta(**fields)


@dataclass(frozen=True)
class Blend:
    """The raw score of trees that had few conversions to learn from, drawn towards a rule.

    raw = trees_share * trees + (1 - trees_share) * (slope * rule + intercept), where rule is the
    mean of the engagement rule and the completeness in percent (design.md, few labels).

    Attributes:
        trees_share: 0 (the rule alone ranks) to 1 (the trees alone).
        effective_conversions: what the share rests on: groups that converted, or, where they are
            fewer, groups that did not.
        slope: log-odds for a point of the rule.
        intercept: log-odds at none.
        mean_engagement: of the training rows, 0..100.
        mean_completeness: of the training rows, 0..1.
    """

    trees_share: float
    effective_conversions: int
    slope: float
    intercept: float
    mean_engagement: float
    mean_completeness: float

    def rule_log_odds(self, engagement: Floats, completeness: Floats) -> Floats:
        """Log-odds by the rule alone, shape as given; a group that it has nothing on scores 0."""
        rule_score = (np.nan_to_num(engagement) + 100.0 * np.nan_to_num(completeness)) / 2.0
        return self.slope * rule_score + self.intercept

    def rule_contributions(self, engagement: Floats, completeness: Floats) -> tuple[Floats, Floats]:
        """What the rule's two columns add to the raw score, above the average of training."""
        scale = (1.0 - self.trees_share) * self.slope / 2.0
        return (
            scale * (np.nan_to_num(engagement) - self.mean_engagement),
            scale * 100.0 * (np.nan_to_num(completeness) - self.mean_completeness),
        )


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

    def bounds(self, log_odds: Floats) -> tuple[Floats, Floats]:
        """The interval (low, high) of each log-odds, both of its shape.

        Exact at the table's scores, linear between them, constant outside. It is made of
        other means than `Platt`, whose probability may therefore lie a little outside.
        """
        return (
            np.interp(log_odds, self.scores, self.low),
            np.interp(log_odds, self.scores, self.high),
        )
