"""The nights of a job replayed: the capacity holds by the week and by the month."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from mqbg.model.thresholds import Thresholds
from mqbg.settings import StateSettings, ThresholdSettings
from mqbg.train.thresholds.nights import replay_nights
from scipy.special import expit, logit

MONDAY, DAY = datetime(2024, 1, 1), timedelta(days=1)
STATES = StateSettings()
LINE = Thresholds("capacity", completeness=0.5, pooled=0.05)


def nightly(seed, nights=182, groups=500, rate=1.0, every=1):
    """Readiness by night: groups come, drift by the day and go; two tiers, a third of them A."""
    draws = np.random.default_rng(seed)
    level, shock = draws.normal(-3, 1, groups), np.zeros(groups)
    born = draws.integers(-nights, nights, groups)
    gone = born + draws.integers(60, 400, groups)
    parts = []
    for night in range(nights):
        shock = 0.9 * shock + draws.normal(0, 0.25, groups)
        here = np.flatnonzero((born <= night) & (night < gone))
        if night % every == 0:
            parts.append(
                pd.DataFrame(
                    {
                        "group_id": [f"G{n}" for n in here],
                        "as_of": pd.Timestamp(MONDAY + night * DAY),
                        "readiness": expit((level + shock)[here] + logit(rate / 2)),
                        "completeness": 1.0,
                        "engagement": 0.0,
                        "tier": np.where(here % 3 == 0, "A", "B"),
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def few(*readiness):
    """Snapshots a week apart, from a dictionary of readiness by group each."""
    return pd.DataFrame(
        [
            {"group_id": g, "as_of": MONDAY + 7 * number * DAY, "readiness": r, "completeness": 1.0}
            for number, snapshot in enumerate(readiness)
            for g, r in snapshot.items()
        ]
    )


def entries_by_week(replayed):
    """Entries of each whole week after the first snapshot, Tuesday to Monday."""
    entered = replayed[replayed["entered"]]
    week = ((entered["as_of"] - MONDAY).dt.days - 1) // 7
    count = Counter(week)
    return [count[n] for n in range((replayed["as_of"].max() - MONDAY).days // 7)]


def assert_holds(replayed, capacity):
    weeks = np.array(entries_by_week(replayed), dtype=float)
    months = weeks[: weeks.size // 4 * 4].reshape(-1, 4).mean(axis=1)
    assert weeks.mean() == pytest.approx(capacity, rel=0.1)
    assert np.abs(months / capacity - 1).max() <= 0.25


@pytest.mark.parametrize(
    ("capacity", "nights"),
    [(3, 60), *(pytest.param(n, 182, marks=pytest.mark.slow) for n in (3, 10))],
)
def test_months_of_nights_hold_the_capacity(capacity, nights):
    rows = nightly(1, nights=nights, groups=150 * capacity)
    settings = ThresholdSettings(capacity_per_week=capacity)
    assert_holds(replay_nights(rows, LINE, settings, STATES), capacity)


@pytest.mark.slow
def test_it_holds_as_well_where_half_as_many_are_expected_to_convert():
    rows = nightly(1, rate=0.5)
    replayed = replay_nights(rows, LINE, ThresholdSettings(capacity_per_week=3), STATES)
    assert_holds(replayed, 3)


@pytest.mark.slow
def test_each_team_holds_its_own_capacity():
    rows = nightly(2, groups=900)
    own = ThresholdSettings(capacity_per_week=5, segment="tier", capacity_by_segment={"A": 2})
    by_tier = Thresholds("capacity", 0.5, pooled=0.05, segment="tier", segment_shifts={"A": 0.3})
    replayed = replay_nights(rows, by_tier, own, STATES)
    assert_holds(replayed[replayed["tier"] == "A"], 2)
    assert_holds(replayed[replayed["tier"] == "B"], 5)


@pytest.mark.parametrize("every", [2, 7, 14])
def test_the_cadence_of_the_job_changes_nothing(every):
    rows = nightly(3, nights=43, groups=200, every=every)
    replayed = replay_nights(rows, LINE, ThresholdSettings(capacity_per_week=3), STATES)
    weeks = (rows["as_of"].max() - MONDAY).days / 7
    assert replayed["entered"].sum() == pytest.approx(3 * weeks, abs=1)


def test_the_first_snapshot_is_stock():
    replayed = replay_nights(
        few({"a": 0.9}, {"a": 0.9, "b": 0.8}), LINE, ThresholdSettings(capacity_per_week=5), STATES
    )
    assert replayed.loc[replayed["entered"], "group_id"].tolist() == ["b"]
    assert replayed["status"].tolist() == ["qualified"] * 3


def test_by_another_policy_everyone_enters_who_reaches_the_thresholds():
    rows = few({"z": 0.1}, dict.fromkeys("abcdefgh", 0.6))
    fixed = Thresholds("value", completeness=0.5, pooled=0.5)
    replayed = replay_nights(rows, fixed, ThresholdSettings(capacity_per_week=1), STATES)
    assert replayed["entered"].sum() == 8
    assert set(replayed["threshold"]) == {0.5}


def test_a_group_that_dips_for_less_than_the_dwell_time_does_not_enter_again():
    rows = few({"a": 0.1}, {"a": 0.6}, {"a": 0.1}, {"a": 0.6})
    fixed = Thresholds("value", completeness=0.5, pooled=0.5)
    replayed = replay_nights(rows, fixed, ThresholdSettings(), STATES)
    assert replayed["entered"].tolist() == [False, True, False, False]


def test_a_verdict_keeps_a_group_from_entering():
    rows = few({"a": 0.01, "b": 0.01}, {"a": 0.6, "b": 0.6})
    said = pd.DataFrame(
        [{"group_id": "a", "decided_at": MONDAY + DAY, "verdict": "rejected", "reason": None,
          "reopened_at": None}]
    )  # fmt: skip
    replayed = replay_nights(
        rows, LINE, ThresholdSettings(capacity_per_week=5), STATES,
        lambda as_of: said if as_of > MONDAY else said.head(0),
    )  # fmt: skip
    assert replayed.loc[replayed["entered"], "group_id"].tolist() == ["b"]
    assert replayed["status"].tolist()[2:] == ["rejected", "qualified"]


def test_the_order_of_the_rows_decides_nothing():
    rows = nightly(4, nights=12, groups=60)
    settings = ThresholdSettings(capacity_per_week=3)
    columns = ["as_of", "group_id", "status", "entered", "threshold"]
    found, again = (
        replay_nights(some, LINE, settings, STATES)[columns]
        .sort_values(["as_of", "group_id"])
        .reset_index(drop=True)
        for some in (rows, rows.sample(frac=1, random_state=4))
    )
    pd.testing.assert_frame_equal(found, again)
