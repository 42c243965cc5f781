"""The linear part beside the trees: how it is fitted, and how much it may say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from ...model.linear import (
    LinearPart,
    LinearTerm,
    Regression,
    logarithm,
    regression_log_odds,
    standardise,
)
from .calibration import fit_platt
from .threads import fit_side_by_side, linear_algebra_on_one_thread
from .trees import TrainingMatrix, rows_of_drawn_accounts

PENALTIES = (1e-4, 1e-3, 1e-2)
"""Inverse strengths among which the folds choose: strong ones, as the trees say the details."""

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Of the regression in the raw score, among which the folds choose, beside none at all."""

MIN_GAIN = 0.005
"""Share of the held-out log loss that a linear part must save; less is not worth its cost."""

CHOICE_ROWS = 20_000
"""Rows that penalty and share are chosen on, at most; accounts are drawn as a whole."""

MIN_SCALE = 1e-9  # below, a column is constant
SOLVER, TOLERANCE = "newton-cholesky", 1e-4

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FittedLinear:
    """A linear part, and what ones that did not see a row's account said of it.

    Attributes:
        part: what the bundle keeps.
        penalty: inverse strength.
        held_out: shape (rows,); log-odds of the regression, each without the row's account.
        gain: share of the held-out log loss that the two together save.
    """

    part: LinearPart
    penalty: float
    held_out: Floats
    gain: float


def choose_linear(
    rows: TrainingMatrix,
    fold: NDArray[np.intp],
    held_out_trees: Floats,
    seed: int,
    threads: int = 1,
) -> FittedLinear | None:
    """The linear part that saves held-out log loss beside the trees; None where none does.

    The penalty is the one whose blend has the least held-out log loss, calibrated by Platt's map;
    the share is the smallest within one standard error of the least (Breiman and others, 1984).
    Accounts that were held out flatter a line: it knows no account, and trees that know the
    accounts of tomorrow's groups do better than the folds say.

    Args:
        rows: the training rows.
        fold: shape (rows,); of `FittedTrees`.
        held_out_trees: shape (rows,); of `FittedTrees`.
        seed: of the draw of accounts where there are many rows.
        threads: that fit folds side by side; the result is the same at any number.
    """
    chosen = rows_of_drawn_accounts(rows, CHOICE_ROWS, seed)
    trees, converted = held_out_trees[chosen], rows.converted[chosen]
    account = np.unique(rows.account_id[chosen], return_inverse=True)[1]
    before = _calibrated_losses(trees, converted)
    candidates = []
    by_penalty = _held_out(rows, chosen, fold[chosen], PENALTIES, threads)
    for penalty, linear in zip(PENALTIES, by_penalty, strict=True):
        losses = {
            share: _calibrated_losses((1 - share) * trees + share * linear, converted)
            for share in SHARES
        }
        least = min(float(loss.mean()) for loss in losses.values())
        candidates.append((least, penalty, {0.0: before, **losses}))
    _least, penalty, losses = min(candidates, key=lambda candidate: candidate[0])
    share = _smallest_within_one_error(losses, account)
    gain = 1 - float(losses[share].mean() / before.mean())
    if gain < MIN_GAIN:
        return None
    (held_out,) = _held_out(rows, np.arange(rows.converted.size), fold, [penalty], threads)
    with linear_algebra_on_one_thread():
        part = fit_linear_part(rows, penalty, share)
    return FittedLinear(part, penalty, held_out, gain)


def _smallest_within_one_error(losses: Mapping[float, Floats], account: NDArray[np.intp]) -> float:
    """The smallest share whose loss exceeds the least by at most its standard error."""
    best = min(losses, key=lambda share: float(losses[share].mean()))
    for share in sorted(losses):
        excess = losses[share] - losses[best]
        by_account = np.bincount(account, excess)
        error = np.sqrt(np.sum((by_account - by_account.mean()) ** 2)) / excess.size
        if excess.mean() <= error:
            return share
    return best


def fit_linear_part(rows: TrainingMatrix, penalty: float, share: float) -> LinearPart:
    """A regression of all rows on the features that are numbers and vary.

    Args:
        rows: to learn from; a row of weight 0 counts for nothing.
        penalty: inverse strength.
        share: of the regression in the raw score.
    """
    (fit,) = _fit(rows, np.flatnonzero(rows.weight > 0), [penalty])
    terms = [
        LinearTerm(rows.names[column], centre, scale, slope, mean)
        for column, centre, scale, slope, mean in zip(
            fit.columns.tolist(),
            *(one[:, 0].tolist() for one in (fit.centre, fit.scale, fit.slope, fit.mean)),
            strict=True,
        )
    ]
    return LinearPart(share, fit.intercept, tuple(terms))


def _fit(
    rows: TrainingMatrix, chosen: NDArray[np.intp], penalties: Sequence[float]
) -> list[Regression]:
    """The regression of the chosen rows by each penalty."""
    categories = set(rows.category_indices)
    columns, centres, scales, predictors = [], [], [], []
    for column in range(len(rows.names)):
        values = logarithm(rows.x[chosen, column])
        known = values[~np.isnan(values)]
        if column in categories or not known.size or (scale := float(known.std())) < MIN_SCALE:
            continue
        columns.append(column)
        centres.append(float(known.mean()))
        scales.append(scale)
        predictors.append(standardise(values, centres[-1], scale))
    z = np.column_stack(predictors) if columns else np.empty((chosen.size, 0))
    fits = []
    for penalty in penalties:
        regression = LogisticRegression(C=penalty, solver=SOLVER, tol=TOLERANCE)
        regression.fit(z, rows.converted[chosen], rows.weight[chosen])
        slope = np.asarray(regression.coef_[0], dtype=np.float64)
        numbers = (np.array(centres), np.array(scales), slope, slope * z.mean(axis=0))
        fits.append(
            Regression(
                float(regression.intercept_[0]),
                np.array(columns, dtype=np.intp),
                *(one[:, None] for one in numbers),
            )
        )
    return fits


def _held_out(
    rows: TrainingMatrix,
    chosen: NDArray[np.intp],
    fold: NDArray[np.intp],
    penalties: Sequence[float],
    threads: int,
) -> Floats:
    """Log-odds by each penalty of the chosen rows, each from a regression without its fold.

    Returns:
        Shape (penalties, chosen).
    """
    scores = np.empty((len(penalties), chosen.size))

    def fit_fold(number: int, _threads: int) -> None:
        held_out = fold == number
        x = rows.x[chosen[held_out]]
        for place, fit in enumerate(_fit(rows, chosen[~held_out], penalties)):
            scores[place, held_out] = regression_log_odds([fit], x)[0]

    for _fitted in fit_side_by_side(fit_fold, np.unique(fold).tolist(), threads):
        pass
    return scores


def _calibrated_losses(log_odds: Floats, converted: NDArray[np.bool_]) -> Floats:
    """Log loss of each row by Platt's map of all of them, nats, shape (rows,)."""
    platt = fit_platt(log_odds, converted)
    z = platt.slope * log_odds + platt.intercept
    return np.asarray(np.logaddexp(0.0, z) - z * converted, dtype=np.float64)
