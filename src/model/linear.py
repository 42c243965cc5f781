"""The linear part of a raw score: a penalised logistic regression, as plain numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CLIP = 4.0
"""Standard deviations beyond which an amount says no more: a line must not run away."""
BLOCK_ROWS = 256  # rows whose terms stay in the cache


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

        Args:
            matrix: shape (rows, features).
            column: place of each feature.
        """
        log_odds: Floats = regression_log_odds([self.regression(column)], matrix)[0]
        return log_odds

    def regression(self, column: Mapping[str, int]) -> Regression:
        """The regression alone, over a matrix.

        Args:
            column: place of each feature among the matrix' columns.
        """
        numbers = [(term.centre, term.scale, term.slope, term.mean) for term in self.terms]
        centre, scale, slope, mean = np.array(numbers).reshape(-1, 4).T[:, :, None]
        places = np.array([column[term.feature] for term in self.terms], dtype=np.intp)
        return Regression(self.intercept, places, centre, scale, slope, mean)


@dataclass(frozen=True, slots=True, eq=False)
class Regression:
    """The regression of a linear part over the columns of a matrix.

    Attributes:
        intercept: log-odds.
        columns: shape (terms,); place of each term's feature.
        centre: shape (terms, 1), as `scale`, `slope` and `mean`: those of the terms.
    """

    intercept: float
    columns: NDArray[np.intp]
    centre: Floats
    scale: Floats
    slope: Floats
    mean: Floats

    def terms(self, logarithms: Floats) -> Floats:
        """What each term adds to the log-odds, shape (terms, rows).

        Args:
            logarithms: shape (features, rows); `logarithm` of the matrix, turned.
        """
        found = standardise(logarithms[self.columns], self.centre, self.scale)
        found *= self.slope
        return found

    def contributions(self, matrix: Floats) -> Floats:
        """What each feature adds to the log-odds above the average of training.

        Args:
            matrix: shape (rows, features).

        Returns:
            Shape (rows, features).
        """
        added = np.zeros(matrix.shape)
        for rows in _blocks(len(matrix)):
            logarithms = logarithm(np.ascontiguousarray(matrix[rows].T))
            added[rows, self.columns] = (self.terms(logarithms) - self.mean).T
        return added


@dataclass(frozen=True, slots=True, eq=False)
class RegressionStack:
    """Regressions side by side, for a loop over all of their terms.

    Attributes:
        intercepts: of each.
        starts: where the terms of each begin, and where all of them end.
        columns: of each term, as `centre`, `scale` and `slope`.
    """

    intercepts: Floats
    starts: NDArray[np.int64]
    columns: NDArray[np.int64]
    centre: Floats
    scale: Floats
    slope: Floats


RegressionEngine: TypeAlias = Callable[[RegressionStack, Floats, Floats, Floats], None]
"""Fills log-odds, shape (regressions, rows), from values, shape (features, rows).

Between the two it is given memory to work in, shape (features times rows or more,).
"""


def stack_regressions(regressions: Sequence[Regression]) -> RegressionStack:
    """Regressions side by side, in their order."""
    sizes = [one.columns.size for one in regressions]
    centre, scale, slope = (
        np.concatenate([np.empty(0), *(getattr(one, name).ravel() for one in regressions)])
        for name in ("centre", "scale", "slope")
    )
    return RegressionStack(
        np.array([one.intercept for one in regressions], np.float64),
        np.cumsum([0, *sizes], dtype=np.int64),
        np.concatenate([np.empty(0, np.int64), *(one.columns for one in regressions)]),
        centre, scale, slope,
    )  # fmt: skip


@dataclass(frozen=True)
class Regressions:
    """Some regressions over the columns of one matrix."""

    parts: tuple[Regression, ...]

    def log_odds(self, matrix: Floats, engine: RegressionEngine | None = None) -> Floats:
        """`regression_log_odds` of them, shape (regressions, rows), by an engine if there is one.

        Args:
            matrix: shape (rows, features).
            engine: gives the bits of the array calls.
        """
        if engine is None:
            return regression_log_odds(self.parts, matrix)
        found = np.empty((len(self.parts), len(matrix)))
        scratch = np.empty(matrix.shape[1] * min(BLOCK_ROWS, len(matrix)))
        for rows in _blocks(len(matrix)):
            engine(self._stack, np.ascontiguousarray(matrix[rows].T), scratch, found[:, rows])
        return found

    @cached_property
    def _stack(self) -> RegressionStack:
        return stack_regressions(self.parts)


def regressions_of(parts: Iterable[LinearPart | None], column: Mapping[str, int]) -> Regressions:
    """The regressions of linear parts over a matrix, of those that there are.

    Args:
        parts: in the order of the regressions.
        column: place of each feature among the matrix' columns.
    """
    return Regressions(tuple(part.regression(column) for part in parts if part is not None))


def regression_log_odds(regressions: Sequence[Regression], matrix: Floats) -> Floats:
    """Log-odds by each of some regressions, shape (regressions, rows).

    Added term by term, so that one row gets the bits that it gets among many.

    Args:
        regressions: over the matrix.
        matrix: shape (rows, features).
    """
    found = np.empty((len(regressions), len(matrix)))
    for rows in _blocks(len(matrix)):
        logarithms = logarithm(np.ascontiguousarray(matrix[rows].T))
        for number, regression in enumerate(regressions):
            terms = regression.terms(logarithms)
            if len(terms):
                terms[0] += regression.intercept
                found[number, rows] = _sum_in_order(terms)
            else:
                found[number, rows] = regression.intercept
    return found


def _sum_in_order(terms: Floats) -> Floats:
    """Sum of each column from the first term to the last, shape (rows,)."""
    if terms.shape[1] == 1:
        # numpy adds a single column in pairs; several it adds row by row, all columns at once.
        return np.asarray(np.add.accumulate(terms, axis=0)[-1], dtype=np.float64)
    return np.asarray(np.add.reduce(terms, axis=0), dtype=np.float64)


def _blocks(rows: int) -> Iterator[slice]:
    for start in range(0, rows, BLOCK_ROWS):
        yield slice(start, start + BLOCK_ROWS)


def logarithm(values: Floats) -> Floats:
    """sign(x) * log(1 + |x|), shape as given; amounts spread over magnitudes come close."""
    found: Floats = np.abs(values)
    np.log1p(found, out=found)
    return np.copysign(found, values, out=found)


def standardised(values: Floats, centre: float, scale: float) -> Floats:
    """Standard deviations of the logarithm from its centre, clipped, 0 where missing."""
    return standardise(logarithm(values), centre, scale)


def standardise(logarithms: Floats, centre: Floats | float, scale: Floats | float) -> Floats:
    """`standardised` of values whose logarithms are known, in their place: it saves memory."""
    logarithms -= centre
    logarithms /= scale
    np.maximum(logarithms, -CLIP, out=logarithms)
    np.minimum(logarithms, CLIP, out=logarithms)
    np.copyto(logarithms, 0.0, where=np.isnan(logarithms))
    return logarithms
