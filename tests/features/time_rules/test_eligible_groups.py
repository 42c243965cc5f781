"""Which (group_id, as_of) there are."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.contract import BadInput
from mqbg.features import cutoffs, eligible_groups, end_of_observation
from mqbg.features.time_rules.eligible_groups import start_of_history, training_cutoffs
from mqbg.settings import ObservationSettings, Settings, SnapshotSettings, TargetSettings

AS_OF = datetime(2024, 6, 1)
MICROSECOND = timedelta(microseconds=1)


def ago(days):
    return AS_OF - timedelta(days=days)


def test_months_that_are_shorter_than_the_first_day_end_on_their_last():
    found = cutoffs(datetime(2023, 10, 31, 6), datetime(2024, 4, 30, 6), "1mo")
    assert [f"{at:%m-%d %H}" for at in found] == [
        "10-31 06",
        "11-30 06",
        "12-31 06",
        "01-31 06",
        "02-29 06",
        "03-31 06",  # back on the 31st: a short month does not shorten the next
        "04-30 06",
    ]


@pytest.mark.parametrize(("every", "days"), [("1w", 7), ("2w", 14)])
def test_weeks_are_of_seven_days(every, days):
    found = cutoffs(AS_OF, AS_OF + timedelta(days=3 * days), every)
    assert found == tuple(AS_OF + timedelta(days=days * n) for n in range(4))


@pytest.mark.parametrize("every", ["1mo", "1w", "2w"])
def test_both_ends_are_included_and_nothing_after_the_end(every):
    assert cutoffs(AS_OF, AS_OF, every) == (AS_OF,)
    assert cutoffs(AS_OF, AS_OF - MICROSECOND, every) == ()


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    start=st.datetimes(datetime(1990, 1, 1), datetime(2150, 1, 1)),
    days=st.integers(0, 1000),
    every=st.sampled_from(["1mo", "1w", "2w"]),
)
def test_cutoffs_ascend_from_the_start_to_the_end_without_a_gap(start, days, every):
    end = start + timedelta(days=days)
    found = cutoffs(start, end, every)
    step = timedelta(days={"1mo": 31, "1w": 7, "2w": 14}[every])
    assert found[0] == start
    assert end - step < found[-1] <= end
    assert all(timedelta(0) < after - before <= step for before, after in pairwise(found))


LIFE = {
    "new": [],
    "in talks": [("discovery", 50), ("demo", 3)],
    "converted": [("opportunity", 50)],
    "won": [("won", 50)],
    "lost": [("lost", 50)],
    "converts now": [("opportunity", 0)],
    "reopened": [("lost", 50), ("reopened", 40)],
    "reopens now": [("lost", 50), ("reopened", 0)],
    "lost again": [("lost", 50), ("reopened", 40), ("lost", 30)],
    "reopened twice": [("lost", 50), ("reopened", 40), ("lost", 30), ("reopened", 20)],
    "reopened before": [("reopened", 60), ("lost", 50)],
    "at one instant": [("lost", 50), ("reopened", 50)],
    "merely parked": [("parked", 50)],
}


@pytest.fixture(scope="module")
def lives(open_tables):
    return open_tables(
        {
            "buying_groups": [
                *({"group_id": name} for name in LIFE),
                {"group_id": "created now", "created_at": AS_OF},
                {"group_id": "just created", "created_at": AS_OF - MICROSECOND},
            ],
            "stage_events": [
                {"group_id": name, "stage": stage, "occurred_at": ago(days)}
                for name, events in LIFE.items()
                for stage, days in events
            ],
        }
    )


def eligible(source, settings, as_of=AS_OF):
    return set(eligible_groups(source.tables, settings, as_of).to_pyarrow()["group_id"].to_pylist())


def test_open_groups_that_were_created_before_the_cutoff_are_eligible(lives):
    assert eligible(lives, Settings()) == {
        "new",
        "in talks",
        "converts now",  # at the cut-off: not yet known
        "reopened",
        "reopened twice",
        "merely parked",
        "just created",
    }


def test_settings_say_which_stages_end_eligibility(lives):
    settings = Settings(target=TargetSettings(stage="demo", closed_stages=("parked",)))
    assert set(LIFE) - eligible(lives, settings) == {"in talks", "merely parked"}


def test_the_past_is_told_as_it_was(lives):
    assert {"lost", "won", "converted", "lost again"} <= eligible(lives, Settings(), ago(55))


OBSERVED = {
    "activities": {"contact_id": "c1", "occurred_at": ago(8), "recorded_at": ago(7)},
    "stage_events": {"group_id": "g1", "stage": "demo", "occurred_at": ago(6)},
    "members": {"group_id": "g1", "contact_id": "c1", "joined_at": ago(5), "left_at": ago(-99)},
    "verdicts": {"group_id": "g1", "verdict": "accepted", "decided_at": ago(4)},
    "answers": {"group_id": "g1", "question": "q", "answer": "a", "answered_at": ago(3)},
}


@pytest.mark.parametrize(
    ("upto", "days"),
    [("activities", 7), ("stage_events", 6), ("members", 5), ("verdicts", 4), ("answers", 3)],
)
def test_observation_ends_with_the_latest_known_time_of_any_table(open_tables, upto, days):
    names = list(OBSERVED)
    some = {name: [OBSERVED[name]] for name in names[: names.index(upto) + 1]}
    tables = open_tables(some).tables
    assert end_of_observation(tables, Settings()) == ago(days)
    assert end_of_observation(tables, Settings(observation=ObservationSettings(ago(90)))) == ago(90)


def test_the_first_instant_is_that_of_an_activity_or_of_a_group(open_tables):
    groups = [{"group_id": "g1", "created_at": ago(9)}]
    with_activity = {"buying_groups": groups, "activities": [OBSERVED["activities"]]}
    assert start_of_history(open_tables(with_activity).tables) == ago(9)


def test_the_last_training_cutoff_has_its_whole_horizon_observed():
    plan = Settings(
        target=TargetSettings(horizon_days=30),
        snapshots=SnapshotSettings("1w", datetime(2024, 1, 1)),
    )
    exact_end = datetime(2024, 1, 29) + timedelta(days=30)
    first = datetime(2023, 1, 1)
    assert training_cutoffs(plan, first, exact_end)[-1] == datetime(2024, 1, 29)
    assert training_cutoffs(plan, first, exact_end - MICROSECOND)[-1] == datetime(2024, 1, 22)


@pytest.mark.parametrize(
    ("every", "first", "start"),
    [
        ("1mo", datetime(2023, 1, 15, 8), datetime(2023, 3, 1)),
        ("1mo", datetime(2022, 12, 31), datetime(2023, 2, 1)),
        ("1w", datetime(2023, 1, 4, 8), datetime(2023, 2, 6)),
        ("2w", datetime(2023, 1, 2), datetime(2023, 2, 6)),
    ],
)
def test_without_a_start_the_first_cutoff_has_four_weeks_of_history(every, first, start):
    settings = Settings(snapshots=SnapshotSettings(every))
    assert training_cutoffs(settings, first, AS_OF)[0] == start
    assert start - first >= timedelta(weeks=4)


def test_no_cutoff_with_an_observed_horizon_is_refused_with_what_to_do():
    with pytest.raises(BadInput) as caught:
        training_cutoffs(Settings(), ago(30), AS_OF)
    assert "expected at least one cut-off from 2024-07-01 whose horizon of 90 days" in str(
        caught.value
    )
    assert "Set an earlier [snapshots] start" in str(caught.value)
