"""From the trees' log-odds to probabilities, with an interval that says how sure they are.

Everything here is learned on rows that the trees did not fit. What is learned are the plain numbers
of `model.calibrators`, which serving reads without this module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logit
from sklearn.isotonic import isotonic_regression

from ...model.calibrators import Beta, Calibrator, Platt, VennAbers
from .calibration_error import require_scores_and_outcomes

MIN_SLOPE = 1e-6
"""Platt's slope stays at or above this, so that calibrated ranks agree with raw ranks."""

MAX_DISTINCT_SCORES = 100_000
"""Distinct scores above which `fit_venn_abers` pools neighbours first."""

Floats = NDArray[np.float64]


HALF_LIVES_DAYS = (180, 90)
"""Of what a row counts for the calibrator, beside all rows alike."""

MIN_RECENCY_GAIN = 0.002
"""Share of the log loss that a half-life must save; less is as likely chance."""

Fit = Callable[[Floats, NDArray[np.bool_], Floats | None], Calibrator]


def fit_platt(
    log_odds: Floats, converted: NDArray[np.bool_], weight: Floats | None = None
) -> Platt:
    """The monotone logistic map from a score to the chance of conversion.

    Targets are smoothed as in Platt (1999): (n1 + 1) / (n1 + 2) for n1 conversions and
    1 / (n0 + 2) for n0 others. So perfectly separable scores, one class only and equal
    scores all have a finite answer.

    Args:
        log_odds: shape (rows,); any finite score of which more means likelier.
        converted: shape (rows,); outcome within the horizon, same order.
        weight: shape (rows,); what each row counts, 1 on average; None for all alike.

    Raises:
        ValueError: shapes differ, there are no rows, or a score is not finite.
    """
    require_scores_and_outcomes(log_odds, converted)
    (slope,), intercept = _fit_logistic(log_odds[:, None], converted, weight)
    return Platt(slope, intercept)


def fit_beta(log_odds: Floats, converted: NDArray[np.bool_], weight: Floats | None = None) -> Beta:
    """The beta map of Kull, Silva Filho and Flach (2017), held monotone, with Platt's targets.

    Arguments and errors as `fit_platt`.
    """
    require_scores_and_outcomes(log_odds, converted)
    ends = np.column_stack((log_expit(log_odds), -log_expit(-log_odds)))
    (above, below), intercept = _fit_logistic(ends, converted, weight)
    return Beta(above, below, intercept)


