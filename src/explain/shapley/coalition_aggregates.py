"""Terms of members as numpy arrays: the middle step of stage 2, run from the same declaration.

Only this step runs once per coalition, and it is nothing but the catalogue's reductions, so here
they are compiled loops. A test holds them equal, to the bit, to stage 2 in the engine with
`coalition` as a key (design.md, engine).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numba
import numpy as np
from numpy.typing import NDArray

from ...features.declare.signals import Aggregation
from ...features.declare.terms import Term
from ..treeshap.compiling import compiled

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

_HOW = {Aggregation.SUM: 0, Aggregation.MAX: 1, Aggregation.MIN: 2}

_ROW = numba.types.Array(numba.float64, 1, "A", readonly=True)
_ROWS = numba.types.Array(numba.float64, 2, "A", readonly=True)
_SETS = numba.float64[:, ::1]
_WHOLE = numba.types.Array(numba.int64, 1, "C", readonly=True)
_ORDERS = numba.types.Array(numba.int64, 2, "C", readonly=True)


@dataclass(frozen=True)
class Totals:
    """How rows of terms combine.

    A null is NaN: a minimum or maximum leaves it out, as in the engine; a summed term is never
    null, for its signals have a value where nothing happened. Sums are multiples of 2**-20 (see
    `to_fixed_point`), so their order does not matter.
    """

    terms: tuple[Term, ...]

    @cached_property
    def _how(self) -> Whole:
        return np.array([_HOW[term.aggregation] for term in self.terms], dtype=np.int64)

    def coalitions(self, base: Floats, rows: Floats, counts: Whole) -> Floats:
        """Totals of every distinct coalition, the first row's count changing fastest.

        Args:
            base: shape (terms,); always in.
            rows: shape (types, terms); one member of each type.
            counts: shape (types,); members of each type.

        Returns:
            Shape (product of counts + 1, terms); first the base alone, last everyone.
        """
        sets = np.empty((int(np.prod(counts + 1)), base.size))
        _fill_coalitions(base, rows, counts, self._how, sets)
        return sets

    def add(self, totals: Floats, row: Floats) -> Floats:
        """Each row of `totals` with one more `row`; shapes (sets, terms) and (terms,)."""
        together = np.array(totals, order="C")
        _add_to_each(row, self._how, together)
        return together

    def prefixes(self, base: Floats, rows: Floats) -> Floats:
        """Totals of base, base + the first row, ..., base + all; shape (rows + 1, terms)."""
        running: Floats = self.prefixes_of(base, rows, np.arange(len(rows))[None, :])[0]
        return running

    def prefixes_of(self, base: Floats, rows: Floats, orders: Whole) -> Floats:
        """The same for each order of the rows.

        Args:
            base: shape (terms,).
            rows: shape (rows, terms).
            orders: shape (orders, rows); places of rows.

        Returns:
            Shape (orders, rows + 1, terms).
        """
        count, people = orders.shape
        running = np.empty((count * (people + 1), base.size))
        _fill_prefixes(base, rows, np.ascontiguousarray(orders), self._how, running)
        return running.reshape(count, people + 1, base.size)

    def without_each(self, base: Floats, rows: Floats) -> Floats:
        """Totals of base and all rows but one, for each row; shape (rows, terms)."""
        nothing = np.where(self._how == _HOW[Aggregation.SUM], 0.0, np.nan)
        together = self.prefixes(base, rows)[:-1].copy()
        after = self.prefixes(nothing, rows[::-1])[:-1][::-1]
        _add_row_by_row(after, self._how, together)
        return together


@compiled(inline="always")
def _both(how: int, one: float, other: float) -> float:
    """Two values of a term as one."""
    if how == 0:
        return one + other
    if np.isnan(one):
        return other
    if np.isnan(other):
        return one
    return max(one, other) if how == 1 else min(one, other)


@compiled(numba.void(_ROW, _ROWS, _WHOLE, _WHOLE, _SETS))
def _fill_coalitions(base: Floats, rows: Floats, counts: Whole, how: Whole, sets: Floats) -> None:
    sets[0] = base
    known = 1
    for kind in range(counts.size):
        for place in range(known, known * (counts[kind] + 1)):
            for term in range(base.size):
                sets[place, term] = _both(how[term], sets[place - known, term], rows[kind, term])
        known *= counts[kind] + 1


@compiled(numba.void(_ROW, _WHOLE, _SETS))
def _add_to_each(row: Floats, how: Whole, totals: Floats) -> None:
    for place in range(len(totals)):
        for term in range(row.size):
            totals[place, term] = _both(how[term], totals[place, term], row[term])


@compiled(numba.void(_ROWS, _WHOLE, _SETS))
def _add_row_by_row(rows: Floats, how: Whole, totals: Floats) -> None:
    for place in range(len(totals)):
        for term in range(how.size):
            totals[place, term] = _both(how[term], totals[place, term], rows[place, term])


@compiled(numba.void(_ROW, _ROWS, _ORDERS, _WHOLE, _SETS))
def _fill_prefixes(base: Floats, rows: Floats, orders: Whole, how: Whole, running: Floats) -> None:
    place = 0
    for order in orders:
        running[place] = base
        for row in order:
            place += 1
            for term in range(how.size):
                running[place, term] = _both(how[term], running[place - 1, term], rows[row, term])
        place += 1


def alike(rows: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Members that are alike in every term, hence interchangeable.

    Args:
        rows: shape (members, terms).

    Returns:
        The index of one member of each type, in order of first appearance, shape (types,), and
        the type of each member, shape (members,).
    """
    types: dict[bytes, int] = {}
    first: list[int] = []
    of_member = np.empty(len(rows), dtype=np.intp)
    for index, row in enumerate(rows + 0.0):  # + 0.0 makes one zero of -0.0 and 0.0
        key = row.tobytes()
        if key not in types:
            types[key] = len(types)
            first.append(index)
        of_member[index] = types[key]
    return np.array(first, dtype=np.intp), of_member


def stack(parts: Sequence[Floats], width: int) -> Floats:
    """Rows of all parts, also of none; shape (rows, width)."""
    return np.vstack([np.empty((0, width)), *parts])
