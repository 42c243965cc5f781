"""Fitting the trees, and scores of every row from trees that did not fit its account."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from ..contract import BadInput
from ..settings import Model

FOLDS = 5
ROUNDS = 400
ROUNDS_STEP = 25
MIN_CONVERSIONS = 10
# With fewer accounts a fold would be most of the data: groups are held out instead.
MIN_ACCOUNTS = 2 * FOLDS

Progress = Callable[[str, float], None]

# A conservative preset that 90 s of tuning did not beat (perf-notes.md).
PRESET: Mapping[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.03,
    "num_leaves": 15,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "min_data_in_leaf": 20,
    "verbosity": -1,
    # The same data and seed give the same trees, at any number of threads.
    "deterministic": True,
    "force_row_wise": True,
}


@dataclass(frozen=True)
class Rows:
    """Training rows as the trees read them.

    Attributes:
        x: shape (rows, features).
        converted: shape (rows,).
        account_id: shape (rows,).
        group_id: shape (rows,).
        names: names of the features.
        categories: places of the category columns.
    """

    x: NDArray[np.float64]
    converted: NDArray[np.bool_]
    account_id: NDArray[np.object_]
    group_id: NDArray[np.object_]
    names: tuple[str, ...]
    categories: tuple[int, ...]


@dataclass(frozen=True)
class Fitted:
    """Trees fitted to all rows, and what trees that did not see a row's account said of it.

    Attributes:
        trees: LightGBM text.
        rounds: number of trees.
        held_out: shape (rows,); log-odds, each from trees fitted without the row's account.
        parameters: of LightGBM.
    """

    trees: str
    rounds: int
    held_out: NDArray[np.float64]
    parameters: Mapping[str, Any]


def fit(rows: Rows, model: Model, progress: Progress) -> Fitted:
    """Fits the preset; the number of trees is the one with the least held-out log loss.

    Cross-fitting gives the calibrator and the thresholds a score for every training row from
    trees that did not fit its account, so no row is spent on them alone.

    Raises:
        BadInput: too few conversions, or all from one account or group.
    """
    folds = _folds(rows, model.seed)
    parameters = {**PRESET, "seed": model.seed, "num_threads": model.threads}
    held_out = np.empty((ROUNDS // ROUNDS_STEP, rows.converted.size))
    for number, (inside, outside) in enumerate(folds):
        progress("trees", number / (len(folds) + 1))
        booster = lgb.train(parameters, _dataset(rows, inside), ROUNDS)
        for step in range(held_out.shape[0]):
            held_out[step, outside] = booster.predict(
                rows.x[outside], raw_score=True, num_iteration=(step + 1) * ROUNDS_STEP
            )
    best = int(np.argmin([_log_loss(scores, rows.converted) for scores in held_out]))
    progress("trees", len(folds) / (len(folds) + 1))
    rounds = (best + 1) * ROUNDS_STEP
    booster = lgb.train(parameters, _dataset(rows, np.arange(rows.converted.size)), rounds)
    progress("trees", 1.0)
    return Fitted(_text(booster), rounds, held_out[best], parameters)


def _dataset(rows: Rows, which: NDArray[np.intp]) -> lgb.Dataset:
    return lgb.Dataset(
        rows.x[which],
        rows.converted[which].astype(np.float64),
        feature_name=list(rows.names),
        categorical_feature=list(rows.categories),
    )


def _text(booster: lgb.Booster) -> str:
    """The model's text without the thread count, the one parameter that is the machine's."""
    text: str = booster.model_to_string()
    return "\n".join(line for line in text.split("\n") if not line.startswith("[num_threads:"))


def _folds(rows: Rows, seed: int) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    conversions = int(rows.converted.sum())
    others = rows.converted.size - conversions
    if min(conversions, others) < MIN_CONVERSIONS:
        raise BadInput(
            f"train: expected at least {MIN_CONVERSIONS} training snapshots that converted and as "
            f"many that did not, got {conversions} and {others}; check [target] stage, bring a "
            "longer history, or set a longer [target] horizon_days"
        )
    unit = rows.account_id
    if _units_converted(unit, rows.converted) < MIN_ACCOUNTS:
        unit = rows.group_id
    folds = min(FOLDS, _units_converted(unit, rows.converted))
    if folds < 2:
        raise BadInput(
            "train: expected conversions of at least two groups, got all from one; bring a longer "
            "history or more accounts"
        )
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    return list(splitter.split(rows.x, rows.converted, unit))


def _units_converted(unit: NDArray[np.object_], converted: NDArray[np.bool_]) -> int:
    return len(set(unit[converted]))


def _log_loss(log_odds: NDArray[np.float64], converted: NDArray[np.bool_]) -> float:
    return float(np.mean(np.logaddexp(0.0, log_odds) - log_odds * converted))
