"""How good the model is in each part of the data: by tier, solution, industry, size and month.

A part is judged inside the whole. Accounts are drawn from all rows, as everywhere, and what sales
touch is what they would touch of everybody: lift and recall of a part count its rows among those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .bootstrap import (
    METRICS,
    Floats,
    RankedRows,
    SnapshotRanking,
    account_counts,
    deterministic_dot,
    interval_summary,
    rank_rows,
    rank_within_snapshots,
    ranking_metrics,
    require_columns,
    require_counts,
    require_probability,
    snapshot_codes,
    touched_counts,
)

CALIBRATION_SHARES = ("predicted", "observed", "gap")
"""Mean chance, share that converted, and the first minus the second; each in 0..1 (gap: -1..1)."""

RANKING_SHARES = ("implied_auc", "auc_shortfall")
"""The ROC AUC that the chances themselves imply, were they true, and by how much the part's own is
below it. A part of alike groups is hard to rank for any model, and its chances say so."""

SEGMENT_METRICS = (*METRICS, *CALIBRATION_SHARES, *RANKING_SHARES)
"""Figures of a part: those of the evaluation, then `CALIBRATION_SHARES` and `RANKING_SHARES`."""

ALL_ROWS = "(all)"
OTHER_VALUES = "(others)"
UNKNOWN_VALUE = "(unknown)"

MAX_SEGMENT_VALUES = 10
"""Values of a column that have a part of their own; the rest is `OTHER_VALUES`."""

MIN_CONVERSIONS = 10
MIN_GROUPS = 10

GROUP_SIZE_BANDS = {1: "1", 2: "2-3", 4: "4-7", 8: "8-15", 16: "16+"}
"""Parts by number of members: the least of each, and its name."""

SEGMENT_COLUMNS = (
    *("segment", "part", "figure", "value", "low", "high"),
    *("rows", "conversions", "accounts", "groups", "touched"),
)


@dataclass(frozen=True)
class _SegmentPart:
    """Rows of one part of one segment, and what no resample changes about them."""

    segment: str
    name: str
    rows: NDArray[np.bool_]
    ranked: RankedRows
    sizes: dict[str, int]
    large_enough: bool


def evaluate_by_segment(
    rows: pd.DataFrame,
    probability: Floats,
    *,
    columns: Sequence[str] = ("tier", "solution_id", "industry", "size"),
    touched_per_snapshot: int,
    resamples: int,
    seed: int,
    min_conversions: int = MIN_CONVERSIONS,
    min_groups: int = MIN_GROUPS,
) -> pd.DataFrame:
    """Every figure in each part of each segment, beside that of all rows.

    A column's ten largest values (by rows) have a part each and the rest is "(others)"; rows
    without a value are "(unknown)". `size` is the number of members, from group_size: 1, 2-3,
    4-7, 8-15, 16+.

    Args:
        rows: one row per scored snapshot: group_id, account_id, as_of, converted (bool) and the
            columns; group_size (members) for `size`.
        probability: shape (rows,); in [0, 1], in the order of `rows`.
        columns: the segments.
        touched_per_snapshot: groups of all that sales can touch at each snapshot.
        resamples: draws of accounts behind each interval, at least 1.
        seed: of the draws.
        min_conversions: converted rows below which a part is not judged.
        min_groups: groups below which a part is not judged.

    Returns:
        One row per segment, part and figure of `SEGMENT_METRICS`: segment, part, figure, value,
        low, high, rows, conversions, accounts, groups, touched (rows). The first is "(all)".
        A part that is too small, of fewer than two accounts or with one outcome keeps its rows
        with NaN, but for the plain values of predicted, observed and gap.

    Raises:
        ValueError: a column is missing or not of its type, probabilities do not fit the rows, or
            a count is below 1.
    """
    needed = ["group_size" if name == "size" else name for name in columns]
    _require_inputs(rows, probability, needed, touched_per_snapshot, resamples)
    segments = {ALL_ROWS: pd.Series(ALL_ROWS, index=rows.index)}
    for name in columns:
        segments[name] = (
            _size_labels(rows["group_size"]) if name == "size" else _value_labels(rows[name])
        )
    minimums = (min_conversions, min_groups)
    return _evaluate_parts(
        rows, probability, segments, minimums, touched_per_snapshot, resamples, seed
    )


def evaluate_by_month(
    rows: pd.DataFrame,
    probability: Floats,
    *,
    touched_per_snapshot: int,
    resamples: int,
    seed: int,
    min_conversions: int = MIN_CONVERSIONS,
    min_groups: int = MIN_GROUPS,
) -> pd.DataFrame:
    """Every figure at each cut-off, in order of time; otherwise as `evaluate_by_segment`.

    Returns:
        One row per cut-off and figure of `SEGMENT_METRICS`: as_of, figure, value, low, high, rows,
        conversions, accounts, groups, touched; NaN as in `evaluate_by_segment`.
    """
    _require_inputs(rows, probability, (), touched_per_snapshot, resamples)
    cutoffs = np.unique(rows["as_of"].to_numpy())
    numbers = pd.Series(snapshot_codes(rows["as_of"].to_numpy()), index=rows.index)
    # Numbers as text of one length: parts are in order of their names.
    labels = numbers.map(lambda number: f"{number:09d}")
    minimums = (min_conversions, min_groups)
    evaluated = _evaluate_parts(
        rows, probability, {"as_of": labels}, minimums, touched_per_snapshot, resamples, seed
    )
    evaluated.insert(0, "as_of", cutoffs[evaluated["part"].astype(np.intp)])
    return evaluated.drop(columns=["segment", "part"])


def _value_labels(column: pd.Series) -> pd.Series:
    """The name of each row's part: its value, or that of the rest."""
    texts = column.astype(object).where(column.notna(), UNKNOWN_VALUE).map(str)
    # By rows, then by name: equal counts must not depend on the order of the rows.
    counts = texts.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    return texts.where(texts.isin(counts.index[:MAX_SEGMENT_VALUES]), OTHER_VALUES)


