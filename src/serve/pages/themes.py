"""Which themes carried each member's part, as a table whose rows sum to what the page shows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .charts import adding_up
from .portfolio import Row

MAX_THEMES = 6
"""Themes with a column of their own; the rest is one column, so sums stay true."""


@dataclass(frozen=True, slots=True)
class ThemeTable:
    """Members by themes.

    Attributes:
        themes: those that carried most first.
        others: whether a last column holds all further themes.
        rows: per member its contact_id and one figure a column, in score points as shown, or None
            where a theme carried nothing.
    """

    themes: tuple[str, ...]
    others: bool
    rows: tuple[tuple[str, tuple[float | None, ...]], ...]


def theme_table(carried: Sequence[Row], shown: Sequence[tuple[str, float]]) -> ThemeTable | None:
    """The themes of a group's members.

    Args:
        carried: rows of the themes table; empty if there is none.
        shown: contact_id and points, as they stand on the page, of the members to show.

    Returns:
        None if nothing is known of these members' themes.
    """
    points: dict[str, dict[str, float]] = {contact_id: {} for contact_id, _points in shown}
    for row in carried:
        if row["contact_id"] in points:
            points[row["contact_id"]][row["theme"]] = row["points"]
    weights: dict[str, float] = {}
    for themes in points.values():
        for theme, value in themes.items():
            weights[theme] = weights.get(theme, 0.0) + abs(value)
    if not weights:
        return None
    order = sorted(weights, key=lambda theme: (-weights[theme], theme))
    # One theme more has no need of a column for "others".
    kept = order if len(order) <= MAX_THEMES + 1 else order[:MAX_THEMES]
    rest = order[len(kept) :]
    return ThemeTable(
        tuple(kept),
        bool(rest),
        tuple(
            (contact_id, _figures(points[contact_id], kept, rest, total))
            for contact_id, total in shown
        ),
    )


def _figures(
    of_member: Mapping[str, float], kept: Sequence[str], rest: Sequence[str], total: float
) -> tuple[float | None, ...]:
    parts = [of_member.get(theme, 0.0) for theme in kept]
    there = [theme in of_member for theme in kept]
    if rest:
        parts.append(math.fsum(of_member.get(theme, 0.0) for theme in rest))
        there.append(any(theme in of_member for theme in rest))
    shown = adding_up(parts, total)
    return tuple(
        value if known or value else None for value, known in zip(shown, there, strict=True)
    )
