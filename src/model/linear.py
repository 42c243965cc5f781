"""The linear part of a raw score: a penalised logistic regression, as plain numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CLIP = 4.0
"""Standard deviations beyond which an amount says no more: a line must not run away."""


@dataclass(frozen=True, slots=True)
class LinearTerm:
    """One feature of a linear part; a missing value says nothing.

    Attributes:
        feature: its name.
        centre: mean of the feature's logarithm, sign(x) * log(1 + |x|), where it is known.
        scale: its standard deviation.
        slope: log-odds for a standard deviation.
        mean: what the term says on average over the training rows, log-odds.
    """

    feature: str
    centre: float
    scale: float
    slope: float
    mean: float

    def log_odds(self, values: Floats) -> Floats:
        """What each value of the feature adds, shape as given."""
        distance = standardised(values, self.centre, self.scale)
        distance *= self.slope
        return distance


@dataclass(frozen=True, slots=True)
class LinearPart:
    """The raw score of which trees say one share and this regression the other.

    raw = (1 - share) * trees + share * (intercept + the sum of slope * standardised).

    Attributes:
        share: of the regression in the raw score, over 0 and at most 1.
        intercept: log-odds.
        terms: its features, in the order of the columns.
    """

    share: float
    intercept: float
    terms: tuple[LinearTerm, ...]

    def blended(self, trees: Floats, linear: Floats) -> Floats:
        """The raw score, or what features add to it, of both; shape as given."""
        return (1 - self.share) * trees + self.share * linear

    def log_odds(self, matrix: Floats, column: Mapping[str, int]) -> Floats:
        """By the regression alone, shape (rows,).

        Added term by term, so that one row gets the bits that it gets among many.

        Args:
            matrix: shape (rows, features).
            column: place of each feature.
        """
        total = np.full(len(matrix), self.intercept)
        for term in self.terms:
            total += term.log_odds(matrix[:, column[term.feature]])
        return total

    def contributions(self, matrix: Floats, column: Mapping[str, int]) -> Floats:
        """What each feature adds to the regression's log-odds above the average of training.

        Arguments as `log_odds`.

        Returns:
            Shape (rows, features).
        """
        added = np.zeros(matrix.shape)
        for term in self.terms:
            index = column[term.feature]
            added[:, index] = term.log_odds(matrix[:, index]) - term.mean
        return added


def logarithm(values: Floats) -> Floats:
    """sign(x) * log(1 + |x|), shape as given; amounts spread over magnitudes come close."""
    found: Floats = np.abs(values)
    np.log1p(found, out=found)
    return np.copysign(found, values, out=found)


def standardised(values: Floats, centre: float, scale: float) -> Floats:
    """Standard deviations of the logarithm from its centre, clipped, 0 where missing."""
    distance = logarithm(values)  # worked on in place: it is asked of millions of coalitions
    distance -= centre
    distance /= scale
    np.maximum(distance, -CLIP, out=distance)
    np.minimum(distance, CLIP, out=distance)
    np.copyto(distance, 0.0, where=np.isnan(distance))
    return distance
