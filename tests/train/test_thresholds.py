import json
import time
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.calibrated import Threshold
from mqbg.train.thresholds import CURVE_POINTS, capacity_threshold

START = pd.Timestamp("2024-01-01")


def snapshots(rows, week_gap=1):
    """Rows from (group, snapshot number, readiness) or those and a completeness."""
    return pd.DataFrame(
        [
            {
                "group_id": group,
                "as_of": START + pd.Timedelta(weeks=week_gap * number),
                "readiness": readiness,
                "completeness": rest[0] if rest else 1.0,
            }
            for group, number, readiness, *rest in rows
        ]
    )


def chosen(rows, capacity, completeness=0.5):
    return capacity_threshold(rows, capacity_per_week=capacity, completeness_threshold=completeness)


def flow_by_hand(rows, threshold, completeness):
    """Newly qualified groups a week by walking through the snapshots one by one."""
    moments = sorted(set(rows["as_of"]))
    before, entered = set(), 0
    for number, moment in enumerate(moments):
        qualified = {
            row.group_id
            for row in rows[rows["as_of"] == moment].itertuples()
            if row.readiness >= threshold and row.completeness >= completeness
        }
        if number or len(moments) == 1:
            entered += len(qualified - before)
        before = qualified
    if len(moments) == 1:
        return entered / 4
    return entered / ((moments[-1] - moments[0]).days / 7)


def chosen_by_hand(rows, capacity, completeness):
    best = None
    for candidate in sorted(set(rows["readiness"]), reverse=True):
        if flow_by_hand(rows, candidate, completeness) > capacity:
            break
        best = candidate
    return best


def test_the_first_snapshot_is_stock_and_only_entries_after_it_count():
    rows = snapshots([("a", 0, 0.9), ("a", 1, 0.9), ("b", 0, 0.1), ("b", 1, 0.8), ("c", 1, 0.7)])
    got = chosen(rows, capacity=1)
    assert (got.readiness, got.expected_per_week) == (0.8, 1.0)


def test_a_group_absent_from_the_snapshot_before_enters_again():
    rows = snapshots([("a", 0, 0.9), ("b", 1, 0.1), ("a", 2, 0.9)])
    assert chosen(rows, capacity=1).curve[0] == (0.9, 0.5)


def test_flow_is_per_week_however_far_snapshots_are_apart():
    rows = snapshots([("a", 0, 0.1), ("a", 1, 0.9)], week_gap=4)
    assert chosen(rows, capacity=1).curve[0] == (0.9, 0.25)


def test_a_single_snapshot_is_worked_off_in_four_weeks():
    rows = snapshots([(str(number), 0, number / 10) for number in range(1, 9)])
    got = chosen(rows, capacity=1)
    assert (got.readiness, got.expected_per_week) == (0.5, 1.0)


def test_incomplete_groups_take_no_capacity():
    rows = snapshots([("a", 0, 0.9, 0.49), ("b", 0, 0.8, 0.5), ("c", 0, 0.7, 1.0)])
    got = chosen(rows, capacity=0.25)
    assert (got.readiness, got.completeness, got.expected_per_week) == (0.8, 0.5, 0.25)


def test_a_group_that_becomes_complete_enters():
    rows = snapshots([("a", 0, 0.9, 0.2), ("a", 1, 0.9, 0.9)])
    assert chosen(rows, capacity=5).curve[0] == (0.9, 1.0)


def test_the_scan_stops_before_the_first_threshold_with_too_much():
    # At 0.8 both enter; at 0.1 they have been in since the first snapshot and none does.
    rows = snapshots([("a", 0, 0.1), ("b", 0, 0.1), ("a", 1, 0.8), ("b", 1, 0.8), ("c", 1, 0.9)])
    assert flow_by_hand(rows, 0.1, 0.5) == 1.0
    assert chosen(rows, capacity=1).readiness == 0.9


def test_when_the_readiest_are_too_many_none_qualifies():
    rows = snapshots([("a", 0, 0.9), ("b", 0, 0.9)])
    got = chosen(rows, capacity=0.4)
    assert 0.9 < got.readiness < 0.9001
    assert got.expected_per_week == 0.0


def test_with_room_for_all_the_lowest_readiness_qualifies():
    rows = snapshots([("a", 0, 0.2), ("b", 0, 0.9)])
    assert chosen(rows, capacity=100).readiness == 0.2


LEVELS = [0.1, 0.3, 0.5, 0.7, 0.9]