def _size_labels(members: pd.Series) -> pd.Series:
    lower_bounds = np.array(list(GROUP_SIZE_BANDS))
    names = np.array(list(GROUP_SIZE_BANDS.values()), dtype=object)
    known = members.fillna(0).to_numpy(np.float64)
    place = np.searchsorted(lower_bounds, known, side="right") - 1
    return pd.Series(np.where(known >= 1, names[place], UNKNOWN_VALUE), index=members.index)


def _sorted_labels(segment: str, names: pd.Series) -> list[str]:
    """Sizes by size, all else by name; what is no value of its own comes last."""
    sizes = list(GROUP_SIZE_BANDS.values())
    return sorted(
        set(names),
        key=lambda name: (
            (OTHER_VALUES, UNKNOWN_VALUE).index(name)
            if name in (OTHER_VALUES, UNKNOWN_VALUE)
            else -1,
            sizes.index(name) if segment == "size" and name in sizes else 0,
            name,
        ),
    )


def _evaluate_parts(
    rows: pd.DataFrame,
    probability: Floats,
    segments: dict[str, pd.Series],
    minimums: tuple[int, int],
    touched_per_snapshot: int,
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    if rows.empty:
        return pd.DataFrame(columns=list(SEGMENT_COLUMNS))
    account, names = pd.factorize(rows["account_id"])
    converted = rows["converted"].to_numpy(np.bool_)
    ranking = rank_within_snapshots(
        account, snapshot_codes(rows["as_of"].to_numpy()), converted, probability
    )
    counts = account_counts(len(names), resamples, np.random.default_rng(seed))
    touched_rows = np.empty(len(rows))
    touched_rows[ranking.order] = touched_counts(ranking, counts[0], touched_per_snapshot)
    parts = [
        _segment_part(
            rows, account, probability, touched_rows, segment, name, labels == name, minimums
        )
        for segment, labels in segments.items()
        for name in _sorted_labels(segment, labels)
    ]
    row_masks = np.array([part.rows for part in parts])
    drawn = np.full((len(parts), len(SEGMENT_METRICS), 1 + resamples), np.nan)
    for resample, count in enumerate(counts):
        at_capacity = _touched_sums(row_masks, ranking, converted, count, touched_per_snapshot)
        for number, part in enumerate(parts):
            drawn[number, :, resample] = _part_metrics(part, count, at_capacity[number])
    return pd.DataFrame(
        [
            {"segment": part.segment, "part": part.name, "figure": figure}
            | _interval_of_part(part, drawn[number, place])
            | part.sizes
            for number, part in enumerate(parts)
            for place, figure in enumerate(SEGMENT_METRICS)
        ]
    )


def _segment_part(
    rows: pd.DataFrame,
    account: NDArray[np.intp],
    probability: Floats,
    touched: Floats,
    segment: str,
    name: str,
    labelled: pd.Series[bool],
    minimums: tuple[int, int],
) -> _SegmentPart:
    inside = labelled.to_numpy(np.bool_)
    converted = rows["converted"].to_numpy(np.bool_)[inside]
    sizes = {
        "rows": converted.size,
        "conversions": int(converted.sum()),
        "accounts": int(np.unique(account[inside]).size),
        "groups": int(rows["group_id"][inside].nunique()),
        "touched": round(float(touched[inside].sum())),
    }
    enough = (
        sizes["accounts"] >= 2
        and sizes["groups"] >= minimums[1]
        and minimums[0] <= sizes["conversions"] < sizes["rows"]
    )
    ranked = rank_rows(account[inside], converted, probability[inside])
    return _SegmentPart(segment, name, inside, ranked, sizes, enough)


def _touched_sums(
    row_masks: NDArray[np.bool_],
    ranking: SnapshotRanking,
    converted: NDArray[np.bool_],
    counts: Floats,
    touched_per_snapshot: int,
) -> Floats:
    """Touched rows and conversions among them, of each part; shape (parts, 2)."""
    row = np.zeros(ranking.order.size)
    row[ranking.order] = touched_counts(ranking, counts, touched_per_snapshot)
    chosen = np.flatnonzero(row)  # few of many
    sums = np.column_stack((row[chosen], row[chosen] * converted[chosen]))
    inside = row_masks[:, chosen].astype(np.float64)
    sums_by_part: Floats = np.einsum("pr,rs->ps", inside, sums)
    return sums_by_part


def _part_metrics(part: _SegmentPart, counts: Floats, touched: Floats) -> Floats:
    """`SEGMENT_METRICS` of a part in one draw."""
    weight = counts[part.ranked.account_codes]
    rows, conversions = float(weight.sum()), float(weight[part.ranked.hit].sum())
    if not rows:
        return np.full(len(SEGMENT_METRICS), np.nan)
    observed, gap = conversions / rows, deterministic_dot(weight, part.ranked.gap) / rows
    shares = (observed + gap, observed, gap)
    if not part.large_enough:
        unknown = np.full(len(RANKING_SHARES), np.nan)
        return np.array([*np.full(len(METRICS), np.nan), *shares, *unknown])
    rate = touched[1] / touched[0] if touched[0] else np.nan
    lift = rate / observed if observed else np.nan
    recall = touched[1] / conversions if conversions else np.nan
    ranked = ranking_metrics(part.ranked, counts)
    implied = implied_auc(part.ranked, counts)
    auc = ranked[METRICS.index("roc_auc")]
    return np.array([*ranked, lift, recall, *shares, implied, implied - auc])


def implied_auc(ranked: RankedRows, counts: Floats) -> float:
    """ROC AUC to be expected if every row converted with its chance; NaN where none can be told.

    Of all pairs of rows, those in which one converts and the other does not, weighed by how likely
    that is: the share in which the likelier one converts, ties half.

    Args:
        ranked: the rows.
        counts: shape (accounts,); how often each account counts.
    """
    weight = counts[ranked.account_codes]
    probability = ranked.gap.copy()
    probability[ranked.hit] += 1.0
    converts, stays = weight * probability, weight * (1 - probability)
    in_tie_converts = np.add.reduceat(converts, ranked.all_tie_starts)
    in_tie_stays = np.add.reduceat(stays, ranked.all_tie_starts)
    below = in_tie_stays.sum() - np.cumsum(in_tie_stays)
    # A row, however often it counts, is no pair with itself.
    itself = deterministic_dot(converts, stays)
    pairs = float(converts.sum() * stays.sum()) - itself
    if pairs <= 0:
        return float("nan")
    concordant = deterministic_dot(in_tie_converts, below + in_tie_stays / 2) - itself / 2
    return concordant / pairs


def _interval_of_part(part: _SegmentPart, drawn: Floats) -> dict[str, float]:
    interval = interval_summary(drawn)
    if part.large_enough:
        return interval
    return interval | {"low": np.nan, "high": np.nan}


def _require_inputs(
    rows: pd.DataFrame,
    probability: Floats,
    columns: Sequence[str],
    touched_per_snapshot: int,
    resamples: int,
) -> None:
    require_columns(rows, ("group_id", "account_id", "as_of", "converted", *columns))
    require_counts(resamples=resamples, touched_per_snapshot=touched_per_snapshot)
    require_probability("probability", probability, len(rows))
