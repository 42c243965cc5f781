import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.model.calibrators import Beta, Platt, VennAbers
from mqbg.train.fit import calibration
from mqbg.train.fit.calibration import (
    CALIBRATORS,
    HALF_LIVES_DAYS,
    MIN_SLOPE,
    adjust_to_base_rate,
    base_rate_shift,
    choose_calibrator,
    fit_beta,
    fit_platt,
    fit_venn_abers,
    total_log_loss,
)
from mqbg.train.fit.calibration_error import equal_mass_bins, expected_calibration_error
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

SEED = 11


def outcomes(rows=500, slope=0.5, intercept=-1.0, seed=SEED):
    draws = np.random.default_rng(seed)
    log_odds = draws.normal(0.0, 2.0, rows)
    return log_odds, draws.random(rows) < expit(slope * log_odds + intercept)


def one_more(log_odds, converted, at, outcome):
    """p0 or p1 by definition: the isotonic fit, at `at`, of all rows and one more."""
    fit = IsotonicRegression(out_of_bounds="clip")
    fit.fit(np.append(log_odds, at), np.append(converted.astype(float), outcome))
    return fit.predict([at])[0]


def test_platt_equals_a_logistic_regression_on_smoothed_targets():
    log_odds, converted = outcomes()
    n1, n0 = converted.sum(), (~converted).sum()
    target = np.where(converted, (n1 + 1) / (n1 + 2), 1 / (n0 + 2))
    # A target t is t of a converted row and 1 - t of another.
    oracle = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(
        np.concatenate((log_odds, log_odds))[:, None],
        np.repeat([1, 0], log_odds.size),
        sample_weight=np.concatenate((target, 1 - target)),
    )
    got = fit_platt(log_odds, converted)
    assert got.slope == pytest.approx(oracle.coef_[0, 0], abs=1e-5)
    assert got.intercept == pytest.approx(oracle.intercept_[0], abs=1e-5)


def test_platt_finds_the_distortion_that_made_the_outcomes():
    got = fit_platt(*outcomes(rows=50_000, slope=0.5, intercept=-1.0))
    assert (got.slope, got.intercept) == pytest.approx((0.5, -1.0), abs=0.05)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-3, 1.0, 1e3]))
@settings(max_examples=30, deadline=None)
def test_platt_never_reverses_an_order(seed, scale):
    draws = np.random.default_rng(seed)
    got = fit_platt(scale * draws.normal(size=20), draws.random(20) < 0.5)
    assert got.slope >= MIN_SLOPE
    assert (np.diff(got(scale * np.linspace(-3, 3, 50))) > 0).all()


def test_platt_of_separable_scores_is_finite_and_reaches_the_smoothed_targets():
    log_odds = np.array([-2.0, -1.0, 1.0, 2.0])
    got = fit_platt(log_odds, log_odds > 0)
    assert np.isfinite([got.slope, got.intercept]).all()
    assert got(log_odds)[0] == pytest.approx(0.25, abs=0.1)
    assert got(log_odds)[-1] == pytest.approx(0.75, abs=0.1)


@pytest.mark.parametrize("converted", [True, False])
def test_platt_of_one_class_is_almost_flat_at_the_smoothed_rate(converted):
    log_odds = np.linspace(-1, 1, 8)
    got = fit_platt(log_odds, np.full(8, converted))
    assert got.slope == pytest.approx(MIN_SLOPE)
    assert got(log_odds) == pytest.approx(0.9 if converted else 0.1, abs=1e-3)


def test_platt_of_equal_scores_is_their_smoothed_rate():
    got = fit_platt(np.full(10, 3.0), np.arange(10) < 4)
    assert got(np.array([3.0]))[0] == pytest.approx((4 * 5 / 6 + 6 * 1 / 8) / 10, abs=1e-5)


