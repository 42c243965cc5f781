"""How far later rows have moved from those that a model learned from, column by column.

Drift asks no outcome, so it can be measured on the day of scoring. It is a question and no verdict:
a column may move without harm, and a model may go wrong while no column moves. What it got wrong is
known a horizon later (`segments.by_month`).
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
MOVES_FROM, SHIFTS_FROM = 0.1, 0.25
"""The customary limits of the index (Siddiqi, Credit Risk Scorecards, 2006)."""

CHANCE = 0.95
LEAST = 0.5  # rows that an empty bin counts as, so that its logarithm is finite
KEYS = ("group_id", "as_of")
COLUMNS = (
    *("column", "psi", "by_chance", "verdict"),
    *("mean_before", "mean_after", "missing_before", "missing_after"),
)


def drift(before: pd.DataFrame, after: pd.DataFrame, *, bins: int = BINS) -> pd.DataFrame:
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
    _require(before, after, bins)
    groups = 1 / before["group_id"].nunique() + 1 / after["group_id"].nunique()
    found = [
        _column(name, before[name], after[name], bins, groups)
        for name in before.columns
        if name not in KEYS
    ]
    frame = pd.DataFrame(found, columns=list(COLUMNS))
    return frame.sort_values("psi", ascending=False, kind="stable", ignore_index=True)


def stability_index(before: Floats, after: Floats) -> float:
    """The population stability index of two histograms.

    Args:
        before: shape (bins,); rows in each bin, some of them above 0.
        after: shape (bins,); the same bins, later.

    Returns:
        The index, 0 or more. A bin that is empty on one side counts as half a row there, one that
        is empty on both does not count.
    """
    used = (before > 0) | (after > 0)
    share, later = (np.maximum(counts[used], LEAST) / counts.sum() for counts in (before, after))
    return float(((later - share) * np.log(later / share)).sum())


def _column(
    name: str, before: pd.Series[Any], after: pd.Series[Any], bins: int, groups: float
) -> dict[str, Any]:
    numeric = _is_number(before) and _is_number(after)
    histograms = _of_numbers(before, after, bins) if numeric else _of_texts(before, after, bins)
    used = int(np.count_nonzero(histograms[0] + histograms[1]))
    index = stability_index(*histograms)
    by_chance = float(chi2.ppf(CHANCE, used - 1)) * groups if used > 1 else 0.0
    means = (float(part.mean()) if numeric else np.nan for part in (before, after))
    missing = (float(part.isna().mean()) for part in (before, after))
    return dict(
        zip(COLUMNS, (name, index, by_chance, _verdict(index, by_chance), *means, *missing),
            strict=True)
    )  # fmt: skip


def _verdict(index: float, by_chance: float) -> str:
    if index < max(MOVES_FROM, by_chance):
        return STABLE
    return SHIFTED if index >= SHIFTS_FROM else MOVED


def _is_number(column: pd.Series[Any]) -> bool:
    return is_numeric_dtype(column.dtype) or is_bool_dtype(column.dtype)


def _of_numbers(before: pd.Series[Any], after: pd.Series[Any], bins: int) -> tuple[Floats, Floats]:
    """Rows in each bin, before and after; the last bin is of the missing."""
    known = _numbers(before)
    known = known[~np.isnan(known)]
    edges = np.empty(0)
    if known.size:
        inner = np.quantile(known, np.arange(1, bins) / bins, method="inverted_cdf")
        edges = np.unique([np.nextafter(known.min(), -np.inf), *inner, known.max()])
    size = edges.size + 2
    return _binned(_numbers(before), edges, size), _binned(_numbers(after), edges, size)


def _numbers(column: pd.Series[Any]) -> Floats:
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _binned(values: Floats, edges: Floats, size: int) -> Floats:
    # A bin ends with its edge: many features are small counts, and 0 is a bin of its own.
    place = np.where(np.isnan(values), size - 1, np.searchsorted(edges, values, side="left"))
    return np.bincount(place, minlength=size).astype(np.float64)


def _of_texts(before: pd.Series[Any], after: pd.Series[Any], bins: int) -> tuple[Floats, Floats]:
    """Rows of each of the most frequent values, of the others, and of the missing."""
    counts = before.dropna().astype(str).value_counts().sort_index()
    kept = counts.sort_values(ascending=False, kind="stable").index[: bins - 1]
    return _counted(before, kept), _counted(after, kept)


def _counted(column: pd.Series[Any], kept: pd.Index[Any]) -> Floats:
    known = column.dropna().astype(str)
    listed = known.value_counts().reindex(kept, fill_value=0).to_numpy(np.float64)
    return np.array([*listed, len(known) - listed.sum(), len(column) - len(known)])


def _require(before: pd.DataFrame, after: pd.DataFrame, bins: int) -> None:
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
