"""What a threshold brings: precision, recall, volume and value, each with its interval."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...model.states import ACCEPTED, QUALIFIED
from ...model.threshold_update import qualified, qualifying_thresholds
from ...model.thresholds import Estimate, ThresholdPerformance, Thresholds
from ...settings import StateSettings, ThresholdSettings
from .counts_by_account import candidate_thresholds, count_by_account
from .learn import learn_thresholds
from .new_entries import (
    INITIAL_STOCK_WEEKS,
    SCORED_COLUMNS,
    Floats,
    find_new_entries,
    require_scored_rows,
)
from .nights import Verdicts, no_verdicts, replay_nights
from .rate_weights import rate_weights

MEASURES = ("per_week", "precision", "recall", "value_per_week")
DEFAULT_STATES = StateSettings()
LABELLED_COLUMNS = (*SCORED_COLUMNS, "account_id", "converted")


@dataclass(frozen=True)
class AccountCounts:
    """Counts by account at every threshold.

    Attributes:
        entries: shape (accounts, thresholds); newly qualified groups.
        hits: shape (accounts, thresholds); those of them that convert within the horizon.
        recalled: shape (accounts, thresholds); groups that convert and were qualified when they
            were about to, in a snapshot that the conversion followed within the horizon.
        conversions: shape (accounts, 1); groups that convert.
        weeks: that the entries are spread over.
    """

    entries: Floats
    hits: Floats
    recalled: Floats
    conversions: Floats
    weeks: float


def measure_performance(
    rows: pd.DataFrame,
    thresholds: Thresholds,
    settings: ThresholdSettings,
    *,
    resamples: int,
    seed: int,
    expected_rate: float | None = None,
    states: StateSettings = DEFAULT_STATES,
    verdicts: Verdicts = no_verdicts,
) -> ThresholdPerformance:
    """What the thresholds, as they are in force at each snapshot, bring on these rows.

    Groups enter and leave as the state machine makes them, a snapshot being a night of the job (see
    `replay_nights`). On rows that the trees did not fit it is what to expect, on the test part what
    came in.

    Args:
        rows: group_id, account_id, as_of, readiness, completeness, converted (bool), engagement,
            and the column of the segment, if there are segments.
        thresholds: those in force.
        settings: whose capacities, gain and cost count.
        resamples: draws of accounts behind each 95 % interval, at least 1.
        seed: of the draws; the same seed gives the same intervals.
        expected_rate: share of the rows that is expected to convert, where it is another.
        states: lower threshold, dwell and recycling.
        verdicts: what sales had said by a snapshot.

    Raises:
        ValueError: as `require_scored_rows`.
    """
    require_scored_rows(rows, LABELLED_COLUMNS)
    replayed = replay_nights(rows, thresholds, settings, states, verdicts)
    return _measure_replayed(replayed, settings, resamples, seed, expected_rate)


def _measure_replayed(
    replayed: pd.DataFrame,
    settings: ThresholdSettings,
    resamples: int,
    seed: int,
    expected_rate: float | None,
) -> ThresholdPerformance:
    counts = _count_replayed(replayed)
    weights = rate_weights(replayed["converted"].to_numpy(np.bool_), expected_rate)
    hits, entries = weights.apply(counts.hits, counts.entries)
    frame = _with_intervals(replace(counts, hits=hits, entries=entries), settings, resamples, seed)
    return ThresholdPerformance(
        **{
            name: Estimate(*(_or_none(frame[column][0]) for column in _interval_columns(name)))
            for name in MEASURES
        }
    )


def _count_replayed(replayed: pd.DataFrame) -> AccountCounts:
    """Counts of the threshold in force, shape (accounts, 1) each."""
    account, names = pd.factorize(replayed["account_id"])
    entered = replayed["entered"].to_numpy(np.bool_)
    converted = replayed["converted"].to_numpy(np.bool_)
    cutoffs = replayed["as_of"]
    weeks = float((cutoffs.max() - cutoffs.min()) / pd.Timedelta(days=7))
    found = replayed["status"].isin([QUALIFIED, ACCEPTED]).to_numpy(np.bool_)
    if not weeks:  # a first and only snapshot is worked off as stock
        entered, weeks = (replayed["status"] == QUALIFIED).to_numpy(np.bool_), INITIAL_STOCK_WEEKS
    conversions = pd.DataFrame({"group": replayed["group_id"], "account": account, "found": found})
    conversions = conversions[converted].groupby("group").agg({"account": "first", "found": "max"})

    def count(accounts: NDArray[np.intp]) -> Floats:
        return np.bincount(accounts, minlength=len(names)).astype(np.float64)[:, None]

    owner = conversions["account"].to_numpy(np.intp)
    return AccountCounts(
        count(account[entered]),
        count(account[entered & converted]),
        count(owner[conversions["found"].to_numpy(np.bool_)]),
        count(owner),
        weeks,
    )


def forecast_performance(
    rows: pd.DataFrame,
    recent: pd.DataFrame,
    thresholds: Thresholds,
    settings: ThresholdSettings,
    *,
    resamples: int,
    seed: int,
    expected_rate: float | None = None,
    states: StateSettings = DEFAULT_STATES,
) -> ThresholdPerformance:
    """What to expect of the threshold now in force: how good of the past, how many recently.

    Precision and recall are those of rows whose outcomes are known. By capacity it is the threshold
    of the last snapshot in `recent` that begins, and what sales can take that goes on, with no part
    for outcomes. By value and precision outcomes drew the threshold, so every account is measured
    by one that the others drew. The volume is that of `recent`, whose outcomes nobody knows yet: a
    portfolio that grows brings more than it did when those were made. The value is what a touch was
    worth on the former, times the volume of the latter.

    Args:
        rows: as for `measure_performance`; scored by trees that did not fit the row's account.
        recent: the same without converted, at consecutive snapshots up to the day of the promise;
            scored by the trees that serve. `rows` themselves where there are no others.
        thresholds: those in force on that day.
        settings: whose capacities, gain and cost count.
        resamples: draws of accounts behind each 95 % interval, at least 1.
        seed: of the draws.
        expected_rate: share of the groups that is expected to convert, where it is another.
        states: lower threshold, dwell and recycling.

    Raises:
        ValueError: as `require_scored_rows`.
    """
    require_scored_rows(recent, (*SCORED_COLUMNS, "account_id"))
    require_scored_rows(rows, LABELLED_COLUMNS)
    if thresholds.policy == "capacity":
        today = pd.Timestamp(recent["as_of"].max()).to_pydatetime()
        past = replay_nights(rows, thresholds.frozen_at(today), settings, states)
    else:
        past = _replay_by_others(rows, settings, states, expected_rate)
    performance = _measure_replayed(past, settings, resamples, seed, expected_rate)
    if recent is rows:
        return performance
    late = replay_nights(recent.assign(converted=False), thresholds, settings, states)
    volume = _measure_replayed(late, settings, resamples, seed, None).per_week
    value = performance.value_per_week
    if value.value is not None and performance.per_week.value and volume.value is not None:
        growth = volume.value / performance.per_week.value
        ends = (None if end is None else end * growth for end in (value.low, value.high))
        value = Estimate(value.value * growth, *ends)
    return replace(performance, per_week=volume, value_per_week=value)


FOLDS = 5
"""Parts of the accounts; the threshold that measures one is drawn by the others."""


def _replay_by_others(
    rows: pd.DataFrame,
    settings: ThresholdSettings,
    states: StateSettings,
    expected_rate: float | None,
) -> pd.DataFrame:
    """The rows replayed, each account by thresholds that it had no part in."""
    # By hash of the id: the order of the rows decides nothing, nor do other accounts.
    fold = pd.util.hash_array(rows["account_id"].to_numpy(object)) % FOLDS
    parts = []
    for number in np.unique(fold):
        mine = fold == number
        others = rows if mine.all() else rows[~mine]
        drawn = learn_thresholds(others, settings, expected_rate)
        parts.append(replay_nights(rows[mine], drawn, settings, states))
    return pd.concat(parts)


def threshold_curve(
    rows: pd.DataFrame,
    thresholds: Thresholds,
    settings: ThresholdSettings,
    *,
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """What every pooled threshold would bring on these rows, with the shifts as they are.

    Arguments and errors as `measure_performance`. The schedule does not matter: each threshold
    holds throughout, and a group newly qualifies whenever it was below it at the snapshot before.

    Returns:
        One row per threshold, from loose to strict, at most 200: readiness (of the pooled
        threshold) and per_week, precision, recall, value_per_week (see `ThresholdPerformance`),
        each followed by its 95 % interval, as per_week_low and per_week_high. NaN where there is
        nothing to divide by, and for value without gain and cost.
    """
    require_scored_rows(rows, LABELLED_COLUMNS)
    qualifying = qualifying_thresholds(rows, thresholds)
    candidates = candidate_thresholds(qualifying)
    frame = _with_intervals(
        _count_accounts(rows, qualifying, candidates), settings, resamples, seed
    )
    return pd.DataFrame({"readiness": candidates, **frame})


def qualified_per_week(rows: pd.DataFrame, thresholds: Thresholds) -> float:
    """Groups a week that newly qualify by the thresholds in force at each snapshot.

    Args:
        rows: group_id, as_of, readiness, completeness, and the column of the segment, if there
            are segments.
        thresholds: those in force.

    Raises:
        ValueError: as `require_scored_rows`.
    """
    require_scored_rows(rows)
    qualifying = np.where(qualified(rows, thresholds), 1.0, -np.inf)
    return float(find_new_entries(rows, qualifying).per_week(np.array([1.0]))[0])


def _count_accounts(rows: pd.DataFrame, qualifying: Floats, thresholds: Floats) -> AccountCounts:
    account, names = pd.factorize(rows["account_id"])
    converted = rows["converted"].to_numpy(np.bool_)
    new_entries = find_new_entries(rows, qualifying)
    entry_accounts = account[new_entries.row_index], len(names)
    conversions = pd.DataFrame(
        {"group": rows["group_id"].to_numpy(), "account": account, "reach": qualifying}
    )
    conversions = conversions[converted].groupby("group").agg({"account": "first", "reach": "max"})
    best_threshold, conversion_account = (
        conversions["reach"].to_numpy(np.float64),
        conversions["account"].to_numpy(np.intp),
    )
    no_previous = np.full(best_threshold.size, -np.inf)
    return AccountCounts(
        count_by_account(
            new_entries.qualifying_threshold,
            new_entries.previous_threshold,
            thresholds,
            *entry_accounts,
        ),
        count_by_account(
            new_entries.qualifying_threshold,
            new_entries.previous_threshold,
            thresholds,
            *entry_accounts,
            converted[new_entries.row_index],
        ),
        count_by_account(best_threshold, no_previous, thresholds, conversion_account, len(names)),
        np.bincount(conversion_account, minlength=len(names)).astype(np.float64)[:, None],
        new_entries.weeks,
    )


def _with_intervals(
    counts: AccountCounts, settings: ThresholdSettings, resamples: int, seed: int
) -> dict[str, Floats]:
    """Columns of every figure at every threshold: the value and the ends of its interval."""
    accounts = len(counts.conversions)
    draws = np.random.default_rng(seed).multinomial(
        accounts, np.full(accounts, 1 / accounts), resamples
    )
    estimates = _measures(counts, np.ones((1, accounts)), settings)
    resampled = _measures(counts, draws.astype(np.float64), settings)
    columns: dict[str, Floats] = {}
    for name in MEASURES:
        low, high = _interval(resampled[name])
        columns |= dict(zip(_interval_columns(name), (estimates[name][0], low, high), strict=True))
    return columns


def _measures(
    counts: AccountCounts, weights: Floats, settings: ThresholdSettings
) -> dict[str, Floats]:
    """Each figure, shape (draws, thresholds), of accounts by `weights` (draws, accounts)."""
    entries, hits = weights @ counts.entries, weights @ counts.hits
    recalled, conversions = weights @ counts.recalled, weights @ counts.conversions
    gain, cost = settings.gain, settings.cost
    value = (
        np.full(entries.shape, np.nan)
        if gain is None or cost is None
        else (gain * hits - cost * entries) / counts.weeks
    )
    return {
        "per_week": entries / counts.weeks,
        "precision": _ratio(hits, entries),
        "recall": _ratio(recalled, np.broadcast_to(conversions, recalled.shape)),
        "value_per_week": value,
    }


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    ratio = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=ratio, where=denominator > 0)
    return ratio


def _interval(resampled: Floats) -> tuple[Floats, Floats]:
    """The middle 95 % of each column, shape (thresholds,), of the draws that have the figure."""
    ends = np.full((2, resampled.shape[1]), np.nan)
    for index, column in enumerate(resampled.T):
        finite = column[np.isfinite(column)]
        if finite.size:
            ends[:, index] = np.quantile(finite, [0.025, 0.975])
    return ends[0], ends[1]


def _interval_columns(name: str) -> tuple[str, str, str]:
    return name, f"{name}_low", f"{name}_high"


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
