"""What the pictures draw, as frames: reliability, lift, gains, precision and recall, net benefit.

Frame in, frame out: the rows of a test and each method's probabilities give the points of a curve.
`figures` draws them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve

from ..fit.calibration_error import BINS, equal_mass_bins, tie_starts
from ..wilson import wilson_interval
from .bootstrap import Floats, account_counts, interval_summary, require_counts

MAX_CURVE_POINTS = 200
"""Points of a curve at most."""

IDEAL = "ideal"
EVERYBODY = "everybody"
NOBODY = "nobody"

DEFAULT_RESAMPLES = 200
"""Draws behind the intervals of the reliability, where a caller does not choose."""

"""Standard normal quantile of a 95 % interval."""


def reliability_data(
    rows: pd.DataFrame,
    probabilities: Mapping[str, Floats],
    *,
    bins: int = BINS,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Predicted against observed rates in bins of equal mass, those of the calibration error.

    The 95 % interval of the observed rate is from a bootstrap over accounts; where every account
    of a bin has one row, it is Wilson's (1927). A bin of one account, or in which nothing or
    everything converted, shows the bootstrap no spread: its interval is Wilson's, with one trial
    per account.

    Args:
        rows: one row per scored snapshot, with account_id and converted (bool).
        probabilities: per method, shape (rows,); in [0, 1], in the order of `rows`.
        bins: number of bins; equal probabilities share one, so there can be fewer.
        resamples: draws behind a bootstrap interval, at least 1.
        seed: of the draws.

    Returns:
        One row per method and bin: method, bin, predicted (mean), observed (share), low, high,
        interval ("bootstrap" or "Wilson"), rows.

    Raises:
        ValueError: there are no rows, a column is missing or a method does not fit `rows`.
    """
    _require_plottable(rows, probabilities, ("account_id", "converted"))
    require_counts(resamples=resamples)
    account, names = pd.factorize(rows["account_id"])
    converted = rows["converted"].to_numpy(np.float64)
    counts = account_counts(len(names), resamples, np.random.default_rng(seed))[1:]
    parts = [
        _reliability(account, converted, probability, bins, counts).assign(method=method)
        for method, probability in probabilities.items()
    ]
    columns = ["method", "bin", "predicted", "observed", "low", "high", "interval", "rows"]
    return pd.concat(parts, ignore_index=True)[columns]


def _reliability(
    account: NDArray[np.intp], converted: Floats, probability: Floats, bins: int, counts: Floats
) -> pd.DataFrame:
    bins_used, bin_of_row = np.unique(equal_mass_bins(probability, bins), return_inverse=True)
    cell = account * bins_used.size + bin_of_row
    shape = (counts.shape[1], bins_used.size)
    # Whole numbers below 2 to the power of 53: the sums are exact at any thread count.
    rows = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)
    hits = np.bincount(cell, weights=converted, minlength=rows.size).reshape(shape)
    drawn_rows, drawn_hits = counts @ rows, counts @ hits
    share = np.divide(
        drawn_hits, drawn_rows, out=np.full_like(drawn_hits, np.nan), where=drawn_rows > 0
    )
    size, observed = rows.sum(axis=0), hits.sum(axis=0) / rows.sum(axis=0)
    accounts = (rows > 0).sum(axis=0)
    intervals = [
        interval_summary(np.append(observed[i], share[:, i])) for i in range(bins_used.size)
    ]
    bootstrapped = np.array([[interval["low"], interval["high"]] for interval in intervals])
    by_wilson = (
        (rows.max(axis=0) == 1)
        | (accounts == 1)
        | (observed == 0)
        | (observed == 1)
        | np.isnan(bootstrapped[:, 0])
    )
    low, high = wilson_interval(observed, accounts)
    return pd.DataFrame(
        {
            "bin": bins_used,
            "predicted": np.bincount(bin_of_row, weights=probability) / size,
            "observed": observed,
            "low": np.where(by_wilson, low, bootstrapped[:, 0]),
            "high": np.where(by_wilson, high, bootstrapped[:, 1]),
            "interval": np.where(by_wilson, "Wilson", "bootstrap"),
            "rows": size.astype(np.intp),
        }
    )


