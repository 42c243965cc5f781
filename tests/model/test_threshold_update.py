from dataclasses import replace
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.model.threshold_update import qualified, qualifying_thresholds, update_threshold
from mqbg.model.thresholds import Thresholds
from mqbg.settings import ThresholdSettings

START = pd.Timestamp("2025-01-06")
LINE = Thresholds("capacity", completeness=0.5, pooled=0.5)


def snapshots(*readiness, **columns):
    """One dictionary of readiness by group for each snapshot, four weeks apart."""
    return pd.DataFrame(
        [
            {
                "group_id": group,
                "as_of": START + pd.Timedelta(weeks=4 * number),
                "readiness": ready,
                "completeness": 1.0,
            }
            | {name: values[group] for name, values in columns.items()}
            for number, snapshot in enumerate(readiness)
            for group, ready in snapshot.items()
        ]
    )


def grown(seed, groups=400, months=6):
    """A portfolio that grows and gets readier, as the walk of each group's log-odds."""
    draws = np.random.default_rng(seed)
    log_odds = draws.normal(-3, 1, groups)
    parts = []
    for month in range(months):
        log_odds = log_odds + draws.normal(0.15, 0.5, groups)
        here = np.flatnonzero(draws.random(groups) < 0.4 + 0.1 * month)
        parts.append(
            dict(zip((f"G{i}" for i in here), 1 / (1 + np.exp(-log_odds[here])), strict=True))
        )
    return snapshots(*parts)


def entries_by_hand(rows, thresholds):
    """Newly qualified groups at each snapshot after the first."""
    before, counts = None, []
    for as_of, now in rows.groupby("as_of"):
        line = thresholds.pooled_at(as_of.to_pydatetime())
        inside = {row.group_id for row in now.itertuples() if row.readiness >= line}
        if before is not None:
            counts.append(len(inside - before))
        before = inside
    return counts


def per_week(capacity, **more):
    return ThresholdSettings(capacity_per_week=capacity, **more)


def lines(thresholds):
    return [line for _, line in thresholds.schedule]


def test_the_line_stays_while_it_lets_in_what_sales_can_take():
    rows = snapshots({"a": 0.1}, {"a": 0.6, "b": 0.7, "c": 0.8, "d": 0.9, "e": 0.4})
    assert lines(update_threshold(rows, LINE, per_week(1))) == [0.5]


def test_the_line_becomes_the_readiness_of_the_last_that_sales_can_take():
    rows = snapshots({"a": 0.1}, {"a": 0.6, "b": 0.7, "c": 0.8, "d": 0.9, "e": 0.4})
    assert lines(update_threshold(rows, LINE, per_week(0.5))) == [0.8]
    assert lines(update_threshold(rows, LINE, per_week(1.25))) == [0.4]


def test_the_line_stays_where_no_other_would_let_in_a_rounder_number():
    rows = snapshots({"a": 0.1}, {"a": 0.6, "b": 0.7, "e": 0.4})
    assert lines(update_threshold(rows, LINE, per_week(0.6))) == [0.5]  # 2.4 groups


def test_more_equal_groups_than_sales_can_take_are_never_all_let_in():
    equal = {f"G{n:02d}": 0.7 for n in range(40)}
    rows = snapshots({"z": 0.1}, {"a": 0.9, "b": 0.8, **equal})
    followed = update_threshold(rows, LINE, per_week(2))  # eight groups between two snapshots
    assert entries_by_hand(rows, followed) == [2]
    one_more = snapshots({"z": 0.1}, {"a": 0.9, "b": 0.7, "c": 0.7})
    assert lines(update_threshold(one_more, replace(LINE, pooled=0.1), per_week(0.5))) == [0.7]


def test_who_qualified_before_takes_no_capacity():
    rows = snapshots({"a": 0.9, "b": 0.9}, {"a": 0.9, "b": 0.9, "c": 0.8, "d": 0.7})
    assert lines(update_threshold(rows, LINE, per_week(0.25))) == [0.8]


def test_incomplete_groups_take_no_capacity():
    rows = snapshots({"a": 0.1}, {"a": 0.9, "b": 0.8, "c": 0.7})
    rows.loc[rows["readiness"] == 0.9, "completeness"] = 0.4
    assert lines(update_threshold(rows, LINE, per_week(0.25))) == [0.8]


def test_where_supply_is_short_the_line_stops_at_the_least():
    rows = snapshots({"a": 0.1}, {"a": 0.3, "b": 0.05})
    assert lines(update_threshold(rows, replace(LINE, floor=0.2), per_week(9))) == [0.2]


def test_too_little_capacity_for_one_group_waits_until_it_adds_up():
    rows = snapshots({"z": 0.1}, {"a": 0.9}, {"b": 0.9}, {"c": 0.9}, {"d": 0.9})
    followed = update_threshold(rows, LINE, per_week(0.1))  # 0.4 groups between two snapshots
    assert entries_by_hand(rows, followed) == [0, 1, 0, 1]


def test_the_months_capacity_decides_in_that_month():
    rows = snapshots({"z": 0.1}, {c: 0.5 + i / 100 for i, c in enumerate("abcdefgh")})
    busy = per_week(2, capacity_by_month={"2": 0.5})
    assert lines(update_threshold(rows, LINE, per_week(2))) == [0.5]
    assert lines(update_threshold(rows, LINE, busy)) == [0.56]


