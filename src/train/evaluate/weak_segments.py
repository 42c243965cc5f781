"""Parts of the data where the model ranks worse than its chances say, or is off with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student_t

from .bootstrap import Floats
from .segments import ALL_ROWS

FALSE_GAP_RATE = 0.05
"""Of a part whose chances are right: both ends of the interval of its gap."""

FALSE_RANKING_RATE = 0.025
"""Of all parts together, where each is ranked as well as its chances say."""

_INTERVAL_ERRORS = 2 * 1.96  # standard errors from one end of a 95 % interval to the other


@dataclass(frozen=True)
class WeakSegment:
    """Where the model ranks worse than its chances say, or promises too much or too little.

    Attributes:
        segment: the column, `size` for the number of members.
        part: the value.
        figure: `roc_auc` or `gap`.
        sentence: what is wrong, for people.
    """

    segment: str
    part: str
    figure: str
    sentence: str


def find_weak_segments(evaluated: pd.DataFrame) -> tuple[WeakSegment, ...]:
    """Parts that the model ranks worse than it should, or whose chances are off, in that order.

    Ranked worse: the ROC AUC of the part is below the one that the model's own chances imply
    there, by more than chance explains, given how many parts were looked at (Holm, 1979: where
    all chances are true, any part is named in at most 2.5 % of the cases). Off: the 95 % interval
    of predicted minus observed does not hold 0.

    Args:
        evaluated: what `evaluate_by_segment` returned.
    """
    parts = evaluated[evaluated["segment"] != ALL_ROWS]
    shortfall = parts[(parts["figure"] == "auc_shortfall") & parts["low"].notna()]
    gap = parts[parts["figure"] == "gap"]
    miscalibrated = gap[(gap["low"] > 0) | (gap["high"] < 0)]

    def of_part(figure: str) -> pd.DataFrame:
        return parts[parts["figure"] == figure].set_index(["segment", "part"])

    auc, implied, observed = of_part("roc_auc"), of_part("implied_auc"), of_part("observed")
    keys = [(row["segment"], row["part"]) for _, row in shortfall.iterrows()]
    return (
        *(
            _ranked_worse(auc.loc[[key]].reset_index().iloc[0], float(implied.loc[key, "value"]))
            for key, worse in zip(keys, _holm(_shortfall_chances(shortfall)), strict=True)
            if worse
        ),
        *(
            _miscalibrated(row, observed.loc[(row["segment"], row["part"]), "value"])
            for _, row in miscalibrated.iterrows()
        ),
    )


def _shortfall_chances(shortfall: pd.DataFrame) -> Floats:
    """How likely so large a shortfall is where there is none, shape (parts,)."""
    error = (shortfall["high"] - shortfall["low"]).to_numpy(np.float64) / _INTERVAL_ERRORS
    value = shortfall["value"].to_numpy(np.float64)
    errors = np.divide(value, error, out=np.zeros(value.size), where=error > 0)
    # Few conversions leave the error itself in doubt.
    chances: Floats = student_t.sf(errors, shortfall["conversions"].to_numpy(np.float64) - 1)
    return chances


def _holm(chances: Floats) -> NDArray[np.bool_]:
    """Which of several are too unlikely, at `FALSE_RANKING_RATE` for all together."""
    order = np.argsort(chances, kind="stable")
    limits = FALSE_RANKING_RATE / np.arange(chances.size, 0, -1)
    unlikely = np.zeros(chances.size, np.bool_)
    unlikely[order] = np.logical_and.accumulate(chances[order] <= limits)
    return unlikely


def expected_false_alarms(evaluated: pd.DataFrame) -> float:
    """How many entries `find_weak_segments` would have if no part were weak, at most.

    Args:
        evaluated: what `evaluate_by_segment` returned.
    """
    parts = evaluated[(evaluated["segment"] != ALL_ROWS) & (evaluated["figure"] == "roc_auc")]
    judged = int(parts["low"].notna().sum())
    return FALSE_GAP_RATE * judged + FALSE_RANKING_RATE * (judged > 0)


def _ranked_worse(row: pd.Series, implied_auc: float) -> WeakSegment:
    sentence = (
        f"{_segment_name(row)}: ranks worse than its chances say, ROC AUC {row['value']:.3f} "
        f"({row['low']:.3f} to {row['high']:.3f}) where they imply {implied_auc:.3f}, "
        f"{row['rows']:,} rows with {row['conversions']:,} conversions."
    )
    return WeakSegment(row["segment"], row["part"], "roc_auc", sentence)


def _miscalibrated(row: pd.Series, observed: float) -> WeakSegment:
    tendency = "promises too much" if row["value"] > 0 else "promises too little"
    sentence = (
        f"{_segment_name(row)}: {tendency}, {observed + row['value']:.1%} predicted and "
        f"{observed:.1%} observed, {row['rows']:,} rows with {row['conversions']:,} conversions."
    )
    return WeakSegment(row["segment"], row["part"], "gap", sentence)


def _segment_name(row: pd.Series) -> str:
    return f"{row['segment'].removesuffix('_id')} {row['part']}"
