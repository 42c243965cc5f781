"""Which next steps are worth naming."""

from __future__ import annotations

import random

import pytest
from mqbg.serve.batch.next_steps import MAX_STEPS, MIN_STEP_POINTS, MIN_STEP_SHARE, next_steps


def action(points, contact_id=None, role="user", kind="protect_member"):
    return {"points": points, "contact_id": contact_id, "role": role, "action": kind}


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


def test_somebody_who_can_be_named_goes_before_their_role():
    role = action(5.0, kind="engage_role")
    person = action(5.0, "c1", kind="wake_member")
    assert next_steps([role, person], {"readiness": 0.2}) == [person]
    other = action(4.0, kind="engage_role", role="buyer")
    assert next_steps([role, person, other], {"readiness": 0.2}) == [person, other]
