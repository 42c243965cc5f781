"""The bootstrap over accounts: figures of ranked rows, drawn again and again.

Groups of one account share its fate, so accounts are resampled, not rows. All that no resample
changes is computed once per method (`Ranked`); a resample is then only how often each account
counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..fit.calibration import calibration_error_of_ranked, tie_starts

RANKED_FIGURES = ("roc_auc", "average_precision", "log_loss", "brier", "ece")
TOUCHED_FIGURES = ("lift_at_capacity", "recall_at_capacity")

FIGURES = (*RANKED_FIGURES, *TOUCHED_FIGURES)
"""Figures in the order that tables show them; `evaluation.measure` says what each is."""

POPULATIONS = ("all accounts", "unseen accounts")
COLUMNS = ("account_id", "as_of", "converted", "seen")
INTERVAL = (0.025, 0.975)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Ranked:
    """One method's rows in order of probability, with all that no resample changes.

    `hit_*` arrays have one entry per converted row. A tie is a run of equal probabilities.
    """

    account: NDArray[np.intp]
    gap: Floats  # probability minus outcome
    loss: Floats  # log loss of each row
    starts: NDArray[np.intp]
    hit: NDArray[np.intp]  # position of the row
    tie_start: NDArray[np.intp]  # position where its tie begins
    tie_end: NDArray[np.intp]  # position after its tie
    hits_by_start: NDArray[np.intp]  # conversions before its tie
    hits_by_end: NDArray[np.intp]  # conversions up to the end of its tie


@dataclass(frozen=True)
class Queue:
    """One method's rows as sales take them: by snapshot, then the likeliest first.

    Equal probabilities of one snapshot keep the order of the rows.
    """

    order: NDArray[np.intp]  # of the rows
    account: NDArray[np.intp]
    edges: NDArray[np.intp]  # where each snapshot begins, then the number of rows
    hit: NDArray[np.intp]  # positions of converted rows
    hit_start: NDArray[np.intp]  # position where the snapshot of each begins


@dataclass(frozen=True)
class Population:
    """Figures of one population: shape (methods, figures, 1 + resamples), the plain ones first."""

    name: str
    rows: int
    conversions: int
    accounts: int
    figures: Floats


def bootstrap(
    rows: pd.DataFrame,
    probabilities: Mapping[str, Floats],
    touched: int,
    resamples: int,
    seed: int,
) -> list[Population]:
    """Every figure of every method in every draw, in each population.

    Arguments and errors as `evaluation.evaluate`. All methods see the same draws.
    """
    _require(rows, probabilities, touched, resamples)
    everything = np.ones(len(rows), dtype=np.bool_)
    unseen = ~rows["seen"].to_numpy(np.bool_)
    parts = []
    for name, inside in zip(POPULATIONS, (everything, unseen), strict=True):
        restricted = [probability[inside] for probability in probabilities.values()]
        draws = np.random.default_rng(seed)
        parts.append(_population(name, rows[inside], restricted, touched, resamples, draws))
    return parts


def _population(
    name: str,
    rows: pd.DataFrame,
    probabilities: list[Floats],
    touched: int,
    resamples: int,
    draws: np.random.Generator,
) -> Population:
    account, names = pd.factorize(rows["account_id"])
    converted = rows["converted"].to_numpy(np.bool_)
    conversions = int(converted.sum())
    figures = np.full((len(probabilities), len(FIGURES), 1 + resamples), np.nan)
    if len(names) >= 2 and 0 < conversions < len(rows):
        snapshot = snapshots(rows["as_of"].to_numpy())
        counts = account_counts(len(names), resamples, draws)
        for method, probability in enumerate(probabilities):
            ranked = rank(account, converted, probability)
            queue = line_up(account, snapshot, converted, probability)
            for resample, count in enumerate(counts):
                figures[method, :, resample] = measured(ranked, queue, count, touched)
    return Population(name, len(rows), conversions, len(names), figures)


def snapshots(as_of: NDArray[np.generic]) -> NDArray[np.intp]:
    """The number of each row's snapshot, 0 for the earliest; shape (rows,)."""
    numbers: NDArray[np.intp] = np.unique(as_of, return_inverse=True)[1]
    return numbers


def account_counts(accounts: int, resamples: int, draws: np.random.Generator) -> Floats:
    """How often each account counts: once first, then as drawn; (1 + resamples, accounts)."""
    counts = np.ones((1 + resamples, accounts))
    for resample in range(1, 1 + resamples):
        counts[resample] = np.bincount(draws.integers(accounts, size=accounts), minlength=accounts)
    return counts


def summary(drawn: Floats) -> dict[str, float]:
    """The plain value, and the interval over the draws that have one.

    Args:
        drawn: shape (1 + resamples,); the plain value first.
    """
    draws = drawn[1:][np.isfinite(drawn[1:])]
    low, high = np.quantile(draws, INTERVAL) if draws.size else (np.nan, np.nan)
    return {"value": float(drawn[0]), "low": float(low), "high": float(high)}