def test_venn_abers_at_its_scores_equals_the_definition():
    log_odds, converted = outcomes(rows=300)
    log_odds = log_odds.round(1)  # equal scores must be one point of the fit
    table = fit_venn_abers(log_odds, converted, knots=12)
    assert set(table.scores) <= set(log_odds)
    for at, low, high in zip(table.scores, table.low, table.high, strict=True):
        assert low == pytest.approx(one_more(log_odds, converted, at, 0.0)), at
        assert high == pytest.approx(one_more(log_odds, converted, at, 1.0)), at


def test_venn_abers_between_its_scores_is_near_the_definition():
    log_odds, converted = outcomes(rows=2_000)
    table = fit_venn_abers(log_odds, converted)
    asked = np.linspace(-3, 3, 13)
    low, high = table.bounds(asked)
    for i, at in enumerate(asked):
        assert low[i] == pytest.approx(one_more(log_odds, converted, at, 0.0), abs=0.03)
        assert high[i] == pytest.approx(one_more(log_odds, converted, at, 1.0), abs=0.03)


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_venn_abers_is_an_interval_that_rises_with_the_score(seed, rows, knots):
    draws = np.random.default_rng(seed)
    table = fit_venn_abers(draws.normal(size=rows).round(1), draws.random(rows) < 0.4, knots)
    assert len(table.scores) <= knots
    low, high = table.bounds(np.linspace(-4, 4, 60))
    assert (low >= 0).all()
    assert (high <= 1).all()
    assert (low < high).all()  # one more row always moves the fit at its own score
    assert (np.diff(low) >= -1e-12).all()
    assert (np.diff(high) >= -1e-12).all()


def test_venn_abers_ends_at_the_lowest_and_the_highest_score():
    log_odds, converted = outcomes(rows=300)
    table = fit_venn_abers(log_odds, converted, knots=7)
    assert (table.scores[0], table.scores[-1]) == (log_odds.min(), log_odds.max())
    assert table.bounds(np.array([-99.0]))[0][0] == table.low[0]


def test_pooling_moves_the_interval_by_less_than_its_width(monkeypatch):
    log_odds, converted = outcomes(rows=4_000)
    exact = fit_venn_abers(log_odds, converted)
    monkeypatch.setattr(calibration, "MAX_DISTINCT_SCORES", 1_000)
    pooled = fit_venn_abers(log_odds, converted)
    asked = np.linspace(-3, 3, 50)
    (low, high), moved = exact.bounds(asked), pooled.bounds(asked)
    width = (high - low).max()
    assert moved[0] == pytest.approx(low, abs=width)
    assert moved[1] == pytest.approx(high, abs=width)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Platt, Platt(0.5, -1.25)),
        (Beta, Beta(0.5, 1.5, -1.25)),
        (VennAbers, VennAbers((0.0, 1.5), (0.1, 0.2), (0.3, 0.4))),
    ],
)
def test_fitted_values_survive_json(kind, value):
    assert kind(**json.loads(json.dumps(asdict(value)))) == value


def test_venn_abers_of_unequal_lengths_is_refused():
    with pytest.raises(ValueError, match=r"one common length .* got \(1, 2, 1\)"):
        VennAbers((0.0,), (0.1, 0.2), (0.3,))


@pytest.mark.parametrize("fit", [fit_platt, fit_beta, fit_venn_abers])
@pytest.mark.parametrize(
    ("log_odds", "converted", "words"),
    [
        ([], [], "at least one row"),
        ([0.1, 0.2], [True], r"got shapes \(2,\) and \(1,\)"),
        ([0.1, np.nan], [True, False], "got 1 that are not"),
    ],
)
def test_rows_that_cannot_calibrate_are_refused(fit, log_odds, converted, words):
    with pytest.raises(ValueError, match=words):
        fit(np.array(log_odds, dtype=float), np.array(converted, dtype=bool))


def test_calibration_error_over_distinct_scores_is_that_of_equal_parts():
    log_odds, converted = outcomes(rows=150)
    probability = expit(log_odds)
    order = np.argsort(-probability)
    gaps = [
        10 * abs(probability[part].mean() - converted[part].mean()) for part in np.split(order, 15)
    ]
    got = expected_calibration_error(converted, probability)
    assert got == pytest.approx(sum(gaps) / 150)


