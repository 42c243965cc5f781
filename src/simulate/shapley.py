"""Exact Shapley values of members in the true log-odds, in closed form.

The game is v(S) = log-odds with only the members in S. It is a sum of three kinds of games, and
Shapley values add up over sums:

- each member's own saturated engagement: additive, so a member gets its own value;
- a key role is covered if one of its k engaged members is in S: by symmetry each gets 1 / k;
- the synergy holds if one of m engaged people of one role and one of n of the other are in S. In
  a random order of arrival somebody of the first role completes it if it comes first of the m
  (chance 1 / m), but not first of all m + n (chance 1 / (m + n)): it gets 1 / m - 1 / (m + n).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .parameters import ROLES, TrueParameters
from .timeline import Floats, Integers
from .truth import MemberState, count_engaged


def synergy_share(own: NDArray[np.int64], other: NDArray[np.int64]) -> Floats:
    """Shapley value of one of `own` players where one of them and one of `other` must meet.

    Zero where either is zero.
    """
    value = other / np.maximum(own * (own + other), 1)
    return np.where((own > 0) & (other > 0), value, 0.0)


def true_contributions(
    truth: TrueParameters, state: MemberState, group: Integers, first_of_group: Integers
) -> Floats:
    """The Shapley value of every pair at every instant of the state, 0 if absent.

    Args:
        truth: the weights.
        state: pairs at instants.
        group: shape (pairs,); the group of each pair, ascending.
        first_of_group: shape (groups,); where each group's pairs begin.

    Returns:
        shape (pairs, instants), in log-odds.
    """
    shapley_values = state.own_log_odds.copy()
    engaged_counts = {role: count_engaged(state, first_of_group, role) for role in ROLES}
    for role in truth.key_roles:
        share = truth.coverage / len(truth.key_roles) / np.maximum(engaged_counts[role], 1)
        _add_share(shapley_values, state, role, share, group)
    one, other = truth.synergy_roles
    _add_share(
        shapley_values,
        state,
        one,
        truth.synergy * synergy_share(engaged_counts[one], engaged_counts[other]),
        group,
    )
    _add_share(
        shapley_values,
        state,
        other,
        truth.synergy * synergy_share(engaged_counts[other], engaged_counts[one]),
        group,
    )
    return shapley_values


def _add_share(
    shapley_values: Floats, state: MemberState, role: str, share: Floats, group: Integers
) -> None:
    membership, instant = np.nonzero(state.engaged & (state.role == ROLES.index(role)))
    shapley_values[membership, instant] += share[group[membership], instant]
