"""Equal to LightGBM on random models; threads and blocks change nothing."""

from __future__ import annotations

import re
import subprocess
import sys

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.explain.treeshap import compile_model_texts, fast_trees
from mqbg.explain.treeshap.compiled_trees import CompiledTrees

PREDICTION, CONTRIBUTION = 1e-12, 1e-9
QUIET = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 2, "min_data_in_bin": 1}
AWKWARD = np.array(
    [
        *[np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-36, -1e-36, 1e-35, 1e300, -1.0, -0.5, 0.5, 2.5],
        *[31.0, 32.0, 63.9, 64.0, 2147483647.0, 2147483648.0, 1e10, -1e10],
    ]
)


def rows_of(draw: np.random.Generator, rows: int, columns: int, categories: int) -> np.ndarray:
    """Numbers with many zeros and gaps, then columns of category codes."""
    x = draw.normal(size=(rows, columns)).round(1)
    x[draw.random(x.shape) < 0.15] = 0.0
    x[draw.random(x.shape) < 0.15] = np.nan
    codes = draw.integers(0, draw.integers(2, 80), size=(rows, categories)).astype(float)
    codes[draw.random(codes.shape) < 0.1] = np.nan
    return np.hstack([x, codes])


def awkward_rows(draw: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Rows of x, some of whose values a model never saw in training."""
    rows = x[draw.integers(0, len(x), size=60)].copy()
    strange = draw.random(rows.shape) < 0.3
    rows[strange] = draw.choice(AWKWARD, size=int(strange.sum()))
    return rows


def assert_equal_to_lightgbm(booster: lgb.Booster, x: np.ndarray) -> None:
    trees = fast_trees(booster)
    assert trees.reason is None
    scores = booster.predict(x, raw_score=True, num_threads=1)
    np.testing.assert_array_equal(trees.predict(x), scores)
    alone = [trees.predict(x[place : place + 1])[0] for place in range(len(x))]
    np.testing.assert_array_equal(alone, scores)
    parts = booster.predict(x, pred_contrib=True, num_threads=1)
    np.testing.assert_allclose(trees.contributions(x), parts, rtol=0, atol=CONTRIBUTION)


def trained(seed: int = 1, rows: int = 400, trees: int = 5, **params: object) -> lgb.Booster:
    """A small model of four numbers."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(rows, 4))
    y = x[:, 0] * x[:, 1] + x[:, 2] + draw.normal(size=rows)
    return lgb.train({**QUIET, "num_leaves": 9, **params}, lgb.Dataset(x, y), trees)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    params=st.fixed_dictionaries(
        {
            "num_leaves": st.sampled_from([2, 3, 7, 31, 64, 65, 130]),
            "zero_as_missing": st.booleans(),
            "use_missing": st.booleans(),
            "extra_trees": st.booleans(),
            "boost_from_average": st.booleans(),
            "bagging_freq": st.sampled_from([0, 1]),
            "bagging_fraction": st.sampled_from([0.5, 0.9]),
            "feature_fraction": st.sampled_from([0.5, 1.0]),
            "learning_rate": st.sampled_from([0.1, 1.0]),
            "max_cat_to_onehot": st.sampled_from([1, 4, 100]),
            "cat_smooth": st.sampled_from([0.0, 10.0]),
            "min_data_per_group": st.sampled_from([1, 20]),
            "boosting": st.sampled_from(["gbdt", "gbdt", "dart", "rf"]),
            "objective": st.sampled_from(["binary", "regression", "poisson"]),
            "path_smooth": st.sampled_from([0.0, 1.0]),
        }
    ),
    monotone=st.booleans(),
    weighted=st.booleans(),
    columns=st.integers(1, 6),
    categories=st.integers(0, 3),
)
def test_random_models_score_and_explain_as_lightgbm(
    seed, params, monotone, weighted, columns, categories
):
    draw = np.random.default_rng(seed)
    x = rows_of(draw, 400, columns, categories)
    known = np.nan_to_num(x)
    signal = known[:, 0] + known[:, -1] * (known[:, 0] > 0) % 3 + draw.normal(size=len(x))
    y = (signal > np.median(signal)).astype(float)
    weight = draw.random(len(x)) + 0.01 if weighted else None
    given_params = {**QUIET, **params, "seed": seed % 1000}
    if params["boosting"] == "rf":
        given_params["bagging_freq"] = 1
    if monotone:
        given_params["monotone_constraints"] = [1] + [0] * (columns + categories - 1)
    names = list(range(columns, columns + categories))
    data = lgb.Dataset(x, y, weight=weight, categorical_feature=names)
    booster = lgb.train(given_params, data, 6)
    assert_equal_to_lightgbm(booster, np.vstack([x[:50], awkward_rows(draw, x)]))


