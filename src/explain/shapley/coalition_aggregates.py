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
from ...support.compiling import compiled

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_TURNED_ROWS = 64  # of which the lines of memory stay in the cache, term after term
_REDUCTION_CODES = {Aggregation.SUM: 0, Aggregation.MAX: 1, Aggregation.MIN: 2}

_ROW = numba.types.Array(numba.float64, 1, "A", readonly=True)
_ROWS = numba.types.Array(numba.float64, 2, "A", readonly=True)
_AGGREGATES = numba.float64[:, ::1]
_INTS = numba.types.Array(numba.int64, 1, "C", readonly=True)
_ORDERS = numba.types.Array(numba.int64, 2, "C", readonly=True)


@dataclass(frozen=True)
class GroupTotals:
    """Totals of a whole group, and of it without one of its members.

    Attributes:
        representatives: shape (types,); one member of each type, see `interchangeable_types`.
        types: shape (members,); the type of each.
        everyone: shape (terms,); the base and all members.
        without: shape (types, terms); the same without one member of the type.
    """

    representatives: NDArray[np.intp]
    types: NDArray[np.intp]
    everyone: Floats
    without: Floats


@dataclass(frozen=True)
class Aggregator:
    """How rows of terms combine.

    A null is NaN: a minimum or maximum leaves it out, as in the engine; a summed term is never
    null, for its signals have a value where nothing happened. Sums are multiples of 2**-20 (see
    `to_fixed_point`), so their order does not matter.
    """

    terms: tuple[Term, ...]

    @cached_property
    def _reductions(self) -> Integers:
        return np.array([_REDUCTION_CODES[term.aggregation] for term in self.terms], dtype=np.int64)

    def coalitions(self, base: Floats, rows: Floats, counts: Integers) -> Floats:
        """Totals of every distinct coalition, the first row's count changing fastest.

        Args:
            base: shape (terms,); always in.
            rows: shape (types, terms); one member of each type.
            counts: shape (types,); members of each type.

        Returns:
            Shape (product of counts + 1, terms); first the base alone, last everyone.
        """
        aggregates = np.empty((int(np.prod(counts + 1)), base.size))
        _fill_coalitions(base, rows, counts, self._reductions, aggregates)
        return aggregates

    def add(self, total: Floats, row: Floats) -> Floats:
        """A total with one more row; shapes (terms,)."""
        total_with_row: Floats = self.alone(total, row[None, :])[0]
        return total_with_row

    def prefixes(self, base: Floats, rows: Floats) -> Floats:
        """Totals of base, base + the first row, ..., base + all; shape (rows + 1, terms)."""
        running: Floats = self.prefixes_by_order(base, rows, np.arange(len(rows))[None, :])[0]
        return running

    def prefixes_by_order(self, base: Floats, rows: Floats, orders: Integers) -> Floats:
        """The same for each order of the rows.

        Args:
            base: shape (terms,).
            rows: shape (rows, terms).
            orders: shape (orders, rows); places of rows.

        Returns:
            Shape (orders, rows + 1, terms).
        """
        count, row_count = orders.shape
        running = np.empty((count * (row_count + 1), base.size))
        _fill_prefixes(base, rows, np.ascontiguousarray(orders), self._reductions, running)
        return running.reshape(count, row_count + 1, base.size)

    def group_totals(self, base: Floats, rows: Floats) -> GroupTotals:
        """Totals of base and all rows, and of all but one of each type."""
        representatives, types = interchangeable_types(rows)
        before = self.prefixes(base, rows)
        after = self.prefixes(self.neutral_row, rows[::-1])[:-1][::-1]
        without = before[representatives]
        _add_row_by_row(after[representatives], self._reductions, without)
        return GroupTotals(representatives, types, before[-1].copy(), without)

    def alone(self, base: Floats, rows: Floats) -> Floats:
        """Totals of base and each row by itself, shape (rows, terms)."""
        result = np.empty((len(rows), base.size))
        result[:] = base
        _add_row_by_row(rows, self._reductions, result)
        return result

    @cached_property
    def neutral_row(self) -> Floats:
        """Terms that change no total, shape (terms,)."""
        return np.where(self._reductions == _REDUCTION_CODES[Aggregation.SUM], 0.0, np.nan)


@compiled(inline="always")
def _combine(reduction: int, one: float, other: float) -> float:
    """Two values of a term as one."""
    if reduction == 0:
        return one + other
    if np.isnan(one):
        return other
    if np.isnan(other):
        return one
    return max(one, other) if reduction == 1 else min(one, other)


@compiled(numba.void(_ROW, _ROWS, _INTS, _INTS, _AGGREGATES))
def _fill_coalitions(
    base: Floats, rows: Floats, counts: Integers, reductions: Integers, aggregates: Floats
) -> None:
    aggregates[0] = base
    filled = 1
    for type_index in range(counts.size):
        for index in range(filled, filled * (counts[type_index] + 1)):
            for term in range(base.size):
                aggregates[index, term] = _combine(
                    reductions[term], aggregates[index - filled, term], rows[type_index, term]
                )
        filled *= counts[type_index] + 1


@compiled(numba.void(_ROWS, _INTS, _AGGREGATES))
def _add_row_by_row(rows: Floats, reductions: Integers, aggregates: Floats) -> None:
    for index in range(len(aggregates)):
        for term in range(reductions.size):
            aggregates[index, term] = _combine(
                reductions[term], aggregates[index, term], rows[index, term]
            )


@compiled(numba.void(_ROW, _ROWS, _ORDERS, _INTS, _AGGREGATES))
def _fill_prefixes(
    base: Floats, rows: Floats, orders: Integers, reductions: Integers, running: Floats
) -> None:
    index = 0
    for order in orders:
        running[index] = base
        for row in order:
            index += 1
            for term in range(reductions.size):
                running[index, term] = _combine(
                    reductions[term], running[index - 1, term], rows[row, term]
                )
        index += 1


@compiled(numba.void(_AGGREGATES, _INTS, _ROW, _AGGREGATES))
def turn_to_columns(aggregates: Floats, terms: Integers, defaults: Floats, columns: Floats) -> None:
    """Copies some terms of totals, each to a row of its own, with its default in place of NaN.

    Args:
        aggregates: shape (sets, all terms).
        terms: shape (terms,); which.
        defaults: shape (terms,).
        columns: shape (terms, sets); overwritten.
    """
    for start in range(0, len(aggregates), _TURNED_ROWS):
        end = min(start + _TURNED_ROWS, len(aggregates))
        for place in range(terms.size):
            term, default = terms[place], defaults[place]
            for row in range(start, end):
                value = aggregates[row, term]
                columns[place, row] = default if np.isnan(value) else value


def interchangeable_types(rows: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Members that are alike in every term, hence interchangeable.

    Args:
        rows: shape (members, terms).

    Returns:
        The index of one member of each type, in order of first appearance, shape (types,), and
        the type of each member, shape (members,).
    """
    types: dict[bytes, int] = {}
    representatives: list[int] = []
    type_of_member = np.empty(len(rows), dtype=np.intp)
    for index, row in enumerate(rows + 0.0):  # + 0.0 makes one zero of -0.0 and 0.0
        key = row.tobytes()
        if key not in types:
            types[key] = len(types)
            representatives.append(index)
        type_of_member[index] = types[key]
    return np.array(representatives, dtype=np.intp), type_of_member


def stack(parts: Sequence[Floats], width: int) -> Floats:
    """Rows of all parts, also of none; shape (rows, width)."""
    return np.vstack([np.empty((0, width)), *parts])
