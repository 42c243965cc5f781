"""How far probabilities are from what came: the calibration error and its bins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BINS = 15
"""Bins of equal mass that the calibration error and the reliability plot use."""

Floats = NDArray[np.float64]


def expected_calibration_error(
    converted: NDArray[np.bool_],
    probability: Floats,
    *,
    weights: Floats | None = None,
    bins: int = BINS,
) -> float:
    """Mean gap between predicted and observed rates over bins of equal mass, in probability.

    Rows are ranked by probability and cut into `bins` parts of equal total weight. Equal
    probabilities stay together, in the bin of the middle of their mass, so a constant
    prediction has one bin and the order of the rows never matters.

    Args:
        converted: shape (rows,); outcome within the horizon.
        probability: shape (rows,); in [0, 1], same order.
        weights: shape (rows,); how often each row counts; once if absent.
        bins: number of bins, 15 in every figure that `mqbg` reports.

    Raises:
        ValueError: shapes differ, there are no rows, or a probability is not finite.
    """
    require_scores_and_outcomes(probability, converted)
    order = np.argsort(-probability, kind="stable")
    weight = (np.ones(order.size) if weights is None else np.asarray(weights, np.float64))[order]
    return calibration_error_of_ranked(
        probability[order] - converted[order],
        np.concatenate(([0.0], np.cumsum(weight))),
        weight,
        tie_starts(probability[order]),
        bins,
    )


def calibration_error_of_ranked(
    gap: Floats, mass: Floats, weight: Floats, starts: NDArray[np.intp], bins: int = BINS
) -> float:
    """`expected_calibration_error` of rows that are ranked already, for many resamples.

    Args:
        gap: shape (rows,); probability minus outcome, in order of probability.
        mass: shape (rows + 1,); cumulative weight before each row, then the total.
        weight: shape (rows,); how often each row counts.
        starts: shape (ties,); `tie_starts` of the probabilities.
        bins: number of bins.
    """
    edges = _bin_edges(mass, starts, bins)
    summed = np.concatenate(([0.0], np.cumsum(weight * gap)))[edges]
    return float(np.abs(np.diff(summed)).sum() / mass[-1])


def equal_mass_bins(probability: Floats, bins: int = BINS) -> NDArray[np.intp]:
    """The bin of each row, 0 for the lowest probabilities; those of the calibration error.

    Args:
        probability: shape (rows,).
        bins: number of bins; ties can leave some of them empty.
    """
    order = np.argsort(-probability, kind="stable")
    mass = np.arange(order.size + 1, dtype=np.float64)
    edges = _bin_edges(mass, tie_starts(probability[order]), bins)
    numbers = np.empty(order.size, dtype=np.intp)
    numbers[order] = bins - 1 - np.repeat(np.arange(bins), np.diff(edges))
    return numbers


def tie_starts(ranked: NDArray[np.float64] | NDArray[np.intp]) -> NDArray[np.intp]:
    """Where each run of equal values begins in an ordered array of shape (rows,)."""
    return np.flatnonzero(np.concatenate(([True], ranked[1:] != ranked[:-1])))


def _bin_edges(mass: Floats, starts: NDArray[np.intp], bins: int) -> NDArray[np.intp]:
    """First row of each bin, then the number of rows; shape (bins + 1,)."""
    rows = mass.size - 1
    ends = np.append(starts[1:], rows)
    twice_middle = mass[starts] + mass[ends]
    cuts = 2 * mass[-1] * np.arange(1, bins) / bins
    inner = np.append(starts, rows)[np.searchsorted(twice_middle, cuts)]
    return np.concatenate(([0], inner, [rows]))


def require_scores_and_outcomes(score: Floats, converted: NDArray[np.bool_]) -> None:
    """Refuses what nothing can be judged or calibrated on.

    Raises:
        ValueError: shapes differ, there are no rows, or a score is not finite.
    """
    if score.shape != converted.shape or score.ndim != 1:
        raise ValueError(
            "scores and outcomes must be two arrays of one length, "
            f"got shapes {score.shape} and {converted.shape}"
        )
    if not score.size:
        raise ValueError("need at least one row to judge or to calibrate on, got none")
    if not_finite := int((~np.isfinite(score)).sum()):
        raise ValueError(f"scores must be finite numbers, got {not_finite} that are not")