@dataclass(frozen=True)
class CalibratorChoice:
    """A calibrator, and what it was chosen by.

    Attributes:
        calibrator: fitted to all rows.
        log_loss: by name, nats per row, each row judged by a map that was fitted without its fold.
        base_log_loss: the same of the share of conversions in the other folds.
        half_life_days: by which older rows count less for the calibrator; None for all alike.
        recency_log_loss: by half-life ("all alike" for none), nats per row of the newest third of
            the cut-offs, each judged by a map of the older rows of the other folds; empty where
            there are too few cut-offs.
    """

    calibrator: Calibrator
    log_loss: Mapping[str, float]
    base_log_loss: float
    half_life_days: int | None = None
    recency_log_loss: Mapping[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The map with the least loss; Platt's, which has less to learn, where they are equal."""
        return min(self.log_loss, key=self.log_loss.__getitem__)


CALIBRATORS: Mapping[str, Fit] = {
    "platt": fit_platt,
    "beta": fit_beta,
}


def choose_calibrator(
    log_odds: Floats,
    converted: NDArray[np.bool_],
    fold: NDArray[np.intp],
    age_days: Floats | None = None,
    *,
    follow_newest: bool = False,
) -> CalibratorChoice:
    """Platt's or the beta map, whichever has the smaller log loss on rows it was not fitted to.

    Where the newest cut-offs are met better by a map to which older rows count less, the map is
    fitted so, with the half-life that meets them best.

    Args:
        log_odds: shape (rows,); scores of rows that the trees did not fit.
        converted: shape (rows,); outcome within the horizon.
        fold: shape (rows,); the fold of each row, at least two; an account is in one fold.
        age_days: shape (rows,); how long before the newest cut-off each row's is; None for rows
            of which that is not known.
        follow_newest: older rows count less, whatever the gain: the level has been seen to move.

    Raises:
        ValueError: as `fit_platt`, or there is one fold only.
    """
    require_scores_and_outcomes(log_odds, converted)
    folds = np.unique(fold)
    if folds.size < 2:
        raise ValueError(f"need at least 2 folds to choose a calibrator by, got {folds.size}")
    losses = dict.fromkeys(CALIBRATORS, 0.0)
    base_loss = 0.0
    for held_out_fold in folds:
        held_out = fold == held_out_fold
        kept_in = ~held_out
        for name, fit_map in CALIBRATORS.items():
            fitted = fit_map(log_odds[kept_in], converted[kept_in], None)
            losses[name] += total_log_loss(fitted(log_odds[held_out]), converted[held_out])
        # Smoothed as Platt's targets are, so that a fold without a conversion has an answer.
        rate = (converted[kept_in].sum() + 1) / (kept_in.sum() + 2)
        base_loss += total_log_loss(np.full(held_out.sum(), rate), converted[held_out])
    mean_losses = {name: total / converted.size for name, total in losses.items()}
    best = min(mean_losses, key=mean_losses.__getitem__)
    half_life, recency_losses = None, {}
    if age_days is not None and np.unique(age_days).size > 2:
        recency_losses = _recency_losses(CALIBRATORS[best], log_odds, converted, fold, age_days)
        half_life = _choose_half_life(recency_losses, follow_newest=follow_newest)
    return CalibratorChoice(
        CALIBRATORS[best](log_odds, converted, recency_weight(age_days, half_life)),
        mean_losses,
        base_loss / converted.size,
        half_life,
        {
            "all alike" if days is None else f"{days} days": loss
            for days, loss in recency_losses.items()
        },
    )


def _recency_losses(
    fit_map: Fit,
    log_odds: Floats,
    converted: NDArray[np.bool_],
    fold: NDArray[np.intp],
    age_days: Floats,
) -> dict[int | None, float]:
    """By half-life, nats per row of the newest third of the cut-offs, told by the older ones."""
    ages = np.unique(age_days)
    newest = age_days < ages[max(1, ages.size // 3)]
    losses: dict[int | None, float] = {}
    for half_life in (None, *HALF_LIVES_DAYS):
        weight = recency_weight(age_days, half_life)
        total = 0.0
        for held_out_fold in np.unique(fold):
            judged = newest & (fold == held_out_fold)
            older = ~newest & (fold != held_out_fold)
            if judged.any() and older.any():
                part = None if weight is None else weight[older] / weight[older].mean()
                fitted = fit_map(log_odds[older], converted[older], part)
                total += total_log_loss(fitted(log_odds[judged]), converted[judged])
        losses[half_life] = total / newest.sum()
    return losses


def _choose_half_life(losses: Mapping[int | None, float], *, follow_newest: bool) -> int | None:
    finite = {days: loss for days, loss in losses.items() if days is not None}
    best = min(finite, key=finite.__getitem__)
    gains = finite[best] < losses[None] * (1 - MIN_RECENCY_GAIN)
    return best if gains or follow_newest else None


def recency_weight(age_days: Floats | None, half_life_days: int | None) -> Floats | None:
    """What each row counts, 1 on average; None for all alike."""
    if age_days is None or half_life_days is None:
        return None
    weight = np.exp2(-age_days / half_life_days)
    return np.asarray(weight / weight.mean(), dtype=np.float64)


def total_log_loss(probability: Floats, converted: NDArray[np.bool_]) -> float:
    """The sum over rows of -log(probability of what happened), in nats."""
    epsilon = np.finfo(np.float64).eps
    clipped = np.clip(probability, epsilon, 1 - epsilon)
    return float(-np.log(np.where(converted, clipped, 1 - clipped)).sum())


def base_rate_shift(training_rate: float, expected_rate: float) -> float:
    """Log-odds from the one rate to the other, both over 0 and under 1."""
    return float(logit(expected_rate) - logit(training_rate))


def adjust_to_base_rate(
    calibrator: Calibrator, interval: VennAbers, shift: float
) -> tuple[Calibrator, VennAbers]:
    """Both for groups of which another share converts: every chance moves by the same log-odds.

    Right where the groups that convert, and those that do not, are like those of the training and
    only their shares differ (Saerens, Latinne and Decaestecker, 2002).

    Args:
        calibrator: learned at the rate of the training rows.
        interval: learned on the same rows.
        shift: of `base_rate_shift`.
    """

    def shifted(ends: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(expit(logit(np.array(ends)) + shift).tolist())

    return (
        replace(calibrator, intercept=calibrator.intercept + shift),
        replace(interval, low=shifted(interval.low), high=shifted(interval.high)),
    )


def _fit_logistic(
    predictors: Floats, converted: NDArray[np.bool_], weight: Floats | None = None
) -> tuple[list[float], float]:
    """Slopes, none below `MIN_SLOPE`, and the intercept of the least smoothed log loss."""
    row_weight = np.ones(converted.size) if weight is None else weight
    conversions = float(row_weight[converted].sum())
    target = np.where(
        converted, (conversions + 1) / (conversions + 2), 1 / (converted.size - conversions + 2)
    )
    # Standard units condition the search well whatever the columns' scales are.
    centre, scale = predictors.mean(axis=0), predictors.std(axis=0)
    scale[scale == 0] = 1.0
    standard = np.ascontiguousarray(((predictors - centre) / scale).T)

    def loss(parameters: Floats) -> tuple[float, Floats]:
        z = parameters[-1] + sum(
            slope * column for slope, column in zip(parameters[:-1], standard, strict=True)
        )
        gap = row_weight * (expit(z) - target)
        value = np.mean(row_weight * (np.logaddexp(0, z) - target * z))
        slopes = [float(np.mean(gap * column)) for column in standard]
        return float(value), np.array([*slopes, np.mean(gap)])

    smoothed = float((row_weight * target).mean())
    best = minimize(
        loss,
        np.array([*np.full(len(standard), 1.0 / len(standard)), np.log(smoothed / (1 - smoothed))]),
        jac=True,
        method="L-BFGS-B",
        bounds=[*((MIN_SLOPE * one, None) for one in scale), (None, None)],
        options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 1000},
    ).x
    slopes = np.maximum(best[:-1] / scale, MIN_SLOPE)
    return slopes.tolist(), float(best[-1] - np.sum(slopes * centre))


def fit_venn_abers(log_odds: Floats, converted: NDArray[np.bool_], knots: int = 200) -> VennAbers:
    """The Venn-Abers interval of Vovk and Petej (2014), tabulated at quantiles of the scores.

    p0 and p1 at a score are the isotonic fits, read there, of the calibration rows and one more
    row at that score, with outcome 0 and 1. Each knot is an observed score and its two fits are
    made in full. More than 100,000 distinct scores are first pooled into that many neighbourhoods
    of about equally many scores, each at its mean, which moves the interval by less than its width.

    Args:
        log_odds: shape (rows,); scores of rows that the trees did not fit.
        converted: shape (rows,); outcome within the horizon, same order.
        knots: entries of the table at most.

    Raises:
        ValueError: shapes differ, there are no rows, a score is not finite, or knots < 1.
    """
    require_scores_and_outcomes(log_odds, converted)
    if knots < 1:
        raise ValueError(f"knots must be at least 1, got {knots}")
    score, rows, conversions = _pool_scores(log_odds, converted)
    knot_indices = np.searchsorted(
        np.cumsum(rows), np.linspace(0.0, 1.0, knots) * (rows.sum() - 1), side="right"
    )
    unique_knots = np.unique(knot_indices)
    low = [_isotonic_with_extra_row(rows, conversions, index, 0.0) for index in unique_knots]
    high = [_isotonic_with_extra_row(rows, conversions, index, 1.0) for index in unique_knots]
    return VennAbers(tuple(score[unique_knots]), tuple(low), tuple(high))


def _pool_scores(log_odds: Floats, converted: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
    """Distinct scores in rising order, with their rows and their conversions."""
    score, inverse = np.unique(log_odds, return_inverse=True)
    rows = _sum_by_index(inverse, np.ones(log_odds.size))
    conversions = _sum_by_index(inverse, converted.astype(np.float64))
    if score.size <= MAX_DISTINCT_SCORES:
        return score, rows, conversions
    neighbourhood = np.arange(score.size) * MAX_DISTINCT_SCORES // score.size
    pooled_rows = _sum_by_index(neighbourhood, rows)
    return (
        _sum_by_index(neighbourhood, score * rows) / pooled_rows,
        pooled_rows,
        _sum_by_index(neighbourhood, conversions),
    )


def _sum_by_index(index: NDArray[np.intp], values: Floats) -> Floats:
    return np.asarray(np.bincount(index, weights=values), dtype=np.float64)


def _isotonic_with_extra_row(
    rows: Floats, conversions: Floats, index: int, outcome: float
) -> float:
    """The isotonic fit at point `index` after one more row there."""
    weight = rows.copy()
    weight[index] += 1.0
    total = conversions.copy()
    total[index] += outcome
    fitted = isotonic_regression(total / weight, sample_weight=weight, y_min=0.0, y_max=1.0)
    return float(fitted[index])
