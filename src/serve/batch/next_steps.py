"""Which of a group's actions are worth naming as next steps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Row = dict[str, Any]

MAX_STEPS = 3
"""Next steps that are named."""

MIN_STEP_POINTS = 1.0
"""Score points that a next step must be worth at least ..."""

MIN_STEP_SHARE = 0.05
"""... and its share of the score."""


def next_steps(actions: Iterable[Row], score: Row) -> list[Row]:
    """At most three steps that are worth it, one for each person or role, the best first.

    To win over somebody in a role is left out where a member of that role can be named instead.

    Args:
        actions: rows of the actions table of one group.
        score: its row of the scores table.
    """
    floor = max(MIN_STEP_POINTS, MIN_STEP_SHARE * 100 * score["readiness"])
    worth_naming = [row for row in actions if row["points"] is not None and row["points"] >= floor]
    named_roles = {row["role"] for row in worth_naming if row["action"] == "wake_member"}
    best: dict[tuple[Any, Any], Row] = {}
    for action in sorted(worth_naming, key=lambda row: -row["points"]):
        if action["action"] == "engage_role" and action["role"] in named_roles:
            continue
        about = (action["contact_id"], None if action["contact_id"] else action["role"])
        best.setdefault(about, action)
    return list(best.values())[:MAX_STEPS]
