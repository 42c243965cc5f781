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
    FIGURES,
    Floats,
    Queue,
    Ranked,
    account_counts,
    dot,
    line_up,
    rank,
    ranked_figures,
    require_columns,
    require_counts,
    require_probability,
    snapshots,
    summary,
    touched_counts,
)

SHARES = ("predicted", "observed", "gap")
"""Mean chance, share that converted, and the first minus the second; each in 0..1 (gap: -1..1)."""

PART_FIGURES = (*FIGURES, *SHARES)
"""Figures of a part: those of the evaluation, then `SHARES`."""

EVERYTHING = "(all)"
OTHERS = "(others)"
UNKNOWN = "(unknown)"

LARGEST = 10
"""Values of a column that have a part of their own; the rest is `OTHERS`."""

LEAST_CONVERSIONS = 10
LEAST_GROUPS = 10

SIZES = {1: "1", 2: "2-3", 4: "4-7", 8: "8-15", 16: "16+"}
"""Parts by number of members: the least of each, and its name."""

COLUMNS = (
    *("segment", "part", "figure", "value", "low", "high"),
    *("rows", "conversions", "accounts", "groups", "touched"),
)

CHANCE_OF_A_FALSE_ALARM = 0.025 + 0.05
"""Of a part that is as good as all: one end of the interval of its AUC, both of its gap's."""


@dataclass(frozen=True)
class Weakness:
    """Where the model is worse than on all rows, or promises too much or too little.

    Attributes:
        segment: the column, `size` for the number of members.
        part: the value.
        figure: `roc_auc` or `gap`.
        sentence: what is wrong, for people.
    """

    segment: str
    part: str
    figure: str
    sentence: str


@dataclass(frozen=True)
class _Part:
    """Rows of one part of one segment, and what no resample changes about them."""

    segment: str
    name: str
    rows: NDArray[np.bool_]
    ranked: Ranked
    sizes: dict[str, int]
    enough: bool