@given(
    st.dictionaries(
        st.tuples(st.sampled_from("abcdef"), st.integers(0, 4)),
        st.tuples(st.sampled_from(LEVELS), st.sampled_from([0.2, 0.8])),
        min_size=1,
    ),
    st.floats(0.1, 5),
)
@settings(max_examples=40, deadline=None)
def test_threshold_and_curve_equal_a_walk_through_the_snapshots(drawn, capacity):
    rows = snapshots([(*key, *value) for key, value in drawn.items()])
    got = chosen(rows, capacity)
    expected = chosen_by_hand(rows, capacity, 0.5)
    if expected is None:
        assert got.readiness > rows["readiness"].max()
    else:
        assert got.readiness == expected
        assert got.expected_per_week == pytest.approx(flow_by_hand(rows, expected, 0.5))
    for threshold, per_week in got.curve:
        assert per_week == pytest.approx(flow_by_hand(rows, threshold, 0.5))


def test_order_of_rows_does_not_matter():
    draws = np.random.default_rng(5)
    rows = snapshots([(str(i % 20), i // 20, draws.random()) for i in range(100)])
    assert chosen(rows, 2) == chosen(rows.sample(frac=1, random_state=5), 2)


def test_a_threshold_survives_json():
    got = chosen(snapshots([("a", 0, 0.2), ("b", 0, 0.9)]), 1)
    assert Threshold(**json.loads(json.dumps(asdict(got)))) == got


def test_fifty_thousand_rows_take_no_time_and_give_a_short_curve():
    draws = np.random.default_rng(5)
    number = np.arange(50_000)
    rows = pd.DataFrame(
        {
            "group_id": (number % 8_000).astype(str),
            "as_of": START + pd.to_timedelta(28 * (number // 8_000), unit="D"),
            "readiness": draws.random(50_000),
            "completeness": draws.random(50_000),
        }
    )
    begun = time.perf_counter()
    got = chosen(rows, 20)
    assert time.perf_counter() - begun < 2  # 0.03 s where this was written
    assert got.expected_per_week == pytest.approx(20, abs=0.1)
    assert len(got.curve) <= CURVE_POINTS
    assert (got.readiness, got.expected_per_week) in got.curve


GOOD = snapshots([("a", 0, 0.2), ("b", 0, 0.9)])


@pytest.mark.parametrize(
    ("rows", "capacity", "completeness", "words"),
    [
        (GOOD.drop(columns="as_of"), 1, 0.5, r"missing: \['as_of'\]"),
        (GOOD.head(0), 1, 0.5, "at least one scored snapshot"),
        (GOOD, 0, 0.5, "capacity_per_week must be above 0, got 0"),
        (GOOD, float("nan"), 0.5, "capacity_per_week must be above 0, got nan"),
        (GOOD, 1, 60, "write 60 % as 0.6"),
        (GOOD.assign(readiness=[0.5, 1.5]), 1, 0.5, "readiness must lie in 0..1"),
        (GOOD.assign(completeness=np.nan), 1, 0.5, "got 2 rows where it does not"),
        (pd.concat([GOOD, GOOD]), 1, 0.5, "once per snapshot, got 2 rows again"),
    ],
)
def test_rows_that_no_threshold_can_be_learned_on_are_refused(rows, capacity, completeness, words):
    with pytest.raises(ValueError, match=words):
        chosen(rows, capacity, completeness)


def test_the_threshold_never_falls_below_the_least_one():
    rows = pd.DataFrame(
        {
            "group_id": ["a", "b", "c", "a", "b", "c"],
            "as_of": pd.to_datetime(["2024-01-01"] * 3 + ["2024-01-08"] * 3),
            "readiness": [0.1, 0.2, 0.3, 0.5, 0.2, 0.05],
            "completeness": 1.0,
        }
    )

    def chosen(least):
        return capacity_threshold(
            rows, capacity_per_week=100, completeness_threshold=0.5, least=least
        ).readiness

    assert [chosen(0.0), chosen(0.15), chosen(0.25)] == [0.05, 0.2, 0.3]


def test_a_least_threshold_above_every_readiness_leaves_the_highest():
    rows = pd.DataFrame(
        {
            "group_id": ["a"],
            "as_of": pd.to_datetime(["2024-01-01"]),
            "readiness": [0.1],
            "completeness": 1.0,
        }
    )
    threshold = capacity_threshold(rows, capacity_per_week=9, completeness_threshold=0.5, least=0.4)
    assert threshold.readiness == 0.1