def test_calibration_error_of_a_constant_is_its_distance_to_the_rate():
    converted = np.arange(100) < 30
    got = expected_calibration_error(converted, np.full(100, 0.5))
    assert got == pytest.approx(0.2)


def test_calibration_error_ignores_the_order_of_rows():
    log_odds, converted = outcomes(rows=200)
    probability = expit(log_odds).round(1)
    shuffled = np.random.default_rng(SEED).permutation(200)
    assert expected_calibration_error(converted, probability) == pytest.approx(
        expected_calibration_error(converted[shuffled], probability[shuffled])
    )


def test_equal_mass_bins_keep_ties_together_and_rise_with_probability():
    probability = expit(outcomes(rows=300)[0]).round(1)
    bins = equal_mass_bins(probability)
    for value in set(probability):
        assert len(set(bins[probability == value])) == 1
    assert (np.diff(bins[np.argsort(probability)]) >= 0).all()


def test_equal_mass_bins_of_distinct_values_hold_equally_many_rows():
    assert list(np.bincount(equal_mass_bins(np.linspace(0, 1, 45)))) == [3] * 15


def test_calibrated_probabilities_have_a_small_error():
    log_odds, converted = outcomes(rows=20_000)
    raw = expected_calibration_error(converted, expit(log_odds))
    calibrated = expected_calibration_error(converted, fit_platt(log_odds, converted)(log_odds))
    assert calibrated < 0.01 < raw


def test_platt_is_undone_by_its_formula():
    platt = Platt(0.5, -1.0)
    assert logit(platt(np.array([2.0])))[0] == pytest.approx(0.0)


def bent_outcomes(rows=40_000, above=0.4, below=1.6, intercept=-0.5, seed=SEED):
    """Outcomes of scores whose two ends are bent apart."""
    draws = np.random.default_rng(seed)
    log_odds = draws.normal(0.0, 2.0, rows)
    return log_odds, draws.random(rows) < Beta(above, below, intercept)(log_odds)


def folds_of(rows, count=5, seed=SEED):
    return np.random.default_rng(seed).integers(0, count, rows)


def test_beta_finds_the_bend_that_made_the_outcomes():
    got = fit_beta(*bent_outcomes())
    scores = np.linspace(-4, 4, 33)
    assert got(scores) == pytest.approx(Beta(0.4, 1.6, -0.5)(scores), abs=0.02)
    assert abs(fit_platt(*bent_outcomes())(scores) - got(scores)).max() > 0.05


def test_beta_has_no_higher_loss_than_its_neighbours():
    log_odds, converted = bent_outcomes(rows=2_000)
    n1, n0 = converted.sum(), (~converted).sum()
    target = np.where(converted, (n1 + 1) / (n1 + 2), 1 / (n0 + 2))

    def loss(above, below, intercept):
        chance = Beta(above, below, intercept)(log_odds)
        return -np.mean(target * np.log(chance) + (1 - target) * np.log(1 - chance))

    got = fit_beta(log_odds, converted)
    best = loss(got.above, got.below, got.intercept)
    draws = np.random.default_rng(SEED)
    for step in draws.normal(0, 0.02, (50, 3)):
        assert best <= loss(got.above + step[0], got.below + step[1], got.intercept + step[2])


@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-2, 1.0, 10.0]))
@settings(max_examples=30, deadline=None)
def test_beta_never_reverses_an_order(seed, scale):
    draws = np.random.default_rng(seed)
    got = fit_beta(scale * draws.normal(size=20), draws.random(20) < 0.5)
    assert min(got.above, got.below) >= MIN_SLOPE
    # Not strictly: where the chance is 1 to the last bit, there is no more to rise.
    chance = got(scale * np.linspace(-3, 3, 50))
    assert (np.diff(chance) >= 0).all()
    assert chance[0] < chance[-1]


