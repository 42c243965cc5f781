"""What OUT/truth holds: weekly hazards, and Shapley values of members at every month's start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from .columns import category_column, id_column, timestamp_column
from .outcomes import Outcomes
from .parameters import ROLES
from .people import Groups, Memberships
from .timeline import Floats, Integers
from .truth import ABSENT, MemberState


@dataclass(frozen=True, slots=True)
class TruthTimeline:
    """The truth at chosen instants.

    Attributes:
        instants: ascending.
        state: of the pairs, (pairs, instants).
        log_odds: shape (groups, instants).
    """

    instants: Integers
    state: MemberState
    log_odds: Floats

    def at(self, instants: Integers) -> TruthTimeline:
        """The same at some of its instants."""
        where = np.searchsorted(self.instants, instants)
        state = MemberState(
            self.state.role[:, where],
            self.state.own_log_odds[:, where],
            self.state.engaged[:, where],
            self.state.base_log_odds[:, where],
        )
        return TruthTimeline(instants, state, self.log_odds[:, where])


def sigmoid(log_odds: Floats) -> Floats:
    """The probability that log-odds mean, also where they are far from 0."""
    small = np.exp(-np.abs(log_odds))
    probability: Floats = np.where(log_odds >= 0, 1.0, small) / (1.0 + small)
    return probability


def hazard_table(groups: Groups, outcomes: Outcomes, weekly: TruthTimeline) -> Any:
    """Every group and every week that begins after its creation.

    `hazard` is the chance that the group converts in the week that `week` begins.
    """
    group, week = np.nonzero(groups.created[:, None] < weekly.instants)
    log_odds = weekly.log_odds[group, week]
    return pa.table(
        {
            "group_id": id_column("G", group, 6),
            "week": timestamp_column(weekly.instants[week]),
            "log_odds": pa.array(log_odds),
            "hazard": pa.array(sigmoid(log_odds)),
            "at_risk": pa.array(outcomes.at_risk[group, week]),
        }
    )


def base_table(groups: Groups, outcomes: Outcomes, monthly: TruthTimeline) -> Any:
    """Log-odds with nobody in the group and with everybody, of every eligible group."""
    group, month = np.nonzero(outcomes.eligible(groups, monthly.instants))
    return pa.table(
        {
            "group_id": id_column("G", group, 6),
            "as_of": timestamp_column(monthly.instants[month]),
            "base_log_odds": pa.array(monthly.state.base_log_odds[group, month]),
            "log_odds": pa.array(monthly.log_odds[group, month]),
        }
    )


def shapley_table(
    groups: Groups,
    memberships: Memberships,
    outcomes: Outcomes,
    monthly: TruthTimeline,
    contributions: Floats,
) -> Any:
    """Contribution of every member of every eligible group, (memberships, months)."""
    counts = outcomes.eligible(groups, monthly.instants)[memberships.group]
    membership, month = np.nonzero(counts & (monthly.state.role != ABSENT))
    order = np.lexsort((memberships.contact[membership], month, memberships.group[membership]))
    membership, month = membership[order], month[order]
    return pa.table(
        {
            "group_id": id_column("G", memberships.group[membership], 6),
            "as_of": timestamp_column(monthly.instants[month]),
            "contact_id": id_column("C", memberships.contact[membership], 6),
            "role": category_column(ROLES, monthly.state.role[membership, month]),
            "contribution": pa.array(contributions[membership, month]),
        }
    )
