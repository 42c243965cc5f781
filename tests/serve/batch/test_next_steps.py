"""Which next steps are worth naming."""

from __future__ import annotations

import random
from dataclasses import fields, replace

import numpy as np
import pytest
from mqbg.explain.group_members import Group
from mqbg.explain.shapley.stakeholders import GroupStakeholders
from mqbg.explain.what_ifs import Action
from mqbg.serve.batch.next_steps import MAX_STEPS, next_steps, without_steps_taken
from mqbg.settings import ExplainSettings

SETTINGS = ExplainSettings()


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
    steps = next_steps(actions, {"readiness": readiness}, SETTINGS)
    floor = max(1.0, 5 * readiness)
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
    assert next_steps([role, person], {"readiness": 0.2}, SETTINGS) == [person]
    other = action(4.0, kind="engage_role", role="buyer")
    assert next_steps([role, person, other], {"readiness": 0.2}, SETTINGS) == [person, other]


@pytest.mark.parametrize(
    ("points", "share", "named"),
    [
        (1.0, 0.05, ["c1", "c2"]),
        (4.0, 0.05, ["c1"]),
        (1.0, 0.25, ["c1"]),  # of a score of 16
        (6.0, 0.0, []),
        (0.0, 0.0, ["c1", "c2", "c3"]),
    ],
)
def test_the_floor_of_a_step_is_a_setting(points, share, named):
    actions = [action(5.0, "c1"), action(3.0, "c2"), action(0.5, "c3")]
    settings = ExplainSettings(min_step_points=points, min_step_share=share)
    steps = next_steps(actions, {"readiness": 0.16}, settings)
    assert [step["contact_id"] for step in steps] == named


def test_no_step_asks_to_contact_whom_we_have_just_contacted():
    """Of four steps two are taken: c1 was contacted, and with that the role of c1."""
    wake_1, wake_2 = (
        Action("wake_member", role, index, 3.0, 40) for index, role in enumerate(("user", "buyer"))
    )
    engage = [Action("engage_role", role, None, 3.0, 40) for role in ("user", "buyer")]
    protect, fill = (
        Action("protect_member", "user", 0, 2.0, 40),
        Action("fill_role", "x", None, 1, 40),
    )
    group = GroupStakeholders(
        Group("g1", np.array(["c1", "c2"], object), np.array(["user", "buyer"], object)),
        *[None] * (len(fields(GroupStakeholders)) - 1),
    )
    group = replace(group, actions=(wake_1, wake_2, *engage, protect, fill))
    left = without_steps_taken(group, {("g1", "c1"), ("g2", "c2")}).actions
    assert left == (wake_2, engage[1], protect, fill)
    assert without_steps_taken(group, {("g2", "c1")}) is group
