"""Readiness within other horizons than the model's own, consistent with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...model.calibrators import Platt
from ...model.horizons import HorizonStep
from .calibration import fit_platt
from .trees import TrainingMatrix, enough_to_fit

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


def fit_horizon_steps(
    rows: TrainingMatrix,
    held_out: Floats,
    outcomes: Sequence[HorizonOutcomes],
    own_days: int,
    weight: Floats | None = None,
    rate_shift: float = 0.0,
) -> tuple[HorizonStep, ...]:
    """The step to each further horizon from its neighbour, on the raw score of held-out rows.

    Where another rate is expected, every chance within the own horizon moves, and with it those of
    shorter ones; the share of a step to a longer one moves by the same log-odds.

    Args:
        rows: the training rows, with the outcome within the own horizon.
        held_out: shape (rows,); raw scores by models that did not fit the row's account.
        outcomes: of the training rows, one for each horizon.
        own_days: the model's own horizon.
        weight: shape (rows,); what each row counts for the calibrator; None for all alike.
        rate_shift: log-odds by which every chance moves to the expected rate.

    Returns:
        The shortest first: one entry for each horizon with conversions enough, of the rows whose
        outcome is known; the others are left out, and their neighbours step over them.
    """
    enough = [one for one in outcomes if _enough_known(rows, one)]
    shorter = sorted((one for one in enough if one.days < own_days), key=_days, reverse=True)
    longer = sorted((one for one in enough if one.days > own_days), key=_days)
    steps = []
    within = rows.converted
    for outcome in shorter:
        share = _fit_share(held_out, outcome.converted, within & outcome.known, weight, 0.0)
        steps.append(HorizonStep(outcome.days, share))
        within = outcome.converted
    without = ~rows.converted
    for outcome in longer:
        share = _fit_share(held_out, outcome.converted, without & outcome.known, weight, rate_shift)
        steps.append(HorizonStep(outcome.days, share))
        without = ~outcome.converted
    return tuple(sorted(steps, key=_days))


def _days(horizon: HorizonOutcomes | HorizonStep) -> int:
    return horizon.days


def _fit_share(
    held_out: Floats,
    converted: NDArray[np.bool_],
    chosen: NDArray[np.bool_],
    weight: Floats | None,
    shift: float,
) -> Platt:
    """Of the chosen rows, the chance to convert, which never falls as the raw score rises."""
    part = None if weight is None else weight[chosen] / weight[chosen].mean()
    fitted = fit_platt(held_out[chosen], converted[chosen], part)
    return replace(fitted, intercept=fitted.intercept + shift)


def _enough_known(rows: TrainingMatrix, outcome: HorizonOutcomes) -> bool:
    known = outcome.known
    return enough_to_fit(
        replace(rows, converted=outcome.converted[known], group_id=rows.group_id[known])
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
