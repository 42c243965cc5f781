"""The procedure on other accounts: refits to halves, kept for the interval of a readiness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...model.bundle import Refit
from .calibration import CALIBRATORS, CalibratorChoice, recency_weight
from .linear import FittedLinear, fit_linear_part
from .threads import fit_side_by_side
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
    threads = int(fitted.parameters["num_threads"])

    def refit(numbered: tuple[int, NDArray[np.intp]], threads: int) -> Refit:
        number, half = numbered
        seed = int(fitted.parameters["seed"]) + 1 + number
        parameters = {**fitted.parameters, "seed": seed, "num_threads": threads}
        calibrator = CALIBRATORS[choice.name](
            held_out[half],
            rows.converted[half],
            None if recency is None else recency[half] / recency[half].mean(),
        )
        part = None
        if linear is not None:
            in_half = np.bincount(half, minlength=rows.weight.size)
            weighted = replace(rows, weight=rows.weight * in_half)
            part = fit_linear_part(weighted, linear.penalty, linear.part.share)
        return Refit(
            booster_text(train_booster(rows, half, parameters, fitted.rounds)),
            replace(calibrator, intercept=calibrator.intercept + rate_shift),
            part,
        )

    numbered_halves = []
    for pair in range(count // 2):
        first = (draw.permutation(unit_names.size) < unit_names.size // 2)[unit]
        halves = np.flatnonzero(first), np.flatnonzero(~first)
        if any(len(set(rows.converted[half].tolist())) < 2 for half in halves):
            continue  # nothing to learn from accounts of one outcome
        numbered_halves += [(2 * pair + second, half) for second, half in enumerate(halves)]
    refits: list[Refit] = []
    for one in fit_side_by_side(refit, numbered_halves, threads):
        refits.append(one)
        progress("refits", len(refits) / len(numbered_halves))
    return tuple(refits)
