"""What it costs to hold the trees to the plausible directions of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...model.calibrators import Calibrator
from ..evaluate.comparison import POPULATIONS, paired_differences
from .linear import FittedLinear
from .trees import MONOTONE_CONSTRAINTS, FittedTrees, TrainingMatrix, train_booster

CONSTRAINED, UNCONSTRAINED = "directions held", "directions free"


def cost_of_monotone_constraints(
    training: TrainingMatrix,
    test_matrix: NDArray[np.float64],
    rows: pd.DataFrame,
    probability: NDArray[np.float64],
    fitted: FittedTrees,
    calibrator: Calibrator,
    linear: FittedLinear | None = None,
    **resampling: int,
) -> pd.DataFrame:
    """Figures with the directions held less those of trees that were left free, paired.

    Args:
        training: the rows that the trees were fitted to.
        test_matrix: shape (rows, features); test rows as the trees read them.
        rows: the test rows as `evaluation.evaluate` wants them.
        probability: shape (rows,); of the model, whose directions are held.
        fitted: parameters and number of trees.
        calibrator: of the model.
        linear: the model's linear part, if it has one; both get it.
        **resampling: touched_per_snapshot, resamples and seed of `evaluation.differences`.

    Returns:
        figure, value, low, high on all accounts: what holding them changes.
    """
    parameters: Mapping[str, object] = {
        k: v for k, v in fitted.parameters.items() if k != MONOTONE_CONSTRAINTS
    }
    booster = train_booster(training, np.arange(training.converted.size), parameters, fitted.rounds)
    raw = np.asarray(booster.predict(test_matrix, raw_score=True), dtype=np.float64)
    if linear is not None:
        column = {name: index for index, name in enumerate(training.names)}
        raw = linear.part.blended(raw, linear.part.log_odds(test_matrix, column))
    unconstrained = calibrator(raw)
    paired = paired_differences(
        rows,
        {CONSTRAINED: probability, UNCONSTRAINED: unconstrained},
        model=CONSTRAINED,
        **resampling,
    )
    all_accounts = paired[paired["population"] == POPULATIONS[0]]
    return all_accounts[["figure", "value", "low", "high"]].reset_index(drop=True)
