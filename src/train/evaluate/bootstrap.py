"""The bootstrap over accounts: figures of ranked rows, drawn again and again.

Groups of one account share its fate, so accounts are resampled, not rows. All that no resample
changes is computed once per method (`RankedRows`); a resample is then only how often each account
counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..fit.calibration_error import calibration_error_of_ranked, tie_starts

RANKING_METRICS = ("roc_auc", "average_precision", "log_loss", "brier", "ece")
CAPACITY_METRICS = ("lift_at_capacity", "recall_at_capacity")

METRICS = (*RANKING_METRICS, *CAPACITY_METRICS)
"""Figures in the order that tables show them; `evaluation.measure` says what each is."""

POPULATIONS = ("all accounts", "unseen accounts")
REQUIRED_COLUMNS = ("account_id", "as_of", "converted", "seen")
INTERVAL_QUANTILES = (0.025, 0.975)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RankedRows:
    """One method's rows in order of probability, with all that no resample changes.

    `hit_*` arrays have one entry per converted row. A tie is a run of equal probabilities.
    """

    account_codes: NDArray[np.intp]
    gap: Floats  # probability minus outcome
    loss: Floats  # log loss of each row
    all_tie_starts: NDArray[np.intp]
    hit: NDArray[np.intp]  # position of the row
    tie_start: NDArray[np.intp]  # position where its tie begins
    tie_end: NDArray[np.intp]  # position after its tie
    hits_by_start: NDArray[np.intp]  # conversions before its tie
    hits_by_end: NDArray[np.intp]  # conversions up to the end of its tie


@dataclass(frozen=True)
class SnapshotRanking:
    """One method's rows as sales take them: by snapshot, then the likeliest first.

    Equal probabilities of one snapshot keep the order of the rows.
    """

    order: NDArray[np.intp]  # of the rows
    account_codes: NDArray[np.intp]
    snapshot_edges: NDArray[np.intp]  # where each snapshot begins, then the number of rows
    hit: NDArray[np.intp]  # positions of converted rows
    snapshot_start: NDArray[np.intp]  # position where the snapshot of each begins


@dataclass(frozen=True)
class Population:
    """Figures of one population: shape (methods, figures, 1 + resamples), the plain ones first."""

    name: str
    rows: int
    conversions: int
    accounts: int
    metric_draws: Floats


def bootstrap_metrics(
    rows: pd.DataFrame,
    probabilities: Mapping[str, Floats],
    touched_per_snapshot: int,
    resamples: int,
    seed: int,
) -> list[Population]:
    """Every figure of every method in every draw, in each population.

    Arguments and errors as `evaluation.evaluate`. All methods see the same draws.
    """
    _require_inputs(rows, probabilities, touched_per_snapshot, resamples)
    all_rows = np.ones(len(rows), dtype=np.bool_)
    unseen = ~rows["seen"].to_numpy(np.bool_)
    populations = []
    for name, mask in zip(POPULATIONS, (all_rows, unseen), strict=True):
        probabilities_inside = [probability[mask] for probability in probabilities.values()]
        rng = np.random.default_rng(seed)
        populations.append(
            _bootstrap_population(
                name, rows[mask], probabilities_inside, touched_per_snapshot, resamples, rng
            )
        )
    return populations


def _bootstrap_population(
    name: str,
    rows: pd.DataFrame,
    probabilities: list[Floats],
    touched_per_snapshot: int,
    resamples: int,
    rng: np.random.Generator,
) -> Population:
    account, names = pd.factorize(rows["account_id"])
    converted = rows["converted"].to_numpy(np.bool_)
    conversions = int(converted.sum())
    metrics = np.full((len(probabilities), len(METRICS), 1 + resamples), np.nan)
    if len(names) >= 2 and 0 < conversions < len(rows):
        snapshot = snapshot_codes(rows["as_of"].to_numpy())
        counts = account_counts(len(names), resamples, rng)
        for method, probability in enumerate(probabilities):
            ranked = rank_rows(account, converted, probability)
            ranking = rank_within_snapshots(account, snapshot, converted, probability)
            for resample, count in enumerate(counts):
                metrics[method, :, resample] = metrics_of_resample(
                    ranked, ranking, count, touched_per_snapshot
                )
    return Population(name, len(rows), conversions, len(names), metrics)


def snapshot_codes(as_of: NDArray[np.generic]) -> NDArray[np.intp]:
    """The number of each row's snapshot, 0 for the earliest; shape (rows,)."""
    numbers: NDArray[np.intp] = np.unique(as_of, return_inverse=True)[1]
    return numbers


