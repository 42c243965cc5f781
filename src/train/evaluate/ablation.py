"""The ablation by theme: what the model loses when it is fitted without a theme's features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...features import Feature
from ...model.calibrators import Calibrator
from ...support.progress import Progress, no_progress
from ..fit.linear import FittedLinear, fit_linear_part
from ..fit.threads import fit_side_by_side
from ..fit.trees import (
    MONOTONE_CONSTRAINTS,
    FittedTrees,
    TrainingMatrix,
    rows_of_drawn_accounts,
    select_rows,
    train_booster,
)
from .comparison import POPULATIONS, compute_metrics, paired_differences

JOINT_THEMES = ("roles", "completeness")
"""Themes that are also left out as one: each can stand in for the other."""

ALL_FEATURES = "all features"

ABLATION_ROWS = 20_000
"""Rows that trees without a theme learn from, at most; accounts are drawn as a whole. Of more the
ablation would take a fifth of the training's time, to say the same of each theme."""

GAIN_SIGNS = {"roc_auc": 1.0, "log_loss": -1.0}
"""Figures of the ablation, and the sign that makes a gain of more (AUC) or of less (loss)."""


def columns_by_theme(features: Sequence[Feature]) -> dict[str, tuple[int, ...]]:
    """Columns of each theme by number, in the catalogue's order, then those of `JOINT_THEMES`."""
    themes: dict[str, tuple[int, ...]] = {}
    for column, feature in enumerate(features):
        themes[feature.theme] = (*themes.get(feature.theme, ()), column)
    if all(theme in themes for theme in JOINT_THEMES):
        themes["+".join(JOINT_THEMES)] = tuple(
            sorted(themes[JOINT_THEMES[0]] + themes[JOINT_THEMES[1]])
        )
    return themes


def drop_columns(rows: TrainingMatrix, columns: Sequence[int]) -> TrainingMatrix:
    """The rows without the columns at these places."""
    kept = [column for column in range(len(rows.names)) if column not in set(columns)]
    return replace(
        rows,
        x=rows.x[:, kept],
        names=tuple(rows.names[column] for column in kept),
        category_indices=tuple(
            kept.index(column) for column in rows.category_indices if column in kept
        ),
    )


def ablated_log_odds(
    rows: TrainingMatrix,
    test: NDArray[np.float64],
    fitted: FittedTrees,
    columns: Sequence[int],
    linear: FittedLinear | None = None,
    threads: int = 1,
) -> NDArray[np.float64]:
    """Log-odds of test rows from trees, and a linear part, that were fitted without some columns.

    Args:
        rows: the training rows, with all columns.
        test: shape (test rows, features); the same columns.
        fitted: gives the parameters and the number of trees.
        columns: of the columns to leave out.
        linear: gives the penalty and the share of the linear part; None where there is none.
        threads: of LightGBM; the result is the same at any number.

    Returns:
        Shape (test rows,).
    """
    part = drop_columns(rows, columns)
    parameters = {**fitted.parameters, "num_threads": threads}
    if MONOTONE_CONSTRAINTS in parameters:
        parameters[MONOTONE_CONSTRAINTS] = np.delete(
            parameters[MONOTONE_CONSTRAINTS], list(columns)
        ).tolist()
    booster = train_booster(part, np.arange(part.converted.size), parameters, fitted.rounds)
    kept = np.delete(test, list(columns), axis=1)
    raw = np.asarray(booster.predict(kept, raw_score=True, num_threads=threads), dtype=np.float64)
    if linear is None:
        return raw
    refitted = fit_linear_part(part, linear.penalty, linear.part.share)
    column = {name: index for index, name in enumerate(part.names)}
    return refitted.blended(raw, refitted.log_odds(kept, column))


