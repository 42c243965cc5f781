"""The held-out loss as trees are added, and where it is least."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def best_step(held_out: Floats, converted: NDArray[np.bool_]) -> int:
    """Place of the step with the least held-out log loss, of equal ones the first.

    Args:
        held_out: shape (steps, rows); log-odds after each step, by models without the row.
        converted: shape (rows,).
    """
    return int(np.argmin([np.mean(_row_losses(scores, converted)) for scores in held_out]))


def learning_curve(
    held_out: Floats, converted: NDArray[np.bool_], fold: NDArray[np.intp], trees_per_step: int
) -> pd.DataFrame:
    """The loss of every fold at every step.

    Args:
        held_out: as for `best_step`.
        converted: shape (rows,).
        fold: shape (rows,); in which the row was held out.
        trees_per_step: trees that each step adds.

    Returns:
        fold, trees, log_loss (nats per row), rows, conversions.
    """
    losses = np.array([_row_losses(scores, converted) for scores in held_out])
    return pd.DataFrame(
        [
            {
                "fold": int(number),
                "trees": (step + 1) * trees_per_step,
                "log_loss": float(losses[step, fold == number].mean()),
                "rows": int((fold == number).sum()),
                "conversions": int(converted[fold == number].sum()),
            }
            for number in np.unique(fold)
            for step in range(len(losses))
        ]
    )


def _row_losses(log_odds: Floats, converted: NDArray[np.bool_]) -> Floats:
    return np.asarray(np.logaddexp(0.0, log_odds) - log_odds * converted, dtype=np.float64)