def account_counts(accounts: int, resamples: int, rng: np.random.Generator) -> Floats:
    """How often each account counts: once first, then as drawn; (1 + resamples, accounts)."""
    counts = np.ones((1 + resamples, accounts))
    for resample in range(1, 1 + resamples):
        counts[resample] = np.bincount(rng.integers(accounts, size=accounts), minlength=accounts)
    return counts


def interval_summary(drawn: Floats) -> dict[str, float]:
    """The plain value, and the interval over the draws that have one.

    Args:
        drawn: shape (1 + resamples,); the plain value first.
    """
    draws = drawn[1:][np.isfinite(drawn[1:])]
    low, high = np.quantile(draws, INTERVAL_QUANTILES) if draws.size else (np.nan, np.nan)
    return {"value": float(drawn[0]), "low": float(low), "high": float(high)}


def rank_rows(
    account: NDArray[np.intp], converted: NDArray[np.bool_], probability: Floats
) -> RankedRows:
    """Rows in order of probability.

    Args:
        account: shape (rows,); number of each row's account.
        converted: shape (rows,); outcome within the horizon.
        probability: shape (rows,); in [0, 1].
    """
    order = np.argsort(-probability, kind="stable")
    ranked, outcome = probability[order], converted[order]
    starts = tie_starts(ranked)
    tie = np.searchsorted(starts, np.arange(order.size), side="right") - 1
    ends = np.append(starts[1:], order.size)
    hit = np.flatnonzero(outcome)
    hits_before = np.concatenate(([0], np.cumsum(outcome)))
    # scikit-learn clips at the same distance, without which one sure mistake costs infinity.
    clipped = np.clip(ranked, np.finfo(np.float64).eps, 1 - np.finfo(np.float64).eps)
    return RankedRows(
        account_codes=account[order],
        gap=ranked - outcome,
        loss=-np.log(np.where(outcome, clipped, 1 - clipped)),
        all_tie_starts=starts,
        hit=hit,
        tie_start=starts[tie[hit]],
        tie_end=ends[tie[hit]],
        hits_by_start=hits_before[starts[tie[hit]]],
        hits_by_end=hits_before[ends[tie[hit]]],
    )


def rank_within_snapshots(
    account: NDArray[np.intp],
    snapshot: NDArray[np.intp],
    converted: NDArray[np.bool_],
    probability: Floats,
) -> SnapshotRanking:
    """Rows as sales take them at each snapshot; arguments as `rank_rows`, and `snapshot_codes`."""
    # lexsort is stable: equal probabilities of one snapshot stay in the order of the rows.
    order = np.lexsort((-probability, snapshot))
    hit = np.flatnonzero(converted[order])
    edges = np.append(tie_starts(snapshot[order]), order.size)
    return SnapshotRanking(
        order=order,
        account_codes=account[order],
        snapshot_edges=edges,
        hit=hit,
        snapshot_start=edges[np.searchsorted(edges, hit, side="right") - 1],
    )


def metrics_of_resample(
    ranked: RankedRows, ranking: SnapshotRanking, counts: Floats, touched_per_snapshot: int
) -> Floats:
    """`METRICS` when account i counts counts[i] times; NaN unless there are both outcomes.

    Args:
        ranked: a method's rows.
        ranking: the same rows.
        counts: shape (accounts,); whole numbers.
        touched_per_snapshot: groups that sales can touch at each snapshot.
    """
    metrics = ranking_metrics(ranked, counts)
    if np.isnan(metrics[0]):
        return np.full(len(METRICS), np.nan)
    touched = capacity_metrics(ranking, counts, touched_per_snapshot)
    return np.concatenate((metrics, touched))


