"""What any team could do without this program; the model is always shown beside these.

Each baseline learns from the training rows and gives probabilities for other rows. The two that
rank by a rule get their probabilities by Platt scaling on the training rows, so that log loss
and Brier score judge them fairly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from ..fit.calibration import fit_platt

QUANTILE_BINS = 10
"""Values that a numeric feature has for naive Bayes at most."""

SMOOTHING = 0.1
"""Added by Odoo to the won and to the lost count of every field value."""

PROBABILITY_LIMITS = (0.0001, 0.9999)
"""Odoo shows no chance below 0.01 % or above 99.99 %."""

MISSING = "(missing)"


@dataclass(frozen=True)
class TrainingRows:
    """What a baseline may learn from.

    x          one row per group and cut-off; numbers with NaN, text or category with None
    converted  shape (rows,); outcome within the horizon
    """

    x: pd.DataFrame
    converted: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.converted.shape != (len(self.x),) or not len(self.x):
            raise ValueError(
                "training rows need one outcome each and at least one row, "
                f"got {len(self.x)} rows and outcomes of shape {self.converted.shape}"
            )


Baseline = Callable[[TrainingRows, pd.DataFrame], NDArray[np.float64]]
"""Training rows and other rows with the same columns -> a probability for each other row.

Raises ValueError where the other rows, or both, lack a column that it needs.
"""


def base_rate(train: TrainingRows, x: pd.DataFrame) -> NDArray[np.float64]:
    """The share of training rows that converted, for everyone."""
    return np.full(len(x), train.converted.mean(), dtype=np.float64)


def engagement_rule(train: TrainingRows, x: pd.DataFrame) -> NDArray[np.float64]:
    """The market leader's public rule: engagement score and completeness, equally weighted.

    The mean of `rule_engagement` (0..100) and 100 x `completeness` (0..1). Adobe Journey
    Optimizer B2B Edition documents both and advises to qualify groups by the two together.
    """
    return _calibrated_rule(
        train, x, lambda frame: (frame["rule_engagement"] + 100 * frame["completeness"]) / 2
    )


def points_score(train: TrainingRows, x: pd.DataFrame) -> NDArray[np.float64]:
    """A points score of 75 % behaviour and 25 % attributes, as practitioners advise."""
    return _calibrated_rule(train, x, lambda frame: frame["points_75_25"])


def naive_bayes(train: TrainingRows, x: pd.DataFrame) -> NDArray[np.float64]:
    """Naive Bayes per field value, as Odoo scores leads.

    chance = won / (won + lost), where won is the share of conversions times, over the fields,
    (converted rows with this value + 0.1) / (their sum over the field's values), and lost the
    same of other rows; clipped to 0.01..99.99 %. A missing value or one that training never saw
    says nothing. Numeric fields count as their values, above ten different ones as deciles.
    Odoo scores by nothing until it has both won and lost leads: then this is the base rate.
    """
    _require_same_columns(train, x)
    if _has_one_class(train):
        return base_rate(train, x)
    rate = train.converted.mean()
    log_odds = np.full(len(x), np.log(rate / (1 - rate)))
    for name in train.x.columns:
        training, scored = _value_codes(train.x[name], x[name])
        log_odds += _log_odds_by_value(training, train.converted, scored)
    return np.asarray(np.clip(expit(log_odds), *PROBABILITY_LIMITS), dtype=np.float64)


def logistic_regression(train: TrainingRows, x: pd.DataFrame) -> NDArray[np.float64]:
    """L2-regularised logistic regression on standardised, one-hot encoded features.

    A missing number is the training median with an indicator beside it, a missing text its own
    value; a text that training never saw says nothing. With one outcome only there is nothing
    to regress on, and the answer is the base rate.
    """
    _require_same_columns(train, x)
    if _has_one_class(train):
        return base_rate(train, x)
    numeric, text = _columns_by_type(train.x)
    pipeline = _regression_pipeline(numeric, text).fit(
        _uniform_columns(train.x, numeric, text), train.converted
    )
    columns = _uniform_columns(x, numeric, text)
    return np.asarray(pipeline.predict_proba(columns)[:, 1], dtype=np.float64)


BASELINES: Mapping[str, Baseline] = {
    "base rate": base_rate,
    "completeness and engagement rule": engagement_rule,
    "points 75/25": points_score,
    "naive Bayes": naive_bayes,
    "logistic regression": logistic_regression,
}
"""Every baseline by the name that tables show."""


def _calibrated_rule(
    train: TrainingRows, x: pd.DataFrame, rule: Callable[[pd.DataFrame], pd.Series]
) -> NDArray[np.float64]:
    def score(frame: pd.DataFrame) -> NDArray[np.float64]:
        needed = {"rule_engagement", "completeness", "points_75_25"}
        if missing := sorted(needed - set(frame.columns)):
            raise ValueError(f"a rule ranks by catalogue columns that are missing here: {missing}")
        # A group that a rule has nothing on scores 0, as it would in those products.
        return rule(frame).fillna(0.0).to_numpy(np.float64)

    return fit_platt(score(train.x), train.converted)(score(x))


def _has_one_class(train: TrainingRows) -> bool:
    return bool(train.converted.all() or not train.converted.any())


def _require_same_columns(train: TrainingRows, x: pd.DataFrame) -> None:
    if missing := [str(name) for name in train.x.columns if name not in x.columns]:
        raise ValueError(f"features that a baseline learned on are missing in the rows: {missing}")


def _columns_by_type(x: pd.DataFrame) -> tuple[list[str], list[str]]:
    numeric = [name for name in x.columns if pd.api.types.is_numeric_dtype(x[name])]
    return numeric, [name for name in x.columns if name not in set(numeric)]


def _finite_floats(column: pd.Series) -> NDArray[np.float64]:
    """Numbers with NaN for all that is missing or infinite."""
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def _value_codes(
    training: pd.Series, scored: pd.Series
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The number of each row's value, -1 where it is missing or not among the learned ones."""
    if pd.api.types.is_numeric_dtype(training):
        numbers = _finite_floats(training)
        edges = _bin_edges(numbers[~np.isnan(numbers)])
        return _bin_codes(numbers, edges), _bin_codes(_finite_floats(scored), edges)
    values = pd.Index(training.dropna().astype(object).unique(), dtype=object)
    return values.get_indexer(training.astype(object)), values.get_indexer(scored.astype(object))


def _bin_edges(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    distinct = np.unique(numbers)
    if distinct.size <= QUANTILE_BINS:
        return distinct
    # The lowest and the highest value bound no bin: what lies beyond belongs to the end bins.
    return np.unique(np.quantile(numbers, np.linspace(0, 1, QUANTILE_BINS + 1)[1:-1]))


def _bin_codes(numbers: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.intp]:
    return np.where(np.isnan(numbers), -1, np.searchsorted(edges, numbers, side="left"))


def _log_odds_by_value(
    training: NDArray[np.intp], converted: NDArray[np.bool_], scored: NDArray[np.intp]
) -> NDArray[np.float64]:
    """What one field's value adds to the log-odds of each asked row."""
    values = int(np.concatenate((training, scored)).max()) + 1
    if not values:
        return np.zeros(scored.size)
    counts = np.array(
        [
            np.bincount(training[(training >= 0) & (converted == won)], minlength=values)
            for won in (True, False)
        ]
    )
    known = counts.sum(axis=0) > 0
    shares = np.where(known, counts + SMOOTHING, 0.0)
    shares = shares / np.maximum(shares.sum(axis=1, keepdims=True), SMOOTHING)
    per_value = np.zeros(values + 1)  # the last entry answers for -1
    per_value[:-1][known] = np.log(shares[0, known] / shares[1, known])
    return per_value[scored]


def _uniform_columns(x: pd.DataFrame, numeric: list[str], text: list[str]) -> pd.DataFrame:
    """The same columns as floats and as text, without pandas' many ways to miss a value."""
    columns: dict[str, object] = {name: _finite_floats(x[name]) for name in numeric}
    for name in text:
        values = x[name].astype(object)
        columns[name] = values.where(values.notna(), MISSING).astype(str).to_numpy(dtype=object)
    return pd.DataFrame(columns)


def _regression_pipeline(numeric: list[str], text: list[str]) -> Pipeline:
    numbers = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        StandardScaler(),
    )
    encode = ColumnTransformer(
        [
            ("numeric", numbers, numeric),
            ("text", OneHotEncoder(handle_unknown="ignore"), text),
        ]
    )
    return make_pipeline(encode, LogisticRegression(max_iter=5000))
