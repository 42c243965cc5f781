"""Is the level of the chances right? How many converted on the test beside how many were expected.

Level and ranking are two things: a model can put groups in the right order and promise all of them
too much. The order decides whether there is a signal (see `signal`), the level is corrected.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .bootstrap import (
    Floats,
    account_counts,
    interval_summary,
    require_columns,
    require_counts,
    require_probability,
)

TOLERATED_RATIO = 1.25
"""An observed rate within this factor of the expected one, either way, is no news."""


@dataclass(frozen=True)
class Level:
    """The mean chance beside the share that converted.

    Attributes:
        expected: mean readiness of the test rows.
        observed: share of the test rows that converted.
        low: lower end of the 95 % interval of `observed`, by a bootstrap over accounts ...
        high: ... and its upper end.
        off: the interval does not hold `expected`, and they differ by more than a quarter.
    """

    expected: float
    observed: float
    low: float
    high: float
    off: bool

    @property
    def sentence(self) -> str:
        """Both figures in words."""
        found = (
            f"{self.expected:.1%} were expected to convert on the test and {self.observed:.1%} "
            f"did (95 % interval {self.low:.1%} to {self.high:.1%})"
        )
        return f"The level is off: {found}." if self.off else f"The level holds: {found}."


def measure_level(rows: pd.DataFrame, probability: Floats, *, resamples: int, seed: int) -> Level:
    """Whether as many converted as the model expected.

    Args:
        rows: the test rows: account_id, converted (bool).
        probability: shape (rows,); of the model, in [0, 1].
        resamples: draws of accounts behind the interval, at least 1.
        seed: of the draws.

    Raises:
        ValueError: a column is missing, probabilities do not fit the rows, or there is no resample.
    """
    require_columns(rows, ("account_id", "converted"))
    require_counts(resamples=resamples)
    require_probability("the probability of the model", probability, len(rows))
    account, names = pd.factorize(rows["account_id"])
    converted = rows["converted"].to_numpy(np.float64)
    per_account = np.bincount(account, minlength=len(names)).astype(np.float64)
    conversions = np.bincount(account, converted, minlength=len(names))
    gaps = np.bincount(account, probability - converted, minlength=len(names))
    counts = account_counts(len(names), resamples, np.random.default_rng(seed))
    drawn_rows = np.array([(count * per_account).sum() for count in counts])
    rate = interval_summary(
        np.array([(count * conversions).sum() for count in counts]) / drawn_rows
    )
    gap = interval_summary(np.array([(count * gaps).sum() for count in counts]) / drawn_rows)
    expected, observed = float(probability.mean()), float(converted.mean())
    off_by_chance = gap["low"] <= 0 <= gap["high"]
    near = expected <= TOLERATED_RATIO * observed and observed <= TOLERATED_RATIO * expected
    return Level(expected, observed, rate["low"], rate["high"], not (off_by_chance or near))