def lift_data(rows: pd.DataFrame, probabilities: Mapping[str, Floats]) -> pd.DataFrame:
    """Lift and recall by the number of groups that sales touch at each snapshot.

    Defined as `lift_at_capacity` and `recall_at_capacity` are in `evaluation.measure`.

    Args:
        rows: one row per scored snapshot, with as_of and converted (bool).
        probabilities: per method, shape (rows,); in [0, 1], in the order of `rows`.

    Returns:
        One row per method and number: method, touched_per_snapshot, lift, recall; NaN where
        nothing converted. Numbers are spread evenly on a logarithmic axis.

    Raises:
        ValueError: there are no rows, a column is missing or a method does not fit `rows`.
    """
    _require_plottable(rows, probabilities, ("as_of", "converted"))
    converted = rows["converted"].to_numpy(np.bool_)
    sizes = rows.groupby("as_of").size().to_numpy()
    touched = np.unique(np.geomspace(1, sizes.max(), MAX_CURVE_POINTS).round().astype(np.intp))
    touched_rows = np.minimum(sizes[:, None], touched).sum(axis=0)
    conversions = float(converted.sum()) or np.nan
    parts = []
    for method, probability in probabilities.items():
        by_snapshot = pd.Series(probability, index=rows.index).groupby(rows["as_of"].to_numpy())
        rank = by_snapshot.rank(method="first", ascending=False).to_numpy()
        hits = np.searchsorted(np.sort(rank[converted]), touched, side="right")
        recall = hits / conversions
        lift = recall / (touched_rows / len(rows))
        columns = {"touched_per_snapshot": touched, "lift": lift, "recall": recall}
        parts.append(pd.DataFrame({"method": method} | columns))
    return pd.concat(parts, ignore_index=True)


def gains_data(rows: pd.DataFrame, probabilities: Mapping[str, Floats]) -> pd.DataFrame:
    """Share of conversions found against share of groups touched, the likeliest first.

    All snapshots are one list here. Within a tie the curve is straight: no order is better there.

    Args:
        rows: one row per scored snapshot, with converted (bool).
        probabilities: per method, shape (rows,); in [0, 1], in the order of `rows`.

    Returns:
        One row per method and point: method, touched (share), found (share), from 0 to 1; then
        the same of the method "ideal", which touches conversions alone until there are none left.
        NaN where nothing converted.

    Raises:
        ValueError: there are no rows, a column is missing or a method does not fit `rows`.
    """
    _require_plottable(rows, probabilities, ("converted",))
    converted = rows["converted"].to_numpy(np.float64)
    rate = float(converted.mean()) or np.nan
    touched = np.linspace(0.0, 1.0, MAX_CURVE_POINTS + 1)
    curves = {method: _gains_curve(converted, values) for method, values in probabilities.items()}
    shares = {method: np.interp(touched, *curve) for method, curve in curves.items()}
    shares[IDEAL] = np.minimum(1.0, touched / rate)
    parts = [
        pd.DataFrame({"method": method, "touched": touched, "found": found})
        for method, found in shares.items()
    ]
    return pd.concat(parts, ignore_index=True)


def _gains_curve(converted: Floats, probability: Floats) -> tuple[Floats, Floats]:
    """Touched and found at the end of each tie, from (0, 0) to (1, 1)."""
    order = np.argsort(-probability, kind="stable")
    ends = np.append(tie_starts(probability[order])[1:], order.size)
    found = np.cumsum(converted[order])[ends - 1]
    total = found[-1] or np.nan
    return np.append(0.0, ends / order.size), np.append(0.0, found) / total


