"""Which snapshots a bundle keeps for its what-ifs, and how near is alike."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mqbg.settings import ModelSettings
from mqbg.train.data.snapshots import SnapshotTable
from mqbg.train.fit.comparable_snapshots import MAX_DRAWN, find_comparable_snapshots
from mqbg.train.fit.trees import TrainingMatrix, booster_text, lightgbm_parameters, train_booster

AS_OF = datetime(2024, 6, 1)
NAMES = ("rule_engagement", "completeness", "constant")


def training(x, roles, groups=None):
    """A snapshot of each row of x with an engaged member in each of its roles."""
    count = len(x)
    group_id = np.array([f"g{n}" for n in range(count)] if groups is None else groups, object)
    keys = pd.DataFrame({"group_id": group_id, "account_id": group_id, "as_of": AS_OF})
    engaged = pd.DataFrame(
        [(group_id[n], AS_OF, role) for n in range(count) for role in roles(n)],
        columns=["group_id", "as_of", "role"],
    )
    snapshots = SnapshotTable(pa.table({}), keys, engaged, {})
    converted = x[:, 0] > np.median(x[:, 0])
    matrix = TrainingMatrix(x, converted, group_id, group_id, np.ones(count), NAMES, ())
    return snapshots, matrix


def draws(count, seed=1):
    draw = np.random.default_rng(seed)
    return np.column_stack([draw.gamma(2.0, 10.0, count), draw.random(count), np.full(count, 3.0)])


def supports(found, x):
    column = {name: place for place, name in enumerate(NAMES)}
    return found.roles[0].count(found.standardised(x, column))


def test_nine_in_ten_of_the_trainings_own_snapshots_have_enough_others_like_them():
    x = draws(250)
    found = find_comparable_snapshots(*training(x, lambda _n: ["user"]), "", 20, 7)
    assert (found.roles[0].role, found.roles[0].snapshots) == ("user", 250)
    others = supports(found, x) - 1  # it is like itself
    assert np.mean(others >= 20) == pytest.approx(0.9, abs=0.01)


def test_a_group_far_from_all_has_no_support():
    found = find_comparable_snapshots(*training(draws(250), lambda _n: ["user"]), "", 20, 7)
    far = np.array([[1e6, 0.0, 3.0]])
    assert supports(found, far).tolist() == [0]


def test_of_many_snapshots_some_speak_for_all():
    x = draws(4 * MAX_DRAWN)
    found = find_comparable_snapshots(*training(x, lambda _n: ["user"]), "", 20, 7)
    kept = found.roles[0]
    assert (kept.snapshots, len(kept.rows)) == (4 * MAX_DRAWN, MAX_DRAWN)
    typical = np.median(x, axis=0)[None, :]
    standard = found.standardised(x, {name: place for place, name in enumerate(NAMES)})
    middle = found.standardised(typical, {name: place for place, name in enumerate(NAMES)})
    truly = int((np.mean((standard - middle) ** 2, axis=1) <= kept.radius).sum())
    assert supports(found, typical)[0] == pytest.approx(truly, rel=0.4)


def test_each_role_has_the_snapshots_with_somebody_engaged_in_it():
    roles = lambda n: (["user"] if n < 60 else []) + (["buyer"] if n >= 50 else [])  # noqa: E731
    found = find_comparable_snapshots(*training(draws(110), roles), "", 20, 7)
    assert {one.role: one.snapshots for one in found.roles} == {"buyer": 60, "user": 60}


def test_a_role_with_fewer_snapshots_than_a_what_if_needs_is_left_out():
    roles = lambda n: ["user", *(["buyer"] if n < 19 else [])]  # noqa: E731
    found = find_comparable_snapshots(*training(draws(60), roles), "", 20, 7)
    assert [one.role for one in found.roles] == ["user"]


def test_snapshots_of_one_group_do_not_support_each_other():
    x = np.repeat(draws(2), 50, axis=0)
    groups = np.repeat(["g1", "g2"], 50)
    snapshots, rows = training(x, lambda _n: [], groups)
    engaged = snapshots.keys[["group_id"]].assign(
        as_of=pd.date_range("2024-01-01", periods=100), role="user"
    )
    keys = snapshots.keys.assign(as_of=engaged["as_of"])
    snapshots = SnapshotTable(snapshots.features, keys, engaged, {})
    found = find_comparable_snapshots(snapshots, rows, "", 20, 7)
    assert found.roles[0].radius > 1  # as far as the other group


def test_the_features_that_trees_gained_most_by_are_compared_and_no_others():
    snapshots, rows = training(draws(200), lambda _n: ["user"])
    booster = train_booster(
        rows, np.arange(200), lightgbm_parameters(ModelSettings(threads=1), ()), 3
    )
    found = find_comparable_snapshots(snapshots, rows, booster_text(booster), 20, 7)
    assert found.features[0] == "rule_engagement"
    assert "constant" not in found.features


def test_where_nothing_varies_nothing_is_compared():
    snapshots, rows = training(np.full((40, 3), 2.0), lambda _n: ["user"])
    assert find_comparable_snapshots(snapshots, rows, "", 20, 7) is None
