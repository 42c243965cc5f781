"""Few labels: how much the trees may say, and what ranks where they say nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.model.calibrators import Blend
from mqbg.train.fit.shrinkage import (
    blend_with_rule,
    describe_blend,
    effective_conversions,
    trees_share,
)
from mqbg.train.fit.trees import TrainingMatrix
from sklearn.linear_model import LogisticRegression

SEED = 5


def rows(*outcomes):
    """Rows of (group, converted)."""
    groups, converted = zip(*outcomes, strict=True)
    count = len(outcomes)
    return TrainingMatrix(
        np.zeros((count, 1)),
        np.array(converted, dtype=bool),
        np.array(["a"] * count, dtype=object),
        np.array(groups, dtype=object),
        np.ones(count),
        ("x",),
        (),
    )


def blended(share=0.4, effective=40):
    return Blend(share, effective, 0.05, -3.0, 50.0, 0.5)


def test_a_group_that_converts_in_many_snapshots_is_one_effective_conversion():
    seen = [("g1", True)] * 9 + [("g2", True)] + [(f"n{n}", False) for n in range(5)]
    assert effective_conversions(rows(*seen)) == 2


def test_a_group_that_converts_later_is_no_group_without_conversion():
    assert effective_conversions(rows(("g1", False), ("g1", True), ("g2", False))) == 1
    assert effective_conversions(rows(("g1", False), ("g1", True))) == 0


def test_the_rarer_outcome_counts():
    seen = [(f"g{n}", True) for n in range(7)] + [("n1", False), ("n2", False)]
    assert effective_conversions(rows(*seen)) == 2


@pytest.mark.parametrize(
    ("effective", "fitted", "share"),
    [(0, True, 0.0), (25, True, 0.25), (100, True, 1.0), (900, True, 1.0), (900, False, 0.0)],
)
def test_the_trees_share_grows_with_effective_conversions_up_to_all(effective, fitted, share):
    assert trees_share(effective, 100, fitted=fitted) == share


@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 300))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_more_conversions_never_leave_the_trees_less_to_say(one, other, few):
    less, more = sorted((one, other))
    low, high = (trees_share(count, few, fitted=True) for count in (less, more))
    assert 0 <= low <= high <= 1


def test_the_rule_is_put_on_log_odds_by_a_logistic_regression_on_smoothed_targets():
    draw = np.random.default_rng(SEED)
    engagement, completeness = draw.uniform(0, 100, 400), draw.uniform(0, 1, 400)
    points = (engagement + 100 * completeness) / 2
    converted = draw.random(400) < 1 / (1 + np.exp(-(0.08 * points - 5)))
    found = blend_with_rule(engagement, completeness, converted, conversions=50, trees_share=0.5)
    n1, n0 = converted.sum(), (~converted).sum()
    target = np.where(converted, (n1 + 1) / (n1 + 2), 1 / (n0 + 2))
    oracle = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(
        np.concatenate((points, points))[:, None],
        np.repeat([1, 0], 400),
        sample_weight=np.concatenate((target, 1 - target)),
    )
    assert found.slope == pytest.approx(oracle.coef_[0, 0], rel=1e-4)
    assert found.intercept == pytest.approx(oracle.intercept_[0], rel=1e-4)
    assert found.mean_engagement == pytest.approx(engagement.mean())
    assert found.mean_completeness == pytest.approx(completeness.mean())


@pytest.mark.parametrize("converted", [False, True])
def test_with_one_outcome_more_points_are_still_likelier(converted):
    engagement, completeness = np.linspace(0, 100, 20), np.linspace(0, 1, 20)
    found = blend_with_rule(
        engagement, completeness, np.full(20, converted), conversions=0, trees_share=0.0
    )
    rule = found.rule_log_odds(engagement, completeness)
    assert (np.diff(rule) > 0).all()
    assert np.isfinite(rule).all()
    assert rule.mean() == pytest.approx(np.log(21) if converted else -np.log(21))


def test_a_group_that_the_rule_has_nothing_on_stands_at_its_bottom():
    engagement = np.array([np.nan, 0.0, 10.0])
    completeness = np.array([np.nan, 0.0, 0.1])
    found = blend_with_rule(
        engagement, completeness, np.array([False, False, True]), conversions=1, trees_share=0.0
    )
    nothing, zero, some = found.rule_log_odds(engagement, completeness)
    assert nothing == zero < some


def test_trees_that_stand_alone_need_no_words():
    assert describe_blend(blended(share=1.0), 100) == ""


def test_a_blend_says_how_many_conversions_it_rests_on_and_who_says_how_much():
    said = describe_blend(blended(), 100)
    assert "40 converted groups, under 100" in said
    assert "the trees make up 40%" in said


@pytest.mark.parametrize(
    ("effective", "count"), [(0, "0 converted groups"), (1, "1 converted group)")]
)
def test_without_trees_it_says_that_the_rule_ranks_and_promises_no_probability(effective, count):
    said = describe_blend(blended(0.0, effective), 100)
    assert count in said
    assert "the rule score of engagement and completeness ranks" in said
    assert "no measured probability" in said
