from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.explain.shapley.valuation import with_compiled_trees
from mqbg.model.bundle import Refit
from mqbg.model.bundle_files import load_bundle, save_bundle
from mqbg.model.calibrators import Platt
from mqbg.model.intervals import half_width
from scipy.special import logit
from scipy.stats import t as student


@pytest.fixture(scope="module")
def scored(made_snapshots, quickly_learned, made_split):
    bundle = quickly_learned(made_snapshots(groups=80)).bundle
    matrix = bundle.feature_matrix(
        made_snapshots(groups=80, seed=2).at_cutoffs(made_split.test).features
    )
    return bundle, matrix, bundle.log_odds_of_matrix(matrix)


def with_refits(bundle, intercepts):
    """Refits of the same trees whose chances differ by these log-odds."""
    return replace(bundle, refits=tuple(Refit(bundle.trees, Platt(1.0, one)) for one in intercepts))


def test_the_readiness_is_inside_and_the_ends_are_students_of_the_differences_of_pairs(scored):
    bundle, matrix, log_odds = scored
    gaps = np.array([0.2, -0.6, 1.0])
    intercepts = np.column_stack((gaps / 2, -gaps / 2)).ravel() + 5.0
    low, high = with_refits(bundle, intercepts).readiness_interval(matrix, log_odds)
    centre = logit(bundle.readiness(log_odds))
    # Two models of all accounts differ by the root of 2 less than two of halves.
    end = student.ppf(0.9, 3) * np.sqrt(np.mean(gaps**2) / 2)
    assert logit(low) - centre == pytest.approx(-end, abs=1e-9)
    assert logit(high) - centre == pytest.approx(end, abs=1e-9)


def test_bundles_of_before_keep_the_quantiles_of_refits_to_drawn_accounts(scored):
    bundle, matrix, log_odds = scored
    before = replace(with_refits(bundle, np.linspace(-1, 1, 10) + 5.0), paired_refits=False)
    low, high = before.readiness_interval(matrix, log_odds)
    centre = logit(bundle.readiness(log_odds))
    # The tenth and the ninetieth of a hundred: between the first two and the last two of ten.
    assert logit(low) - centre == pytest.approx(-1 + 0.1 * 2 / 9, abs=1e-9)
    assert logit(high) - centre == pytest.approx(1 - 0.1 * 2 / 9, abs=1e-9)


@given(half=st.floats(0.05, 2.0), shared=st.floats(0, 2.0))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_four_of_five_models_of_other_accounts_lie_inside_where_variances_go_with_accounts(
    half, shared
):
    draw = np.random.default_rng(3)
    rows, pairs = 40_000, 5
    of_all = shared + draw.normal(0, half / np.sqrt(2), (2, rows))
    _below, above = half_width(shared + draw.normal(0, half, (2 * pairs, rows)))
    assert np.mean(np.abs(of_all[0] - of_all[1]) <= above) == pytest.approx(0.8, abs=0.01)


def test_refits_that_agree_leave_no_doubt(scored):
    bundle, matrix, log_odds = scored
    low, high = with_refits(bundle, [0.3] * 4).readiness_interval(matrix, log_odds)
    assert low == pytest.approx(bundle.readiness(log_odds))
    assert high == pytest.approx(bundle.readiness(log_odds))


def test_without_refits_the_interval_is_that_of_venn_and_abers(scored):
    bundle, matrix, log_odds = scored
    low, high = bundle.readiness_interval(matrix, log_odds)
    table = bundle.interval.bounds(log_odds)
    readiness = bundle.readiness(log_odds)
    assert low.tolist() == np.minimum(table[0], readiness).tolist()
    assert high.tolist() == np.maximum(table[1], readiness).tolist()


def test_one_row_has_the_interval_that_it_has_among_many_to_the_bit(scored):
    bundle, matrix, log_odds = scored
    many = with_compiled_trees(with_refits(bundle, np.random.default_rng(1).normal(size=8)))
    low, high = many.readiness_interval(matrix, log_odds)
    for row in (0, 5, 11):
        alone = many.readiness_interval(matrix[[row]], log_odds[[row]])
        assert (alone[0][0], alone[1][0]) == (low[row], high[row])


def test_refits_survive_saving(scored, tmp_path):
    bundle = with_refits(scored[0], [0.1, -0.1])
    save_bundle(bundle, tmp_path)
    assert load_bundle(tmp_path).refits == bundle.refits


@pytest.mark.slow
def test_models_of_other_accounts_lie_in_the_interval_in_four_of_five_cases(
    made_snapshots, made_settings, made_split, quickly_learned
):
    bundles = [
        quickly_learned(
            made_snapshots(groups=120, seed=seed), made_settings, rounds=200, refits=10
        ).bundle
        for seed in range(6)
    ]
    scored = made_snapshots(groups=120, seed=99).at_cutoffs(made_split.test).features
    inside, on_an_end = [], []
    points = [bundle.readiness(bundle.log_odds(scored)) for bundle in bundles]
    for number, bundle in enumerate(bundles):
        matrix = bundle.feature_matrix(scored)
        low, high = bundle.readiness_interval(matrix, bundle.log_odds_of_matrix(matrix))
        on_an_end.append(np.mean((points[number] == low) | (points[number] == high)))
        others = points[:number] + points[number + 1 :]
        inside.append(np.mean([(low <= other) & (other <= high) for other in others]))
    # Six small worlds leave some 8 % of doubt around the 75 to 85 % of twenty.
    assert 0.67 < np.mean(inside) < 0.93
    assert np.mean(on_an_end) < 0.02
