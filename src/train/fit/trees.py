"""Fitting the trees, and scores of every row from trees that did not fit its account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from ...contract import BadInput
from ...features import Feature
from ...settings import ModelSettings
from ...support.progress import Progress
from .threads import fit_side_by_side

FOLDS = 5
ROUNDS = 400
ROUNDS_STEP = 25
# The folds stop here where their held-out loss was least `PATIENCE` rounds before, and go on to
# `ROUNDS` where it was not: most data need half of the trees.
FIRST_ROUNDS, PATIENCE = 200, 50
# The folds choose; this only bounds their time. What is judged may have learned from one cut-off.
REFIT_ROUNDS_BEYOND = 8 * ROUNDS_STEP
NO_FOLD = -1  # of trees that no row is held out from
MIN_CONVERSIONS = 10
# With fewer accounts a fold would be most of the data: groups are held out instead.
MIN_ACCOUNTS = 2 * FOLDS

SMALL_CELLS = 2_000_000
"""Rows times features below which a fit takes one thread: more would wait for each other at every
split, and on a machine that has other work wait for their turn as well (six times the CPU time)."""

COLUMN_WISE_ROWS = 30_000
"""Rows from which LightGBM counts one column after the other, to the same trees: the histograms of
all columns at once are more than a core's cache holds, and row by row takes a third longer; with
fewer rows it takes less."""

MONOTONE_CONSTRAINTS = "monotone_constraints"

Floats = NDArray[np.float64]

# A conservative preset that 90 s of tuning did not beat (perf-notes.md). Thresholds of splits are
# drawn at random ("extra trees"): on the Congress data that was worth 0.004 of ROC AUC, on the
# simulated world nothing, and it takes half the time.
PRESET: Mapping[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.03,
    "num_leaves": 15,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "min_data_in_leaf": 20,
    "extra_trees": True,
    "verbosity": -1,
    # The same data and seed give the same trees, at any number of threads.
    "deterministic": True,
    "force_row_wise": True,
}


@dataclass(frozen=True)
class TrainingMatrix:
    """Training rows as the trees read them.

    Attributes:
        x: shape (rows, features).
        converted: shape (rows,).
        account_id: shape (rows,).
        group_id: shape (rows,).
        weight: shape (rows,); what each row counts, 1 on average.
        names: names of the features.
        category_indices: places of the category columns.
    """

    x: Floats
    converted: NDArray[np.bool_]
    account_id: NDArray[np.object_]
    group_id: NDArray[np.object_]
    weight: Floats
    names: tuple[str, ...]
    category_indices: tuple[int, ...]


@dataclass(frozen=True)
class FittedTrees:
    """Trees fitted to all rows, and what trees that did not see a row's account said of it.

    Attributes:
        trees: LightGBM text; empty where there was nothing to fit.
        rounds: number of trees.
        held_out: shape (rows,); log-odds, each from trees fitted without the row's account.
        fold: shape (rows,); in which the row was held out.
        parameters: of LightGBM.
        learning_curve: fold, trees, log_loss, rows, conversions: the held-out loss (nats per row)
            of every fold as trees were added.
    """

    trees: str
    rounds: int
    held_out: Floats
    fold: NDArray[np.intp]
    parameters: Mapping[str, Any]
    learning_curve: pd.DataFrame


def group_weights(
    group_id: NDArray[np.object_], weights: Literal["rows", "root", "groups"]
) -> Floats:
    """What each row counts, 1 on average, so that long-lived groups do not count many times.

    Args:
        group_id: shape (rows,).
        weights: see `settings.Model`.
    """
    _, group, snapshots = np.unique(group_id, return_inverse=True, return_counts=True)
    power = {"rows": 0.0, "root": -0.5, "groups": -1.0}[weights]
    weight = snapshots[group].astype(np.float64) ** power
    return np.asarray(weight / weight.mean(), dtype=np.float64)


def lightgbm_parameters(
    model: ModelSettings, features: Sequence[Feature], tuned: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """LightGBM's parameters: the preset, what was tuned, and the settings.

    Args:
        model: seed, threads and whether directions are held.
        features: the catalogue's, in the order of the columns.
        tuned: parameters that replace those of the preset.
    """
    parameters = {**PRESET, **(tuned or {}), "seed": model.seed, "num_threads": model.threads}
    if model.monotone:
        sign = {"up": 1, "down": -1, None: 0}
        parameters[MONOTONE_CONSTRAINTS] = [sign[f.direction] for f in features]
    return parameters


def enough_to_fit(rows: TrainingMatrix) -> bool:
    """Whether there are conversions and other rows enough, of two groups at least."""
    conversions = int(rows.converted.sum())
    smaller_class = min(conversions, rows.converted.size - conversions)
    return (
        smaller_class >= MIN_CONVERSIONS
        and _count_converted_units(rows.group_id, rows.converted) > 1
    )


def fit_trees(
    rows: TrainingMatrix,
    parameters: Mapping[str, Any],
    progress: Progress,
    max_rounds: int | None = None,
) -> FittedTrees:
    """Fits the trees; their number is the one with the least held-out log loss.

    Cross-fitting gives the calibrator and the thresholds a score for every training row from
    trees that did not fit its account, so no row is spent on them alone.

    Args:
        rows: to learn from.
        parameters: of LightGBM.
        progress: called with a label and the share done.
        max_rounds: trees at most; None for `ROUNDS`.

    Raises:
        BadInput: too few conversions, or all from one group.
    """
    if not enough_to_fit(rows):
        conversions = int(rows.converted.sum())
        raise BadInput(
            f"train: expected at least {MIN_CONVERSIONS} training snapshots that converted, of two "
            f"groups or more, and as many that did not, got {conversions} and "
            f"{rows.converted.size - conversions}; check [target] stage, bring a longer history, "
            "or set a longer [target] horizon_days"
        )
    fold = assign_folds(rows, int(parameters["seed"]))
    held_out, booster = _fit_by_rounds(rows, fold, parameters, max_rounds or ROUNDS, progress)
    best_step = _best_step(held_out, rows.converted)
    rounds = (best_step + 1) * ROUNDS_STEP
    learning_curve = _learning_curve(held_out, rows.converted, fold)
    return FittedTrees(
        booster_text(booster, rounds),
        rounds,
        held_out[best_step],
        fold,
        dict(parameters),
        learning_curve,
    )


def max_refit_rounds(judged: FittedTrees | None) -> int | None:
    """Trees at most of a refit to more rows, which need a few more; None where none were judged."""
    return None if judged is None else min(ROUNDS, judged.rounds + REFIT_ROUNDS_BEYOND)


def _fit_by_rounds(
    rows: TrainingMatrix,
    fold: NDArray[np.intp],
    parameters: Mapping[str, Any],
    max_rounds: int,
    progress: Progress,
) -> tuple[Floats, lgb.Booster]:
    """Log-odds of every row, held out, after each `ROUNDS_STEP` trees, and the trees of all rows.

    The trees of all rows are fitted beside those of the folds, which say only afterwards how many
    of them are the best: the first ones are the same however many follow, and no thread waits.

    Returns:
        Shape (steps, rows), and at least as many trees.
    """
    progress("trees", 0.0)
    numbers = (NO_FOLD, *range(int(fold.max()) + 1))  # the longest first
    boosters: dict[int, lgb.Booster] = {}
    held_out = np.empty((max_rounds // ROUNDS_STEP, rows.converted.size))
    done = 0

    def fit_without(number: int, threads: int) -> None:
        if done:
            for _round in range(rounds - done):
                boosters[number].update()
        else:
            kept_in = np.flatnonzero(fold != number)
            own = {**parameters, "num_threads": threads}
            boosters[number] = train_booster(rows, kept_in, own, rounds, to_go_on=True)
        if number == NO_FOLD:
            return
        held_out_rows, steps = np.flatnonzero(fold == number), rounds // ROUNDS_STEP
        held_out[:steps, held_out_rows] = _log_odds_by_rounds(
            boosters[number], rows.x[held_out_rows], steps, threads
        )

    for portion, rounds in enumerate((min(FIRST_ROUNDS, max_rounds), max_rounds)):
        fits = fit_side_by_side(fit_without, numbers, int(parameters["num_threads"]))
        for place, _fitted in enumerate(fits, start=1):
            progress("trees", (portion * len(numbers) + place) / (2 * len(numbers)))
        done = rounds
        so_far = held_out[: done // ROUNDS_STEP]
        least_at = (_best_step(so_far, rows.converted) + 1) * ROUNDS_STEP
        if done == max_rounds or least_at + PATIENCE <= done:
            break
    progress("trees", 1.0)
    return so_far, boosters[NO_FOLD]


def _log_odds_by_rounds(booster: lgb.Booster, x: Floats, steps: int, threads: int) -> Floats:
    """Log-odds after each `ROUNDS_STEP` trees, shape (steps, rows).

    Each tree is walked once, and its leaves are added in the order that LightGBM adds them in, so
    the sums are its own to the last bit.

    Args:
        booster: the trees; fewer than the steps need where no further split was found.
        x: shape (rows, features).
        steps: how many.
        threads: of LightGBM.
    """
    leaf = np.asarray(booster.predict(x, pred_leaf=True, num_threads=threads), dtype=np.intp)
    log_odds = np.zeros((steps, len(x)))
    sums = np.zeros(len(x))
    for step in range(steps):
        for tree in range(step * ROUNDS_STEP, min((step + 1) * ROUNDS_STEP, leaf.shape[1])):
            leaves = leaf[:, tree]
            values = [booster.get_leaf_output(tree, one) for one in range(int(leaves.max()) + 1)]
            sums += np.array(values)[leaves]
        log_odds[step] = sums
    return log_odds


def _best_step(held_out: Floats, converted: NDArray[np.bool_]) -> int:
    return int(np.argmin([np.mean(_row_losses(scores, converted)) for scores in held_out]))


def train_booster(
    rows: TrainingMatrix,
    row_indices: NDArray[np.intp],
    parameters: Mapping[str, Any],
    rounds: int,
    *,
    to_go_on: bool = False,
) -> lgb.Booster:
    """Trees fitted to some of the rows; `to_go_on` keeps what `update` needs to add more."""
    data = lgb.Dataset(
        rows.x[row_indices],
        rows.converted[row_indices].astype(np.float64),
        weight=rows.weight[row_indices],
        feature_name=list(rows.names),
        categorical_feature=list(rows.category_indices),
    )
    own = dict(parameters)
    if row_indices.size * len(rows.names) < SMALL_CELLS:
        own["num_threads"] = 1
    if row_indices.size >= COLUMN_WISE_ROWS and own.pop("force_row_wise", False):
        own["force_col_wise"] = True
    return lgb.train(own, data, rounds, keep_training_booster=to_go_on)


def booster_text(booster: lgb.Booster, rounds: int | None = None) -> str:
    """The model's text without the thread count, the one parameter that is the machine's.

    Args:
        booster: the trees.
        rounds: of which only the first so many are wanted, as if no more had been fitted; None for
            all.
    """
    text: str = booster.model_to_string(num_iteration=rounds)
    lines = [line for line in text.split("\n") if not line.startswith("[num_threads:")]
    if rounds is not None:
        own = f"[num_iterations: {rounds}]"
        lines = [own if line.startswith("[num_iterations:") else line for line in lines]
    return "\n".join(lines)


def assign_folds(rows: TrainingMatrix, seed: int) -> NDArray[np.intp]:
    """The fold of each row, shape (rows,); an account, or with few of them a group, is in one."""
    unit = held_out_units(rows)
    fold_count = min(FOLDS, _count_converted_units(unit, rows.converted))
    splitter = StratifiedGroupKFold(fold_count, shuffle=True, random_state=seed)
    fold = np.empty(rows.converted.size, dtype=np.intp)
    for number, (_, held_out_rows) in enumerate(splitter.split(rows.x, rows.converted, unit)):
        fold[held_out_rows] = number
    return fold


def held_out_units(rows: TrainingMatrix) -> NDArray[np.object_]:
    """What is held out, or drawn, as a whole: accounts, or groups where few accounts converted."""
    few = _count_converted_units(rows.account_id, rows.converted) < MIN_ACCOUNTS
    return rows.group_id if few else rows.account_id


def rows_of_drawn_accounts(rows: TrainingMatrix, most: int, seed: int) -> NDArray[np.intp]:
    """Places of at most `most` rows, of accounts drawn as a whole; all rows if they are no more."""
    if rows.converted.size <= most:
        return np.arange(rows.converted.size)
    names, account = np.unique(rows.account_id, return_inverse=True)
    rank = np.random.default_rng(seed).permutation(names.size)[account]
    in_order = np.sort(rank)
    return np.flatnonzero(rank < in_order[most])


def select_rows(rows: TrainingMatrix, chosen: NDArray[np.intp]) -> TrainingMatrix:
    """The rows at these places."""
    return replace(
        rows,
        x=rows.x[chosen],
        converted=rows.converted[chosen],
        account_id=rows.account_id[chosen],
        group_id=rows.group_id[chosen],
        weight=rows.weight[chosen],
    )


def _count_converted_units(unit: NDArray[np.object_], converted: NDArray[np.bool_]) -> int:
    return len(set(unit[converted]))


def _row_losses(log_odds: Floats, converted: NDArray[np.bool_]) -> Floats:
    return np.asarray(np.logaddexp(0.0, log_odds) - log_odds * converted, dtype=np.float64)


def _learning_curve(
    held_out: Floats, converted: NDArray[np.bool_], fold: NDArray[np.intp]
) -> pd.DataFrame:
    losses = np.array([_row_losses(scores, converted) for scores in held_out])
    return pd.DataFrame(
        [
            {
                "fold": int(number),
                "trees": (step + 1) * ROUNDS_STEP,
                "log_loss": float(losses[step, fold == number].mean()),
                "rows": int((fold == number).sum()),
                "conversions": int(converted[fold == number].sum()),
            }
            for number in np.unique(fold)
            for step in range(len(losses))
        ]
    )
