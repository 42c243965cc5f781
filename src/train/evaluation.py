"""How good predicted probabilities are, with intervals from a bootstrap over accounts.

Groups of one account share its fate, so accounts are resampled, not rows. Every method sees the
same resamples: the differences between methods are paired, and far surer than the figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .calibration import calibration_error_of_ranked, tie_starts

FIGURES = (
    "roc_auc",
    "average_precision",
    "log_loss",
    "brier",
    "ece",
    "lift_at_capacity",
    "recall_at_capacity",
)
"""Figures in the order that tables show them; `measure` says what each is."""

POPULATIONS = ("all accounts", "unseen accounts")
COLUMNS = ("account_id", "as_of", "converted", "seen")
INTERVAL = (0.025, 0.975)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Ranked:
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
    account_by_snapshot: NDArray[np.intp]  # the same rows in order of snapshot, then probability
    snapshot_edges: NDArray[np.intp]
    hit_in_snapshots: NDArray[np.intp]
    snapshot_start: NDArray[np.intp]  # position where the row's snapshot begins


@dataclass(frozen=True)
class _Population:
    """Figures of one population: shape (methods, figures, 1 + resamples), the plain ones first."""

    name: str
    rows: int
    conversions: int
    accounts: int
    figures: Floats


def measure(
    converted: NDArray[np.bool_],
    probability: Floats,
    as_of: NDArray[np.generic],
    *,
    touched_per_snapshot: int,
    weights: Floats | None = None,
) -> dict[str, float]:
    """Every figure of one method on one set of rows.

    roc_auc             chance that a converted row ranks above another; ties count half
    average_precision   mean precision at each conversion, as scikit-learn defines it
    log_loss            mean of -log(probability of what happened), in nats
    brier               mean squared gap between probability and outcome
    ece                 `expected_calibration_error` over 15 bins of equal mass
    lift_at_capacity    conversion rate of touched rows over that of all rows
    recall_at_capacity  share of all conversions that were touched

    Sales touch the `touched_per_snapshot` likeliest rows of each snapshot (all, where it has
    fewer; the earlier row first, where probabilities are equal). Touches and conversions are
    summed over snapshots before they are divided.

    Args:
        converted: shape (rows,); outcome within the horizon.
        probability: shape (rows,); in [0, 1], same order.
        as_of: shape (rows,); the snapshot of each row, any sortable values.
        touched_per_snapshot: groups that sales can touch at each snapshot.
        weights: shape (rows,); whole numbers, how often each row counts; once if absent.

    Returns:
        A value per name in `FIGURES`; NaN, all of them, unless there are both outcomes.

    Raises:
        ValueError: shapes differ, a probability is outside [0, 1], or no group can be touched.
    """
    _require_probability("probability", probability, converted.size)
    _require_touched(touched_per_snapshot)
    counts = np.ones(converted.size) if weights is None else np.asarray(weights, dtype=np.float64)
    snapshot = np.unique(as_of, return_inverse=True)[1]
    ranked = _rank(np.arange(converted.size), snapshot, converted, probability)
    return dict(
        zip(FIGURES, map(float, _measure(ranked, counts, touched_per_snapshot)), strict=True)
    )


def evaluate(
    rows: pd.DataFrame,
    probabilities: Mapping[str, Floats],
    *,
    touched_per_snapshot: int,
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """Every figure of every method on all accounts, and on those that training never saw.

    The interval holds the middle 95 % of the figure over `resamples` draws of as many accounts
    as there are, with replacement. Draws with one outcome only have no figures and are left out.

    Args:
        rows: one row per scored snapshot: account_id, as_of, converted (bool) and seen (bool:
            the account was in training).
        probabilities: per method, shape (rows,); in [0, 1], in the order of `rows`.
        touched_per_snapshot: groups that sales can touch at each snapshot.
        resamples: draws behind each interval, at least 1.
        seed: of the draws; the same seed gives the same intervals.

    Returns:
        One row per population, method and figure: population, method, figure, value, low, high,
        rows, conversions, accounts. Value and interval are NaN where the population has fewer
        than two accounts or only one outcome.

    Raises:
        ValueError: a column is missing or not of its type, a method does not fit `rows`, or a
            count is below 1.
    """
    populations = _bootstrap(rows, probabilities, touched_per_snapshot, resamples, seed)
    return pd.DataFrame(
        [
            {"population": part.name, "method": method, "figure": figure}
            | _summary(part.figures[i, j])
            | _sizes(part)
            for part in populations
            for i, method in enumerate(probabilities)
            for j, figure in enumerate(FIGURES)
        ]
    )


def differences(
    rows: pd.DataFrame,
    probabilities: Mapping[str, Floats],
    *,
    model: str = "mqbg",
    touched_per_snapshot: int,
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """What the model's figures are above those of every other method, paired by resample.

    Arguments are those of `evaluate`; with the same seed the draws are its draws. More is better
    for roc_auc, average_precision, lift and recall; less is better for the others.

    Args:
        rows: see `evaluate`.
        probabilities: see `evaluate`; `model` and at least the methods to compare with.
        model: the method from whose figures the others' are taken away.
        touched_per_snapshot: see `evaluate`.
        resamples: see `evaluate`.
        seed: see `evaluate`.

    Returns:
        One row per population, other method and figure: population, method, against, figure,
        value, low, high, rows, conversions, accounts; NaN as in `evaluate`.

    Raises:
        ValueError: as `evaluate`, and if `model` is not among the methods.
    """
    if model not in probabilities:
        raise ValueError(f"no probabilities of {model!r}; got those of {list(probabilities)}")
    populations = _bootstrap(rows, probabilities, touched_per_snapshot, resamples, seed)
    ours = list(probabilities).index(model)
    return pd.DataFrame(
        [
            {"population": part.name, "method": model, "against": method, "figure": figure}
            | _summary(part.figures[ours, j] - part.figures[i, j])
            | _sizes(part)
            for part in populations
            for i, method in enumerate(probabilities)
            if i != ours
            for j, figure in enumerate(FIGURES)
        ]
    )


def best_baselines(
    evaluated: pd.DataFrame,
    *,
    model: str = "mqbg",
    population: str = POPULATIONS[0],
    count: int = 1,
) -> list[str]:
    """The `count` methods other than the model with the highest ROC AUC, best first.

    Args:
        evaluated: what `evaluate` returned.
        model: the method that is no baseline.
        population: where they are compared.
        count: how many to name; fewer come back if there are fewer with an AUC.
    """
    ours = evaluated["method"].eq(model)
    others = evaluated[_of(evaluated, population) & ~ours].dropna(subset=["value"])
    return (
        others.sort_values("value", ascending=False, kind="stable")["method"].head(count).tolist()
    )


def verdict(
    evaluated: pd.DataFrame,
    paired: pd.DataFrame,
    *,
    model: str = "mqbg",
    population: str = POPULATIONS[0],
) -> str:
    """One sentence on what the model adds, by ROC AUC, over the baseline with the highest one.

    Args:
        evaluated: what `evaluate` returned.
        paired: what `differences` returned for the same rows and `model`.
        model: the method to judge.
        population: the rows to judge it on.
    """
    ours = evaluated[_of(evaluated, population) & evaluated["method"].eq(model)].iloc[0]
    if not np.isfinite([ours["value"], ours["low"], ours["high"]]).all():
        return (
            f"Nothing can be said of {model} on {population}: {ours['conversions']} conversions in "
            f"{ours['rows']} rows of {ours['accounts']} accounts do not make a comparison."
        )
    auc = f"ROC AUC {_with_interval(ours)} on {population}"
    if ours["low"] <= 0.5 <= ours["high"]:
        return f"There is no signal: {model} ranks no better than chance ({auc})."
    if ours["high"] < 0.5:
        return f"{model} ranks worse than chance ({auc}): look for what changed after training."
    best = best_baselines(evaluated, model=model, population=population)
    if not best:
        return f"{model} ranks better than chance ({auc}); there is no baseline beside it."
    gain = paired[_of(paired, population) & paired["against"].eq(best[0])].iloc[0]
    added = f"{_with_interval(gain, sign='+')}; {auc}"
    if gain["low"] > 0:
        return f"{model} adds to the best baseline, {best[0]}, in ROC AUC {added}."
    if gain["high"] < 0:
        return f"{model} ranks worse than the best baseline, {best[0]}: ROC AUC {added}."
    return f"{model} adds nothing sure to the best baseline, {best[0]}: ROC AUC {added}."


def _of(frame: pd.DataFrame, population: str) -> pd.Series[bool]:
    return frame["population"].eq(population) & frame["figure"].eq("roc_auc")


def _with_interval(row: pd.Series, sign: str = "") -> str:
    value, low, high = (format(row[name], f"{sign}.3f") for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def _summary(drawn: Floats) -> dict[str, float]:
    """The plain value, and the interval over the draws that have one."""
    draws = drawn[1:][np.isfinite(drawn[1:])]
    low, high = np.quantile(draws, INTERVAL) if draws.size else (np.nan, np.nan)
    return {"value": float(drawn[0]), "low": float(low), "high": float(high)}


def _sizes(part: _Population) -> dict[str, int]:
    return {"rows": part.rows, "conversions": part.conversions, "accounts": part.accounts}


def _bootstrap(
    rows: pd.DataFrame,
    probabilities: Mapping[str, Floats],
    touched: int,
    resamples: int,
    seed: int,
) -> list[_Population]:
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
) -> _Population:
    account, names = pd.factorize(rows["account_id"])
    converted = rows["converted"].to_numpy(np.bool_)
    conversions = int(converted.sum())
    figures = np.full((len(probabilities), len(FIGURES), 1 + resamples), np.nan)
    if len(names) >= 2 and 0 < conversions < len(rows):
        snapshot = np.unique(rows["as_of"].to_numpy(), return_inverse=True)[1]
        counts = _account_counts(len(names), resamples, draws)
        for method, probability in enumerate(probabilities):
            ranked = _rank(account, snapshot, converted, probability)
            for resample, count in enumerate(counts):
                figures[method, :, resample] = _measure(ranked, count, touched)
    return _Population(name, len(rows), conversions, len(names), figures)


def _account_counts(accounts: int, resamples: int, draws: np.random.Generator) -> Floats:
    """How often each account counts: once first, then as drawn; (1 + resamples, accounts)."""
    counts = np.ones((1 + resamples, accounts))
    for resample in range(1, 1 + resamples):
        counts[resample] = np.bincount(draws.integers(accounts, size=accounts), minlength=accounts)
    return counts


def _rank(
    account: NDArray[np.intp],
    snapshot: NDArray[np.intp],
    converted: NDArray[np.bool_],
    probability: Floats,
) -> _Ranked:
    order = np.argsort(-probability, kind="stable")
    ranked, outcome = probability[order], converted[order]
    starts = tie_starts(ranked)
    tie = np.searchsorted(starts, np.arange(order.size), side="right") - 1
    ends = np.append(starts[1:], order.size)
    hit = np.flatnonzero(outcome)
    hits_before = np.concatenate(([0], np.cumsum(outcome)))
    # lexsort is stable: equal probabilities of one snapshot stay in the order of the rows.
    by_snapshot = np.lexsort((-probability, snapshot))
    hit_in_snapshots = np.flatnonzero(converted[by_snapshot])
    edges = np.append(tie_starts(snapshot[by_snapshot]), order.size)
    inside = np.searchsorted(edges, hit_in_snapshots, side="right") - 1
    # scikit-learn clips at the same distance, without which one sure mistake costs infinity.
    clipped = np.clip(ranked, np.finfo(np.float64).eps, 1 - np.finfo(np.float64).eps)
    return _Ranked(
        account=account[order],
        gap=ranked - outcome,
        loss=-np.log(np.where(outcome, clipped, 1 - clipped)),
        starts=starts,
        hit=hit,
        tie_start=starts[tie[hit]],
        tie_end=ends[tie[hit]],
        hits_by_start=hits_before[starts[tie[hit]]],
        hits_by_end=hits_before[ends[tie[hit]]],
        account_by_snapshot=account[by_snapshot],
        snapshot_edges=edges,
        hit_in_snapshots=hit_in_snapshots,
        snapshot_start=edges[inside],
    )


def _measure(ranked: _Ranked, counts: Floats, touched_per_snapshot: int) -> Floats:
    """The figures, in order, when account i counts counts[i] times (whole numbers)."""
    weight = counts[ranked.account]
    mass = np.concatenate(([0.0], np.cumsum(weight)))
    hits = weight[ranked.hit]
    hit_mass = np.concatenate(([0.0], np.cumsum(hits)))
    rows, conversions = mass[-1], hit_mass[-1]
    if not 0 < conversions < rows:
        return np.full(len(FIGURES), np.nan)
    reached, hits_reached = mass[ranked.tie_end], hit_mass[ranked.hits_by_end]
    beaten = (rows - reached) - (conversions - hits_reached)
    tied = (reached - mass[ranked.tie_start]) - (hits_reached - hit_mass[ranked.hits_by_start])
    touched_rows, touched_hits = _touched(ranked, counts, touched_per_snapshot)
    return np.array(
        [
            _dot(hits, beaten + tied / 2) / (conversions * (rows - conversions)),
            # Rows that were not drawn have no hits; their reach may be 0 and must not divide.
            _dot(hits, hits_reached / np.maximum(reached, 1.0)) / conversions,
            _dot(weight, ranked.loss) / rows,
            _dot(weight, ranked.gap**2) / rows,
            calibration_error_of_ranked(ranked.gap, mass, weight, ranked.starts),
            (touched_hits / touched_rows) / (conversions / rows),
            touched_hits / conversions,
        ]
    )


def _dot(one: Floats, other: Floats) -> float:
    # Not `@`: BLAS wakes its threads for each of thousands of short products, which takes many
    # times longer on busy cores, and its sum depends on how many threads there are.
    return float(np.einsum("i,i->", one, other))


def _touched(ranked: _Ranked, counts: Floats, per_snapshot: int) -> tuple[float, float]:
    """Rows that sales touch, and conversions among them, over all snapshots."""
    weight = counts[ranked.account_by_snapshot]
    mass = np.concatenate(([0.0], np.cumsum(weight)))
    ahead = mass[ranked.hit_in_snapshots] - mass[ranked.snapshot_start]
    hits = np.clip(per_snapshot - ahead, 0.0, weight[ranked.hit_in_snapshots])
    rows = np.minimum(np.diff(mass[ranked.snapshot_edges]), per_snapshot)
    return float(rows.sum()), float(hits.sum())


def _require(
    rows: pd.DataFrame, probabilities: Mapping[str, Floats], touched: int, resamples: int
) -> None:
    if missing := [name for name in COLUMNS if name not in rows.columns]:
        raise ValueError(f"an evaluation needs the columns {list(COLUMNS)}; missing: {missing}")
    for name in ("converted", "seen"):
        if rows[name].dtype != np.bool_:
            raise ValueError(f"{name} must be true or false in every row, got {rows[name].dtype}")
    if resamples < 1:
        raise ValueError(f"an interval needs at least 1 resample, got {resamples}")
    _require_touched(touched)
    for method, probability in probabilities.items():
        _require_probability(f"the probability of {method!r}", probability, len(rows))


def _require_touched(touched: int) -> None:
    if touched < 1:
        raise ValueError(f"touched_per_snapshot must be at least 1, got {touched}")


def _require_probability(what: str, probability: Floats, rows: int) -> None:
    if probability.shape != (rows,):
        raise ValueError(f"{what} must have one value per row, ({rows},); got {probability.shape}")
    # Written so that NaN is refused too.
    if outside := int((~((probability >= 0) & (probability <= 1))).sum()):
        raise ValueError(f"{what} must lie in 0..1 in every row, got {outside} rows where not")
