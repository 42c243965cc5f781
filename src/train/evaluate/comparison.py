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

from .bootstrap import (
    METRICS,
    POPULATIONS,
    Floats,
    Population,
    bootstrap_metrics,
    interval_summary,
    metrics_of_resample,
    rank_rows,
    rank_within_snapshots,
    require_counts,
    require_probability,
    snapshot_codes,
)
from .signal import Signal

__all__ = [
    "METRICS",
    "POPULATIONS",
    "Comparison",
    "best_baselines",
    "compare",
    "compute_metrics",
    "evaluate",
    "paired_differences",
    "verdict_sentence",
]


@dataclass(frozen=True)
class Comparison:
    """What `evaluate` and `paired_differences` return, from one bootstrap."""

    figures: pd.DataFrame
    differences: pd.DataFrame


def compute_metrics(
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
        A value per name in `METRICS`; NaN, all of them, unless there are both outcomes.

    Raises:
        ValueError: shapes differ, a probability is outside [0, 1], or no group can be touched.
    """
    require_probability("probability", probability, converted.size)
    require_counts(resamples=1, touched_per_snapshot=touched_per_snapshot)
    counts = np.ones(converted.size) if weights is None else np.asarray(weights, dtype=np.float64)
    account, snapshot = np.arange(converted.size), snapshot_codes(as_of)
    ranked = rank_rows(account, converted, probability)
    ranking = rank_within_snapshots(account, snapshot, converted, probability)
    values = metrics_of_resample(ranked, ranking, counts, touched_per_snapshot)
    return dict(zip(METRICS, map(float, values), strict=True))


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
    populations = bootstrap_metrics(rows, probabilities, touched_per_snapshot, resamples, seed)
    return _figures_frame(populations, list(probabilities))


def paired_differences(
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
    _require_model(model, probabilities)
    populations = bootstrap_metrics(rows, probabilities, touched_per_snapshot, resamples, seed)
    return _differences_frame(populations, list(probabilities), model)


def compare(
    rows: pd.DataFrame,
    probabilities: Mapping[str, Floats],
    *,
    model: str = "mqbg",
    touched_per_snapshot: int,
    resamples: int,
    seed: int,
) -> Comparison:
    """What `evaluate` and `paired_differences` return, for the price of one; arguments are theirs.

    Raises:
        ValueError: as `paired_differences`.
    """
    _require_model(model, probabilities)
    populations = bootstrap_metrics(rows, probabilities, touched_per_snapshot, resamples, seed)
    methods = list(probabilities)
    return Comparison(
        _figures_frame(populations, methods), _differences_frame(populations, methods, model)
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
    others = evaluated[_auc_rows(evaluated, population) & ~ours].dropna(subset=["value"])
    return (
        others.sort_values("value", ascending=False, kind="stable")["method"].head(count).tolist()
    )


def verdict_sentence(
    evaluated: pd.DataFrame,
    paired: pd.DataFrame,
    *,
    model: str = "mqbg",
    population: str = POPULATIONS[0],
    signal: Signal | None = None,
) -> str:
    """One sentence on what the model adds, by ROC AUC, over the baseline with the highest one.

    Where there is no signal, it says that instead: a comparison would only compare noise.

    Args:
        evaluated: what `evaluate` returned.
        paired: what `paired_differences` returned for the same rows and `model`.
        model: the method to judge.
        population: the rows to judge it on.
        signal: what `signal.find_signal` found; None judges by the ROC AUC alone.
    """
    if signal is not None and not signal.found:
        return signal.sentence
    ours = evaluated[_auc_rows(evaluated, population) & evaluated["method"].eq(model)].iloc[0]
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
    baselines = best_baselines(evaluated, model=model, population=population)
    if not baselines:
        return f"{model} ranks better than chance ({auc}); there is no baseline beside it."
    difference = paired[_auc_rows(paired, population) & paired["against"].eq(baselines[0])].iloc[0]
    comparison = f"{_with_interval(difference, sign='+')}; {auc}"
    if difference["low"] > 0:
        return f"{model} adds to the best baseline, {baselines[0]}, in ROC AUC {comparison}."
    if difference["high"] < 0:
        return f"{model} ranks worse than the best baseline, {baselines[0]}: ROC AUC {comparison}."
    return f"{model} adds nothing sure to the best baseline, {baselines[0]}: ROC AUC {comparison}."


def _require_model(model: str, probabilities: Mapping[str, Floats]) -> None:
    if model not in probabilities:
        raise ValueError(f"no probabilities of {model!r}; got those of {list(probabilities)}")


def _figures_frame(populations: list[Population], methods: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"population": population.name, "method": method, "figure": figure}
            | interval_summary(population.metric_draws[i, j])
            | _sizes(population)
            for population in populations
            for i, method in enumerate(methods)
            for j, figure in enumerate(METRICS)
        ]
    )


def _differences_frame(
    populations: list[Population], methods: list[str], model: str
) -> pd.DataFrame:
    ours = methods.index(model)
    return pd.DataFrame(
        [
            {"population": population.name, "method": model, "against": method, "figure": figure}
            | interval_summary(population.metric_draws[ours, j] - population.metric_draws[i, j])
            | _sizes(population)
            for population in populations
            for i, method in enumerate(methods)
            if i != ours
            for j, figure in enumerate(METRICS)
        ]
    )


def _auc_rows(frame: pd.DataFrame, population: str) -> pd.Series[bool]:
    return frame["population"].eq(population) & frame["figure"].eq("roc_auc")


def _with_interval(row: pd.Series, sign: str = "") -> str:
    value, low, high = (format(row[name], f"{sign}.3f") for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def _sizes(population: Population) -> dict[str, int]:
    return {
        "rows": population.rows,
        "conversions": population.conversions,
        "accounts": population.accounts,
    }