@pytest.mark.parametrize("converted", [True, False])
def test_beta_of_one_class_is_almost_flat_at_the_smoothed_rate(converted):
    log_odds = np.linspace(-1, 1, 8)
    got = fit_beta(log_odds, np.full(8, converted))
    assert got(log_odds) == pytest.approx(0.9 if converted else 0.1, abs=1e-3)


@pytest.mark.parametrize(
    ("made", "name", "kind"),
    [(bent_outcomes(rows=8_000), "beta", Beta), (outcomes(rows=8_000), "platt", Platt)],
    ids=["bent", "straight"],
)
def test_the_family_that_made_the_outcomes_is_chosen_or_loses_by_next_to_nothing(made, name, kind):
    chosen = choose_calibrator(*made, folds_of(8_000))
    assert chosen.log_loss[name] <= min(chosen.log_loss.values()) + 1e-4
    if name == "beta":
        assert isinstance(chosen.calibrator, kind)
        assert chosen.log_loss["platt"] > chosen.log_loss["beta"] + 1e-3


def test_the_choice_is_by_maps_that_were_fitted_without_the_fold():
    log_odds, converted = outcomes(rows=300)
    fold = folds_of(300, 3)
    chosen = choose_calibrator(log_odds, converted, fold)
    for name, fit_map in {"platt": fit_platt, "beta": fit_beta}.items():
        lost = 0.0
        for row in range(3):
            given_map = fit_map(log_odds[fold != row], converted[fold != row])
            for score, won in zip(log_odds[fold == row], converted[fold == row], strict=True):
                chance = given_map(np.array([score]))[0]
                lost -= np.log(chance if won else 1 - chance)
        assert chosen.log_loss[name] == pytest.approx(lost / 300)
    assert chosen.calibrator == CALIBRATORS[chosen.name](log_odds, converted)


def test_the_base_rate_is_held_to_the_same_folds():
    _, converted = outcomes(rows=300)
    fold = folds_of(300, 3)
    chosen = choose_calibrator(np.zeros(300), converted, fold)
    lost = 0.0
    for row in range(3):
        inside, outside = converted[fold != row], converted[fold == row]
        rate = (inside.sum() + 1) / (inside.size + 2)
        lost -= (outside * np.log(rate) + ~outside * np.log(1 - rate)).sum()
    assert chosen.base_log_loss == pytest.approx(lost / 300)


def test_a_fold_of_one_class_has_a_finite_loss():
    log_odds, converted = outcomes(rows=100)
    chosen = choose_calibrator(log_odds, converted, converted.astype(int))
    assert np.isfinite([*chosen.log_loss.values(), chosen.base_log_loss]).all()


def test_one_fold_is_nothing_to_choose_by():
    log_odds, converted = outcomes(rows=20)
    with pytest.raises(ValueError, match="at least 2 folds to choose a calibrator by, got 1"):
        choose_calibrator(log_odds, converted, np.zeros(20, dtype=int))


def test_log_loss_of_certainty_that_was_wrong_is_large_and_finite():
    assert 30 < total_log_loss(np.array([0.0]), np.array([True])) < 40
    assert total_log_loss(np.array([1.0]), np.array([True])) == pytest.approx(0, abs=1e-9)


@given(
    st.floats(0.05, 0.95), st.floats(0.05, 0.95), st.floats(-4, 4),
    st.sampled_from([Platt(1.0, 0.3), Beta(0.7, 1.2, -0.4)]),
)  # fmt: skip
@settings(max_examples=50, deadline=None, derandomize=True)
def test_a_moved_rate_gives_the_chances_of_bayes(rate, expected, score, calibrator):
    """Converted and other groups stay as they are; there are more or fewer of the one kind."""
    chance = calibrator(np.array([score]))[0]
    likelier = chance / (1 - chance) / (rate / (1 - rate))  # p(score | yes) / p(score | no)
    bayes = expected * likelier / (expected * likelier + 1 - expected)
    table = VennAbers((score,), (chance,), (chance,))
    moved, interval = adjust_to_base_rate(calibrator, table, base_rate_shift(rate, expected))
    assert moved(np.array([score]))[0] == pytest.approx(bayes)
    assert interval.low[0] == pytest.approx(bayes)
    assert interval.high[0] == pytest.approx(bayes)


