"""Counts by account, at many lines at once: what bounds and bootstraps over accounts rest on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .new_entries import Floats

LINES = 200
"""Lines of a curve at most."""


def lines_of(reach: Floats) -> Floats:
    """Up to 200 distinct lines, ascending, out of those observed.

    Half of them lie evenly over the ranks. Most groups are far from ready, so the other half is
    dense at the strict end, where lines are drawn: each takes in a few per cent more rows.

    Args:
        reach: shape (rows,); minus infinity where a row qualifies at no line.
    """
    observed = np.unique(reach[np.isfinite(reach)])
    if observed.size <= LINES:
        return observed
    evenly = np.linspace(0, observed.size - 1, LINES // 2)
    densely = observed.size - np.geomspace(1, observed.size, LINES // 2)
    return observed[np.unique(np.concatenate((evenly, densely)).round().astype(np.intp))]


def by_account(
    now: Floats,
    before: Floats,
    lines: Floats,
    account: NDArray[np.intp],
    accounts: int,
    counted: NDArray[np.bool_] | None = None,
) -> Floats:
    """How many rows of each account have now >= line > before, shape (accounts, lines).

    Args:
        now: shape (rows,).
        before: shape (rows,); at most `now`.
        lines: ascending.
        account: shape (rows,); number of each row's account.
        accounts: how many there are.
        counted: shape (rows,); which rows count; all, if absent.
    """
    which = np.ones(now.size, np.bool_) if counted is None else counted
    width = lines.size + 1
    start = account[which] * width
    # A row counts from the first line above `before` up to the last one not above `now`.
    first = start + np.searchsorted(lines, before[which], side="right")
    after = start + np.searchsorted(lines, now[which], side="right")
    size = accounts * width
    steps = np.bincount(first, minlength=size) - np.bincount(after, minlength=size)
    return np.cumsum(steps.reshape(accounts, width)[:, :-1], axis=1).astype(np.float64)
