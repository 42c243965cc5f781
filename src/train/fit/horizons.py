"""Readiness within other horizons than the model's own, consistent with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...model.bundle import Horizon
from .calibration import choose_calibrator
from .trees import Progress, Rows, boosted, enough_to_fit, folds, held_out_scores, text_of

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Outcomes:
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


def fit_horizons(
    rows: Rows,
    outcomes: Sequence[Outcomes],
    parameters: Mapping[str, Any],
    rounds: int,
    progress: Progress,
) -> tuple[Horizon, ...]:
    """Trees and a calibrator for each horizon, on the rows whose outcome is known.

    They have as many trees as the model's own horizon needed: how fast trees learn depends on the
    data more than on the horizon.

    Args:
        rows: the training rows of the model's own horizon.
        outcomes: of the training rows, one for each horizon.
        parameters: of LightGBM.
        rounds: number of trees.
        progress: called with a label and the share done.

    Returns:
        One entry for each horizon with conversions enough to fit; the others are left out.
    """
    found = []
    for number, outcome in enumerate(outcomes):
        progress("horizons", number / len(outcomes))
        part = _part(rows, outcome)
        if enough_to_fit(part):
            fold = folds(part, int(parameters["seed"]))
            held_out = held_out_scores(part, fold, parameters, rounds)
            chosen = choose_calibrator(held_out, part.converted, fold)
            booster = boosted(part, np.arange(part.converted.size), parameters, rounds)
            found.append(Horizon(outcome.days, text_of(booster), chosen.calibrator))
    progress("horizons", 1.0)
    return tuple(found)


def _part(rows: Rows, outcome: Outcomes) -> Rows:
    known = outcome.known
    return replace(
        rows,
        x=rows.x[known],
        converted=outcome.converted[known],
        account_id=rows.account_id[known],
        group_id=rows.group_id[known],
        weight=rows.weight[known],
    )


def horizon_rows(
    rows: pd.DataFrame, outcomes: Sequence[Outcomes], chances: Mapping[int, Floats]
) -> Mapping[int, tuple[pd.DataFrame, Floats]]:
    """For each horizon the test rows whose outcome is known, with that outcome, and the chances.

    Args:
        rows: the test rows as `evaluation.evaluate` wants them.
        outcomes: of the test rows, one for each horizon.
        chances: by horizon in days, shape (rows,): of `Bundle.readiness_by_horizon`.
    """
    return {
        outcome.days: (
            rows[outcome.known].assign(converted=outcome.converted[outcome.known]),
            chances[outcome.days][outcome.known],
        )
        for outcome in outcomes
        if outcome.days in chances and outcome.known.any()
    }
