"""What any team could do without this program; the model is always shown beside these.

Each baseline learns from the training rows and gives probabilities for other rows. The two that
rank by a rule get their probabilities by Platt scaling on the training rows, so that log loss
and Brier score judge them fairly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from ..fit.calibration import fit_platt, total_log_loss
from ..fit.threads import linear_algebra_on_one_thread

QUANTILE_BINS = 10
"""Values that a numeric feature has for naive Bayes at most."""

SMOOTHING = 0.1
"""Added by Odoo to the won and to the lost count of every field value."""

PROBABILITY_LIMITS = (0.0001, 0.9999)
"""Odoo shows no chance below 0.01 % or above 99.99 %."""

MISSING = "(missing)"

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Inverse strengths among which the logistic regression's is tuned."""

TUNING_ROWS = 20_000
"""Rows that the penalty is tuned on at most, drawn; more change nothing but the time."""

TUNING_FOLDS = 3
SOLVER = "newton-cholesky"

HAND_WRITTEN = (
    "inbound_ever", "engagement_mean", "days_since_inbound", "members", "active_members_30d",
    "completeness", "engaged_completeness", "group_age_days", "days_in_stage",
    "account_conversion_rate",
)  # fmt: skip
UNTUNED_ROUNDS = 100
UNTUNED = {
    "objective": "binary", "verbosity": -1, "seed": 0, "num_threads": 1, "deterministic": True,
    "force_row_wise": True,
}  # fmt: skip


@dataclass(frozen=True)
class TrainingRows:
    """What a baseline may learn from.

    x          one row per group and cut-off; numbers with NaN, text or category with None
    converted  shape (rows,); outcome within the horizon
    account    shape (rows,); what a row's folds are grouped by; None for every row by itself
    """

    x: pd.DataFrame
    converted: NDArray[np.bool_]
    account: NDArray[np.object_] | None = None

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
    """Logistic regression at its best: amounts as log1p, standardised, and the penalty tuned.

    The penalty is the one of `PENALTIES` with the least log loss in folds by account. Texts are
    one-hot encoded. A missing number is the training median with an indicator, a missing text a
    value; a text that training never saw says nothing. With one outcome only there is nothing
    to regress on, and the answer is the base rate.
    """
    _require_same_columns(train, x)
    if _has_one_class(train):
        return base_rate(train, x)
    numeric, text = _columns_by_type(train.x)
    encode = _encoder(numeric, text)
    encoded = encode.fit_transform(_uniform_columns(train.x, numeric, text))
    with linear_algebra_on_one_thread():
        regression = LogisticRegression(C=_tuned_penalty(encoded, train), solver=SOLVER)
        regression.fit(encoded, train.converted)
    scored = encode.transform(_uniform_columns(x, numeric, text))
    return np.asarray(regression.predict_proba(scored)[:, 1], dtype=np.float64)


def hand_written_lightgbm(train: TrainingRows, x: pd.DataFrame) -> NDArray[np.float64]:
    """LightGBM as it comes, untuned, on ten features that anybody would think of.

    Of `HAND_WRITTEN` those that there are; without any, or with one outcome, the base rate.
    """
    _require_same_columns(train, x)
    names = [name for name in HAND_WRITTEN if name in train.x.columns]
    if _has_one_class(train) or not names:
        return base_rate(train, x)
    data = lgb.Dataset(_uniform_columns(train.x, names, []).to_numpy(), train.converted)
    booster = lgb.train(UNTUNED, data, UNTUNED_ROUNDS)
    scored = booster.predict(_uniform_columns(x, names, []).to_numpy())
    return np.asarray(scored, dtype=np.float64)


BASELINES: Mapping[str, Baseline] = {
    "base rate": base_rate,
    "completeness and engagement rule": engagement_rule,
    "points 75/25": points_score,
    "naive Bayes": naive_bayes,
    "logistic regression": logistic_regression,
    "LightGBM on ten features": hand_written_lightgbm,
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


def _encoder(numeric: list[str], text: list[str]) -> ColumnTransformer:
    numbers = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        FunctionTransformer(_signed_log1p),
        StandardScaler(),
    )
    return ColumnTransformer(
        [
            ("numeric", numbers, numeric),
            ("text", OneHotEncoder(handle_unknown="ignore", sparse_output=False), text),
        ],
        sparse_threshold=0.0,
    )


def _signed_log1p(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)), dtype=np.float64)


def _tuned_penalty(encoded: NDArray[np.float64], train: TrainingRows) -> float:
    """The penalty with the least log loss in grouped folds; the middle one without enough groups.

    Args:
        encoded: shape (rows, columns); of the training rows.
        train: the same rows.
    """
    order = np.random.default_rng(0).permutation(train.converted.size)[:TUNING_ROWS]
    converted = train.converted[order]
    group = order if train.account is None else train.account[order]
    if min(len(set(group[converted])), len(set(group[~converted]))) < TUNING_FOLDS:
        return PENALTIES[len(PENALTIES) // 2]
    splitter = StratifiedGroupKFold(TUNING_FOLDS, shuffle=True, random_state=0)
    losses = dict.fromkeys(PENALTIES, 0.0)
    for kept_in, held_out in splitter.split(encoded[order], converted, group):
        if not 0 < converted[kept_in].sum() < kept_in.size:
            continue
        learned, judged = encoded[order[kept_in]], encoded[order[held_out]]
        # Each begins where the one before it ended, which is nearer than nothing is.
        regression = LogisticRegression(solver=SOLVER, warm_start=True)
        for penalty in PENALTIES:
            regression.set_params(C=penalty).fit(learned, converted[kept_in])
            chance = regression.predict_proba(judged)[:, 1]
            losses[penalty] += total_log_loss(chance, converted[held_out])
    return min(losses, key=losses.__getitem__)
