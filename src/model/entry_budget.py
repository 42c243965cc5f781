"""How many groups may newly qualify on a night, so that sales get what they can take a week.

A threshold alone does not hold a capacity at night. Readiness moves every day, so groups reach a
threshold between the snapshots that it was learned on, and after the readiest have entered the rest
come in bursts. So capacity adds up from one run of the job to the next, at its own cadence, each
group that newly qualifies takes one of it, and a night lets in as many as there is capacity for:
the readiest first. Training replays its nights by the same rule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..settings import ThresholdSettings
from .thresholds import Floats, just_above

SHARED_TEAM = ""
"""The team that takes the groups of every segment without a capacity of its own."""

CARRIED_WEEKS = 1.0
"""Weeks of capacity that may be left over, or taken in advance, from one run to the next: a slack
season does not flood the one after it, and a capacity that was lowered is met at once."""

FIRST_RUN_WEEKS = 1.0
"""Weeks of capacity of the first run: those ready by then are worked off as any others."""

_ROUNDING = 1e-9


@dataclass(frozen=True)
class EntryBudget:
    """What each team may still take, from run to run of the job.

    Attributes:
        settings: whose capacities count.
        as_of: of the last run; None before the first.
        balance: groups by team; missing before the first run. May be negative: more came in than
            could be taken.
    """

    settings: ThresholdSettings
    as_of: datetime | None = None
    balance: Mapping[str, float] = field(default_factory=dict)

    def advance(self, as_of: datetime) -> EntryBudget:
        """The budget of a run: what was left over and what has added up since the last one."""
        weeks = (
            FIRST_RUN_WEEKS
            if self.as_of is None
            else (as_of - self.as_of).total_seconds() / (7 * 86_400)
        )
        balance = {}
        for team, capacity in team_capacities(self.settings, as_of.month).items():
            most = max(CARRIED_WEEKS * capacity, 1.0)
            left = float(np.clip(self.balance.get(team, 0.0), -most, most))
            balance[team] = left + capacity * weeks
        return replace(self, as_of=as_of, balance=balance)

    def spend(self, entries: Mapping[str, int]) -> EntryBudget:
        """The budget after groups newly qualified, by team."""
        left = {team: amount - entries.get(team, 0) for team, amount in self.balance.items()}
        return replace(self, balance=left)

    def allowed(self, team: str) -> int:
        """Whole groups that a team may take now."""
        return max(int(np.floor(self.balance.get(team, 0.0) + _ROUNDING)), 0)


def budget_after(
    settings: ThresholdSettings, runs: Iterable[tuple[datetime, Mapping[str, int]]]
) -> EntryBudget:
    """The budget after some runs, in order of time: when each was and who newly qualified."""
    budget = EntryBudget(settings)
    for as_of, entries in runs:
        budget = budget.advance(as_of).spend(entries)
    return budget


def team_capacities(settings: ThresholdSettings, month: int) -> dict[str, float]:
    """Groups a week of each team in a month, 1 to 12; the shared team under `SHARED_TEAM`."""
    shared = settings.capacity_by_month.get(str(month), settings.capacity_per_week)
    return {SHARED_TEAM: shared, **settings.capacity_by_segment}


@dataclass(frozen=True)
class EntryQuota:
    """What a run may let in.

    Attributes:
        team: shape (rows,); the team of each row of the scores.
        budget: of the run.
        floor: readiness under which no group enters, however much capacity there is.
    """

    team: NDArray[Any]
    budget: EntryBudget
    floor: float = 0.0

    def admit(
        self, scores: pd.DataFrame, candidate: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], Floats]:
        """Who enters, and from which readiness on each row's team took groups.

        Each team takes its readiest candidates; equal ones by completeness, then by engagement,
        then by group_id. Where there is capacity for all of them the threshold is the floor. Where
        there is for none it lies just above the readiest.

        Args:
            scores: group_id, readiness, completeness and engagement, a row per group.
            candidate: shape (rows,); who would enter if there were room.

        Returns:
            Shape (rows,) each: whether the row enters, and its threshold.
        """
        admitted, line = np.zeros(len(scores), np.bool_), np.full(len(scores), self.floor)
        readiness = scores["readiness"].to_numpy(np.float64)
        order = _admission_order(scores)
        eligible = candidate & (readiness >= self.floor)
        for team in np.unique(self.team.astype(str)):
            in_team = self.team == team
            queue = order[(eligible & in_team)[order]]
            allowed = self.budget.allowed(team)
            admitted[queue[:allowed]] = True
            if allowed < queue.size:
                line[in_team] = (
                    readiness[queue[allowed - 1]] if allowed else just_above(readiness[queue[0]])
                )
        return admitted, line

    def entries(self, entered: NDArray[np.bool_]) -> Mapping[str, int]:
        """How many of the rows that entered, shape (rows,), each team took."""
        return Counter(self.team[entered].tolist())


def teams(segments: Iterable[Any], settings: ThresholdSettings) -> NDArray[Any]:
    """The team that takes each group, by its segment."""
    own = settings.capacity_by_segment
    return np.array([value if value in own else SHARED_TEAM for value in segments], dtype=object)


def _admission_order(scores: pd.DataFrame) -> NDArray[np.intp]:
    """Rows from the first to enter to the last."""
    return np.lexsort(
        (
            scores["group_id"].to_numpy(str),
            -scores["engagement"].to_numpy(np.float64),
            -scores["completeness"].to_numpy(np.float64),
            -scores["readiness"].to_numpy(np.float64),
        )
    )