@pytest.mark.parametrize("leaves", [5, 40, 90])
def test_several_classes_come_as_lightgbm_lays_them_out(leaves):
    draw = np.random.default_rng(2)
    x = rows_of(draw, 600, 3, 1)
    y = draw.integers(0, 3, size=600)
    params = {**QUIET, "objective": "multiclass", "num_class": 3, "num_leaves": leaves}
    booster = lgb.train(params, lgb.Dataset(x, y, categorical_feature=[3]), 4)
    assert fast_trees(booster).predict(x).shape == (600, 3)
    assert fast_trees(booster).contributions(x).shape == (600, 15)
    assert_equal_to_lightgbm(booster, x)


@pytest.mark.parametrize("leaves", [5, 1025])
def test_models_in_one_call_score_each_row_as_each_alone_to_the_bit(leaves):
    draw = np.random.default_rng(17)
    x = rows_of(draw, 3000, 3, 2)
    params = {**QUIET, "num_leaves": leaves, "min_data_in_leaf": 1}
    boosters = [
        lgb.train(params, lgb.Dataset(x, draw.normal(size=3000), categorical_feature=[3, 4]), trees)
        for trees in (3, 1, 2)
    ]
    together = compile_model_texts([booster.model_to_string() for booster in boosters])
    rows = np.vstack([x[:300], awkward_rows(draw, x)])
    for some in (rows, rows[:1]):
        alone = np.column_stack([fast_trees(booster).predict(some) for booster in boosters])
        np.testing.assert_array_equal(together.predict(some), alone)
        explained = np.hstack([fast_trees(booster).contributions(some) for booster in boosters])
        np.testing.assert_array_equal(together.contributions(some), explained)


def test_models_that_the_kernels_do_not_cover_are_not_put_together():
    text, linear = (trained(linear_tree=one).model_to_string() for one in (False, True))
    assert compile_model_texts([]) is None
    assert compile_model_texts([text, linear]) is None
    narrow = lgb.train(QUIET, lgb.Dataset(np.zeros((9, 1)), np.zeros(9)), 1)
    assert compile_model_texts([text, narrow.model_to_string()]) is None


@pytest.mark.parametrize("leaves", [1024, 1025])
def test_trees_too_large_for_bits_are_walked(leaves):
    draw = np.random.default_rng(10)
    x = draw.normal(size=(4000, 3)).round(2)
    x[draw.random(x.shape) < 0.1] = np.nan
    params = {**QUIET, "num_leaves": leaves, "min_data_in_leaf": 1}
    booster = lgb.train(params, lgb.Dataset(x, draw.normal(size=4000)), 2)
    trees = fast_trees(booster)
    assert isinstance(trees, CompiledTrees)
    assert set(trees.forest.trees["leaves"]) == {leaves}
    assert_equal_to_lightgbm(booster, x[:100])


def test_a_tree_of_one_leaf_adds_its_value_to_every_row():
    x, y = np.ones((50, 2)), np.full(50, 3.0)
    booster = lgb.train({**QUIET, "boost_from_average": True}, lgb.Dataset(x, y), 1)
    assert fast_trees(booster).predict(x[:2]).tolist() == [3.0, 3.0]
    assert fast_trees(booster).contributions(x[:1]).tolist() == [[0.0, 0.0, 3.0]]


def test_long_paths_with_many_features_stay_exact():
    draw = np.random.default_rng(3)
    x = (draw.random((3000, 24)) < 0.9).astype(float)
    y = x.cumprod(axis=1).sum(axis=1) + 0.1 * x @ draw.normal(size=24)
    booster = lgb.train({**QUIET, "num_leaves": 63, "learning_rate": 0.5}, lgb.Dataset(x, y), 8)
    trees = fast_trees(booster)
    assert isinstance(trees, CompiledTrees)
    assert trees.forest.trees["points"].max() >= 6
    assert_equal_to_lightgbm(booster, x[:200])


