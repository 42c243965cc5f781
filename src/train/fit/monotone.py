"""What it costs to hold the trees to the plausible directions of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...model.calibrators import Calibrator
from ..evaluate.comparison import POPULATIONS, differences
from .trees import CONSTRAINTS, Fitted, Rows, boosted

HELD, FREE = "directions held", "directions free"


def cost_of_directions(
    training: Rows,
    test: NDArray[np.float64],
    rows: pd.DataFrame,
    probability: NDArray[np.float64],
    fitted: Fitted,
    calibrator: Calibrator,
    **how: int,
) -> pd.DataFrame:
    """Figures with the directions held less those of trees that were left free, paired.

    Args:
        training: the rows that the trees were fitted to.
        test: shape (rows, features); test rows as the trees read them.
        rows: the test rows as `evaluation.evaluate` wants them.
        probability: shape (rows,); of the model, whose directions are held.
        fitted: parameters and number of trees.
        calibrator: of the model.
        **how: touched_per_snapshot, resamples and seed of `evaluation.differences`.

    Returns:
        figure, value, low, high on all accounts: what holding them changes.
    """
    free: Mapping[str, object] = {k: v for k, v in fitted.parameters.items() if k != CONSTRAINTS}
    booster = boosted(training, np.arange(training.converted.size), free, fitted.rounds)
    loose = calibrator(np.asarray(booster.predict(test, raw_score=True), dtype=np.float64))
    paired = differences(rows, {HELD: probability, FREE: loose}, model=HELD, **how)
    everybody = paired[paired["population"] == POPULATIONS[0]]
    return everybody[["figure", "value", "low", "high"]].reset_index(drop=True)