def ablate_themes(
    features: Sequence[Feature],
    training: TrainingMatrix,
    test: NDArray[np.float64],
    rows: pd.DataFrame,
    probability: NDArray[np.float64],
    fitted: FittedTrees,
    calibrator: Calibrator,
    *,
    touched_per_snapshot: int,
    resamples: int,
    seed: int,
    linear: FittedLinear | None = None,
    progress: Progress = no_progress,
) -> pd.DataFrame:
    """Refits the trees without each theme and takes their figures from the whole model's.

    The same rows, parameters, number of trees and calibrator: what differs is the theme. A theme
    that another can stand in for costs little when it is left out, whatever it says by itself. Of
    more than `ABLATION_ROWS` rows a part is drawn, and trees with all features are fitted to it as
    well: each theme is compared with what learned from the same rows.

    Args:
        features: the catalogue's, in the order of the columns.
        training: the rows that the trees were fitted to.
        test: shape (rows, features); test rows as the trees read them.
        rows: the test rows as `evaluation.evaluate` wants them.
        probability: shape (rows,); of the whole model, fitted to all of `training`.
        fitted: parameters and number of trees.
        calibrator: of the whole model.
        touched_per_snapshot: see `evaluation.evaluate`.
        resamples: see `evaluation.evaluate`.
        seed: see `evaluation.evaluate`.
        linear: the model's linear part, if it has one.
        progress: called with a label and the share done.

    Returns:
        One row per theme, on all accounts: theme, features (count), roc_auc and log_loss without
        it; then roc_auc_gain and log_loss_gain, above 0 where the theme helps, each with the _low
        and _high of its 95 % interval from the paired bootstrap over accounts. NaN where the test
        has fewer than two accounts or only one outcome.
    """
    themes = columns_by_theme(features)
    probabilities = {
        ALL_FEATURES: probability,
        **_probabilities_without(
            themes, training, test, fitted, calibrator, linear, seed, progress
        ),
    }
    paired = paired_differences(
        rows, probabilities, model=ALL_FEATURES, touched_per_snapshot=touched_per_snapshot,
        resamples=resamples, seed=seed,
    )  # fmt: skip
    paired = paired[paired["population"] == POPULATIONS[0]]
    progress("ablation", 1.0)
    return pd.DataFrame(
        [
            {"theme": theme, "features": len(columns)}
            | _ablated_figures(rows, probabilities[theme], touched_per_snapshot)
            | _gains(paired[paired["against"] == theme])
            for theme, columns in themes.items()
        ]
    )


def _probabilities_without(
    themes: Mapping[str, tuple[int, ...]],
    training: TrainingMatrix,
    test: NDArray[np.float64],
    fitted: FittedTrees,
    calibrator: Calibrator,
    linear: FittedLinear | None,
    seed: int,
    progress: Progress,
) -> dict[str, NDArray[np.float64]]:
    """Of test rows without each theme; with `ALL_FEATURES`, too, where a part of rows was drawn."""
    left_out = dict(themes)
    chosen = rows_of_drawn_accounts(training, ABLATION_ROWS, seed)
    if chosen.size < training.converted.size:
        training, left_out = select_rows(training, chosen), {ALL_FEATURES: (), **themes}
    without = fit_side_by_side(
        lambda columns, threads: ablated_log_odds(training, test, fitted, columns, linear, threads),
        list(left_out.values()),
        int(fitted.parameters["num_threads"]),
    )
    probabilities = {}
    for number, (theme, log_odds) in enumerate(zip(left_out, without, strict=True)):
        probabilities[theme] = calibrator(log_odds)
        progress("ablation", (number + 1) / (len(left_out) + 1))
    return probabilities


def _ablated_figures(
    rows: pd.DataFrame, probability: NDArray[np.float64], touched_per_snapshot: int
) -> dict[str, float]:
    figures = compute_metrics(
        rows["converted"].to_numpy(dtype=bool),
        probability,
        rows["as_of"].to_numpy(),
        touched_per_snapshot=touched_per_snapshot,
    )
    return {figure: figures[figure] for figure in GAIN_SIGNS}


def _gains(paired: pd.DataFrame) -> dict[str, float]:
    gains = {}
    for figure, sign in GAIN_SIGNS.items():
        row = paired.loc[paired["figure"] == figure, ["value", "low", "high"]]
        value, bound, other_bound = (sign * row.to_numpy(dtype=np.float64)[0]).tolist()
        gains[f"{figure}_gain"] = value
        gains[f"{figure}_gain_low"], gains[f"{figure}_gain_high"] = sorted((bound, other_bound))
    return gains
