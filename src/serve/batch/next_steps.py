"""Which of a group's actions are worth naming as next steps, and which sales has taken already."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from ...explain.shapley.stakeholders import GroupStakeholders
from ...settings import ExplainSettings

Row = dict[str, Any]

MAX_STEPS = 3
"""Next steps that are named."""


def next_steps(actions: Iterable[Row], score: Row, settings: ExplainSettings) -> list[Row]:
    """At most three steps that are worth it, one for each person or role, the best first.

    To win over somebody in a role is left out where a member of that role can be named instead.

    Args:
        actions: rows of the actions table of one group.
        score: its row of the scores table.
        settings: what a step must be worth.
    """
    floor = max(settings.min_step_points, settings.min_step_share * 100 * score["readiness"])
    worth_naming = [row for row in actions if row["points"] is not None and row["points"] >= floor]
    named_roles = {row["role"] for row in worth_naming if row["action"] == "wake_member"}
    best: dict[tuple[Any, Any], Row] = {}
    for action in sorted(worth_naming, key=lambda row: -row["points"]):
        if action["action"] == "engage_role" and action["role"] in named_roles:
            continue
        about = (action["contact_id"], None if action["contact_id"] else action["role"])
        best.setdefault(about, action)
    return list(best.values())[:MAX_STEPS]


def without_steps_taken(
    stakeholders: GroupStakeholders, contacted: Collection[tuple[str, str]]
) -> GroupStakeholders:
    """The group without steps that sales has taken: to contact whom we have just contacted.

    Args:
        stakeholders: the group.
        contacted: group_id and contact_id of the members that we contacted recently.
    """
    group = stakeholders.group
    pairs = [(group.group_id, contact_id) in contacted for contact_id in group.contact_ids]
    if not any(pairs):
        return stakeholders
    roles = {role for role, done in zip(group.roles, pairs, strict=True) if done}
    open_actions = tuple(
        action
        for action in stakeholders.actions
        if not (
            (action.action == "wake_member" and pairs[action.member_index or 0])
            or (action.action == "engage_role" and action.role in roles)
        )
    )
    return replace(stakeholders, actions=open_actions)