def by_segment(
    rows: pd.DataFrame,
    probability: Floats,
    *,
    columns: Sequence[str] = ("tier", "solution_id", "industry", "size"),
    touched_per_snapshot: int,
    resamples: int,
    seed: int,
    least_conversions: int = LEAST_CONVERSIONS,
    least_groups: int = LEAST_GROUPS,
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
        least_conversions: converted rows below which a part is not judged.
        least_groups: groups below which a part is not judged.

    Returns:
        One row per segment, part and figure of `PART_FIGURES`: segment, part, figure, value, low,
        high, rows, conversions, accounts, groups, touched (rows). The first segment is "(all)".
        A part that is too small, of fewer than two accounts or with one outcome keeps its rows
        with NaN, but for the plain values of predicted, observed and gap.

    Raises:
        ValueError: a column is missing or not of its type, probabilities do not fit the rows, or
            a count is below 1.
    """
    needed = ["group_size" if name == "size" else name for name in columns]
    _require(rows, probability, needed, touched_per_snapshot, resamples)
    segments = {EVERYTHING: pd.Series(EVERYTHING, index=rows.index)}
    for name in columns:
        segments[name] = _sizes(rows["group_size"]) if name == "size" else _values(rows[name])
    least = (least_conversions, least_groups)
    return _judge(rows, probability, segments, least, touched_per_snapshot, resamples, seed)


def by_month(
    rows: pd.DataFrame,
    probability: Floats,
    *,
    touched_per_snapshot: int,
    resamples: int,
    seed: int,
    least_conversions: int = LEAST_CONVERSIONS,
    least_groups: int = LEAST_GROUPS,
) -> pd.DataFrame:
    """Every figure at each cut-off, in order of time; arguments and errors as `by_segment`.

    Returns:
        One row per cut-off and figure of `PART_FIGURES`: as_of, figure, value, low, high, rows,
        conversions, accounts, groups, touched; NaN as in `by_segment`.
    """
    _require(rows, probability, (), touched_per_snapshot, resamples)
    moments = np.unique(rows["as_of"].to_numpy())
    numbers = pd.Series(snapshots(rows["as_of"].to_numpy()), index=rows.index)
    # Numbers as text of one length: parts are in order of their names.
    labels = numbers.map(lambda number: f"{number:09d}")
    least = (least_conversions, least_groups)
    judged = _judge(
        rows, probability, {"as_of": labels}, least, touched_per_snapshot, resamples, seed
    )
    judged.insert(0, "as_of", moments[judged["part"].astype(np.intp)])
    return judged.drop(columns=["segment", "part"])


def weak_segments(judged: pd.DataFrame) -> tuple[Weakness, ...]:
    """Parts that the model ranks worse than all rows, or whose chances are off, in that order.

    Ranked worse: the 95 % interval of its ROC AUC lies below the ROC AUC of all rows. Off: the
    interval of predicted minus observed does not hold 0.

    Args:
        judged: what `by_segment` returned.
    """
    everything = judged[judged["segment"] == EVERYTHING].set_index("figure")["value"]
    parts = judged[judged["segment"] != EVERYTHING]
    auc = parts[parts["figure"] == "roc_auc"]
    worse = auc[auc["high"] < everything.get("roc_auc", np.nan)]
    gap = parts[parts["figure"] == "gap"]
    off = gap[(gap["low"] > 0) | (gap["high"] < 0)]
    observed = parts[parts["figure"] == "observed"].set_index(["segment", "part"])["value"]
    return (
        *(_ranked_worse(row, everything["roc_auc"]) for _, row in worse.iterrows()),
        *(_off(row, observed[(row["segment"], row["part"])]) for _, row in off.iterrows()),
    )


def expected_by_chance(judged: pd.DataFrame) -> float:
    """How many entries `weak_segments` would have if no part were weak.

    Args:
        judged: what `by_segment` returned.
    """
    parts = judged[(judged["segment"] != EVERYTHING) & (judged["figure"] == "roc_auc")]
    return CHANCE_OF_A_FALSE_ALARM * int(parts["low"].notna().sum())


def _ranked_worse(row: pd.Series, everything: float) -> Weakness:
    sentence = (
        f"{_name(row)}: ranks worse than over all rows, ROC AUC {row['value']:.3f} "
        f"({row['low']:.3f} to {row['high']:.3f}) against {everything:.3f}, "
        f"{row['rows']:,} rows with {row['conversions']:,} conversions."
    )
    return Weakness(row["segment"], row["part"], "roc_auc", sentence)


def _off(row: pd.Series, observed: float) -> Weakness:
    word = "promises too much" if row["value"] > 0 else "promises too little"
    sentence = (
        f"{_name(row)}: {word}, {observed + row['value']:.1%} predicted and {observed:.1%} "
        f"observed, {row['rows']:,} rows with {row['conversions']:,} conversions."
    )
    return Weakness(row["segment"], row["part"], "gap", sentence)


def _name(row: pd.Series) -> str:
    return f"{row['segment'].removesuffix('_id')} {row['part']}"


def _values(column: pd.Series) -> pd.Series:
    """The name of each row's part: its value, or that of the rest."""
    texts = column.astype(object).where(column.notna(), UNKNOWN).map(str)
    # By rows, then by name: equal counts must not depend on the order of the rows.
    counts = texts.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    return texts.where(texts.isin(counts.index[:LARGEST]), OTHERS)


def _sizes(members: pd.Series) -> pd.Series:
    least = np.array(list(SIZES))
    names = np.array(list(SIZES.values()), dtype=object)
    known = members.fillna(0).to_numpy(np.float64)
    place = np.searchsorted(least, known, side="right") - 1
    return pd.Series(np.where(known >= 1, names[place], UNKNOWN), index=members.index)


def _ordered(segment: str, names: pd.Series) -> list[str]:
    """Sizes by size, all else by name; what is no value of its own comes last."""
    sizes = list(SIZES.values())
    return sorted(
        set(names),
        key=lambda name: (
            (OTHERS, UNKNOWN).index(name) if name in (OTHERS, UNKNOWN) else -1,
            sizes.index(name) if segment == "size" and name in sizes else 0,
            name,
        ),
    )


def _judge(
    rows: pd.DataFrame,
    probability: Floats,
    segments: dict[str, pd.Series],
    least: tuple[int, int],
    touched: int,
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    if rows.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    account, names = pd.factorize(rows["account_id"])
    converted = rows["converted"].to_numpy(np.bool_)
    queue = line_up(account, snapshots(rows["as_of"].to_numpy()), converted, probability)
    counts = account_counts(len(names), resamples, np.random.default_rng(seed))
    plain = np.empty(len(rows))
    plain[queue.order] = touched_counts(queue, counts[0], touched)
    parts = [
        _part(rows, account, probability, plain, segment, name, labels == name, least)
        for segment, labels in segments.items()
        for name in _ordered(segment, labels)
    ]
    members = np.array([part.rows for part in parts])
    drawn = np.full((len(parts), len(PART_FIGURES), 1 + resamples), np.nan)
    for resample, count in enumerate(counts):
        at_capacity = _touched(members, queue, converted, count, touched)
        for number, part in enumerate(parts):
            drawn[number, :, resample] = _figures(part, count, at_capacity[number])
    return pd.DataFrame(
        [
            {"segment": part.segment, "part": part.name, "figure": figure}
            | _shown(part, drawn[number, place])
            | part.sizes
            for number, part in enumerate(parts)
            for place, figure in enumerate(PART_FIGURES)
        ]
    )


def _part(
    rows: pd.DataFrame,
    account: NDArray[np.intp],
    probability: Floats,
    touched: Floats,
    segment: str,
    name: str,
    labelled: pd.Series[bool],
    least: tuple[int, int],
) -> _Part:
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
        and sizes["groups"] >= least[1]
        and least[0] <= sizes["conversions"] < sizes["rows"]
    )
    ranked = rank(account[inside], converted, probability[inside])
    return _Part(segment, name, inside, ranked, sizes, enough)


def _touched(
    members: NDArray[np.bool_],
    queue: Queue,
    converted: NDArray[np.bool_],
    counts: Floats,
    touched: int,
) -> Floats:
    """Touched rows and conversions among them, of each part; shape (parts, 2)."""
    row = np.zeros(queue.order.size)
    row[queue.order] = touched_counts(queue, counts, touched)
    chosen = np.flatnonzero(row)  # few of many
    sums = np.column_stack((row[chosen], row[chosen] * converted[chosen]))
    inside = members[:, chosen].astype(np.float64)
    totals: Floats = np.einsum("pr,rs->ps", inside, sums)
    return totals


def _figures(part: _Part, counts: Floats, touched: Floats) -> Floats:
    """`PART_FIGURES` of a part in one draw."""
    weight = counts[part.ranked.account]
    rows, conversions = float(weight.sum()), float(weight[part.ranked.hit].sum())
    if not rows:
        return np.full(len(PART_FIGURES), np.nan)
    observed, gap = conversions / rows, dot(weight, part.ranked.gap) / rows
    shares = (observed + gap, observed, gap)
    if not part.enough:
        return np.array([*np.full(len(FIGURES), np.nan), *shares])
    rate = touched[1] / touched[0] if touched[0] else np.nan
    lift = rate / observed if observed else np.nan
    recall = touched[1] / conversions if conversions else np.nan
    ranked = ranked_figures(part.ranked, counts)
    return np.array([*ranked, lift, recall, *shares])


def _shown(part: _Part, drawn: Floats) -> dict[str, float]:
    found = summary(drawn)
    if part.enough:
        return found
    return found | {"low": np.nan, "high": np.nan}


def _require(
    rows: pd.DataFrame, probability: Floats, columns: Sequence[str], touched: int, resamples: int
) -> None:
    require_columns(rows, ("group_id", "account_id", "as_of", "converted", *columns))
    require_counts(resamples=resamples, touched=touched)
    require_probability("probability", probability, len(rows))
