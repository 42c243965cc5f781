"""Readiness within other horizons than the model's own, consistent with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...model.bundle import HorizonModel
from ...support.progress import Progress
from .calibration import choose_calibrator
from .trees import (
    TrainingMatrix,
    assign_folds,
    booster_text,
    enough_to_fit,
    held_out_scores,
    train_booster,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class HorizonOutcomes:
    """What is known of one horizon at every row.

    Attributes:
        days: of the horizon.
        converted: shape (rows,); within it.
        known: shape (rows,); whether the whole horizon had passed by the end of what may be
            looked at: the start of the test for training rows, the observation for test rows.
    """

    days: int
    converted: NDArray[np.bool_]
    known: NDArray[np.bool_]


def fit_horizon_models(
    rows: TrainingMatrix,
    outcomes: Sequence[HorizonOutcomes],
    parameters: Mapping[str, Any],
    rounds: int,
    progress: Progress,
    rate_shift: float = 0.0,
) -> tuple[HorizonModel, ...]:
    """Trees and a calibrator for each horizon, on the rows whose outcome is known.

    They have as many trees as the model's own horizon needed: how fast trees learn depends on the
    data more than on the horizon.

    Args:
        rows: the training rows of the model's own horizon.
        outcomes: of the training rows, one for each horizon.
        parameters: of LightGBM.
        rounds: number of trees.
        progress: called with a label and the share done.
        rate_shift: log-odds by which every chance moves to the expected rate.

    Returns:
        One entry for each horizon with conversions enough to fit; the others are left out.
    """
    models = []
    for number, outcome in enumerate(outcomes):
        progress("horizons", number / len(outcomes))
        known_rows = _rows_with_known_outcome(rows, outcome)
        if enough_to_fit(known_rows):
            fold = assign_folds(known_rows, int(parameters["seed"]))
            held_out = held_out_scores(known_rows, fold, parameters, rounds)
            choice = choose_calibrator(held_out, known_rows.converted, fold)
            booster = train_booster(
                known_rows, np.arange(known_rows.converted.size), parameters, rounds
            )
            calibrator = replace(
                choice.calibrator, intercept=choice.calibrator.intercept + rate_shift
            )
            models.append(HorizonModel(outcome.days, booster_text(booster), calibrator))
    progress("horizons", 1.0)
    return tuple(models)


def _rows_with_known_outcome(rows: TrainingMatrix, outcome: HorizonOutcomes) -> TrainingMatrix:
    known = outcome.known
    return replace(
        rows,
        x=rows.x[known],
        converted=outcome.converted[known],
        account_id=rows.account_id[known],
        group_id=rows.group_id[known],
        weight=rows.weight[known],
    )


def rows_by_horizon(
    rows: pd.DataFrame, outcomes: Sequence[HorizonOutcomes], readiness_by_days: Mapping[int, Floats]
) -> Mapping[int, tuple[pd.DataFrame, Floats]]:
    """For each horizon the test rows whose outcome is known, with that outcome, and the chances.

    Args:
        rows: the test rows as `evaluation.evaluate` wants them.
        outcomes: of the test rows, one for each horizon.
        readiness_by_days: by horizon in days, shape (rows,): of `Bundle.readiness_by_horizon`.
    """
    return {
        outcome.days: (
            rows[outcome.known].assign(converted=outcome.converted[outcome.known]),
            readiness_by_days[outcome.days][outcome.known],
        )
        for outcome in outcomes
        if outcome.days in readiness_by_days and outcome.known.any()
    }
