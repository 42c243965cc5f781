"""The plain numbers that make a chance of a raw score."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.model.calibrators import Beta, Blend, Platt, VennAbers, calibrator_from_dict

SCORES = np.linspace(-5, 5, 21)
SLOPES = st.floats(0.01, 5.0)
OFFSETS = st.floats(-3.0, 3.0)


def by_the_paper(calibrator, score):
    """Kull, Silva Filho and Flach (2017), equation 2, with c = intercept."""
    s = 1 / (1 + np.exp(-score))
    ratio = np.exp(calibrator.intercept) * s**calibrator.above / (1 - s) ** calibrator.below
    return 1 / (1 + 1 / ratio)


@given(SLOPES, SLOPES, OFFSETS)
@settings(max_examples=50, deadline=None, derandomize=True)
def test_beta_is_the_map_of_its_paper(above, below, intercept):
    beta = Beta(above, below, intercept)
    assert beta(SCORES) == pytest.approx(by_the_paper(beta, SCORES))


@given(SLOPES, OFFSETS)
@settings(max_examples=50, deadline=None, derandomize=True)
def test_beta_with_equal_sides_is_platt(slope, intercept):
    assert Beta(slope, slope, intercept)(SCORES) == pytest.approx(Platt(slope, intercept)(SCORES))


@given(SLOPES, SLOPES, OFFSETS)
@settings(max_examples=50, deadline=None, derandomize=True)
def test_beta_rises_with_the_score(above, below, intercept):
    chance = Beta(above, below, intercept)(SCORES)
    assert (np.diff(chance) >= 0).all()
    assert chance[0] < chance[-1]


def test_extreme_scores_have_finite_chances():
    for calibrator in (Platt(2.0, 0.0), Beta(2.0, 0.5, 0.0)):
        assert calibrator(np.array([-1e4, 1e4])).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("calibrator", [Platt(0.5, 1.0), Beta(0.5, 2.0, 1.0)])
def test_a_calibrator_comes_back_from_its_numbers(calibrator):
    assert calibrator_from_dict(asdict(calibrator)) == calibrator


def test_numbers_of_neither_map_are_refused():
    with pytest.raises(TypeError):
        calibrator_from_dict({"above": 1.0, "intercept": 0.0})


def test_the_rule_is_the_mean_of_engagement_and_completeness_in_percent():
    blend = Blend(0.0, 0, 0.1, -4.0, 0.0, 0.0)
    got = blend.rule_log_odds(np.array([30.0, np.nan]), np.array([0.7, 0.5]))
    assert got == pytest.approx([0.1 * (30 + 70) / 2 - 4, 0.1 * 25 - 4])


@given(st.floats(0, 1), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_what_the_rules_columns_add_is_the_rules_share_above_the_average(share, seed):
    draw = np.random.default_rng(seed)
    engagement, completeness = draw.uniform(0, 100, 50), draw.uniform(0, 1, 50)
    blend = Blend(share, 3, 0.04, -2.0, engagement.mean(), completeness.mean())
    rule = blend.rule_log_odds(engagement, completeness)
    added = np.sum(blend.rule_contributions(engagement, completeness), axis=0)
    assert added == pytest.approx((1 - share) * (rule - rule.mean()), abs=1e-9)


def test_an_interval_is_exact_at_its_scores_and_constant_outside():
    table = VennAbers((0.0, 1.0), (0.1, 0.3), (0.2, 0.6))
    low, high = table.bounds(np.array([-9.0, 0.0, 0.5, 1.0, 9.0]))
    assert low == pytest.approx([0.1, 0.1, 0.2, 0.3, 0.3])
    assert high == pytest.approx([0.2, 0.2, 0.4, 0.6, 0.6])
