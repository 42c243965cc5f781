"""The ablation by theme: what the model loses when it is fitted without a theme's features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...features import Feature
from ...model.calibrators import Calibrator
from ..fit.trees import MONOTONE_CONSTRAINTS, FittedTrees, TrainingMatrix, train_booster
from .comparison import POPULATIONS, differences, measure

TOGETHER = ("roles", "completeness")
"""Themes that are also left out as one: each can stand in for the other."""

FULL = "all features"
GAINS = {"roc_auc": 1.0, "log_loss": -1.0}
"""Figures of the ablation, and the sign that makes a gain of more (AUC) or of less (loss)."""

Progress = Callable[[str, float], None]


def left_out(features: Sequence[Feature]) -> dict[str, tuple[int, ...]]:
    """Places of the columns of each theme, in the order of the catalogue, then of `TOGETHER`."""
    themes: dict[str, tuple[int, ...]] = {}
    for place, feature in enumerate(features):
        themes[feature.theme] = (*themes.get(feature.theme, ()), place)
    if all(theme in themes for theme in TOGETHER):
        themes["+".join(TOGETHER)] = tuple(sorted(themes[TOGETHER[0]] + themes[TOGETHER[1]]))
    return themes


def without(rows: TrainingMatrix, places: Sequence[int]) -> TrainingMatrix:
    """The rows without the columns at these places."""
    kept = [place for place in range(len(rows.names)) if place not in set(places)]
    return replace(
        rows,
        x=rows.x[:, kept],
        names=tuple(rows.names[place] for place in kept),
        category_indices=tuple(
            kept.index(place) for place in rows.category_indices if place in kept
        ),
    )


def scores_without(
    rows: TrainingMatrix, test: NDArray[np.float64], fitted: FittedTrees, places: Sequence[int]
) -> NDArray[np.float64]:
    """Log-odds of test rows from trees that were fitted without some columns.

    Args:
        rows: the training rows, with all columns.
        test: shape (test rows, features); the same columns.
        fitted: gives the parameters and the number of trees.
        places: of the columns to leave out.

    Returns:
        Shape (test rows,).
    """
    part = without(rows, places)
    parameters = dict(fitted.parameters)
    if MONOTONE_CONSTRAINTS in parameters:
        parameters[MONOTONE_CONSTRAINTS] = np.delete(
            parameters[MONOTONE_CONSTRAINTS], list(places)
        ).tolist()
    booster = train_booster(part, np.arange(part.converted.size), parameters, fitted.rounds)
    raw = booster.predict(np.delete(test, list(places), axis=1), raw_score=True)
    return np.asarray(raw, dtype=np.float64)


def ablation(
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
    progress: Progress = lambda _label, _share: None,
) -> pd.DataFrame:
    """Refits the trees without each theme and takes their figures from the whole model's.

    The same rows, parameters, number of trees and calibrator: what differs is the theme. A theme
    that another can stand in for costs little when it is left out, whatever it says by itself.

    Args:
        features: the catalogue's, in the order of the columns.
        training: the rows that the trees were fitted to.
        test: shape (rows, features); test rows as the trees read them.
        rows: the test rows as `evaluation.evaluate` wants them.
        probability: shape (rows,); of the whole model.
        fitted: parameters and number of trees.
        calibrator: of the whole model.
        touched_per_snapshot: see `evaluation.evaluate`.
        resamples: see `evaluation.evaluate`.
        seed: see `evaluation.evaluate`.
        progress: called with a label and the share done.

    Returns:
        One row per theme, on all accounts: theme, features (count), roc_auc and log_loss without
        it; then roc_auc_gain and log_loss_gain, above 0 where the theme helps, each with the _low
        and _high of its 95 % interval from the paired bootstrap over accounts. NaN where the test
        has fewer than two accounts or only one outcome.
    """
    themes = left_out(features)
    chances = {FULL: probability}
    for number, (theme, places) in enumerate(themes.items()):
        progress("ablation", number / (len(themes) + 1))
        chances[theme] = calibrator(scores_without(training, test, fitted, places))
    progress("ablation", len(themes) / (len(themes) + 1))
    paired = differences(
        rows, chances, model=FULL, touched_per_snapshot=touched_per_snapshot,
        resamples=resamples, seed=seed,
    )  # fmt: skip
    paired = paired[paired["population"] == POPULATIONS[0]]
    progress("ablation", 1.0)
    return pd.DataFrame(
        [
            {"theme": theme, "features": len(places)}
            | _without(rows, chances[theme], touched_per_snapshot)
            | _gains(paired[paired["against"] == theme])
            for theme, places in themes.items()
        ]
    )


def _without(
    rows: pd.DataFrame, probability: NDArray[np.float64], touched_per_snapshot: int
) -> dict[str, float]:
    figures = measure(
        rows["converted"].to_numpy(dtype=bool),
        probability,
        rows["as_of"].to_numpy(),
        touched_per_snapshot=touched_per_snapshot,
    )
    return {figure: figures[figure] for figure in GAINS}


def _gains(paired: pd.DataFrame) -> dict[str, float]:
    gains = {}
    for figure, sign in GAINS.items():
        row = paired.loc[paired["figure"] == figure, ["value", "low", "high"]]
        value, one, other = (sign * row.to_numpy(dtype=np.float64)[0]).tolist()
        gains[f"{figure}_gain"] = value
        gains[f"{figure}_gain_low"], gains[f"{figure}_gain_high"] = sorted((one, other))
    return gains