def test_only_trees_up_to_the_best_iteration_count():
    booster = trained(trees=8)
    booster.best_iteration = 3
    assert_equal_to_lightgbm(booster, np.random.default_rng(4).normal(size=(50, 4)))


@pytest.mark.parametrize("rows", [0, 1, 2, 7, 255, 256, 257, 1000])
@pytest.mark.parametrize("leaves", [31, 100])
def test_a_row_gets_the_same_bits_in_any_company_and_with_any_threads(rows, leaves):
    booster = trained(num_leaves=leaves, rows=2000, min_data_in_leaf=5)
    trees = fast_trees(booster)
    x = np.random.default_rng(5).normal(size=(1000, 4))
    scores, parts = trees.predict(x)[:rows], trees.contributions(x)[:rows]
    for threads in (1, 2, 5):
        np.testing.assert_array_equal(trees.predict(x[:rows], threads), scores)
        np.testing.assert_array_equal(trees.contributions(x[:rows], threads), parts)


def test_layout_and_type_of_the_rows_do_not_matter():
    booster = trained()
    x = np.random.default_rng(6).normal(size=(300, 4)).astype(np.float32)
    trees = fast_trees(booster)
    expected = booster.predict(x.astype(np.float64), raw_score=True)
    frozen = x.astype(np.float64)
    frozen.flags.writeable = False
    for given_rows in (x, np.asfortranarray(x), frozen, np.repeat(frozen, 2, axis=0)[::2]):
        np.testing.assert_array_equal(trees.predict(given_rows), expected)
    assert trees.predict(np.arange(8).reshape(2, 4)).shape == (2,)


def test_contributions_and_mean_add_up_to_the_score():
    booster = trained()
    x = np.random.default_rng(7).normal(size=(300, 4))
    trees = fast_trees(booster)
    total = trees.contributions(x).sum(axis=1)
    np.testing.assert_allclose(total, trees.predict(x), rtol=0, atol=CONTRIBUTION)


def test_linear_trees_are_scored_by_lightgbm_and_explained_by_nobody():
    booster = trained(linear_tree=True)
    x = np.random.default_rng(8).normal(size=(50, 4))
    trees = fast_trees(booster)
    assert trees.reason == "the model has linear trees"
    np.testing.assert_allclose(
        trees.predict(x), booster.predict(x, raw_score=True), atol=PREDICTION
    )
    with pytest.raises(ValueError, match="train without linear_tree"):
        trees.contributions(x)


def test_a_model_without_counts_of_rows_is_left_to_lightgbm():
    text = re.sub(r"(leaf_count=)\d+", r"\g<1>0", trained().model_to_string())
    text = re.sub(r"tree_sizes=.*\n", "", text)
    booster = lgb.Booster(model_str=text)
    x = np.random.default_rng(9).normal(size=(50, 4))
    trees = fast_trees(booster)
    assert trees.reason == "a node of the model counts no training rows"
    np.testing.assert_array_equal(trees.predict(x), booster.predict(x, raw_score=True))
    np.testing.assert_array_equal(trees.contributions(x), booster.predict(x, pred_contrib=True))


@pytest.mark.parametrize("params", [{}, {"linear_tree": True}])
@pytest.mark.parametrize(
    ("rows", "error", "said"),
    [
        ([[1.0, 2.0, 3.0, 4.0]], TypeError, "expected a numpy array of numbers, got list"),
        (np.array([["a"] * 4], dtype=object), TypeError, "got object"),
        (np.zeros(4), ValueError, r"expected shape \(rows, 4\), got \(4,\)"),
        (np.zeros((2, 5)), ValueError, r"expected shape \(rows, 4\), got \(2, 5\)"),
    ],
)
def test_rows_that_are_not_the_models_are_refused(params, rows, error, said):
    with pytest.raises(error, match=said):
        fast_trees(trained(**params)).predict(rows)


def test_threads_below_one_are_refused():
    with pytest.raises(ValueError, match="threads: expected 1 or more, got 0"):
        fast_trees(trained()).contributions(np.zeros((1, 4)), threads=0)


def test_numba_is_not_imported_before_the_first_use():
    code = "import sys, mqbg.explain.treeshap; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
