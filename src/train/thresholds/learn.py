"""Where groups become marketing qualified, learned from what sales can take or should get."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logit

from ...contract import BadInput
from ...model.threshold_update import SEGMENT_COLUMNS, qualifying_thresholds, segment_values
from ...model.thresholds import UNREACHABLE, Thresholds, shift_threshold
from ...settings import ThresholdSettings
from .capacity import capacity_threshold
from .counts_by_account import candidate_thresholds, count_by_account
from .new_entries import SCORED_COLUMNS, NewEntries, find_new_entries, require_scored_rows
from .rate_weights import ALIKE, RateWeights, rate_weights
from .value_and_precision import precision_threshold, value_threshold

MAX_SHIFT = 2.0
"""Log-odds that a segment's or a month's own threshold may at most lie from the pooled one."""

MIN_DECIDED = 200
"""Newly qualified groups that sales decided on, from which on verdicts say what is precise."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class EntryOutcomes:
    """Who newly qualifies at which threshold, and what became of them.

    Attributes:
        entries: the entries.
        account: shape (entries,); number of each one's account.
        hit: shape (entries,); converted within the horizon, or accepted by sales.
        weights: what a hit and another entry count; other than 1 where another share of groups is
            expected to convert than did.
    """

    entries: NewEntries
    account: NDArray[np.intp]
    hit: Mask
    weights: RateWeights = ALIKE

    def select(self, mask: Mask) -> EntryOutcomes:
        """The cases for which `mask`, shape (entries,), holds."""
        return replace(
            self,
            entries=self.entries.select(mask),
            account=self.account[mask],
            hit=self.hit[mask],
        )

    def count(self, threshold: float) -> int:
        """Newly qualified groups at a threshold."""
        return int(self.entries.count(np.array([threshold]))[0])

    def hit_rate(self, threshold: float) -> float:
        """Share of hits among the newly qualified at a threshold; 0 without any."""
        hits = self.select(self.hit).count(threshold)
        if not hits:
            return 0.0
        expected_hits, cases = self.weights.apply(float(hits), float(self.count(threshold)))
        return expected_hits / cases


def require_policy(settings: ThresholdSettings) -> None:
    """Makes sure that the policy knows what it needs to know, before any work.

    Raises:
        BadInput: policy "value" without gain and cost.
    """
    if settings.policy == "value" and (settings.gain is None or settings.cost is None):
        raise BadInput(
            '[thresholds] policy = "value" needs gain (of a conversion) and cost (of a touch), '
            "got none: set both in account currency"
        )


def require_known_segments(rows: pd.DataFrame, settings: ThresholdSettings) -> None:
    """Makes sure that every segment with a capacity of its own has groups.

    Args:
        rows: the columns of the segments.
        settings: whose capacities count.

    Raises:
        BadInput: a segment has no group.
    """
    if settings.segment == "none" or not settings.capacity_by_segment:
        return
    known = sorted({str(value) for value in rows[SEGMENT_COLUMNS[settings.segment]].dropna()})
    for name in settings.capacity_by_segment:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "; take it out"
            raise BadInput(
                f"[thresholds] capacity_by_segment: expected values of {settings.segment} that "
                f"groups have ({', '.join(known[:10]) or 'there are none'}), got {name!r}{hint}"
            )


def learn_thresholds(
    rows: pd.DataFrame, settings: ThresholdSettings, expected_rate: float | None = None
) -> Thresholds:
    """The thresholds of a policy, pooled, by segment and by month.

    A group qualifies at a snapshot if its readiness and its completeness reach their thresholds;
    it is newly qualified if it was not at the snapshot before. By policy, the pooled threshold is

    capacity    the lowest at which sales can take all newly qualified groups a week, those of
                segments with a capacity of their own apart; not below the base rate. It is where
                `update_threshold` sets out
    value       the one whose newly qualified groups earn most, shrunk toward cost / gain
    precision   the lowest at which the lower confidence bound of the share of the newly qualified
                that convert within the horizon reaches the precision asked for. With a column
                `accepted` (true, false or null) and at least 200 newly qualified decided cases at
                the loosest threshold, it is the share that sales accepted of those they decided on

    Segments and months have thresholds of their own, moved toward the pooled one: their shift, at
    most 2 in log-odds, counts n / (n + shrinkage). n is the number of cases that speak for it at
    the pooled threshold: newly qualified groups for capacity, the conversions to be expected of
    them for the others. With few cases the shift is small, and 0 with none.

    By capacity, segments and months differ where the settings give them a capacity. By value and
    precision all segments do, and the months that were seen in two years at least: a season that
    was seen once cannot be distinguished from a trend.

    Args:
        rows: group_id, account_id, as_of, readiness, completeness, converted (bool), and the
            column of the segment (tier, solution_id, country), if there are segments; scored by
            trees that did not fit the row's account.
        settings: policy, capacities, gain, cost, precision, shrinkage.
        expected_rate: share of the rows that is expected to convert, where it is another than did:
            the readiness of `rows` is moved to it already, and the floor, and what conversions
            are worth and how many there are, are moved with it.

    Raises:
        ValueError: a column is missing or the rows are no snapshots (see `require_scored_rows`).
        BadInput: policy "value" without gain and cost.
    """
    require_scored_rows(rows, (*SCORED_COLUMNS, "account_id", "converted"))
    require_policy(settings)
    initial = Thresholds(
        settings.policy,
        settings.completeness,
        pooled=0.0,
        floor=(expected_rate or float(rows["converted"].mean()))
        if settings.policy == "capacity"
        else 0.0,
        segment=None if settings.segment == "none" else settings.segment,
    )
    segments = np.array(segment_values(rows, initial), dtype=object)
    outcomes, row_index = _entry_outcomes(
        rows, initial, rate_weights(rows["converted"].to_numpy(np.bool_), expected_rate)
    )
    segments, as_of = segments[row_index], pd.DatetimeIndex(rows["as_of"].iloc[row_index])
    if settings.policy == "capacity":
        return _capacity_thresholds(outcomes, segments, initial, settings)
    return _outcome_thresholds(outcomes, segments, as_of, initial, settings)


