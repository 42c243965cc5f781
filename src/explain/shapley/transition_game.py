"""The game between two states of a group: a player's move replaces old terms by new ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...features.declare.signals import Aggregation
from .coalition_aggregates import (
    Aggregator,
    Floats,
    GroupTotals,
    Integers,
    interchangeable_types,
)


@dataclass(frozen=True)
class TransitionAggregator(Aggregator):
    """How the rows of players combine, each of whom has moved or has not yet.

    A player's row is twice as long as the terms: first as it was, then as it is. `neutral_row`
    is somebody who was not there, or is there no more. Played with it, `stakeholder_game` shares
    out the difference between nobody's and everybody's move.
    """

    @cached_property
    def _aggregator(self) -> Aggregator:
        return Aggregator(self.terms)

    def aggregate(self, rows: Floats) -> Floats:
        """Totals of plain rows, shape (terms,)."""
        aggregates: Floats = self._aggregator.prefixes(self.neutral_row, rows)[-1]
        return aggregates

    def coalitions(self, base: Floats, rows: Floats, counts: Integers) -> Floats:
        """Totals for every distinct set of those who moved, the first type's count fastest.

        Args:
            base: shape (terms,); of everybody who has no move.
            rows: shape (types, 2 terms); one player of each type.
            counts: shape (types,); players of each type.
        """
        old, new = self._old_and_new(rows)
        moved = self._aggregator.coalitions(self.neutral_row, new, counts)
        # Counted backwards, the coalitions are those of the players left out.
        return self._combine(moved, self._aggregator.coalitions(base, old, counts)[::-1])

    def prefixes_by_order(self, base: Floats, rows: Floats, orders: Integers) -> Floats:
        """Totals as one player after the other moves; shape (orders, players + 1, terms).

        Args:
            base: shape (terms,); of everybody who has no move.
            rows: shape (players, 2 terms).
            orders: shape (orders, players); places of rows.
        """
        old, new = self._old_and_new(rows)
        moved = self._aggregator.prefixes_by_order(self.neutral_row, new, orders)
        return self._combine(
            moved, self._aggregator.prefixes_by_order(base, old, orders[:, ::-1])[:, ::-1]
        )

    def group_totals(self, base: Floats, rows: Floats) -> GroupTotals:
        """Totals when all moved, and when all moved but one; see `Aggregator.group_totals`."""
        old, new = self._old_and_new(rows)
        representatives, types = interchangeable_types(rows)
        new_types = self._aggregator.group_totals(base, new)
        without = new_types.without[new_types.types[representatives]]
        return GroupTotals(
            representatives, types, new_types.everyone, self._combine(without, old[representatives])
        )

    def _old_and_new(self, rows: Floats) -> tuple[Floats, Floats]:
        return rows[:, : len(self.terms)], rows[:, len(self.terms) :]

    def _combine(self, one: Floats, other: Floats) -> Floats:
        """Totals of two parts of a group, row by row; the last axis is the terms."""
        both = one + other
        for index, term in enumerate(self.terms):
            if term.aggregation is not Aggregation.SUM:
                best = np.fmax if term.aggregation is Aggregation.MAX else np.fmin
                both[..., index] = best(one[..., index], other[..., index])
        return both
