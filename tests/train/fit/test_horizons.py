"""Readiness within several horizons: a longer one is always likelier, and knows no more."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.model.calibrators import Platt
from mqbg.model.horizons import HorizonStep, chances_by_steps
from mqbg.train.fit.calibration import base_rate_shift
from mqbg.train.fit.horizons import HorizonOutcomes, fit_horizon_steps, rows_by_horizon
from mqbg.train.fit.procedure import build_training_matrix
from mqbg.train.fit.trees import TrainingMatrix
from scipy.special import expit


@given(
    days=st.lists(st.integers(1, 200).filter(lambda d: d != 60), max_size=4, unique=True),
    seed=st.integers(0, 2**32 - 1),
    expected_rate=st.none() | st.floats(0.001, 0.6),
)
@settings(max_examples=30, deadline=None, derandomize=True)
def test_a_longer_horizon_is_always_likelier_and_no_two_are_equal(
    with_signal, days, seed, expected_rate
):
    draw = np.random.default_rng(seed)
    shift = 0.0 if expected_rate is None else base_rate_shift(0.2, expected_rate)
    steps = tuple(
        HorizonStep(one, Platt(float(draw.uniform(0.01, 1)), float(draw.uniform(-2, 2) + shift)))
        for one in days
    )
    calibrator = Platt(float(draw.uniform(0.1, 1)), float(draw.uniform(-2, 2) + shift))
    bundle = replace(with_signal.bundle, horizon_models=steps, calibrator=calibrator)
    log_odds = np.sort(draw.uniform(-5, 5, 40))  # beyond, chances of nearly 1 round to 1
    matrix = np.empty((40, len(bundle.catalogue.feature_names)))
    chances = bundle.readiness_by_horizon(matrix, log_odds)
    assert list(chances) == sorted([*days, 60])
    assert chances[60].tolist() == bundle.readiness(log_odds).tolist()
    assert (np.diff(list(chances.values()), axis=0) > 0).all()
    assert all((np.diff(chance) > 0).all() for chance in chances.values())  # ranks agree


def test_steps_multiply_out_from_the_own_horizon():
    log_odds, readiness = np.array([0.0, 1.0]), np.array([0.2, 0.4])
    even = Platt(1e-6, 0.0)  # a half, nearly
    steps = [HorizonStep(n, even) for n in (180, 30, 7, 360)]
    chances = chances_by_steps(steps, 90, log_odds, readiness)
    assert list(chances) == [7, 30, 90, 180, 360]
    assert chances[30] == pytest.approx([0.1, 0.2], rel=1e-5)
    assert chances[7] == pytest.approx([0.05, 0.1], rel=1e-5)
    assert chances[180] == pytest.approx([0.6, 0.7], rel=1e-5)
    assert chances[360] == pytest.approx([0.8, 0.85], rel=1e-5)


def test_no_rows_have_no_chances(with_signal):
    bundle = replace(with_signal.bundle, horizon_models=(HorizonStep(30, Platt(1.0, 0.0)),))
    empty = np.empty((0, len(bundle.catalogue.feature_names)))
    chances = bundle.readiness_by_horizon(empty, np.empty(0))
    assert {days: len(chance) for days, chance in chances.items()} == {30: 0, 60: 0}


def nested_outcomes(count=60_000, seed=11):
    """Raw scores and, for 30, 60 and 150 days, outcomes of hazards that know them."""
    draw = np.random.default_rng(seed)
    raw = draw.normal(-1.0, 1.5, count)
    hazard = expit(raw - 1.0)  # of each 30 days
    waits = draw.geometric(hazard)
    names = np.array([f"g{n}" for n in range(count)], dtype=object)
    matrix = TrainingMatrix(raw[:, None], waits <= 2, names, names, np.ones(count), ("a",), ())
    everywhere = np.ones(count, dtype=bool)
    outcomes = [
        HorizonOutcomes(150, waits <= 5, everywhere),
        HorizonOutcomes(30, waits <= 1, everywhere),
    ]
    return raw, hazard, matrix, outcomes


def test_the_chances_are_those_that_the_outcomes_came_from():
    raw, hazard, matrix, outcomes = nested_outcomes()
    steps = fit_horizon_steps(matrix, raw, outcomes, 60)
    assert [step.days for step in steps] == [30, 150]
    chances = chances_by_steps(steps, 60, raw, 1 - (1 - hazard) ** 2)
    middle = np.abs(raw + 1) < 2
    for days, months in ((30, 1), (150, 5)):
        true = 1 - (1 - hazard) ** months
        assert np.abs(chances[days] - true)[middle].mean() < 0.02
        assert chances[days].mean() == pytest.approx(true.mean(), abs=0.01)


def test_another_expected_rate_moves_every_horizon_and_collapses_none():
    raw, hazard, matrix, outcomes = nested_outcomes(5_000)
    own = 1 - (1 - hazard) ** 2
    shift = -1.0
    moved = expit(np.log(own / (1 - own)) + shift)
    before = chances_by_steps(fit_horizon_steps(matrix, raw, outcomes, 60), 60, raw, own)
    steps = fit_horizon_steps(matrix, raw, outcomes, 60, rate_shift=shift)
    after = chances_by_steps(steps, 60, raw, moved)
    for days in (30, 60, 150):
        assert (after[days] < before[days]).all()
    assert (np.diff([after[days] for days in (30, 60, 150)], axis=0) > 0).all()


def rows(count=200, seed=3):
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(count, 3))
    names = np.array([f"g{n}" for n in range(count)], dtype=object)
    converted = x[:, 0] + draw.normal(size=count) > 0.5
    return TrainingMatrix(x, converted, names, names, np.ones(count), ("a", "b", "c"), ())


def test_rows_of_unknown_outcome_teach_a_horizon_nothing():
    given_rows = rows()
    known = np.arange(200) % 3 > 0
    converted = given_rows.x[:, 1] > 0
    scores = given_rows.x[:, 0]
    one = fit_horizon_steps(given_rows, scores, [HorizonOutcomes(90, converted, known)], 60)
    lies = np.where(known, converted, ~converted)
    other = fit_horizon_steps(
        given_rows, np.where(known, scores, 99.0), [HorizonOutcomes(90, lies, known)], 60
    )
    assert one == other
    assert len(one) == 1


def test_a_horizon_with_too_few_conversions_is_left_out_and_stepped_over():
    given_rows = rows()
    everywhere = np.ones(200, dtype=bool)
    few = HorizonOutcomes(80, np.arange(200) < 9, everywhere)
    far = HorizonOutcomes(90, given_rows.converted | (given_rows.x[:, 1] > 0.5), everywhere)
    unknown = HorizonOutcomes(180, given_rows.converted, np.zeros(200, dtype=bool))
    found = fit_horizon_steps(given_rows, given_rows.x[:, 0], [few, far, unknown], 60)
    assert found == fit_horizon_steps(given_rows, given_rows.x[:, 0], [far], 60)
    assert [step.days for step in found] == [90]


def test_newer_rows_count_more_where_the_calibrator_follows_them():
    given_rows = rows()
    everywhere = np.ones(200, dtype=bool)
    old = np.arange(200) < 100
    late = given_rows.converted | (~old & (given_rows.x[:, 1] > 0))
    outcomes = [HorizonOutcomes(90, late, everywhere)]
    scores = given_rows.x[:, 0]
    alike, newest = (
        fit_horizon_steps(given_rows, scores, outcomes, 60, weight)[0].share
        for weight in (None, np.where(old, 0.1, 1.9))
    )
    assert newest(np.zeros(1)) > alike(np.zeros(1))


def test_training_labels_of_a_longer_horizon_do_not_reach_into_the_test(
    made_snapshots, made_split, made_settings, words
):
    snapshots = made_snapshots(groups=100, further=(30, 90, 150))
    training = snapshots.at_cutoffs(made_split.train)
    keys = build_training_matrix(training, words, made_settings).converted.size
    for outcome in training.horizon_outcomes(made_split.test_from):
        known = training.keys["as_of"][outcome.known]
        assert outcome.known.size == keys
        assert (known + timedelta(days=outcome.days) <= made_split.test_from).all()
        left = training.keys["as_of"][~outcome.known]
        assert (left + timedelta(days=outcome.days) > made_split.test_from).all()


def test_a_horizon_is_judged_on_its_own_outcome_of_the_rows_that_have_one():
    frame = pd.DataFrame({"group_id": list("abcd"), "converted": [True, False, True, False]})
    known = np.array([True, True, False, True])
    own = np.array([False, True, True, True])
    outcomes = [
        HorizonOutcomes(30, own, known),
        HorizonOutcomes(90, own, ~known),
        HorizonOutcomes(7, own, known & False),
    ]
    chances = {30: np.array([0.1, 0.2, 0.3, 0.4]), 7: np.zeros(4)}
    found = rows_by_horizon(frame, outcomes, chances)
    assert set(found) == {30}  # 90 was not fitted, of 7 nothing is known
    part, chance = found[30]
    assert part["group_id"].tolist() == ["a", "b", "d"]
    assert part["converted"].tolist() == [False, True, True]
    assert chance.tolist() == [0.1, 0.2, 0.4]