def _entry_outcomes(
    rows: pd.DataFrame, initial: Thresholds, weights: RateWeights
) -> tuple[EntryOutcomes, NDArray[np.intp]]:
    """The cases, and their places in the rows."""
    entries = find_new_entries(rows, qualifying_thresholds(rows, initial))
    account = pd.factorize(rows["account_id"])[0][entries.row_index]
    if initial.policy == "precision" and "accepted" in rows.columns:
        accepted = rows["accepted"].iloc[entries.row_index]
        decided = accepted.notna().to_numpy()
        by_verdict = EntryOutcomes(
            entries, account, accepted.astype("boolean").fillna(False).to_numpy(np.bool_)
        )
        by_verdict = by_verdict.select(decided)
        if by_verdict.count(0.0) >= MIN_DECIDED:
            return by_verdict, by_verdict.entries.row_index
    converted = rows["converted"].to_numpy(np.bool_)[entries.row_index]
    return EntryOutcomes(entries, account, converted, weights), entries.row_index


def _capacity_thresholds(
    outcomes: EntryOutcomes,
    segments: NDArray[Any],
    initial: Thresholds,
    settings: ThresholdSettings,
) -> Thresholds:
    own_capacity = settings.capacity_by_segment
    shared = outcomes.select(~np.isin(segments, list(own_capacity))) if own_capacity else outcomes
    pooled = capacity_threshold(shared.entries, settings.capacity_per_week, initial.floor)

    def shift(subset: EntryOutcomes, capacity: float) -> float:
        threshold = capacity_threshold(subset.entries, capacity, initial.floor)
        return _shrunk_shift(threshold, pooled, subset.count(pooled), settings)

    return replace(
        initial,
        pooled=pooled,
        segment_shifts={
            value: shift(outcomes.select(segments == value), own_capacity[value])
            for value in sorted(own_capacity)
        },
        month_shifts={
            int(month): shift(shared, capacity)
            for month, capacity in sorted(settings.capacity_by_month.items(), key=_month_number)
        },
    )


def _outcome_thresholds(
    outcomes: EntryOutcomes,
    segments: NDArray[Any],
    as_of: pd.DatetimeIndex,
    initial: Thresholds,
    settings: ThresholdSettings,
) -> Thresholds:
    pooled = _own_threshold(outcomes, settings)
    if settings.policy == "value" and settings.gain and settings.cost:
        prior = settings.cost / settings.gain
        hits = outcomes.select(outcomes.hit).count(prior)
        pooled = float(
            shift_threshold(prior, np.array([_shrunk_shift(pooled, prior, hits, settings)]))[0]
        )
    rate = outcomes.hit_rate(pooled)

    def shift(mask: Mask) -> float:
        subset = outcomes.select(mask)
        expected_hits = subset.count(pooled) * rate
        return (
            _shrunk_shift(_own_threshold(subset, settings), pooled, expected_hits, settings)
            if expected_hits
            else 0.0
        )

    years = as_of.year.to_numpy()
    month = as_of.month.to_numpy()
    recurring_months = [one for one in range(1, 13) if np.unique(years[month == one]).size > 1]
    segment_names = sorted({value for value in segments if isinstance(value, str)})
    return replace(
        initial,
        pooled=pooled,
        segment_shifts={value: shift(segments == value) for value in segment_names},
        month_shifts={one: shift(month == one) for one in recurring_months},
    )


def _own_threshold(outcomes: EntryOutcomes, settings: ThresholdSettings) -> float:
    """The threshold of these cases alone, by outcome."""
    new_entries = outcomes.entries
    thresholds = candidate_thresholds(
        np.concatenate((new_entries.qualifying_threshold, new_entries.previous_threshold))
    )
    if not thresholds.size:
        return UNREACHABLE
    account_count = int(outcomes.account.max()) + 1
    count: Callable[[Mask | None], NDArray[np.float64]] = lambda which: count_by_account(  # noqa: E731
        new_entries.qualifying_threshold,
        new_entries.previous_threshold,
        thresholds,
        outcomes.account,
        account_count,
        which,
    )
    hits, entries = outcomes.weights.apply(count(outcomes.hit), count(None))
    if settings.policy == "value" and settings.gain and settings.cost:
        return value_threshold(thresholds, entries, hits, settings.gain, settings.cost)
    return precision_threshold(thresholds, entries, hits, settings.precision, settings.confidence)


def _shrunk_shift(
    threshold: float, pooled: float, cases: float, settings: ThresholdSettings
) -> float:
    """Log-odds from the pooled threshold to one's own, shrunk by the cases that speak for it."""
    if not cases:
        return 0.0
    log_odds = logit(np.clip([pooled, threshold], 1e-6, 1 - 1e-6))
    own = float(np.clip(log_odds[1] - log_odds[0], -MAX_SHIFT, MAX_SHIFT))
    return own * cases / (cases + settings.shrinkage)


def _month_number(item: tuple[str, float]) -> int:
    return int(item[0])
