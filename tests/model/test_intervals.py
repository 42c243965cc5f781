"""Changes of a readiness, and whether models of other accounts would see them, too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqbg.model.intervals import change_interval
from scipy.special import expit, logit
from scipy.stats import t

CHANCES = st.floats(0.001, 0.999)
MOVES = st.lists(st.floats(-5, 5), min_size=2, max_size=6).filter(lambda moves: len(moves) % 2 == 0)


@given(CHANCES, CHANCES, MOVES, st.booleans())
def test_the_change_itself_lies_inside(before, after, moves, paired):
    low, high = change_interval(
        np.array([before]), np.array([after]), np.array(moves)[:, None], paired=paired
    )
    assert low[0] <= after - before <= high[0]


def test_the_ends_are_as_far_away_as_the_moves_of_a_pair_differ():
    moves = np.array([[0.2], [0.5], [0.9], [0.1]])
    low, high = change_interval(np.array([0.1]), np.array([0.2]), moves, paired=True)
    width = t.ppf(0.9, 2) * np.sqrt((0.3**2 + 0.8**2) / 4)
    assert low[0] == pytest.approx(expit(logit(0.2) - width) - 0.1)
    assert high[0] == pytest.approx(expit(logit(0.2) + width) - 0.1)


def test_refits_that_move_a_row_alike_leave_its_change_sure():
    low, high = change_interval(np.array([0.1]), np.array([0.3]), np.full((4, 1), 1.3), paired=True)
    assert (low[0], high[0]) == pytest.approx((0.2, 0.2))


# A planted world: of two actions one moves the chance and the other does not.

EFFECT, ACCOUNTS, ROWS, PAIRS, WORLDS = 1.0, 120, 4, 5, 80
"""Log-odds of the first action; accounts of a world; rows of each; pairs of refits."""


def regression(x, converted):
    """Slopes by Newton's steps with a small penalty."""
    beta = np.zeros(x.shape[1])
    for _step in range(12):
        chance = expit(x @ beta)
        hessian = (x * (chance * (1 - chance))[:, None]).T @ x + 0.1 * np.eye(x.shape[1])
        beta += np.linalg.solve(hessian, x.T @ (converted - chance) - 0.1 * beta)
    return beta


def low_ends(seed):
    """Lower ends of the changes by the action that helps and by the one that does not."""
    draw = np.random.default_rng(seed)
    account = np.repeat(np.arange(ACCOUNTS), ROWS)
    own = draw.normal(scale=0.7, size=ACCOUNTS)[account]  # accounts share a fate
    x = np.column_stack([np.ones(account.size), draw.normal(size=(account.size, 2))])
    converted = draw.random(account.size) < expit(-1 + EFFECT * x[:, 1] + own)
    before = np.array([[1.0, 0.0, 0.0]] * 2)
    after = before + np.eye(3)[1:]
    beta = regression(x, converted)
    moved = []
    for _pair in range(PAIRS):
        first = (draw.permutation(ACCOUNTS) < ACCOUNTS // 2)[account]
        for half in (first, ~first):
            refit = regression(x[half], converted[half])
            moved.append((after - before) @ refit)
    low, _high = change_interval(
        expit(before @ beta), expit(after @ beta), np.array(moved), paired=True
    )
    return low


def test_an_action_that_helps_is_shown_and_one_that_does_not_is_not():
    shown = np.mean([low_ends(seed) > 0 for seed in range(WORLDS)], axis=0)
    helps, does_not = shown
    assert helps >= 0.95
    assert does_not <= 0.1  # by chance 4 %: one side of where two models of it would differ
