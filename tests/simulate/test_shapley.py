"""The closed form against every coalition of small groups."""

from __future__ import annotations

from itertools import combinations
from math import factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.simulate.parameters import ROLES, TrueParameters
from mqbg.simulate.shapley import synergy_share, true_contributions
from mqbg.simulate.truth import MemberState, true_log_odds

TRUTH = TrueParameters()
BASE = -5.0
Member = tuple[int, float]  # role code, decayed strength


def state_of(members: list[Member]) -> MemberState:
    role = np.array([[code] for code, _ in members], dtype=np.int8)
    strength = np.array([[strength] for _, strength in members])
    weight = np.array([TRUTH.role_weight[name] for name in ROLES])
    value = weight[role] * (1 - np.exp(-strength / TRUTH.saturation))
    return MemberState(role, value, strength > TRUTH.engaged_above, np.array([[BASE]]))


def value_of(members: list[Member]) -> float:
    """The game, from the words of `TrueParameters` alone."""
    total = BASE
    for code, strength in members:
        total += TRUTH.role_weight[ROLES[code]] * (1 - np.exp(-strength / TRUTH.saturation))
    awake = {ROLES[code] for code, strength in members if strength > TRUTH.engaged_above}
    total += TRUTH.coverage * len(awake & set(TRUTH.key_roles)) / len(TRUTH.key_roles)
    return total + TRUTH.synergy * (set(TRUTH.synergy_roles) <= awake)


def brute_force(members: list[Member]) -> list[float]:
    """Mean marginal contribution over all orders, by way of all coalitions."""
    n = len(members)
    parts = []
    for player in range(n):
        others = [i for i in range(n) if i != player]
        total = 0.0
        for size in range(n):
            weight = factorial(size) * factorial(n - size - 1) / factorial(n)
            for coalition in combinations(others, size):
                without = [members[i] for i in coalition]
                total += weight * (value_of([*without, members[player]]) - value_of(without))
        parts.append(total)
    return parts


def closed_form(members: list[Member]) -> list[float]:
    group, first = np.zeros(len(members), dtype=np.int64), np.array([0])
    return true_contributions(TRUTH, state_of(members), group, first)[:, 0].tolist()


MEMBERS = st.lists(
    st.tuples(st.integers(0, len(ROLES) - 1), st.floats(0, 6)), min_size=1, max_size=7
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(MEMBERS)
def test_closed_form_equals_every_coalition(members):
    np.testing.assert_allclose(closed_form(members), brute_force(members), atol=1e-12)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(MEMBERS)
def test_contributions_sum_to_the_log_odds(members):
    total = true_log_odds(TRUTH, state_of(members), np.array([0]))[0, 0]
    assert BASE + sum(closed_form(members)) == pytest.approx(total, abs=1e-12)
    assert total == pytest.approx(value_of(members), abs=1e-12)


def test_several_people_on_both_sides_of_the_synergy():
    members = [(0, 3.0), (0, 2.0), (2, 3.0), (2, 1.0), (2, 5.0), (4, 2.0)]
    np.testing.assert_allclose(closed_form(members), brute_force(members), atol=1e-12)


def test_a_silent_member_gets_exactly_nothing():
    assert closed_form([(0, 3.0), (1, 0.0), (2, 3.0)])[1] == 0.0


def test_members_alike_get_equal_parts():
    parts = closed_form([(0, 3.0), (2, 1.5), (0, 3.0)])
    assert parts[0] == parts[2]


@pytest.mark.parametrize(
    ("own", "other", "share"),
    [(0, 0, 0.0), (3, 0, 0.0), (0, 2, 0.0), (1, 1, 1 / 2), (1, 2, 2 / 3), (2, 1, 1 / 6)],
)
def test_share_of_the_synergy(own, other, share):
    assert synergy_share(np.array([own]), np.array([other]))[0] == pytest.approx(share)
