"""Trees held to the plausible directions of the catalogue, and what that costs."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.model.calibrators import Platt
from mqbg.settings import ModelSettings
from mqbg.train.evaluate.comparison import compute_metrics
from mqbg.train.fit.monotone import cost_of_monotone_constraints
from mqbg.train.fit.trees import FittedTrees, TrainingMatrix, lightgbm_parameters, train_booster

SEED = 9
ROUNDS = 30
FEATURES = [SimpleNamespace(direction=way) for way in ("up", "down", None)]
AS_IT_IS = Platt(1.0, 0.0)
HOW = {"touched_per_snapshot": 20, "resamples": 30, "seed": SEED}


def drawn(count, seed):
    """More of the first column helps only in the middle; of the second it hurts."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(count, 3))
    odds = 2 * np.sin(2 * x[:, 0]) - x[:, 1] + 0.5 * x[:, 2]
    return x, draw.random(count) < 1 / (1 + np.exp(-odds))


def rows(count=600, seed=SEED):
    x, converted = drawn(count, seed)
    names = np.array([f"a{n}" for n in range(count)], dtype=object)
    return TrainingMatrix(x, converted, names, names, np.ones(count), ("up", "down", "either"), ())


def held(**model):
    return lightgbm_parameters(ModelSettings(threads=1, monotone=True, **model), FEATURES)


@pytest.fixture(scope="module")
def booster():
    return train_booster(rows(), np.arange(600), held(), ROUNDS)


def raised(booster, column, seed):
    """How the raw scores of random rows change where one column grows."""
    draw = np.random.default_rng(seed)
    x = draw.normal(0, 2, (40, 3))
    x[draw.random((40, 3)) < 0.05] = np.nan
    x[:, column] = np.nan_to_num(x[:, column])
    more = x.copy()
    more[:, column] += draw.exponential(1.0, 40)
    return booster.predict(more, raw_score=True) - booster.predict(x, raw_score=True)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_more_of_an_up_feature_never_lowers_the_raw_score(booster, seed):
    assert (raised(booster, 0, seed) >= 0).all()


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_more_of_a_down_feature_never_raises_the_raw_score(booster, seed):
    assert (raised(booster, 1, seed) <= 0).all()


def test_trees_left_free_break_the_directions_on_these_rows():
    free = lightgbm_parameters(ModelSettings(threads=1), FEATURES)
    loose = train_booster(rows(), np.arange(600), free, ROUNDS)
    assert (raised(loose, 0, SEED) < 0).any()


@pytest.fixture(scope="module")
def cost(booster):
    x, converted = drawn(900, SEED + 1)
    given_rows = pd.DataFrame(
        {
            "account_id": [f"a{n % 90}" for n in range(900)],
            "as_of": [datetime(2025, 1 + n % 2, 1) for n in range(900)],
            "converted": converted,
            "seen": True,
        }
    )
    fitted = FittedTrees("", ROUNDS, np.zeros(0), np.zeros(0, np.intp), held(), pd.DataFrame())
    chance = AS_IT_IS(booster.predict(x, raw_score=True))
    frame = cost_of_monotone_constraints(rows(), x, given_rows, chance, fitted, AS_IT_IS, **HOW)
    return x, given_rows, chance, frame.set_index("figure")


def test_the_cost_is_the_figures_held_less_the_figures_free(cost):
    x, given_rows, chance, frame = cost
    loose = train_booster(
        rows(), np.arange(600), lightgbm_parameters(ModelSettings(threads=1), FEATURES), ROUNDS
    )
    figures = [
        compute_metrics(
            given_rows["converted"].to_numpy(), one, given_rows["as_of"].to_numpy(),
            touched_per_snapshot=20,
        )
        for one in (chance, AS_IT_IS(loose.predict(x, raw_score=True)))
    ]  # fmt: skip
    for figure in ("roc_auc", "log_loss"):
        assert frame.loc[figure, "value"] == pytest.approx(figures[0][figure] - figures[1][figure])


def test_where_a_direction_is_wrong_holding_it_costs_auc_beyond_chance(cost):
    frame = cost[3]
    assert frame.loc["roc_auc", "high"] < 0
    assert frame.loc["log_loss", "low"] > 0
