"""Readiness within several horizons: a longer one is never less likely, and knows no more."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.model.bundle import HorizonModel
from mqbg.model.calibrators import Platt
from mqbg.train.fit.horizons import HorizonOutcomes, fit_horizon_models, rows_by_horizon
from mqbg.train.fit.procedure import build_training_matrix
from mqbg.train.fit.trees import TrainingMatrix, lightgbm_parameters

ROUNDS = 5


def quiet(_label, _share):
    pass


def random_trees(columns, seed):
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(60, columns))
    data = lgb.Dataset(x, draw.random(60) < 0.4)
    how = {"objective": "binary", "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 3}
    return lgb.train({**how, "seed": seed}, data, 3).model_to_string()


@pytest.fixture(scope="module")
def trees(with_signal):
    columns = len(with_signal.bundle.catalogue.feature_names)
    return [random_trees(columns, seed) for seed in range(4)]


@given(
    days=st.lists(st.integers(1, 200).filter(lambda d: d != 60), max_size=4, unique=True),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_a_longer_horizon_is_never_less_likely_whatever_its_trees_say(
    with_signal, trees, days, seed
):
    draw = np.random.default_rng(seed)
    horizons = tuple(
        HorizonModel(one, trees[n], Platt(float(draw.uniform(0.1, 3)), float(draw.normal())))
        for n, one in enumerate(sorted(days))
    )
    bundle = replace(with_signal.bundle, horizon_models=horizons)
    matrix = draw.normal(size=(30, len(bundle.catalogue.feature_names)))
    readiness = bundle.readiness(bundle.log_odds_of_matrix(matrix))
    chances = bundle.readiness_by_horizon(matrix, readiness)
    assert list(chances) == sorted([*days, 60])
    assert chances[60].tolist() == readiness.tolist()
    assert (np.diff(list(chances.values()), axis=0) >= 0).all()


def test_horizons_that_agree_already_stay_as_their_trees_say(with_signal, trees):
    matrix = np.random.default_rng(1).normal(
        size=(30, len(with_signal.bundle.catalogue.feature_names))
    )
    raw = lgb.Booster(model_str=trees[0]).predict(matrix, raw_score=True)
    ends = (
        HorizonModel(30, trees[0], Platt(1.0, -9.0)),
        HorizonModel(90, trees[0], Platt(1.0, 9.0)),
    )
    bundle = replace(with_signal.bundle, horizon_models=ends)
    chances = bundle.readiness_by_horizon(
        matrix, bundle.readiness(bundle.log_odds_of_matrix(matrix))
    )
    assert chances[30] == pytest.approx(1 / (1 + np.exp(9 - raw)))
    assert chances[90] == pytest.approx(1 / (1 + np.exp(-9 - raw)))


def test_no_rows_have_no_chances(with_signal, trees):
    bundle = replace(
        with_signal.bundle, horizon_models=(HorizonModel(30, trees[0], Platt(1.0, 0.0)),)
    )
    empty = np.empty((0, len(bundle.catalogue.feature_names)))
    chances = bundle.readiness_by_horizon(empty, np.empty(0))
    assert {days: len(chance) for days, chance in chances.items()} == {30: 0, 60: 0}


def rows(count=200, seed=3):
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(count, 3))
    names = np.array([f"g{n}" for n in range(count)], dtype=object)
    converted = x[:, 0] + draw.normal(size=count) > 0.5
    return TrainingMatrix(x, converted, names, names, np.ones(count), ("a", "b", "c"), ())


def how(made_settings):
    return lightgbm_parameters(made_settings.model, ())


def test_rows_of_unknown_outcome_teach_a_horizon_nothing(made_settings):
    given_rows = rows()
    known = np.arange(200) % 3 > 0
    converted = given_rows.x[:, 1] > 0
    one = fit_horizon_models(
        given_rows, [HorizonOutcomes(90, converted, known)], how(made_settings), ROUNDS, quiet
    )
    lies = np.where(known, converted, ~converted)
    other_rows = replace(given_rows, x=np.where(known[:, None], given_rows.x, 99.0))
    two = fit_horizon_models(
        other_rows, [HorizonOutcomes(90, lies, known)], how(made_settings), ROUNDS, quiet
    )
    assert one == two


def test_a_horizon_with_too_few_conversions_is_left_out(made_settings):
    given_rows = rows()
    everywhere = np.ones(200, dtype=bool)
    outcomes = [
        HorizonOutcomes(30, np.arange(200) < 9, everywhere),
        HorizonOutcomes(90, given_rows.converted, everywhere),
        HorizonOutcomes(180, given_rows.converted, np.zeros(200, dtype=bool)),
    ]
    found = fit_horizon_models(given_rows, outcomes, how(made_settings), ROUNDS, quiet)
    assert [horizon.days for horizon in found] == [90]


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
