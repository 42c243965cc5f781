"""Is there anything to learn? A model without signal must not rank anybody's work.

That is a question about ranking: does the model rank better than chance on the test, over all
groups and among groups of one snapshot (to tell months apart helps nobody to choose)? Where the
test has too few conversions to say, cross-fitting on the training rows is asked. Whether the level
of its chances is right is another question (see `level`), and has another answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..fit.calibration_error import tie_starts
from .bootstrap import (
    Floats,
    account_counts,
    deterministic_dot,
    interval_summary,
    require_columns,
    require_counts,
    require_probability,
    snapshot_codes,
)

CHANCE_AUC = 0.5
FEW_CONVERSIONS = 30
"""With fewer groups that converted, a test is too small to say that there is no signal."""


@dataclass(frozen=True)
class Signal:
    """Whether there is anything to learn, and in one sentence why or why not."""

    found: bool
    sentence: str


@dataclass(frozen=True)
class _RankedPairs:
    """Rows by block, then the likeliest first; pairs are formed within a block.

    `hit`, `tie_*` and `block_*` are positions, one per converted row.
    """

    account: NDArray[np.intp]
    converted: NDArray[np.bool_]
    hit: NDArray[np.intp]
    tie_start: NDArray[np.intp]
    tie_end: NDArray[np.intp]
    block_end: NDArray[np.intp]
    block_start: NDArray[np.intp]


def find_signal(
    rows: pd.DataFrame,
    probability: Floats,
    held_out: pd.DataFrame | None = None,
    *,
    resamples: int,
    seed: int,
) -> Signal:
    """Whether the model ranks better than chance outside its training rows.

    Args:
        rows: the test rows: account_id, group_id, as_of, converted (bool).
        probability: shape (rows,); of the model, in [0, 1].
        held_out: the training rows with the same columns and `readiness`, each scored by a model
            that did not fit its account; None without any.
        resamples: draws of accounts, and of groups, behind each interval, at least 1.
        seed: of the draws.

    Returns:
        `found` is true where the 95 % intervals of the ROC AUC, over all pairs and over pairs of
        one snapshot, by a bootstrap over accounts and by one over groups, lie above 0.5 on the
        test. Where fewer than `FEW_CONVERSIONS` groups converted there, and the test does not
        speak against it, it is enough that they do on the held-out training rows.

    Raises:
        ValueError: a column is missing or not of its type, probabilities do not fit the rows, or
            there is no resample.
    """
    for frame in (rows, *(() if held_out is None else (held_out,))):
        require_columns(frame, ("account_id", "group_id", "as_of", "converted"))
    require_counts(resamples=resamples)
    require_probability("the probability of the model", probability, len(rows))
    on_test = _measure_ranking(rows, probability, resamples, seed)
    if on_test is not None and not (reason := _no_signal_reason(on_test)):
        return Signal(True, f"There is a signal: {on_test.sentence('on the test')}.")
    converted_groups = int(rows.loc[rows["converted"], "group_id"].nunique())
    against = on_test is not None and on_test.overall["high"] < CHANCE_AUC
    if held_out is not None and converted_groups < FEW_CONVERSIONS and not against:
        readiness = held_out["readiness"].to_numpy(np.float64)
        crossed = _measure_ranking(held_out, readiness, resamples, seed)
        if crossed is not None and not _no_signal_reason(crossed):
            return Signal(
                True,
                f"There is a signal: {crossed.sentence('in cross-fitting')}; "
                f"{converted_groups:,} groups that converted on the test are too few to show one.",
            )
    if on_test is None:
        return Signal(
            False,
            f"There is no proof of a signal: {rows['converted'].sum():,} conversions in "
            f"{len(rows):,} test rows of {rows['account_id'].nunique():,} accounts cannot show "
            "one; wait for more outcomes, or move the start of the test to an earlier date.",
        )
    return Signal(False, f"There is no signal: {reason}.")


@dataclass(frozen=True)
class _Ranking:
    """ROC AUC with its interval, over all pairs and over pairs of one snapshot."""

    overall: dict[str, float]
    within: dict[str, float]

    def sentence(self, where: str) -> str:
        return (
            f"ROC AUC {_auc_text(self.overall)} {where} and {_auc_text(self.within)} among groups "
            "of one snapshot"
        )


def _measure_ranking(
    rows: pd.DataFrame, probability: Floats, resamples: int, seed: int
) -> _Ranking | None:
    """The two figures, each with the wider of its intervals; None where nothing can be ranked."""
    converted = rows["converted"].to_numpy(np.bool_)
    if rows["account_id"].nunique() < 2 or not 0 < converted.sum() < len(rows):
        return None
    snapshot = snapshot_codes(rows["as_of"].to_numpy())
    found: list[list[dict[str, float]]] = [[], []]
    for unit_column in ("account_id", "group_id"):
        unit, names = pd.factorize(rows[unit_column])
        counts = account_counts(len(names), resamples, np.random.default_rng(seed))
        for place, block in enumerate((np.zeros_like(snapshot), snapshot)):
            found[place].append(_bootstrap_auc(unit, block, converted, probability, counts))
    return _Ranking(*map(_widest, found))


def _widest(intervals: list[dict[str, float]]) -> dict[str, float]:
    return {
        "value": intervals[0]["value"],
        "low": min(one["low"] for one in intervals),
        "high": max(one["high"] for one in intervals),
    }


def auc_within_snapshots(
    converted: NDArray[np.bool_],
    probability: Floats,
    as_of: NDArray[np.generic],
    *,
    weights: Floats | None = None,
) -> float:
    """The chance that a converted row ranks above another of the same snapshot; ties count half.

    All pairs of all snapshots count alike, so a snapshot with more of them counts more.

    Args:
        converted: shape (rows,); outcome within the horizon.
        probability: shape (rows,); in [0, 1], same order.
        as_of: shape (rows,); the snapshot of each row, any sortable values.
        weights: shape (rows,); whole numbers, how often each row counts; once if absent.

    Returns:
        A share, NaN where no snapshot has both outcomes.

    Raises:
        ValueError: shapes differ or a probability is outside [0, 1].
    """
    require_probability("probability", probability, converted.size)
    counts = np.ones(converted.size) if weights is None else np.asarray(weights, np.float64)
    pairs = _rank_in_blocks(
        np.arange(converted.size), snapshot_codes(as_of), converted, probability
    )
    return _concordance(pairs, counts)


def _no_signal_reason(ranking: _Ranking) -> str:
    """The first question with the answer No, in words; empty if there is none."""
    overall, within = ranking.overall, ranking.within
    # Written so that NaN, the interval of draws that all have one outcome, is a No.
    if overall["high"] < CHANCE_AUC:
        return f"the model ranks worse than chance on the test (ROC AUC {_auc_text(overall)})"
    if not overall["low"] > CHANCE_AUC:
        return f"the model ranks no better than chance on the test (ROC AUC {_auc_text(overall)})"
    if not np.isfinite(within["value"]):
        return "no snapshot of the test holds groups of both outcomes to choose between"
    if not within["low"] > CHANCE_AUC:
        return (
            "the model tells snapshots apart, but ranks groups of the same snapshot no better "
            f"than chance (ROC AUC {_auc_text(within)} among them, {_auc_text(overall)} over all)"
        )
    return ""


def _auc_text(auc: dict[str, float]) -> str:
    return f"{auc['value']:.3f}, 95 % interval {auc['low']:.3f} to {auc['high']:.3f}"


def _bootstrap_auc(
    account: NDArray[np.intp],
    block: NDArray[np.intp],
    converted: NDArray[np.bool_],
    probability: Floats,
    counts: Floats,
) -> dict[str, float]:
    pairs = _rank_in_blocks(account, block, converted, probability)
    return interval_summary(np.array([_concordance(pairs, count) for count in counts]))


def _rank_in_blocks(
    account: NDArray[np.intp],
    block: NDArray[np.intp],
    converted: NDArray[np.bool_],
    probability: Floats,
) -> _RankedPairs:
    order = np.lexsort((-probability, block))
    hit = np.flatnonzero(converted[order])
    blocks = tie_starts(block[order])
    ties = np.union1d(blocks, tie_starts(probability[order]))
    block_start, block_end = _enclosing_run(hit, blocks, order.size)
    tie_start, tie_end = _enclosing_run(hit, ties, order.size)
    return _RankedPairs(
        account[order], converted[order], hit, tie_start, tie_end, block_end, block_start
    )


def _enclosing_run(
    position: NDArray[np.intp], starts: NDArray[np.intp], rows: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where the run around each position begins, and the position after it."""
    run = np.searchsorted(starts, position, side="right") - 1
    return starts[run], np.append(starts[1:], rows)[run]


def _concordance(pairs: _RankedPairs, counts: Floats) -> float:
    """Share of pairs of both outcomes in order when account i counts counts[i] times."""
    weight = counts[pairs.account]
    others = np.concatenate(([0.0], np.cumsum(np.where(pairs.converted, 0.0, weight))))
    beaten = others[pairs.block_end] - others[pairs.tie_end]
    tied = others[pairs.tie_end] - others[pairs.tie_start]
    hits = weight[pairs.hit]
    total = deterministic_dot(hits, others[pairs.block_end] - others[pairs.block_start])
    return deterministic_dot(hits, beaten + tied / 2) / total if total else np.nan
