"""What changed in a group since the last run, in a few words, the weightiest thing first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]

MIN_MOVE = 1.0
"""Score points; a smaller move is not worth a word."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change as a fact of no language.

    Attributes:
        kind: `first_scored`, `status`, `role_filled`, `role_lost`, `rose`, `fell` or `steady`.
        name: the status or the role; None for the others.
    """

    kind: str
    name: str | None = None


def what_changed(score: Row, earlier: Row | None, change: float | None) -> Change:
    """The weightiest change since the earlier scores.

    Args:
        score: its row of the scores table.
        earlier: the row of the earlier scores, if there is one.
        change: of the score since then, in points; None without earlier scores.
    """
    if earlier is None or change is None:
        return Change("first_scored")
    if score["status"] != earlier["status"]:
        return Change("status", score["status"])
    missing, missing_before = score["missing_roles"], earlier["missing_roles"]
    if lost := [role for role in missing if role not in missing_before]:
        return Change("role_lost", lost[0])
    if filled := [role for role in missing_before if role not in missing]:
        return Change("role_filled", filled[0])
    if abs(change) >= MIN_MOVE:
        return Change("rose" if change > 0 else "fell")
    return Change("steady")
