"""Where groups become marketing qualified, learned from what sales can take or should get."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logit

from ...contract import BadInput
from ...model.threshold_update import reach_by_snapshot, segment_values
from ...model.thresholds import NOBODY, Thresholds, moved
from ...settings import Thresholds as ThresholdSettings
from .capacity import capacity_line
from .counts_by_account import by_account, lines_of
from .new_entries import COLUMNS, Flow, flow_of, require_rows
from .value_and_precision import precision_line, value_line

MAX_SHIFT = 2.0
"""Log-odds that a segment's or a month's own line may at most lie from the pooled one."""

MIN_DECIDED = 200
"""Newly qualified groups that sales decided on, from which on verdicts say what is precise."""

Which = NDArray[np.bool_]


@dataclass(frozen=True)
class Cases:
    """Who newly qualifies at which line, and what became of them.

    Attributes:
        flow: the entries.
        account: shape (entries,); number of each one's account.
        hit: shape (entries,); converted within the horizon, or accepted by sales.
    """

    flow: Flow
    account: NDArray[np.intp]
    hit: Which

    def of(self, which: Which) -> Cases:
        """The cases for which `which`, shape (entries,), holds."""
        return Cases(self.flow.of(which), self.account[which], self.hit[which])

    def entries(self, line: float) -> int:
        """Newly qualified groups at a line."""
        return int(self.flow.entries(np.array([line]))[0])

    def rate(self, line: float) -> float:
        """Share of hits among the newly qualified at a line; 0 without any."""
        hits = self.of(self.hit).entries(line)
        return hits / self.entries(line) if hits else 0.0


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


def learn_thresholds(rows: pd.DataFrame, settings: ThresholdSettings) -> Thresholds:
    """The thresholds of a policy, pooled, by segment and by month.

    A group qualifies at a snapshot if its readiness and its completeness reach their thresholds;
    it is newly qualified if it was not at the snapshot before. By policy, the pooled line is

    capacity    the lowest at which sales can take all newly qualified groups a week, those of
                segments with a capacity of their own apart; not below the base rate. It is where
                `following.follow` sets out
    value       the one whose newly qualified groups earn most, shrunk toward cost / gain
    precision   the lowest at which the lower confidence bound of the share of the newly qualified
                that convert within the horizon reaches the precision asked for. With a column
                `accepted` (true, false or null) and at least 200 newly qualified decided cases at
                the loosest line, it is the share that sales accepted of those they decided on

    Segments and months have lines of their own, moved toward the pooled one: their shift, at most
    2 in log-odds, counts n / (n + shrinkage). n is the number of cases that speak for it at the
    pooled line: newly qualified groups for capacity, the conversions to be expected of them for
    the others. With few cases the shift is small, and 0 with none.

    By capacity, segments and months differ where the settings give them a capacity. By value and
    precision all segments do, and the months that were seen in two years at least: a season that
    was seen once cannot be told from a trend.

    Args:
        rows: group_id, account_id, as_of, readiness, completeness, converted (bool), and the
            column of the segment (tier, solution_id, country), if there are segments; scored by
            trees that did not fit the row's account.
        settings: policy, capacities, gain, cost, precision, shrinkage.

    Raises:
        ValueError: a column is missing or the rows are no snapshots (see `flow.require_rows`).
        BadInput: policy "value" without gain and cost.
    """
    require_rows(rows, (*COLUMNS, "account_id", "converted"))
    require_policy(settings)
    found = Thresholds(
        settings.policy,
        settings.completeness,
        pooled=0.0,
        least=float(rows["converted"].mean()) if settings.policy == "capacity" else 0.0,
        segment=None if settings.segment == "none" else settings.segment,
    )
    values = np.array(segment_values(rows, found), dtype=object)
    cases, places = _cases(rows, found)
    values, moments = values[places], pd.DatetimeIndex(rows["as_of"].iloc[places])
    if settings.policy == "capacity":
        return _by_capacity(cases, values, found, settings)
    return _by_outcome(cases, values, moments, found, settings)


def _cases(rows: pd.DataFrame, found: Thresholds) -> tuple[Cases, NDArray[np.intp]]:
    """The cases, and their places in the rows."""
    flow = flow_of(rows, reach_by_snapshot(rows, found))
    account = pd.factorize(rows["account_id"])[0][flow.place]
    if found.policy == "precision" and "accepted" in rows.columns:
        accepted = rows["accepted"].iloc[flow.place]
        decided = accepted.notna().to_numpy()
        judged = Cases(flow, account, accepted.astype("boolean").fillna(False).to_numpy(np.bool_))
        judged = judged.of(decided)
        if judged.entries(0.0) >= MIN_DECIDED:
            return judged, judged.flow.place
    converted = rows["converted"].to_numpy(np.bool_)[flow.place]
    return Cases(flow, account, converted), flow.place


def _by_capacity(
    cases: Cases, values: NDArray[Any], found: Thresholds, settings: ThresholdSettings
) -> Thresholds:
    own = settings.capacity_by_segment
    shared = cases.of(~np.isin(values, list(own))) if own else cases
    pooled = capacity_line(shared.flow, settings.capacity_per_week, found.least)

    def shift(of: Cases, capacity: float) -> float:
        line = capacity_line(of.flow, capacity, found.least)
        return _shift(line, pooled, of.entries(pooled), settings)

    return replace(
        found,
        pooled=pooled,
        segments={value: shift(cases.of(values == value), own[value]) for value in sorted(own)},
        months={
            int(month): shift(shared, capacity)
            for month, capacity in sorted(settings.capacity_by_month.items(), key=_number)
        },
    )


def _by_outcome(
    cases: Cases,
    values: NDArray[Any],
    moments: pd.DatetimeIndex,
    found: Thresholds,
    settings: ThresholdSettings,
) -> Thresholds:
    pooled = _own_line(cases, settings)
    if settings.policy == "value" and settings.gain and settings.cost:
        prior = settings.cost / settings.gain
        hits = cases.of(cases.hit).entries(prior)
        pooled = float(moved(prior, np.array([_shift(pooled, prior, hits, settings)]))[0])
    rate = cases.rate(pooled)

    def shift(which: Which) -> float:
        some = cases.of(which)
        expected = some.entries(pooled) * rate
        return _shift(_own_line(some, settings), pooled, expected, settings) if expected else 0.0

    years = moments.year.to_numpy()
    month = moments.month.to_numpy()
    seen_twice = [one for one in range(1, 13) if np.unique(years[month == one]).size > 1]
    named = sorted({value for value in values if isinstance(value, str)})
    return replace(
        found,
        pooled=pooled,
        segments={value: shift(values == value) for value in named},
        months={one: shift(month == one) for one in seen_twice},
    )


def _own_line(cases: Cases, settings: ThresholdSettings) -> float:
    """The line of these cases alone, by outcome."""
    flow = cases.flow
    lines = lines_of(np.concatenate((flow.now, flow.before)))
    if not lines.size:
        return NOBODY
    accounts = int(cases.account.max()) + 1
    count: Callable[[Which | None], NDArray[np.float64]] = lambda which: by_account(  # noqa: E731
        flow.now, flow.before, lines, cases.account, accounts, which
    )
    entries, hits = count(None), count(cases.hit)
    if settings.policy == "value" and settings.gain and settings.cost:
        return value_line(lines, entries, hits, settings.gain, settings.cost)
    return precision_line(lines, entries, hits, settings.precision, settings.confidence)


def _shift(line: float, pooled: float, cases: float, settings: ThresholdSettings) -> float:
    """Log-odds from the pooled line to one's own, shrunk by the cases that speak for it."""
    if not cases:
        return 0.0
    ends = logit(np.clip([pooled, line], 1e-6, 1 - 1e-6))
    own = float(np.clip(ends[1] - ends[0], -MAX_SHIFT, MAX_SHIFT))
    return own * cases / (cases + settings.shrinkage)


def _number(item: tuple[str, float]) -> int:
    return int(item[0])
