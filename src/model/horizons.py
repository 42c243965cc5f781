"""Readiness within further horizons, ordered by construction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .calibrators import Calibrator

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HorizonStep:
    """One step of a sequential ordinal model (Tutz, 1991) on the model's raw score.

    The steps go out from the model's own horizon, each from its neighbour. For a shorter horizon
    `share` is the chance that a group that converts within the neighbour does so within this one
    already; for a longer one, that a group that does not convert within the neighbour does so
    within this one. Every share lies between 0 and 1 and rises with the raw score, so a longer
    horizon is always likelier, ranks agree, and no two horizons are equal.

    Attributes:
        days: of the horizon.
        share: raw score to that chance.
    """

    days: int
    share: Calibrator


@dataclass(frozen=True, slots=True)
class HorizonModel:
    """Trees and calibrator of one further horizon, as bundles up to format 5 have them.

    Attributes:
        days: of the horizon.
        trees: the LightGBM model as text.
        calibrator: their log-odds to the chance of conversion within the horizon.
    """

    days: int
    trees: str
    calibrator: Calibrator


def chances_by_steps(
    steps: Sequence[HorizonStep], own_days: int, log_odds: Floats, readiness: Floats
) -> dict[int, Floats]:
    """Chance of conversion within each horizon, by days, the shortest first.

    Args:
        steps: of the further horizons, in any order.
        own_days: the model's own horizon.
        log_odds: shape (rows,); raw scores.
        readiness: shape (rows,); within the own horizon.
    """
    share = {step.days: step.share for step in steps}
    chances = {own_days: readiness}
    neighbour = readiness
    for days in sorted((days for days in share if days < own_days), reverse=True):
        neighbour = chances[days] = neighbour * share[days](log_odds)
    neighbour = readiness
    for days in sorted(days for days in share if days > own_days):
        neighbour = chances[days] = neighbour + (1 - neighbour) * share[days](log_odds)
    return {days: chances[days] for days in sorted(chances)}


def hold_in_order(
    readiness_by_days: dict[int, Floats], own_days: int, readiness: Floats
) -> dict[int, Floats]:
    """Chances of trees that know nothing of each other, held in order; the shortest first.

    Going out from the own horizon, whose readiness does not change, each is held at or above the
    one before it (and, towards shorter ones, at or below it).

    Args:
        readiness_by_days: chances of further horizons, shape (rows,) each.
        own_days: the model's own horizon.
        readiness: shape (rows,); within the own horizon.
    """
    chances = {own_days: readiness}
    bound = readiness
    for days in sorted((days for days in readiness_by_days if days < own_days), reverse=True):
        bound = chances[days] = np.minimum(readiness_by_days[days], bound)
    bound = readiness
    for days in sorted(days for days in readiness_by_days if days > own_days):
        bound = chances[days] = np.maximum(readiness_by_days[days], bound)
    return {days: chances[days] for days in sorted(chances)}
