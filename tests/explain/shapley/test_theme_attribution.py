from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mqbg.explain.shapley.theme_attribution import reconcile_themes

MEMBERS, THEMES = 3, 4
QUICK = settings(max_examples=100, deadline=None, derandomize=True)
log_odds = st.floats(-8, 8, allow_subnormal=False)


@given(
    arrays(float, (MEMBERS, THEMES), elements=log_odds | st.just(0.0)),
    arrays(float, (MEMBERS, THEMES), elements=st.sampled_from([0.0, 1.0, 2.0])),
    arrays(float, MEMBERS, elements=log_odds | st.just(0.0)),
)
@QUICK
def test_the_themes_of_a_member_sum_to_the_contribution(moved, changed, contribution):
    got = reconcile_themes(moved, changed, contribution)
    for parts, whole in zip(got, contribution, strict=True):
        assert math.isclose(math.fsum(parts), whole, abs_tol=1e-9)


def test_the_rest_goes_to_the_themes_by_the_size_of_what_they_move():
    got = reconcile_themes(np.array([[3.0, -1.0, 0.0]]), np.ones((1, 3)), np.array([4.0]))
    assert got.tolist() == [[4.5, -0.5, 0.0]]


def test_where_steps_move_nothing_the_rest_goes_to_what_they_change():
    got = reconcile_themes(np.zeros((1, 3)), np.array([[3.0, 0.0, 1.0]]), np.array([2.0]))
    assert got.tolist() == [[1.5, 0.0, 0.5]]


def test_a_theme_that_moves_nothing_gets_nothing_while_another_one_moves():
    got = reconcile_themes(np.array([[0.0, 0.2]]), np.array([[9.0, 1.0]]), np.array([-1.0]))
    assert got.tolist() == [[0.0, -1.0]]