def decision_data(rows: pd.DataFrame, probabilities: Mapping[str, Floats]) -> pd.DataFrame:
    """Net benefit of touching the rows at or above a chance, by that chance.

    The decision curve of Vickers and Elkin (2006): anyone who acts from chance t on holds a
    conversion worth (1 - t) / t wasted touches. The net benefit is in conversions per row:
    true positives minus false positives x t / (1 - t), over the rows.

    Args:
        rows: one row per scored snapshot, with converted (bool).
        probabilities: per method, shape (rows,); in [0, 1], in the order of `rows`.

    Returns:
        One row per method and threshold: method, threshold, net_benefit; then the same of
        "everybody" and "nobody". Thresholds are spread evenly from 0 to where one row in a
        thousand is left of the boldest method, or to 0.99.

    Raises:
        ValueError: there are no rows, a column is missing or a method does not fit `rows`.
    """
    _require_plottable(rows, probabilities, ("converted",))
    converted = rows["converted"].to_numpy(np.float64)
    highest_probability = max(
        float(np.quantile(values, 0.999)) for values in probabilities.values()
    )
    threshold = np.linspace(0.0, min(highest_probability, 0.99), MAX_CURVE_POINTS)
    benefits = {
        method: _net_benefit(converted, p, threshold) for method, p in probabilities.items()
    }
    benefits[EVERYBODY] = _net_benefit(converted, np.ones(len(rows)), threshold)
    benefits[NOBODY] = np.zeros(threshold.size)
    parts = [
        pd.DataFrame({"method": method, "threshold": threshold, "net_benefit": benefit})
        for method, benefit in benefits.items()
    ]
    return pd.concat(parts, ignore_index=True)


def _net_benefit(converted: Floats, probability: Floats, threshold: Floats) -> Floats:
    order = np.argsort(probability, kind="stable")
    left_out = np.searchsorted(probability[order], threshold, side="left")
    hits_left_out = np.concatenate(([0.0], np.cumsum(converted[order])))[left_out]
    hits = converted.sum() - hits_left_out
    misses = (converted.size - left_out) - hits
    benefit: Floats = (hits - misses * threshold / (1 - threshold)) / converted.size
    return benefit


def precision_recall_data(rows: pd.DataFrame, probabilities: Mapping[str, Floats]) -> pd.DataFrame:
    """Precision and recall at the strictest thresholds that find 0.5 %, 1 %, ... 100 %.

    Args:
        rows: one row per scored snapshot, with converted (bool).
        probabilities: per method, shape (rows,); in [0, 1], in the order of `rows`.

    Returns:
        One row per method and threshold, from loose to strict: method, threshold, precision,
        recall. Without conversions there is nothing to find and the frame is empty.

    Raises:
        ValueError: there are no rows, a column is missing or a method does not fit `rows`.
    """
    _require_plottable(rows, probabilities, ("converted",))
    converted = rows["converted"].to_numpy(np.bool_)
    names = ["method", "threshold", "precision", "recall"]
    parts = [pd.DataFrame(columns=names)]
    for method, probability in probabilities.items() if converted.any() else ():
        precision, recall, threshold = precision_recall_curve(converted, probability)
        targets = np.arange(1, MAX_CURVE_POINTS + 1) / MAX_CURVE_POINTS
        positions = np.unique(np.searchsorted(-recall[:-1], -targets, side="right") - 1)
        columns = (threshold[positions], precision[positions], recall[positions])
        parts.append(pd.DataFrame(dict(zip(names, (method, *columns), strict=True))))
    return pd.concat(parts[1:] or parts, ignore_index=True)


def _require_plottable(
    rows: pd.DataFrame, probabilities: Mapping[str, Floats], columns: tuple[str, ...]
) -> None:
    if missing := [name for name in columns if name not in rows.columns]:
        raise ValueError(f"a picture needs the columns {list(columns)}; missing: {missing}")
    if rows.empty or not probabilities:
        raise ValueError(
            "a picture needs at least one row and one method, "
            f"got {len(rows)} rows and {len(probabilities)} methods"
        )
    for method, probability in probabilities.items():
        if probability.shape != (len(rows),):
            raise ValueError(
                f"{method!r} must have one probability per row, ({len(rows)},); "
                f"got {probability.shape}"
            )