def test_moving_to_the_same_rate_changes_nothing():
    table = VennAbers((0.0, 1.0), (0.0, 0.2), (0.3, 1.0))
    shift = base_rate_shift(0.2, 0.2)
    assert adjust_to_base_rate(Platt(1.0, 0.5), table, shift) == (Platt(1.0, 0.5), table)


def test_the_moved_interval_stays_within_certainty_at_its_ends():
    table = VennAbers((0.0, 1.0), (0.0, 0.2), (0.3, 1.0))
    _, moved = adjust_to_base_rate(Platt(1.0, 0.5), table, base_rate_shift(0.2, 0.6))
    assert (moved.low[0], moved.high[1]) == (0.0, 1.0)
    assert moved.low[1] > 0.2


def moved_level(seed=7, cutoffs=9, per_cutoff=600):
    """Scores whose level falls with every cut-off: three times in 240 days."""
    draw = np.random.default_rng(seed)
    age = np.repeat(np.arange(cutoffs)[::-1] * 30.0, per_cutoff)
    log_odds = draw.normal(-1.0, 1.0, age.size)
    converted = draw.random(age.size) < expit(log_odds - 1.5 + age / 80)
    return log_odds, converted, np.arange(age.size) % 5, age


def test_older_rows_count_less_where_that_tells_the_newest_better():
    log_odds, converted, fold, age = moved_level()
    chosen = choose_calibrator(log_odds, converted, fold, age)
    alike = choose_calibrator(log_odds, converted, fold)
    assert chosen.half_life_days in HALF_LIVES_DAYS
    newest = age == 0
    gaps = [
        abs(one.calibrator(log_odds[newest]).mean() - converted[newest].mean())
        for one in (chosen, alike)
    ]
    assert gaps[0] < gaps[1]
    losses = chosen.recency_log_loss
    assert losses[f"{chosen.half_life_days} days"] == min(losses.values()) < losses["all alike"]


def test_a_steady_level_lets_all_rows_count_alike_unless_told_otherwise():
    log_odds, converted, fold, _age = moved_level()
    age = np.random.default_rng(3).permutation(np.arange(log_odds.size) % 9 * 30.0)
    alike = choose_calibrator(log_odds, converted, fold)
    chosen = choose_calibrator(log_odds, converted, fold, age)
    assert (chosen.half_life_days, chosen.calibrator) == (None, alike.calibrator)
    told = choose_calibrator(log_odds, converted, fold, age, follow_newest=True)
    assert told.half_life_days in HALF_LIVES_DAYS


def test_two_cutoffs_are_too_few_to_choose_a_half_life_by():
    log_odds, converted, fold, age = moved_level(cutoffs=2)
    chosen = choose_calibrator(log_odds, converted, fold, age, follow_newest=True)
    assert (chosen.half_life_days, chosen.recency_log_loss) == (None, {})


def test_a_row_of_weight_two_counts_as_the_row_twice_for_platt():
    log_odds, converted, _fold, _age = moved_level(cutoffs=1, per_cutoff=4000)
    twice = np.concatenate([np.arange(4000), np.arange(0, 4000, 2)])
    weight = 1.0 + (np.arange(4000) % 2 == 0)
    one = fit_platt(log_odds, converted, weight)
    two = fit_platt(log_odds[twice], converted[twice])
    # Platt's smoothing counts rows, which are fewer in the one than in the other.
    assert (one.slope, one.intercept) == pytest.approx((two.slope, two.intercept), abs=0.01)
    alike = fit_platt(log_odds, converted)
    assert abs(alike.slope - two.slope) > 0.01
