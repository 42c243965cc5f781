"""What the parser makes of LightGBM's text."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest
from mqbg.explain.treeshap.forest import UnsupportedTreesError, parse_forest
from mqbg.explain.treeshap.layout import CATEGORY, NAN_LEFT, NAN_RIGHT, ZERO_LEFT, ZERO_RIGHT
from mqbg.support.disk_cache import CACHE_VARIABLE

# Splits feature 0 at 1.5, then on the right feature 1 at -2.
TEXT = """tree
version=v4
num_class=1
num_tree_per_iteration=1
max_feature_idx=1

Tree=0
num_leaves=3
num_cat=0
split_feature=0 1
threshold=1.5 -2
decision_type={first} {second}
left_child=-1 -2
right_child=1 -3
leaf_value=10 20 30
leaf_count=6 1 3
internal_count=10 4
is_linear=0


end of trees

feature_importances:
"""
NONE, ZERO, NAN, LEFT = 0, 4, 8, 2


def read(first: int = NONE, second: int = NONE) -> np.ndarray:
    return parse_forest(TEXT.format(first=first, second=second)).nodes


def test_shares_are_rows_of_the_child_to_rows_of_the_node():
    nodes = read()
    assert nodes["left_share"].tolist() == [0.6, 0.25]
    assert nodes["right_share"].tolist() == [0.4, 0.75]


def test_the_mean_weighs_leaves_by_their_rows():
    assert parse_forest(TEXT.format(first=0, second=0)).expected.tolist() == [pytest.approx(17.0)]


@pytest.mark.parametrize(
    ("first", "second", "kinds"),
    [
        (NONE, NONE, [NAN_LEFT, NAN_RIGHT]),  # NaN is zero: left of 1.5, right of -2
        (NONE | LEFT, NONE | LEFT, [NAN_LEFT, NAN_RIGHT]),  # without missing values no default
        (NAN, NAN | LEFT, [NAN_RIGHT, NAN_LEFT]),
        (ZERO, ZERO | LEFT, [ZERO_RIGHT, ZERO_LEFT]),
        (ZERO | LEFT, ZERO, [NAN_LEFT, NAN_RIGHT]),  # zero goes there anyway
    ],
)
def test_missing_values_go_where_lightgbm_sends_them(first, second, kinds):
    assert read(first, second)["kind"].tolist() == kinds


def test_a_feature_split_again_knows_its_share_so_far():
    nodes = parse_forest(
        TEXT.format(first=0, second=0).replace("split_feature=0 1", "split_feature=0 0")
    )
    assert nodes.nodes["before"].tolist() == [-1, 0]
    assert nodes.nodes["before_left"].tolist() == [0, 0]
    assert nodes.nodes["share_before"].tolist() == [1.0, 0.4]


@pytest.mark.parametrize(("features", "points"), [("0 1", 1), ("0 0", 1)])
def test_half_the_features_of_the_longest_path_give_the_points(features, points):
    text = TEXT.format(first=0, second=0).replace("split_feature=0 1", f"split_feature={features}")
    assert parse_forest(text).trees["points"].tolist() == [points]


def test_categories_point_at_their_own_words_in_the_joined_trees():
    draw = np.random.default_rng(1)
    x = draw.integers(0, 100, size=(2000, 1)).astype(float)
    y = draw.normal(size=100)[x[:, 0].astype(int)]
    params = {"verbose": -1, "num_leaves": 4, "num_threads": 1}
    booster = lgb.train(params, lgb.Dataset(x, y, categorical_feature=[0]), 3)
    found = parse_forest(booster.model_to_string())
    ends = found.nodes["first_word"] + found.nodes["words"]
    assert set(found.nodes["kind"]) == {CATEGORY}
    assert found.nodes["first_word"].tolist() == [0, *ends[:-1]]
    assert ends[-1] == found.words.size - 1


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("is_linear=0", "is_linear=1", "linear trees"),
        ("leaf_count=6 1 3\n", "", "counts no training rows"),
        ("leaf_count=6 1 3", "leaf_count=6 0 4", "counts no training rows"),
        ("right_child=1 -3", "right_child=0 -3", "comes before its parent"),
    ],
)
def test_what_the_arrays_cannot_say_is_not_covered(old, new, reason):
    with pytest.raises(UnsupportedTreesError, match=reason):
        parse_forest(TEXT.format(first=0, second=0).replace(old, new))


def test_a_model_without_trees_has_none():
    found = parse_forest(TEXT.partition("\nTree=0")[0] + "\nend of trees\n")
    assert (found.features, found.outputs, found.trees.size) == (2, 1, 0)


def test_a_forest_read_again_is_the_same_to_the_layout(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    text = TEXT.format(first=NONE, second=NAN)
    parsed, again = parse_forest(text), parse_forest(text)
    assert again is not parsed
    for name, values in vars(parsed).items():
        kept = getattr(again, name)
        assert type(kept) is type(values)
        assert np.array_equal(kept, values)
        if isinstance(values, np.ndarray):
            assert (kept.dtype, kept.dtype.isalignedstruct) == (
                values.dtype,
                values.dtype.isalignedstruct,
            )