def ranking_metrics(ranked: RankedRows, counts: Floats) -> Floats:
    """`RANKING_METRICS` when account i counts counts[i] times; NaN unless both outcomes do."""
    weight = counts[ranked.account_codes]
    cumulative_weight = np.concatenate(([0.0], np.cumsum(weight)))
    hits = weight[ranked.hit]
    cumulative_hits = np.concatenate(([0.0], np.cumsum(hits)))
    rows, conversions = cumulative_weight[-1], cumulative_hits[-1]
    if not 0 < conversions < rows:
        return np.full(len(RANKING_METRICS), np.nan)
    ranked_up_to, hits_up_to = (
        cumulative_weight[ranked.tie_end],
        cumulative_hits[ranked.hits_by_end],
    )
    ranked_below = (rows - ranked_up_to) - (conversions - hits_up_to)
    tied = (ranked_up_to - cumulative_weight[ranked.tie_start]) - (
        hits_up_to - cumulative_hits[ranked.hits_by_start]
    )
    return np.array(
        [
            deterministic_dot(hits, ranked_below + tied / 2) / (conversions * (rows - conversions)),
            # Rows that were not drawn have no hits; their reach may be 0 and must not divide.
            deterministic_dot(hits, hits_up_to / np.maximum(ranked_up_to, 1.0)) / conversions,
            deterministic_dot(weight, ranked.loss) / rows,
            deterministic_dot(weight, ranked.gap**2) / rows,
            calibration_error_of_ranked(
                ranked.gap, cumulative_weight, weight, ranked.all_tie_starts
            ),
        ]
    )


def capacity_metrics(ranking: SnapshotRanking, counts: Floats, per_snapshot: int) -> Floats:
    """`CAPACITY_METRICS` when account i counts counts[i] times and something converted."""
    weight = counts[ranking.account_codes]
    cumulative_weight = np.concatenate(([0.0], np.cumsum(weight)))
    hits = weight[ranking.hit]
    ahead = cumulative_weight[ranking.hit] - cumulative_weight[ranking.snapshot_start]
    touched_hits = np.clip(per_snapshot - ahead, 0.0, hits).sum()
    touched_rows = np.minimum(
        np.diff(cumulative_weight[ranking.snapshot_edges]), per_snapshot
    ).sum()
    rate = hits.sum() / cumulative_weight[-1]
    return np.array([(touched_hits / touched_rows) / rate, touched_hits / hits.sum()])


def touched_counts(ranking: SnapshotRanking, counts: Floats, per_snapshot: int) -> Floats:
    """How often each row is touched when account i counts counts[i] times; shape (rows,).

    In the order of `queue.order`. A row that counts several times may be touched in part.
    """
    weight = counts[ranking.account_codes]
    before = np.concatenate(([0.0], np.cumsum(weight)[:-1]))
    start = np.repeat(before[ranking.snapshot_edges[:-1]], np.diff(ranking.snapshot_edges))
    touched: Floats = np.clip(per_snapshot - (before - start), 0.0, weight)
    return touched


def deterministic_dot(left: Floats, right: Floats) -> float:
    """The sum of products, the same at every thread count."""
    # Not `@`: BLAS wakes its threads for each of thousands of short products, which takes many
    # times longer on busy cores, and its sum depends on how many threads there are.
    return float(np.einsum("i,i->", left, right))


def require_columns(rows: pd.DataFrame, columns: Sequence[str]) -> None:
    """Refuses rows that lack a column or whose outcomes are not true or false.

    Raises:
        ValueError: as said, naming what is missing or wrong.
    """
    if missing := [name for name in columns if name not in rows.columns]:
        raise ValueError(f"an evaluation needs the columns {list(columns)}; missing: {missing}")
    for name in ("converted", "seen"):
        if name in columns and rows[name].dtype != np.bool_:
            raise ValueError(f"{name} must be true or false in every row, got {rows[name].dtype}")


def require_counts(*, resamples: int, touched_per_snapshot: int = 1) -> None:
    """Refuses fewer than one resample, and fewer than one touched group.

    Raises:
        ValueError: as said.
    """
    if resamples < 1:
        raise ValueError(f"an interval needs at least 1 resample, got {resamples}")
    if touched_per_snapshot < 1:
        raise ValueError(f"touched_per_snapshot must be at least 1, got {touched_per_snapshot}")


def require_probability(what: str, probability: Floats, rows: int) -> None:
    """Refuses probabilities that are not one value in [0, 1] per row.

    Raises:
        ValueError: as said, beginning with `what`.
    """
    if probability.shape != (rows,):
        raise ValueError(f"{what} must have one value per row, ({rows},); got {probability.shape}")
    # Written so that NaN is refused too.
    if outside := int((~((probability >= 0) & (probability <= 1))).sum()):
        raise ValueError(f"{what} must lie in 0..1 in every row, got {outside} rows where not")


def _require_inputs(
    rows: pd.DataFrame,
    probabilities: Mapping[str, Floats],
    touched_per_snapshot: int,
    resamples: int,
) -> None:
    require_columns(rows, REQUIRED_COLUMNS)
    require_counts(resamples=resamples, touched_per_snapshot=touched_per_snapshot)
    for method, probability in probabilities.items():
        require_probability(f"the probability of {method!r}", probability, len(rows))
