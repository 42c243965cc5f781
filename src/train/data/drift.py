"""How far later rows have moved from those that a model learned from, column by column.

Drift asks no outcome, so it can be measured on the day of scoring. It is a question and no verdict:
a column may move without harm, and a model may go wrong while no column moves. What it got wrong is
known a horizon later (`segments.evaluate_by_month`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from scipy.stats import chi2

Floats = NDArray[np.float64]

BINS = 10
STABLE, MOVED, SHIFTED = "stable", "moved", "shifted"
MOVED_MIN_PSI, SHIFTED_MIN_PSI = 0.1, 0.25
"""The customary limits of the index (Siddiqi, Credit Risk Scorecards, 2006)."""

CHANCE_QUANTILE = 0.95
EMPTY_BIN_COUNT = 0.5  # rows that an empty bin counts as, so that its logarithm is finite
KEY_COLUMNS = ("group_id", "as_of")
DRIFT_COLUMNS = (
    *("column", "psi", "by_chance", "verdict"),
    *("mean_before", "mean_after", "missing_before", "missing_after"),
)


def measure_drift(before: pd.DataFrame, after: pd.DataFrame, *, bins: int = BINS) -> pd.DataFrame:
    """The population stability index of every column, and what chance alone would make of it.

    psi is the sum over bins of (after - before) x ln(after / before), both as shares of rows: 0
    where nothing moved (the J-divergence of Kullback and Leibler, 1951). Bins of numbers are
    quantiles of `before`, with one below and one above all that it holds; texts have a bin for
    each of the most frequent values and one for the others; what is missing has a bin of its own.

    by_chance is the 95th percentile that psi would have if nothing had moved: it is about
    chi-squared with one degree less than there are bins, times 1 / groups before + 1 / groups
    after (Yurdakul, Statistical Properties of Population Stability Index, 2018). Groups count
    and not rows: a group looks much the same from one snapshot to the next.

    Args:
        before: rows that the model learned from: group_id, and the columns to compare, numbers or
            texts; as_of is no such column. A feature table, with the readiness beside it, say.
        after: later rows with the same columns; others are not looked at.
        bins: of a column, at least 2; equal numbers share one, so there can be fewer.

    Returns:
        One row per column, the most moved first: column, psi, by_chance, verdict ("stable" below
        0.1 or by_chance, "shifted" from 0.25 on, else "moved"), mean_before, mean_after (NaN of
        texts), missing_before and missing_after (shares of rows).

    Raises:
        ValueError: one of the two has no rows or no group_id, `after` lacks a column, or there
            are fewer than 2 bins.
    """
    _require_comparable(before, after, bins)
    inverse_groups = 1 / before["group_id"].nunique() + 1 / after["group_id"].nunique()
    measured = [
        _column_drift(name, before[name], after[name], bins, inverse_groups)
        for name in before.columns
        if name not in KEY_COLUMNS
    ]
    frame = pd.DataFrame(measured, columns=list(DRIFT_COLUMNS))
    return frame.sort_values("psi", ascending=False, kind="stable", ignore_index=True)


def population_stability_index(before: Floats, after: Floats) -> float:
    """The population stability index of two histograms.

    Args:
        before: shape (bins,); rows in each bin, some of them above 0.
        after: shape (bins,); the same bins, later.

    Returns:
        The index, 0 or more. A bin that is empty on one side counts as half a row there, one that
        is empty on both does not count.
    """
    occupied = (before > 0) | (after > 0)
    share_before, share_after = (
        np.maximum(counts[occupied], EMPTY_BIN_COUNT) / counts.sum() for counts in (before, after)
    )
    return float(((share_after - share_before) * np.log(share_after / share_before)).sum())


def _column_drift(
    name: str, before: pd.Series[Any], after: pd.Series[Any], bins: int, inverse_groups: float
) -> dict[str, Any]:
    numeric = _is_number(before) and _is_number(after)
    histograms = (
        _numeric_histograms(before, after, bins)
        if numeric
        else _text_histograms(before, after, bins)
    )
    occupied_bins = int(np.count_nonzero(histograms[0] + histograms[1]))
    psi = population_stability_index(*histograms)
    by_chance = (
        float(chi2.ppf(CHANCE_QUANTILE, occupied_bins - 1)) * inverse_groups
        if occupied_bins > 1
        else 0.0
    )
    means = (float(part.mean()) if numeric else np.nan for part in (before, after))
    missing = (float(part.isna().mean()) for part in (before, after))
    return dict(
        zip(DRIFT_COLUMNS, (name, psi, by_chance, _drift_verdict(psi, by_chance), *means, *missing),
            strict=True)
    )  # fmt: skip


def _drift_verdict(psi: float, by_chance: float) -> str:
    if psi < max(MOVED_MIN_PSI, by_chance):
        return STABLE
    return SHIFTED if psi >= SHIFTED_MIN_PSI else MOVED


def _is_number(column: pd.Series[Any]) -> bool:
    return is_numeric_dtype(column.dtype) or is_bool_dtype(column.dtype)


def _numeric_histograms(
    before: pd.Series[Any], after: pd.Series[Any], bins: int
) -> tuple[Floats, Floats]:
    """Rows in each bin, before and after; the last bin is of the missing."""
    observed = _float_values(before)
    observed = observed[~np.isnan(observed)]
    edges = np.empty(0)
    if observed.size:
        inner = np.quantile(observed, np.arange(1, bins) / bins, method="inverted_cdf")
        edges = np.unique([np.nextafter(observed.min(), -np.inf), *inner, observed.max()])
    size = edges.size + 2
    return _numeric_bin_counts(_float_values(before), edges, size), _numeric_bin_counts(
        _float_values(after), edges, size
    )


def _float_values(column: pd.Series[Any]) -> Floats:
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _numeric_bin_counts(values: Floats, edges: Floats, size: int) -> Floats:
    # A bin ends with its edge: many features are small counts, and 0 is a bin of its own.
    bin_index = np.where(np.isnan(values), size - 1, np.searchsorted(edges, values, side="left"))
    return np.bincount(bin_index, minlength=size).astype(np.float64)


def _text_histograms(
    before: pd.Series[Any], after: pd.Series[Any], bins: int
) -> tuple[Floats, Floats]:
    """Rows of each of the most frequent values, of the others, and of the missing."""
    counts = before.dropna().astype(str).value_counts().sort_index()
    frequent = counts.sort_values(ascending=False, kind="stable").index[: bins - 1]
    return _text_bin_counts(before, frequent), _text_bin_counts(after, frequent)


def _text_bin_counts(column: pd.Series[Any], frequent: pd.Index[Any]) -> Floats:
    observed = column.dropna().astype(str)
    frequent_counts = observed.value_counts().reindex(frequent, fill_value=0).to_numpy(np.float64)
    return np.array(
        [*frequent_counts, len(observed) - frequent_counts.sum(), len(column) - len(observed)]
    )


def _require_comparable(before: pd.DataFrame, after: pd.DataFrame, bins: int) -> None:
    if bins < 2:
        raise ValueError(f"drift needs at least 2 bins, got {bins}")
    for name, rows in (("before", before), ("after", after)):
        if rows.empty or "group_id" not in rows.columns:
            raise ValueError(
                f"drift needs rows with a group_id, got {name} with {len(rows)} rows and the "
                f"columns {list(rows.columns)[:10]}"
            )
    if missing := [name for name in before.columns if name not in after.columns]:
        raise ValueError(
            f"drift compares the columns of before, but after lacks {missing}; build both with "
            "the catalogue of one bundle"
        )
