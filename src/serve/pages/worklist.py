"""What to do with each group today: the order in which the portfolio opens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

Row = dict[str, Any]

MAX_STEPS = 3
"""Next steps that a page names."""

MIN_STEP_POINTS = 1.0
"""Score points that a next step must be worth at least ..."""

MIN_STEP_SHARE = 0.05
"""... and its share of the score."""

FALL_POINTS = 5.0
"""Score points: a group that fell by this much since the earlier scores is at risk."""


class Task(StrEnum):
    """What a group asks for today, the most urgent first."""

    NEW = "new"  # qualified since the earlier scores, and not taken up by sales
    WORK = "work"  # qualified, and not taken up
    AT_RISK = "at_risk"  # with sales or qualified, and falling
    WATCH = "watch"  # nurture and recycled
    WITH_SALES = "with_sales"  # accepted
    SENT_BACK = "sent_back"  # rejected


def task_of(score: Row, earlier: Row | None, change: float | None) -> Task:
    """What a group asks for.

    Args:
        score: its row of the scores table.
        earlier: the row of the earlier scores, if there is one.
        change: of the score since then, in points.
    """
    falling = change is not None and change <= -FALL_POINTS
    match score["status"]:
        case "qualified":
            if earlier is not None and earlier["status"] != "qualified":
                return Task.NEW
            return Task.AT_RISK if falling else Task.WORK
        case "accepted":
            return Task.AT_RISK if falling else Task.WITH_SALES
        case "rejected":
            return Task.SENT_BACK
        case _:
            return Task.WATCH


def urgency(task: Task) -> int:
    """Place of a task: the smaller, the sooner."""
    return list(Task).index(task)


def next_steps(actions: Iterable[Row], score: Row) -> Sequence[Row]:
    """At most three steps that are worth it, one for each person or role, the best first.

    Args:
        actions: rows of the actions table of one group.
        score: its row of the scores table.
    """
    floor = max(MIN_STEP_POINTS, MIN_STEP_SHARE * 100 * score["readiness"])
    best: dict[tuple[Any, Any], Row] = {}
    worth_naming = [row for row in actions if row["points"] is not None and row["points"] >= floor]
    for action in sorted(worth_naming, key=lambda row: -row["points"]):
        about = (action["contact_id"], None if action["contact_id"] else action["role"])
        best.setdefault(about, action)
    return list(best.values())[:MAX_STEPS]
