"""What to do with each group today: the order in which the portfolio opens."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

Row = dict[str, Any]

FALL_POINTS = 5.0
"""Score points: a group that fell by this much since the earlier scores is at risk."""


class Task(StrEnum):
    """What a group asks for today, the most urgent first."""

    NEW = "new"  # qualified since the earlier scores, and not taken up by sales
    WORK = "work"  # qualified, and not taken up
    AT_RISK = "at_risk"  # with sales or qualified, and there is a `Risk`
    WATCH = "watch"  # nurture and recycled
    WITH_SALES = "with_sales"  # accepted
    SENT_BACK = "sent_back"  # rejected


class Risk(StrEnum):
    """Why a group that is with sales, or should be, is at risk; the weightiest first."""

    LEFT = "left"  # by the person on whom the earlier score rested
    FELL = "fell"  # since the earlier scores
    STAGNANT = "stagnant"  # see `model.states.is_stagnant`


def risk_of(
    score: Row, change: float | None, *, lost_single_point: bool = False, stagnant: bool = False
) -> Risk | None:
    """Why a group is at risk; None where it is not, or is not with sales nor should be.

    Args:
        score: its row of the scores table.
        change: of the score since the earlier scores, in points.
        lost_single_point: the person on whom the earlier score rested has left the group.
        stagnant: nobody in it was active for long.
    """
    if score["status"] not in ("qualified", "accepted"):
        return None
    if lost_single_point:
        return Risk.LEFT
    if change is not None and change <= -FALL_POINTS:
        return Risk.FELL
    return Risk.STAGNANT if stagnant else None


def task_of(score: Row, earlier: Row | None, risk: Risk | None) -> Task:
    """What a group asks for.

    Args:
        score: its row of the scores table.
        earlier: the row of the earlier scores, if there is one.
        risk: of `risk_of`.
    """
    match score["status"]:
        case "qualified":
            if earlier is not None and earlier["status"] != "qualified":
                return Task.NEW
            return Task.AT_RISK if risk else Task.WORK
        case "accepted":
            return Task.AT_RISK if risk else Task.WITH_SALES
        case "rejected":
            return Task.SENT_BACK
        case _:
            return Task.WATCH


def view_of(status: str) -> str:
    """The part of the portfolio that a status is listed in: `open`, `accepted` or `rejected`."""
    return status if status in ("accepted", "rejected") else "open"


def urgency(task: Task) -> int:
    """Place of a task: the smaller, the sooner."""
    return list(Task).index(task)
