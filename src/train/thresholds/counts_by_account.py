"""Counts by account at many thresholds at once, for bounds and bootstraps over accounts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .new_entries import Floats

MAX_THRESHOLDS = 200
"""Thresholds of a curve at most."""


def candidate_thresholds(qualifying_threshold: Floats) -> Floats:
    """Up to 200 distinct thresholds, ascending, out of those observed.

    Half of them lie evenly over the ranks. Most groups are far from ready, so the other half is
    dense at the strict end, where thresholds are drawn: each takes in a few per cent more rows.

    Args:
        qualifying_threshold: shape (rows,); minus infinity where a row qualifies at no threshold.
    """
    observed = np.unique(qualifying_threshold[np.isfinite(qualifying_threshold)])
    if observed.size <= MAX_THRESHOLDS:
        return observed
    even_ranks = np.linspace(0, observed.size - 1, MAX_THRESHOLDS // 2)
    dense_ranks = observed.size - np.geomspace(1, observed.size, MAX_THRESHOLDS // 2)
    return observed[np.unique(np.concatenate((even_ranks, dense_ranks)).round().astype(np.intp))]


def count_by_account(
    qualifying_threshold: Floats,
    previous_threshold: Floats,
    thresholds: Floats,
    account: NDArray[np.intp],
    account_count: int,
    mask: NDArray[np.bool_] | None = None,
) -> Floats:
    """How many rows of each account have now >= threshold > before, shape (accounts, thresholds).

    Args:
        qualifying_threshold: shape (rows,).
        previous_threshold: shape (rows,); at most `qualifying_threshold`.
        thresholds: ascending.
        account: shape (rows,); number of each row's account.
        account_count: how many there are.
        mask: shape (rows,); which rows count; all, if absent.
    """
    included = np.ones(qualifying_threshold.size, np.bool_) if mask is None else mask
    width = thresholds.size + 1
    start = account[included] * width
    # A row counts from the first threshold above `before` up to the last one not above `now`.
    first = start + np.searchsorted(thresholds, previous_threshold[included], side="right")
    after = start + np.searchsorted(thresholds, qualifying_threshold[included], side="right")
    size = account_count * width
    steps = np.bincount(first, minlength=size) - np.bincount(after, minlength=size)
    return np.cumsum(steps.reshape(account_count, width)[:, :-1], axis=1).astype(np.float64)
