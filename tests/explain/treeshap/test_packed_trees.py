"""Packed trees say what the records say: which are packed, and the bits of each node."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest
from mqbg.explain.treeshap.forest import parse_forest
from mqbg.explain.treeshap.layout import CATEGORY, NAN_LEFT, NAN_RIGHT
from mqbg.explain.treeshap.packed_trees import KINDS, pack_trees

QUIET = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 1, "min_data_in_bin": 1}
CATEGORICAL = {"cat_smooth": 0, "min_data_per_group": 1, "max_cat_to_onehot": 1}


def forest_of(leaves=15, categories=5, **params):
    draw = np.random.default_rng(4)
    x = draw.normal(size=(3000, 3)).round(1)
    x[draw.random(x.shape) < 0.1] = np.nan
    x[:, 2] = draw.integers(0, categories, size=3000)
    y = np.nan_to_num(x[:, 0] * x[:, 1]) + (x[:, 2] % 3) + draw.normal(size=3000)
    data = lgb.Dataset(x, y, categorical_feature=[2])
    booster = lgb.train({**QUIET, **CATEGORICAL, "num_leaves": leaves, **params}, data, 6)
    return parse_forest(booster.model_to_string())


def leaves_below(nodes, child):
    """Leaves under a child, walked from node to node."""
    if child < 0:
        return {~child}
    return leaves_below(nodes, nodes["left"][child]) | leaves_below(nodes, nodes["right"][child])


@pytest.mark.parametrize("leaves", [2, 15, 64])
def test_a_row_that_goes_right_loses_as_many_leaves_as_are_left_of_the_node(leaves):
    forest = forest_of(leaves, categories=60)
    packed = pack_trees(forest)
    lost = [64 - int(mask).bit_count() for mask in packed.masks]
    first = 0
    for tree, end in zip(forest.trees, packed.ends[:, -1], strict=True):
        nodes = forest.nodes[tree["first_node"] :][: tree["nodes"]]
        expected = [len(leaves_below(nodes, child)) for child in nodes["left"]]
        assert sorted(lost[first:end]) == sorted(expected)
        first = end


def test_nodes_of_a_tree_are_put_together_by_kind():
    forest = forest_of()
    packed = pack_trees(forest)
    per_kind = np.diff(packed.ends.ravel(), prepend=0).reshape(-1, KINDS.size)
    for tree, counts in zip(forest.trees, per_kind, strict=True):
        kinds = forest.nodes["kind"][tree["first_node"] :][: tree["nodes"]]
        assert counts.tolist() == [(kinds == kind).sum() for kind in KINDS]
    assert set(forest.nodes["kind"]) == {NAN_RIGHT, NAN_LEFT, CATEGORY}


def test_sets_hold_the_categories_of_both_words():
    forest = forest_of(categories=60)
    packed = pack_trees(forest)
    assert set(forest.nodes["words"]) == {0, 2}
    expected = [
        sum(int(forest.words[node["first_word"] + n]) << 32 * n for n in range(node["words"]))
        for node in forest.nodes
    ]
    assert sorted(map(int, packed.sets)) == sorted(expected)


@pytest.mark.parametrize(
    "params", [{"leaves": 65}, {"categories": 80}, {"zero_as_missing": True}], ids=str
)
def test_large_trees_and_rarer_splits_are_not_packed(params):
    assert pack_trees(forest_of(**params)) is None
