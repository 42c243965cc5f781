"""The interval of a share that was counted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NORMAL_QUANTILE_95 = 1.959963984540054

Floats = NDArray[np.float64]


def wilson_interval(share: Floats, trials: Floats | NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Wilson's 95 % interval (1927) of shares; it never leaves [0, 1] and is never empty.

    Args:
        share: shape (shares,); observed.
        trials: shape (shares,); independent trials behind each, at least 1.

    Returns:
        Low and high, shape (shares,) each.

    Raises:
        ValueError: a share is not between 0 and 1, or there are no trials.
    """
    if not (np.all((share >= 0) & (share <= 1)) and np.all(np.asarray(trials) > 0)):
        raise ValueError(f"need shares from 0 to 1 and trials above 0, got {share} of {trials}")
    shrunk = 1 + NORMAL_QUANTILE_95**2 / trials
    middle = (share + NORMAL_QUANTILE_95**2 / (2 * trials)) / shrunk
    half = (
        NORMAL_QUANTILE_95
        / shrunk
        * np.sqrt(share * (1 - share) / trials + NORMAL_QUANTILE_95**2 / (4 * trials**2))
    )
    # Rounding must not push an end past the share where that is 0 or 1.
    return np.clip(middle - half, 0.0, share), np.clip(middle + half, share, 1.0)
