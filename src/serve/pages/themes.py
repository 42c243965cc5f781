"""Which themes carried each member's part, as a table whose rows sum to what the page shows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .charts import round_to_total
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


def theme_table(rows: Sequence[Row], shown: Sequence[tuple[str, float]]) -> ThemeTable | None:
    """The themes of a group's members.

    Args:
        rows: rows of the themes table; empty if there is none.
        shown: contact_id and points, as they are on the page, of the members to show.

    Returns:
        None if nothing is known of these members' themes.
    """
    points: dict[str, dict[str, float]] = {contact_id: {} for contact_id, _points in shown}
    for row in rows:
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
    columns = order if len(order) <= MAX_THEMES + 1 else order[:MAX_THEMES]
    rest = order[len(columns) :]
    return ThemeTable(
        tuple(columns),
        bool(rest),
        tuple(
            (contact_id, _cells(points[contact_id], columns, rest, total))
            for contact_id, total in shown
        ),
    )


def _cells(
    points: Mapping[str, float], columns: Sequence[str], rest: Sequence[str], total: float
) -> tuple[float | None, ...]:
    parts = [points.get(theme, 0.0) for theme in columns]
    present = [theme in points for theme in columns]
    if rest:
        parts.append(math.fsum(points.get(theme, 0.0) for theme in rest))
        present.append(any(theme in points for theme in rest))
    rounded = round_to_total(parts, total)
    return tuple(
        value if known or value else None for value, known in zip(rounded, present, strict=True)
    )
