"""The lines that conversions draw: what a touch earns, and the share of touches that convert."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from ...model.thresholds import UNREACHABLE
from .new_entries import Floats


def value_threshold(
    thresholds: Floats, entries: Floats, hits: Floats, gain: float, cost: float
) -> float:
    """The line whose newly qualified groups earn most: gain of conversions less cost of touches.

    For calibrated readiness it tends to cost / gain (Elkan, IJCAI 2001). Among equals the
    strictest is taken. Where no line earns anything, nobody qualifies (`thresholds.UNREACHABLE`).

    Args:
        thresholds: ascending.
        entries: shape (accounts, lines); newly qualified groups.
        hits: shape (accounts, lines); those of them that converted within the horizon.
        gain: of a conversion, in account currency.
        cost: of a touch, same currency.
    """
    total_value = gain * hits.sum(axis=0) - cost * entries.sum(axis=0)
    best = thresholds.size - 1 - int(np.argmax(total_value[::-1]))
    return float(thresholds[best]) if total_value[best] > 0 else UNREACHABLE


def precision_threshold(
    thresholds: Floats, entries: Floats, hits: Floats, precision: float, confidence: float
) -> float:
    """The lowest line at which the share of hits is surely as high as asked for.

    Where that is so at no line, nobody qualifies (`thresholds.UNREACHABLE`).

    Args:
        thresholds: ascending.
        entries: shape (accounts, lines); newly qualified groups.
        hits: shape (accounts, lines); those of them that converted, or that sales accepted.
        precision: share that the lower bound must reach, 0..1.
        confidence: of the bound, one-sided.
    """
    sufficient = np.flatnonzero(precision_lower_bound(entries, hits, confidence) >= precision)
    return float(thresholds[sufficient[0]]) if sufficient.size else UNREACHABLE


def precision_lower_bound(entries: Floats, hits: Floats, confidence: float) -> Floats:
    """Lower confidence bound of the share of hits at each line, shape (lines,); 0 without entries.

    Wilson's bound, on the number of independent groups that would leave as much doubt: groups of
    one account resemble each other, so the variance is that of a ratio of sums over accounts
    (linearised), and never less than that of independent groups.

    Args:
        entries: shape (accounts, lines); cases.
        hits: shape (accounts, lines); hits among them.
        confidence: one-sided, 0.5 or more, under 1.
    """
    cases, total_hits = entries.sum(axis=0), hits.sum(axis=0)
    share = total_hits / np.maximum(cases, 1)
    accounts = (entries > 0).sum(axis=0)
    residual = ((hits - share * entries) ** 2).sum(axis=0)
    variance = residual / np.maximum(cases, 1) ** 2 * accounts / np.maximum(accounts - 1, 1)
    has_variance = variance > 0
    independent = np.divide(share * (1 - share), variance, out=cases.copy(), where=has_variance)
    # All hits or none leave no residual; then accounts are what is independent.
    size = np.where(has_variance, np.minimum(independent, cases), accounts)
    z = float(norm.ppf(confidence))
    middle = share * size + z**2 / 2
    spread = z * np.sqrt(share * (1 - share) * size + z**2 / 4)
    return np.where(cases > 0, np.maximum(middle - spread, 0) / np.maximum(size + z**2, 1), 0.0)
