"""What a group asks for today, and which next steps are worth naming."""

from __future__ import annotations

import random

import pytest
from mqbg.serve.pages.worklist import (
    FALL_POINTS,
    MAX_STEPS,
    MIN_STEP_POINTS,
    MIN_STEP_SHARE,
    Task,
    next_steps,
    task_of,
    urgency,
)


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
    assert task_of({"status": status}, earlier, change) is task


def test_what_is_to_be_worked_comes_before_what_is_with_sales_or_sent_back():
    order = sorted(Task, key=urgency)
    assert order[0] is Task.NEW
    assert order[-2:] == [Task.WITH_SALES, Task.SENT_BACK]


def action(points, contact_id=None, role="user"):
    return {"points": points, "contact_id": contact_id, "role": role}


@pytest.mark.parametrize("seed", range(20))
def test_steps_are_three_at_most_none_below_the_floor_and_nobody_twice(seed):
    draw = random.Random(seed)  # noqa: S311 - no secret
    readiness = draw.random()
    actions = [
        action(draw.uniform(0, 9), draw.choice([None, "c1", "c2"]), draw.choice(["user", "buyer"]))
        for _ in range(draw.randrange(12))
    ]
    steps = next_steps(actions, {"readiness": readiness})
    floor = max(MIN_STEP_POINTS, 100 * MIN_STEP_SHARE * readiness)
    assert len(steps) <= MAX_STEPS
    assert all(step["points"] >= floor for step in steps)
    about = [step["contact_id"] or (step["role"],) for step in steps]
    assert len(about) == len(set(about))
    worth_it = {row["contact_id"] or (row["role"],) for row in actions if row["points"] >= floor}
    assert len(steps) == min(MAX_STEPS, len(worth_it))
    assert [s["points"] for s in steps] == sorted((s["points"] for s in steps), reverse=True)
