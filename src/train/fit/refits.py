"""The procedure on other accounts: refits to halves, kept for the interval of a readiness."""

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
    """Trees and calibrators of halves of the accounts, in pairs that share none.

    Disjoint halves are models of other accounts. Models of accounts drawn with replacement are
    not: beside the model that they are laid around, their spread was 0.6 to 1 times the right one
    in worlds where that is known. The trees learn from the half, with as many rounds; the
    calibrator is the chosen map of the half's held-out scores.

    Args:
        rows: the training rows.
        fitted: what the model's own trees were fitted by.
        linear: the model's linear part, if it has one; each refit then has one, too.
        held_out: shape (rows,); raw scores by models that did not fit the row's account.
        age_days: shape (rows,); how long before the newest cut-off each row's is.
        choice: of the model's calibrator.
        count: how many refits; an odd one makes one less.
        rate_shift: log-odds by which every chance moves to the expected rate.
        progress: called with a label and the share done.
    """
    unit_names, unit = np.unique(held_out_units(rows), return_inverse=True)
    draw = np.random.default_rng(int(fitted.parameters["seed"]))
    recency = recency_weight(age_days, choice.half_life_days)
    refits: list[Refit] = []
    pairs = count // 2
    for number in range(pairs):
        first = (draw.permutation(unit_names.size) < unit_names.size // 2)[unit]
        halves = np.flatnonzero(first), np.flatnonzero(~first)
        if any(len(set(rows.converted[half].tolist())) < 2 for half in halves):
            continue  # nothing to learn from accounts of one outcome
        for second, half in enumerate(halves):
            progress("refits", (2 * number + second) / (2 * pairs))
            seed = int(fitted.parameters["seed"]) + 1 + 2 * number + second
            booster = train_booster(rows, half, {**fitted.parameters, "seed": seed}, fitted.rounds)
            calibrator = CALIBRATORS[choice.name](
                held_out[half],
                rows.converted[half],
                None if recency is None else recency[half] / recency[half].mean(),
            )
            shifted = replace(calibrator, intercept=calibrator.intercept + rate_shift)
            part = None
            if linear is not None:
                in_half = np.bincount(half, minlength=rows.weight.size)
                weighted = replace(rows, weight=rows.weight * in_half)
                part = fit_linear_part(weighted, linear.penalty, linear.part.share)
            refits.append(Refit(booster_text(booster), shifted, part))
    progress("refits", 1.0)
    return tuple(refits)
