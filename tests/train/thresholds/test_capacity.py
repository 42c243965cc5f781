from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.train.thresholds.capacity import capacity_threshold
from mqbg.train.thresholds.new_entries import find_new_entries, require_scored_rows

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


@dataclass(frozen=True)
class Chosen:
    readiness: float
    expected_per_week: float


def flow_at(rows, line, completeness=0.5):
    """Newly qualified groups a week at a line, as the room counts them."""
    complete = rows["completeness"] >= completeness
    reach = np.where(complete, rows["readiness"].to_numpy(), -np.inf)
    return float(find_new_entries(rows, reach).per_week(np.array([line]))[0])


def chosen(rows, capacity, completeness=0.5, least=0.0):
    require_scored_rows(rows)
    complete = rows["completeness"] >= completeness
    reach = np.where(complete, rows["readiness"].to_numpy(), -np.inf)
    line = capacity_threshold(find_new_entries(rows, reach), capacity, least)
    return Chosen(line, flow_at(rows, line, completeness))


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


def test_the_first_snapshot_is_stock_and_only_entries_after_it_count():
    rows = snapshots([("a", 0, 0.9), ("a", 1, 0.9), ("b", 0, 0.1), ("b", 1, 0.8), ("c", 1, 0.7)])
    got = chosen(rows, capacity=1)
    assert (got.readiness, got.expected_per_week) == (0.8, 1.0)


def test_a_group_absent_from_the_snapshot_before_enters_again():
    rows = snapshots([("a", 0, 0.9), ("b", 1, 0.1), ("a", 2, 0.9)])
    assert flow_at(rows, 0.9) == 0.5


def test_flow_is_per_week_however_far_snapshots_are_apart():
    rows = snapshots([("a", 0, 0.1), ("a", 1, 0.9)], week_gap=4)
    assert flow_at(rows, 0.9) == 0.25


def test_a_single_snapshot_is_worked_off_in_four_weeks():
    rows = snapshots([(str(number), 0, number / 10) for number in range(1, 9)])
    got = chosen(rows, capacity=1)
    assert (got.readiness, got.expected_per_week) == (0.5, 1.0)


def test_incomplete_groups_take_no_capacity():
    rows = snapshots([("a", 0, 0.9, 0.49), ("b", 0, 0.8, 0.5), ("c", 0, 0.7, 1.0)])
    got = chosen(rows, capacity=0.25)
    assert (got.readiness, got.expected_per_week) == (0.8, 0.25)


def test_a_group_that_becomes_complete_enters():
    rows = snapshots([("a", 0, 0.9, 0.2), ("a", 1, 0.9, 0.9)])
    assert flow_at(rows, 0.9) == 1.0


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
def test_the_line_and_every_flow_equal_a_walk_through_the_snapshots(drawn, capacity):
    rows = snapshots([(*key, *value) for key, value in drawn.items()])
    got = chosen(rows, capacity)
    assert got.expected_per_week == pytest.approx(flow_by_hand(rows, got.readiness, 0.5))
    assert got.expected_per_week <= capacity
    observed = sorted(set(rows[rows["completeness"] >= 0.5]["readiness"]), reverse=True)
    flows = [(line, flow_by_hand(rows, line, 0.5)) for line in observed]
    assert all(flow <= capacity for line, flow in flows if line >= got.readiness)
    # Going on, the first line that changes the flow at all lets in too many.
    changed = [f for line, f in flows if line < got.readiness and f != got.expected_per_week]
    assert not changed or changed[0] > capacity
    for line in LEVELS:
        assert flow_at(rows, line) == pytest.approx(flow_by_hand(rows, line, 0.5))


def test_order_of_rows_does_not_matter():
    draws = np.random.default_rng(5)
    rows = snapshots([(str(i % 20), i // 20, draws.random()) for i in range(100)])
    assert chosen(rows, 2) == chosen(rows.sample(frac=1, random_state=5), 2)


GOOD = snapshots([("a", 0, 0.2), ("b", 0, 0.9)])


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (GOOD.drop(columns="as_of"), r"missing: \['as_of'\]"),
        (GOOD.head(0), "at least one scored snapshot"),
        (GOOD.assign(readiness=[0.5, 1.5]), "readiness must lie in 0..1"),
        (GOOD.assign(completeness=np.nan), "got 2 rows where it does not"),
        (pd.concat([GOOD, GOOD]), "once per snapshot, got 2 rows again"),
    ],
)
def test_rows_that_no_line_can_be_learned_on_are_refused(rows, words):
    with pytest.raises(ValueError, match=words):
        chosen(rows, 1)


def test_the_threshold_never_falls_below_the_least_one():
    rows = pd.DataFrame(
        {
            "group_id": ["a", "b", "c", "a", "b", "c"],
            "as_of": pd.to_datetime(["2024-01-01"] * 3 + ["2024-01-08"] * 3),
            "readiness": [0.1, 0.2, 0.3, 0.5, 0.2, 0.05],
            "completeness": 1.0,
        }
    )

    lines = [chosen(rows, 100, least=least).readiness for least in (0.0, 0.15, 0.25)]
    assert lines == [0.05, 0.2, 0.5]


def test_a_least_threshold_above_every_readiness_leaves_the_highest():
    rows = pd.DataFrame(
        {
            "group_id": ["a"],
            "as_of": pd.to_datetime(["2024-01-01"]),
            "readiness": [0.1],
            "completeness": 1.0,
        }
    )
    threshold = chosen(rows, 9, least=0.4)
    assert threshold.readiness == 0.1
