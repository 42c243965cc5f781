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

from .parameters import ROLES, Truth
from .timeline import Floats, Integers
from .truth import State, engaged_of_role


def synergy_share(own: NDArray[np.int64], other: NDArray[np.int64]) -> Floats:
    """Shapley value of one of `own` players where one of them and one of `other` must meet.

    Zero where either is zero.
    """
    value = other / np.maximum(own * (own + other), 1)
    return np.where((own > 0) & (other > 0), value, 0.0)


def contributions(truth: Truth, state: State, group: Integers, first: Integers) -> Floats:
    """The Shapley value of every pair at every instant of the state, 0 if absent.

    Args:
        truth: the weights.
        state: pairs at instants.
        group: shape (pairs,); the group of each pair, ascending.
        first: shape (groups,); where each group's pairs begin.

    Returns:
        shape (pairs, instants), in log-odds.
    """
    part = state.value.copy()
    number = {role: engaged_of_role(state, first, role) for role in ROLES}
    for role in truth.key_roles:
        share = truth.coverage / len(truth.key_roles) / np.maximum(number[role], 1)
        _give(part, state, role, share, group)
    one, other = truth.synergy_roles
    _give(part, state, one, truth.synergy * synergy_share(number[one], number[other]), group)
    _give(part, state, other, truth.synergy * synergy_share(number[other], number[one]), group)
    return part


def _give(part: Floats, state: State, role: str, share: Floats, group: Integers) -> None:
    pair, instant = np.nonzero(state.engaged & (state.role == ROLES.index(role)))
    part[pair, instant] += share[group[pair], instant]