def test_a_segments_own_team_adds_its_capacity_where_it_has_groups():
    tier = {"z": "B", "a": "A", "b": "B", "c": "B", "d": "B"}
    rows = snapshots({"z": 0.1}, {"a": 0.9, "b": 0.8, "c": 0.7, "d": 0.6}, tier=tier)
    own = per_week(0.25, segment="tier", capacity_by_segment={"A": 0.5, "X": 9.0})
    by_tier = replace(LINE, segment="tier", segment_shifts={"A": 0.0})
    assert lines(update_threshold(rows, by_tier, own)) == [0.7]


def test_a_shifted_segment_is_counted_on_its_own_line():
    tier = {"z": "B", "a": "A", "b": "B"}
    rows = snapshots({"z": 0.1}, {"a": 0.9, "b": 0.8}, tier=tier)
    strict = replace(LINE, segment="tier", segment_shifts={"A": 2.0})
    followed = update_threshold(rows, strict, per_week(0.25))
    assert qualified(rows, followed).tolist() == [False, False, True]


@pytest.mark.parametrize("policy", ["value", "precision"])
def test_other_policies_do_not_follow(policy):
    fixed = replace(LINE, policy=policy)
    assert update_threshold(grown(1), fixed, per_week(1)) == fixed


def test_no_rows_leave_the_line_as_it_is():
    assert update_threshold(grown(1).head(0), LINE, per_week(1)) == LINE


@given(st.integers(0, 50), st.floats(1.0, 12.0))
@settings(max_examples=40, deadline=None)
def test_every_snapshot_lets_in_the_capacity_but_for_rounding(seed, capacity):
    rows = grown(seed)
    followed = update_threshold(rows, replace(LINE, pooled=0.2), per_week(capacity))
    for entered in entries_by_hand(rows, followed):
        assert abs(entered - 4 * capacity) <= max(0.05 * (4 * capacity + 1), 0.5) + 1


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_flow_stays_within_a_tenth_where_a_fixed_line_does_not(seed):
    rows = grown(seed)
    loose = Thresholds("capacity", 0.5, pooled=0.1)
    fixed = np.mean(entries_by_hand(rows, loose)) / 4
    followed = np.mean(entries_by_hand(rows, update_threshold(rows, loose, per_week(5)))) / 4
    assert fixed > 6
    assert followed == pytest.approx(5, rel=0.1)


@given(st.integers(0, 50), st.floats(0.5, 8.0), st.floats(1.1, 4.0))
@settings(max_examples=30, deadline=None)
def test_more_capacity_never_gives_a_stricter_line_at_the_next_snapshot(seed, capacity, times):
    rows = grown(seed, months=2)
    little = update_threshold(rows, LINE, per_week(capacity))
    much = update_threshold(rows, LINE, per_week(capacity * times))
    assert much.schedule[-1][1] <= little.schedule[-1][1]


@given(st.integers(0, 50))
@settings(max_examples=20, deadline=None)
def test_what_comes_later_changes_no_line(seed):
    rows = grown(seed)
    known = rows[rows["as_of"] < START + pd.Timedelta(weeks=13)]
    settings_ = per_week(3)
    some = update_threshold(known, LINE, settings_).schedule
    assert update_threshold(rows, LINE, settings_).schedule[: len(some)] == some


def test_snapshots_of_the_schedule_keep_their_line_and_the_rest_goes_on_from_there():
    rows = grown(7)
    half = update_threshold(rows[rows["as_of"] < START + pd.Timedelta(weeks=13)], LINE, per_week(4))
    late = rows[rows["as_of"] >= START + pd.Timedelta(weeks=8)]
    whole = update_threshold(late, half, per_week(4))
    assert whole.schedule[:3] == half.schedule
    assert len(whole.schedule) == 5
    assert whole.updated_until == datetime(2025, 1, 6) + pd.Timedelta(weeks=20)


def test_order_of_rows_does_not_matter():
    rows = grown(2)
    again = rows.sample(frac=1, random_state=2)
    assert update_threshold(again, LINE, per_week(3)) == update_threshold(rows, LINE, per_week(3))


def test_each_row_is_measured_by_the_line_of_its_own_snapshot():
    rows = snapshots({"a": 0.4}, {"a": 0.4})
    step = (START + pd.Timedelta(weeks=4)).isoformat()
    looser = replace(LINE, schedule=((step, 0.3),))
    assert qualified(rows, looser).tolist() == [False, True]


def test_reach_is_the_highest_pooled_line_at_which_a_row_qualifies():
    rows = snapshots({"a": 0.4, "b": 0.6}, tier={"a": "A", "b": "B"})
    shifted = replace(LINE, segment="tier", segment_shifts={"A": 0.7}, month_shifts={1: 0.2})
    reach = qualifying_thresholds(rows, shifted)
    for pooled, expected in [(reach[0], [True, True]), (reach[0] + 1e-6, [False, True])]:
        assert qualified(rows, replace(shifted, pooled=pooled)).tolist() == expected


def test_a_missing_segment_column_is_refused():
    with pytest.raises(ValueError, match="need the column 'solution_id'"):
        qualified(grown(1), replace(LINE, segment="solution"))
