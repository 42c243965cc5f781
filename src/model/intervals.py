"""How far a readiness would move had the model learned from other accounts: spreads of refits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, stdtrit

Floats = NDArray[np.float64]

INTERVAL_SHARE = 0.8
"""Of models of other accounts, the share whose readiness the interval is to hold."""

MIN_CHANCE = 1e-9  # what a chance is held above where its log-odds are taken

_TAIL = (1 - INTERVAL_SHARE) / 2


def half_width(log_odds: Floats) -> tuple[Floats, Floats]:
    """Ends, seen from the readiness, by pairs of refits to disjoint halves of the accounts.

    The difference of a pair has twice the variance that the difference of two models of all
    accounts has. It is added one by one, so that one row gets the bits that it gets among many.

    Args:
        log_odds: shape (2 * pairs, rows); of readiness, the two of a pair after one another.

    Returns:
        Below and above, log-odds, shape (rows,) each.
    """
    pairs = len(log_odds) // 2
    squares = np.zeros(log_odds.shape[1])
    for one, other in zip(log_odds[::2], log_odds[1::2], strict=True):
        squares += (one - other) ** 2
    width = stdtrit(pairs, 1 - _TAIL) * np.sqrt(squares / (2 * pairs))
    return -width, width


def drawn_spread(log_odds: Floats) -> tuple[Floats, Floats]:
    """The same by refits to drawn accounts: their quantiles around their mean.

    Args:
        log_odds: shape (refits, rows); of readiness.
    """
    total = np.zeros(log_odds.shape[1])
    for one in log_odds:
        total += one
    spread = log_odds - total / len(log_odds)
    below, above = np.quantile(spread, (_TAIL, 1 - _TAIL), axis=0, method="weibull")
    return below, above


def interval_ends(readiness: Floats, log_odds: Floats, *, paired: bool) -> tuple[Floats, Floats]:
    """Ends around a readiness, shape (rows,) each, as far away as models of other accounts are.

    Args:
        readiness: shape (rows,).
        log_odds: shape (refits, rows); of readiness, or of how far a refit moves it.
        paired: whether each two refits share the accounts among them.
    """
    below, above = half_width(log_odds) if paired else drawn_spread(log_odds)
    centre = logit(np.clip(readiness, MIN_CHANCE, 1 - MIN_CHANCE))
    return (
        np.minimum(expit(centre + below), readiness),
        np.maximum(expit(centre + above), readiness),
    )


def change_interval(
    before: Floats, after: Floats, moved: Floats, *, paired: bool
) -> tuple[Floats, Floats]:
    """Ends of a change of readiness, in four of five cases, had the model learned elsewhere.

    What counts is how far each refit moves the same row: refits that differ in the level of both
    readinesses, and agree in the change, leave it sure.

    Args:
        before: shape (rows,); readiness.
        after: shape (rows,); readiness of the edited rows.
        moved: shape (refits, rows); log-odds by which each refit moves the readiness.
        paired: see `interval_ends`.
    """
    low, high = interval_ends(after, moved, paired=paired)
    return low - before, high - before
