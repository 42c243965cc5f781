"""What OUT/truth holds: weekly hazards, and Shapley values of members at every month's start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from .columns import ids, times, words
from .outcomes import Outcomes
from .parameters import ROLES
from .people import Groups, Pairs
from .timeline import Floats, Integers
from .truth import ABSENT, State


@dataclass(frozen=True, slots=True)
class Known:
    """The truth at chosen instants.

    Attributes:
        instants: ascending.
        state: of the pairs, (pairs, instants).
        log_odds: shape (groups, instants).
    """

    instants: Integers
    state: State
    log_odds: Floats

    def at(self, instants: Integers) -> Known:
        """The same at some of its instants."""
        where = np.searchsorted(self.instants, instants)
        state = State(
            self.state.role[:, where],
            self.state.value[:, where],
            self.state.engaged[:, where],
            self.state.base[:, where],
        )
        return Known(instants, state, self.log_odds[:, where])


def sigmoid(log_odds: Floats) -> Floats:
    """The probability that stands behind log-odds, also where they are far from 0."""
    small = np.exp(-np.abs(log_odds))
    probability: Floats = np.where(log_odds >= 0, 1.0, small) / (1.0 + small)
    return probability


def hazard_table(groups: Groups, outcomes: Outcomes, weekly: Known) -> Any:
    """Every group and every week that begins after its creation.

    `hazard` is the chance that the group converts in the week that `week` begins.
    """
    group, week = np.nonzero(groups.created[:, None] < weekly.instants)
    log_odds = weekly.log_odds[group, week]
    return pa.table(
        {
            "group_id": ids("G", group, 6),
            "week": times(weekly.instants[week]),
            "log_odds": pa.array(log_odds),
            "hazard": pa.array(sigmoid(log_odds)),
            "at_risk": pa.array(outcomes.at_risk[group, week]),
        }
    )


def base_table(groups: Groups, outcomes: Outcomes, monthly: Known) -> Any:
    """Log-odds with nobody in the group and with everybody, of every eligible group."""
    group, month = np.nonzero(outcomes.eligible(groups, monthly.instants))
    return pa.table(
        {
            "group_id": ids("G", group, 6),
            "as_of": times(monthly.instants[month]),
            "base_log_odds": pa.array(monthly.state.base[group, month]),
            "log_odds": pa.array(monthly.log_odds[group, month]),
        }
    )


def shapley_table(
    groups: Groups, pairs: Pairs, outcomes: Outcomes, monthly: Known, part: Floats
) -> Any:
    """Contribution of every member of every eligible group, shape (pairs, months) in `part`."""
    counts = outcomes.eligible(groups, monthly.instants)[pairs.group]
    pair, month = np.nonzero(counts & (monthly.state.role != ABSENT))
    order = np.lexsort((pairs.contact[pair], month, pairs.group[pair]))
    pair, month = pair[order], month[order]
    return pa.table(
        {
            "group_id": ids("G", pairs.group[pair], 6),
            "as_of": times(monthly.instants[month]),
            "contact_id": ids("C", pairs.contact[pair], 6),
            "role": words(ROLES, monthly.state.role[pair, month]),
            "contribution": pa.array(part[pair, month]),
        }
    )
