from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from mqbg.explain.shapley.valuation import with_compiled_trees
from mqbg.model.bundle import Refit
from mqbg.model.bundle_files import load_bundle, save_bundle
from mqbg.model.calibrators import Platt
from scipy.special import logit


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


def test_the_readiness_is_inside_and_the_spread_is_that_of_the_refits(scored):
    bundle, matrix, log_odds = scored
    shifts = np.linspace(-1, 1, 10)
    low, high = with_refits(bundle, shifts + 5.0).readiness_interval(matrix, log_odds)
    centre = logit(bundle.readiness(log_odds))
    # The tenth and the ninetieth of a hundred: between the first two and the last two of ten.
    assert logit(low) - centre == pytest.approx(-1 + 0.1 * 2 / 9, abs=1e-9)
    assert logit(high) - centre == pytest.approx(1 - 0.1 * 2 / 9, abs=1e-9)


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
    many = with_compiled_trees(with_refits(bundle, np.random.default_rng(1).normal(size=7)))
    low, high = many.readiness_interval(matrix, log_odds)
    for row in (0, 5, 11):
        alone = many.readiness_interval(matrix[[row]], log_odds[[row]])
        assert (alone[0][0], alone[1][0]) == (low[row], high[row])


def test_refits_survive_saving(scored, tmp_path):
    bundle = with_refits(scored[0], [0.1, -0.1])
    save_bundle(bundle, tmp_path)
    assert load_bundle(tmp_path).refits == bundle.refits
