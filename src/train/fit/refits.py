"""The procedure on other accounts: refits by a bootstrap, kept for the interval of a readiness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...model.bundle import Refit
from .calibration import CALIBRATORS, CalibratorChoice, recency_weight
from .linear import FittedLinear, fit_linear_part
from .trees import FittedTrees, TrainingMatrix, booster_text, held_out_units, train_booster

Floats = NDArray[np.float64]


def fit_refits(
    rows: TrainingMatrix,
    fitted: FittedTrees,
    linear: FittedLinear | None,
    held_out: Floats,
    age_days: Floats,
    choice: CalibratorChoice,
    count: int,
    rate_shift: float,
    progress: Callable[[str, float], None],
) -> tuple[Refit, ...]:
    """Trees and calibrators of accounts drawn with replacement, as many as there are.

    The trees learn from the drawn accounts, with as many rounds; the calibrator is the chosen map
    of the held-out scores, in which an account counts as often as it was drawn.

    Args:
        rows: the training rows.
        fitted: what the model's own trees were fitted by.
        linear: the model's linear part, if it has one; each refit then has one, too.
        held_out: shape (rows,); raw scores by models that did not fit the row's account.
        age_days: shape (rows,); how long before the newest cut-off each row's is.
        choice: of the model's calibrator.
        count: how many refits.
        rate_shift: log-odds by which every chance moves to the expected rate.
        progress: called with a label and the share done.
    """
    unit_names, unit = np.unique(held_out_units(rows), return_inverse=True)
    draw = np.random.default_rng(int(fitted.parameters["seed"]))
    recency = recency_weight(age_days, choice.half_life_days)
    refits = []
    for number in range(count):
        progress("refits", number / count)
        times = np.bincount(
            draw.integers(unit_names.size, size=unit_names.size), minlength=unit_names.size
        )[unit].astype(np.float64)
        weight = times if recency is None else times * recency
        drawn = np.flatnonzero(times)
        if len(set(rows.converted[drawn].tolist())) < 2:
            continue  # nothing to learn from accounts of one outcome
        weighted = replace(rows, weight=rows.weight * times)
        booster = train_booster(
            weighted,
            drawn,
            {**fitted.parameters, "seed": int(fitted.parameters["seed"]) + 1 + number},
            fitted.rounds,
        )
        calibrator = CALIBRATORS[choice.name](
            held_out[drawn], rows.converted[drawn], weight[drawn] / weight[drawn].mean()
        )
        shifted = replace(calibrator, intercept=calibrator.intercept + rate_shift)
        part = None
        if linear is not None:
            part = fit_linear_part(weighted, linear.penalty, linear.part.share)
        refits.append(Refit(booster_text(booster), shifted, part))
    progress("refits", 1.0)
    return tuple(refits)
