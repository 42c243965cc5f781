"""What a night may let in: capacity that adds up, and who comes first where it does not suffice."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from mqbg.model.entry_budget import (
    SHARED_TEAM,
    EntryBudget,
    EntryQuota,
    budget_after,
    teams,
)
from mqbg.model.states import STATE_COLUMNS, update_states
from mqbg.settings import StateSettings, ThresholdSettings

JUNE, DAY = datetime(2024, 6, 3), timedelta(days=1)
NO_VERDICTS = pd.DataFrame(columns=["group_id", "decided_at", "verdict", "reason", "reopened_at"])
NO_STATES = pd.DataFrame(columns=list(STATE_COLUMNS))


def per_week(capacity, **more):
    return ThresholdSettings(capacity_per_week=capacity, **more)


def allowed_by_night(capacity, nights, every=DAY):
    """How many a night lets in where every group that may enter does."""
    budget, allowed = EntryBudget(per_week(capacity)), []
    for night in range(nights):
        budget = budget.advance(JUNE + night * every)
        allowed.append(budget.allowed(SHARED_TEAM))
        budget = budget.spend({SHARED_TEAM: allowed[-1]})
    return allowed


def scores(*rows):
    """Rows from (group, readiness) and, where they matter, completeness and engagement."""
    return pd.DataFrame(
        [
            {
                "group_id": row[0],
                "readiness": row[1],
                "completeness": row[2] if len(row) > 2 else 1.0,
                "engagement": row[3] if len(row) > 3 else 0.0,
                "threshold": 0.5,
                "completeness_threshold": 0.6,
                "score": 0,
                "model_version": "1",
            }
            for row in rows
        ]
    )


def quota(allowed, rows, floor=0.0):
    budget = EntryBudget(per_week(1), JUNE, {SHARED_TEAM: float(allowed)})
    return EntryQuota(teams([None] * len(rows), per_week(1)), budget, floor)


def run(allowed, rows, *, floor=0.0, states=NO_STATES, settings=None, as_of=JUNE):
    done = update_states(
        states, rows, NO_VERDICTS, settings or StateSettings(), as_of, quota(allowed, rows, floor)
    )
    entered = set(rows["group_id"][(done.status == "qualified").to_numpy()])
    return entered, done


def test_a_fraction_of_a_group_a_night_adds_up_to_whole_ones():
    assert allowed_by_night(3, 15) == [3, 0, 0, 1, 0, 1, 0, 1, 0, 0, 1, 0, 1, 0, 1]


@given(st.floats(0.2, 40), st.integers(1, 9))
@hypothesis_settings(max_examples=30, deadline=None)
def test_whatever_the_cadence_the_total_is_what_sales_can_take(capacity, days):
    nights = 100 // days
    total = sum(allowed_by_night(capacity, nights, days * DAY))
    weeks = 1 + (nights - 1) * days / 7
    assert capacity * weeks - 1 - 1e-6 <= total <= capacity * weeks + 1e-6


def test_a_slack_season_leaves_at_most_one_week_to_the_next():
    runs = [(JUNE, {}), (JUNE + 70 * DAY, {})]
    assert budget_after(per_week(7), runs).advance(JUNE + 71 * DAY).allowed(SHARED_TEAM) == 8


def test_too_many_are_made_up_for_within_a_week_of_capacity():
    runs = [(JUNE, {SHARED_TEAM: 500})]
    budget = budget_after(per_week(7), runs)
    assert budget.advance(JUNE + 7 * DAY).allowed(SHARED_TEAM) == 0
    assert budget.advance(JUNE + 9 * DAY).allowed(SHARED_TEAM) == 2


def test_the_month_of_a_run_gives_its_capacity():
    budget = budget_after(per_week(7, capacity_by_month={"7": 70}), [(JUNE, {SHARED_TEAM: 7})])
    assert budget.advance(datetime(2024, 7, 1)).allowed(SHARED_TEAM) == 280


def test_each_team_has_a_balance_of_its_own():
    own = per_week(7, segment="tier", capacity_by_segment={"A": 2})
    budget = budget_after(own, [(JUNE, {SHARED_TEAM: 7, "A": 0})]).advance(JUNE + DAY)
    assert (budget.allowed(SHARED_TEAM), budget.allowed("A")) == (1, 2)
    rows = scores(("a1", 0.9), ("a2", 0.8), ("a3", 0.7), ("b1", 0.6), ("b2", 0.5))
    tier = ["A", "A", "A", "B", None]
    entered, line = EntryQuota(teams(tier, own), budget).admit(rows, np.ones(5, np.bool_))
    assert entered.tolist() == [True, True, False, True, False]
    assert line.tolist() == [0.8, 0.8, 0.8, 0.6, 0.6]


def test_the_readiest_enter_and_the_last_of_them_is_the_threshold():
    entered, done = run(2, scores(("a", 0.3), ("b", 0.9), ("c", 0.7)))
    assert entered == {"b", "c"}
    assert set(done.threshold) == {0.7}
    assert set(done.transitions["threshold"]) == {0.7}


def test_a_tie_is_broken_by_completeness_then_engagement_then_id():
    tied = scores(("a", 0.7, 0.8, 5), ("b", 0.7, 0.9, 1), ("c", 0.7, 0.8, 9), ("d", 0.7, 0.8, 5))
    order = [sorted(run(allowed, tied)[0]) for allowed in range(5)]
    assert order == [[], ["b"], ["b", "c"], ["a", "b", "c"], ["a", "b", "c", "d"]]


def test_the_order_of_the_rows_decides_nothing():
    rows = scores(*((f"g{n}", round(0.1 * (n % 4), 1), 0.7, n % 3) for n in range(20)))
    shuffled = rows.sample(frac=1, random_state=1).reset_index(drop=True)
    assert run(7, rows)[0] == run(7, shuffled)[0]


def test_a_night_without_capacity_lets_nobody_in():
    entered, done = run(0, scores(("a", 0.9), ("b", 0.4)))
    assert entered == set()
    assert 0.9 < done.threshold[0] < 0.9001


def test_with_capacity_for_all_the_floor_is_the_threshold():
    entered, done = run(9, scores(("a", 0.9), ("b", 0.2), ("c", 0.1)), floor=0.2)
    assert entered == {"a", "b"}
    assert set(done.threshold) == {0.2}


def test_who_is_in_progress_or_incomplete_takes_no_capacity():
    before = update_states(
        NO_STATES, scores(("a", 0.9)), NO_VERDICTS, StateSettings(), JUNE - DAY
    ).states
    rows = scores(("a", 0.9), ("b", 0.8, 0.5), ("c", 0.3), ("d", 0.2))
    entered, done = run(1, rows, states=before)
    assert entered == {"a", "c"}
    assert done.transitions["group_id"].tolist() == ["c"]


def test_a_night_without_capacity_sends_nobody_back():
    settings = StateSettings(dwell_days=0)
    before = update_states(NO_STATES, scores(("a", 0.55)), NO_VERDICTS, settings, JUNE - DAY).states
    rows = scores(("a", 0.55), ("b", 0.99))
    _entered, done = run(0, rows, states=before, settings=settings)
    assert done.status.tolist() == ["qualified", "nurture"]


def test_a_threshold_that_fell_keeps_those_it_let_in():
    settings = StateSettings(dwell_days=0)
    _entered, done = run(1, scores(("a", 0.2)), settings=settings)  # scored with 0.5
    again, _done = run(1, scores(("a", 0.2)), states=done.states, settings=settings)
    assert again == {"a"}


@pytest.mark.parametrize("allowed", [1, 3])
def test_no_more_enter_than_may(allowed):
    rows = scores(*((f"g{n}", 0.9) for n in range(50)))
    assert len(run(allowed, rows)[0]) == allowed
