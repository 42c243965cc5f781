"""What a group asks for today, and which next steps are worth naming."""

from __future__ import annotations

import pytest
from mqbg.serve.pages.worklist import FALL_POINTS, Risk, Task, risk_of, task_of, urgency


@pytest.mark.parametrize(
    ("status", "before", "change", "task"),
    [
        ("qualified", "nurture", 3.0, Task.NEW),
        ("qualified", "recycled", -9.0, Task.NEW),
        ("qualified", "qualified", 0.0, Task.WORK),
        ("qualified", None, None, Task.WORK),  # without earlier scores nothing is new
        ("qualified", "qualified", -FALL_POINTS, Task.AT_RISK),
        ("accepted", "accepted", -FALL_POINTS, Task.AT_RISK),
        ("accepted", "qualified", -FALL_POINTS + 0.1, Task.WITH_SALES),
        ("nurture", "qualified", -40.0, Task.WATCH),
        ("recycled", "rejected", 0.0, Task.WATCH),
        ("rejected", "qualified", -40.0, Task.SENT_BACK),
    ],
)
def test_a_status_and_a_change_ask_for_a_task(status, before, change, task):
    earlier = None if before is None else {"status": before}
    score = {"status": status}
    assert task_of(score, earlier, risk_of(score, change)) is task


@pytest.mark.parametrize("status", ["qualified", "accepted"])
def test_a_group_that_was_left_by_who_carried_it_is_at_risk(status):
    score, earlier = {"status": status}, {"status": status}
    risk = risk_of(score, 0.0, lost_single_point=True, stagnant=True)
    assert risk is Risk.LEFT
    assert task_of(score, earlier, risk) is Task.AT_RISK


@pytest.mark.parametrize(
    ("status", "risk"),
    [("qualified", Risk.STAGNANT), ("accepted", Risk.STAGNANT), ("nurture", None)],
)
def test_a_stagnant_group_is_at_risk_where_sales_has_it_or_should(status, risk):
    assert risk_of({"status": status}, 0.0, stagnant=True) is risk
    assert risk_of({"status": status}, 0.0) is None


def test_what_is_to_be_worked_comes_before_what_is_with_sales_or_sent_back():
    order = sorted(Task, key=urgency)
    assert order[0] is Task.NEW
    assert order[-2:] == [Task.WITH_SALES, Task.SENT_BACK]
