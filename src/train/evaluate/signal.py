"""Is there anything to learn? A model without signal must not rank anybody's work.

Four questions, asked in this order; one No is enough. Does the model rank better than chance on
the test? Does it do so among groups of one snapshot, or does it only tell months apart, which
helps nobody to choose between groups? Is it closer to what happened than the base rate is, on the
test? And on training rows that the trees held out?
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..fit.calibration import tie_starts
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
    base_rate_probability: Floats,
    *,
    held_out_log_loss: float,
    held_out_base_log_loss: float,
    resamples: int,
    seed: int,
) -> Signal:
    """Whether the model has learned anything that holds outside its training rows.

    Args:
        rows: the test rows: account_id, as_of, converted (bool).
        probability: shape (rows,); of the model, in [0, 1].
        base_rate_probability: shape (rows,); the share of training rows that converted.
        held_out_log_loss: nats per row, of the calibrated model on training rows that the trees
            which scored them did not fit.
        held_out_base_log_loss: nats per row, of the base rate on the same rows.
        resamples: draws of accounts behind each interval, at least 1.
        seed: of the draws.

    Returns:
        `found` is true where the 95 % intervals of the ROC AUC, over all pairs and over pairs of
        one snapshot, lie above 0.5 and the model beats the base rate in log loss on the test and
        on the held-out training rows. A test with one outcome, or of fewer than two accounts, is
        no proof: nothing is found there.

    Raises:
        ValueError: a column is missing or not of its type, probabilities do not fit the rows, or
            there is no resample.
    """
    require_columns(rows, ("account_id", "as_of", "converted"))
    require_counts(resamples=resamples)
    require_probability("the probability of the model", probability, len(rows))
    require_probability("the base rate", base_rate_probability, len(rows))
    account, names = pd.factorize(rows["account_id"])
    converted = rows["converted"].to_numpy(np.bool_)
    if len(names) < 2 or not 0 < converted.sum() < len(rows):
        return Signal(
            False,
            f"There is no proof of a signal: {converted.sum():,} conversions in {len(rows):,} "
            f"test rows of {len(names):,} accounts cannot show one; wait for more outcomes, or "
            "move the start of the test to an earlier date.",
        )
    counts = account_counts(len(names), resamples, np.random.default_rng(seed))
    snapshot = snapshot_codes(rows["as_of"].to_numpy())
    overall = _bootstrap_auc(account, np.zeros_like(snapshot), converted, probability, counts)
    within = _bootstrap_auc(account, snapshot, converted, probability, counts)
    losses = (_log_loss(converted, probability), _log_loss(converted, base_rate_probability))
    held_out = (held_out_log_loss, held_out_base_log_loss)
    if reason := _no_signal_reason(overall, within, losses, held_out):
        return Signal(False, f"There is no signal: {reason}.")
    return Signal(
        True,
        f"There is a signal: ROC AUC {_auc_text(overall)} on the test and {_auc_text(within)} "
        f"among groups of one snapshot, log loss {losses[0]:.4f} against {losses[1]:.4f} of the "
        "base rate.",
    )


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


def _no_signal_reason(
    overall: dict[str, float],
    within: dict[str, float],
    losses: tuple[float, float],
    held_out: tuple[float, float],
) -> str:
    """The first question with the answer No, in words; empty if there is none."""
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
    if not losses[0] < losses[1]:
        return (
            "the model's chances are no closer to what happened on the test than the base rate is "
            f"(log loss {losses[0]:.4f} against {losses[1]:.4f})"
        )
    if not held_out[0] < held_out[1]:
        return (
            "on training rows that the trees held out, the model's chances are no closer to what "
            f"happened than the base rate is (log loss {held_out[0]:.4f} against "
            f"{held_out[1]:.4f})"
        )
    return ""


def _auc_text(auc: dict[str, float]) -> str:
    return f"{auc['value']:.3f}, 95 % interval {auc['low']:.3f} to {auc['high']:.3f}"


def _log_loss(converted: NDArray[np.bool_], probability: Floats) -> float:
    # Clipped as in the figures, without which one sure mistake costs infinity.
    clipped = np.clip(probability, np.finfo(np.float64).eps, 1 - np.finfo(np.float64).eps)
    return float(-np.log(np.where(converted, clipped, 1 - clipped)).mean())


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