def rank(account: NDArray[np.intp], converted: NDArray[np.bool_], probability: Floats) -> Ranked:
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
    return Ranked(
        account=account[order],
        gap=ranked - outcome,
        loss=-np.log(np.where(outcome, clipped, 1 - clipped)),
        starts=starts,
        hit=hit,
        tie_start=starts[tie[hit]],
        tie_end=ends[tie[hit]],
        hits_by_start=hits_before[starts[tie[hit]]],
        hits_by_end=hits_before[ends[tie[hit]]],
    )


def line_up(
    account: NDArray[np.intp],
    snapshot: NDArray[np.intp],
    converted: NDArray[np.bool_],
    probability: Floats,
) -> Queue:
    """Rows as sales take them at each snapshot; arguments as `rank`, and `snapshots`."""
    # lexsort is stable: equal probabilities of one snapshot stay in the order of the rows.
    order = np.lexsort((-probability, snapshot))
    hit = np.flatnonzero(converted[order])
    edges = np.append(tie_starts(snapshot[order]), order.size)
    return Queue(
        order=order,
        account=account[order],
        edges=edges,
        hit=hit,
        hit_start=edges[np.searchsorted(edges, hit, side="right") - 1],
    )


def measured(ranked: Ranked, queue: Queue, counts: Floats, touched_per_snapshot: int) -> Floats:
    """`FIGURES` when account i counts counts[i] times; NaN unless there are both outcomes.

    Args:
        ranked: a method's rows.
        queue: the same rows.
        counts: shape (accounts,); whole numbers.
        touched_per_snapshot: groups that sales can touch at each snapshot.
    """
    figures = ranked_figures(ranked, counts)
    if np.isnan(figures[0]):
        return np.full(len(FIGURES), np.nan)
    touched = touched_figures(queue, counts, touched_per_snapshot)
    return np.concatenate((figures, touched))


def ranked_figures(ranked: Ranked, counts: Floats) -> Floats:
    """`RANKED_FIGURES` when account i counts counts[i] times; NaN unless both outcomes do."""
    weight = counts[ranked.account]
    mass = np.concatenate(([0.0], np.cumsum(weight)))
    hits = weight[ranked.hit]
    hit_mass = np.concatenate(([0.0], np.cumsum(hits)))
    rows, conversions = mass[-1], hit_mass[-1]
    if not 0 < conversions < rows:
        return np.full(len(RANKED_FIGURES), np.nan)
    reached, hits_reached = mass[ranked.tie_end], hit_mass[ranked.hits_by_end]
    beaten = (rows - reached) - (conversions - hits_reached)
    tied = (reached - mass[ranked.tie_start]) - (hits_reached - hit_mass[ranked.hits_by_start])
    return np.array(
        [
            dot(hits, beaten + tied / 2) / (conversions * (rows - conversions)),
            # Rows that were not drawn have no hits; their reach may be 0 and must not divide.
            dot(hits, hits_reached / np.maximum(reached, 1.0)) / conversions,
            dot(weight, ranked.loss) / rows,
            dot(weight, ranked.gap**2) / rows,
            calibration_error_of_ranked(ranked.gap, mass, weight, ranked.starts),
        ]
    )


def touched_figures(queue: Queue, counts: Floats, per_snapshot: int) -> Floats:
    """`TOUCHED_FIGURES` when account i counts counts[i] times and something converted."""
    weight = counts[queue.account]
    mass = np.concatenate(([0.0], np.cumsum(weight)))
    hits = weight[queue.hit]
    ahead = mass[queue.hit] - mass[queue.hit_start]
    touched_hits = np.clip(per_snapshot - ahead, 0.0, hits).sum()
    touched_rows = np.minimum(np.diff(mass[queue.edges]), per_snapshot).sum()
    rate = hits.sum() / mass[-1]
    return np.array([(touched_hits / touched_rows) / rate, touched_hits / hits.sum()])


def touched_counts(queue: Queue, counts: Floats, per_snapshot: int) -> Floats:
    """How often each row is touched when account i counts counts[i] times; shape (rows,).

    In the order of `queue.order`. A row that counts several times may be touched in part.
    """
    weight = counts[queue.account]
    before = np.concatenate(([0.0], np.cumsum(weight)[:-1]))
    start = np.repeat(before[queue.edges[:-1]], np.diff(queue.edges))
    touched: Floats = np.clip(per_snapshot - (before - start), 0.0, weight)
    return touched


def dot(one: Floats, other: Floats) -> float:
    """The sum of products, the same at every thread count."""
    # Not `@`: BLAS wakes its threads for each of thousands of short products, which takes many
    # times longer on busy cores, and its sum depends on how many threads there are.
    return float(np.einsum("i,i->", one, other))


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


def require_counts(*, resamples: int, touched: int = 1) -> None:
    """Refuses fewer than one resample, and fewer than one touched group.

    Raises:
        ValueError: as said.
    """
    if resamples < 1:
        raise ValueError(f"an interval needs at least 1 resample, got {resamples}")
    if touched < 1:
        raise ValueError(f"touched_per_snapshot must be at least 1, got {touched}")


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


def _require(
    rows: pd.DataFrame, probabilities: Mapping[str, Floats], touched: int, resamples: int
) -> None:
    require_columns(rows, COLUMNS)
    require_counts(resamples=resamples, touched=touched)
    for method, probability in probabilities.items():
        require_probability(f"the probability of {method!r}", probability, len(rows))
