"""Thresholds by outcomes: what a touch earns, and the share of touches that convert."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from ...model.thresholds import UNREACHABLE
from .new_entries import Floats


def value_threshold(
    thresholds: Floats, entries: Floats, hits: Floats, gain: float, cost: float
) -> float:
    """The threshold whose newly qualified groups earn most: gain of conversions less cost.

    For calibrated readiness it tends to cost / gain (Elkan, IJCAI 2001). Among equals the
    strictest is taken. Where no threshold earns anything, nobody qualifies
    (`thresholds.UNREACHABLE`).

    Args:
        thresholds: ascending.
        entries: shape (accounts, thresholds); newly qualified groups.
        hits: shape (accounts, thresholds); those of them that converted within the horizon.
        gain: of a conversion, in account currency.
        cost: of a touch, same currency.
    """
    total_value = gain * hits.sum(axis=0) - cost * entries.sum(axis=0)
    best = thresholds.size - 1 - int(np.argmax(total_value[::-1]))
    return float(thresholds[best]) if total_value[best] > 0 else UNREACHABLE


def precision_threshold(
    thresholds: Floats, entries: Floats, hits: Floats, precision: float, confidence: float
) -> float:
    """The loosest threshold up to which the share of hits is surely as high as asked for.

    Thresholds are tested from strict to loose, in an order that outcomes have no part in, and the
    first that fails ends it. So the confidence holds for the threshold that is chosen, however many
    were tested (fixed-sequence testing; Maurer, Hothorn and Lehmacher, 1995): where the share is
    too low at every threshold, a threshold is published in at most 1 - `confidence` of the cases.
    Else, nobody qualifies (`thresholds.UNREACHABLE`).

    Args:
        thresholds: ascending.
        entries: shape (accounts, thresholds); newly qualified groups.
        hits: shape (accounts, thresholds); those of them that converted, or that sales accepted.
        precision: share that the lower bound must reach, 0..1.
        confidence: of the bound, one-sided.
    """
    tested = lines_to_test(entries, precision, confidence)
    bound = precision_lower_bound(entries[:, tested], hits[:, tested], confidence)
    failed = np.flatnonzero(bound < precision)
    passed = tested[: failed[0]] if failed.size else tested
    return float(thresholds[passed[-1]]) if passed.size else UNREACHABLE


STEP_IN_CASES = 1.1
"""Each threshold that is tested has at least this many times the cases of the one before: those
that differ by a case or two would only add chances to fail."""


def lines_to_test(entries: Floats, precision: float, confidence: float) -> NDArray[np.intp]:
    """Places of the thresholds to test, from strict to loose; outcomes play no part.

    The first has so many accounts that a share a third of the way from the one asked for to all
    would pass: on fewer, even a good threshold often fails, and with it all that come after. Where
    no threshold has as many, the loosest alone is tested.
    """
    cases, accounts = entries.sum(axis=0), (entries > 0).sum(axis=0)
    least = _least_cases(precision, confidence)
    chosen: list[int] = []
    for place in range(cases.size - 1, -1, -1):
        needed = STEP_IN_CASES * cases[chosen[-1]] if chosen else least
        if accounts[place] >= least and cases[place] >= needed:
            chosen.append(place)
    return np.array(chosen or [0], dtype=np.intp)


def _least_cases(precision: float, confidence: float) -> int:
    share = precision + (1 - precision) / 3
    size = 1
    while _lower_bound(share * size, size, confidence) < precision:
        size += 1 + size // 16
    return size


def precision_lower_bound(entries: Floats, hits: Floats, confidence: float) -> Floats:
    """Lower confidence bound of the share of hits, shape (thresholds,); 0 without entries.

    Clopper and Pearson's bound, on the number of independent groups that would leave as much
    doubt: groups of one account resemble each other, so the variance is that of a ratio of sums
    over accounts (linearised), and never less than that of independent groups.

    Args:
        entries: shape (accounts, thresholds); cases.
        hits: shape (accounts, thresholds); hits among them.
        confidence: one-sided, 0.5 or more, under 1.
    """
    cases, total_hits = entries.sum(axis=0), hits.sum(axis=0)
    share = total_hits / np.where(cases > 0, cases, 1)
    accounts = (entries > 0).sum(axis=0)
    residual = ((hits - share * entries) ** 2).sum(axis=0)
    variance = residual / np.where(cases > 0, cases, 1) ** 2
    variance *= accounts / np.maximum(accounts - 1, 1)
    has_variance = variance > 0
    independent = np.divide(share * (1 - share), variance, out=cases.copy(), where=has_variance)
    # All hits or none leave no residual; then accounts are what is independent.
    size = np.where(has_variance, np.minimum(independent, cases), accounts)
    return np.where(cases > 0, _lower_bound(share * size, size, confidence), 0.0)


def _lower_bound(hits: Floats | float, size: Floats | float, confidence: float) -> Floats:
    """Clopper and Pearson's one-sided bound; 0 without hits."""
    bound = beta.ppf(1 - confidence, np.maximum(hits, 1e-12), np.asarray(size) - hits + 1)
    return np.where(np.asarray(hits) > 0, bound, 0.0)
