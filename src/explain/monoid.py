"""Terms of members as numpy arrays: the middle step of stage 2, run from the same declaration.

Only this step runs once per coalition, and it is nothing but the catalogue's reductions, so here
they are numpy reductions. A test holds them equal, to the bit, to stage 2 in the engine with
`coalition` as a key (design.md, engine).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..features.signals import Reduce
from ..features.terms import Term

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Totals:
    """How rows of terms combine.

    A null is NaN: a minimum or maximum leaves it out, as in the engine; a summed term is never
    null, for its signals have a value where nothing happened.
    """

    terms: tuple[Term, ...]

    @cached_property
    def _sums(self) -> NDArray[np.intp]:
        return self._which(Reduce.SUM)

    @cached_property
    def _highs(self) -> NDArray[np.intp]:
        return self._which(Reduce.MAX)

    @cached_property
    def _lows(self) -> NDArray[np.intp]:
        return self._which(Reduce.MIN)

    def _which(self, reduce: Reduce) -> NDArray[np.intp]:
        return np.array([i for i, t in enumerate(self.terms) if t.reduce is reduce], dtype=np.intp)

    def add(self, totals: Floats, row: Floats, times: int = 1) -> Floats:
        """Each row of `totals` with `times` copies of `row`; shapes (sets, terms) and (terms,).

        Sums are multiples of 2**-20 (see `features.exact`), so `times x row` is exact.
        """
        if times == 0:
            return totals
        together = np.empty_like(totals)
        together[:, self._sums] = totals[:, self._sums] + times * row[self._sums]
        together[:, self._highs] = np.fmax(totals[:, self._highs], row[self._highs])
        together[:, self._lows] = np.fmin(totals[:, self._lows], row[self._lows])
        return together

    def prefixes(self, base: Floats, rows: Floats) -> Floats:
        """Totals of base, base + the first row, ..., base + all; shape (rows + 1, terms)."""
        stacked = np.vstack([base[None, :], rows])
        running = np.empty_like(stacked)
        running[:, self._sums] = np.cumsum(stacked[:, self._sums], axis=0)
        running[:, self._highs] = np.fmax.accumulate(stacked[:, self._highs], axis=0)
        running[:, self._lows] = np.fmin.accumulate(stacked[:, self._lows], axis=0)
        return running

    def without_each(self, base: Floats, rows: Floats) -> Floats:
        """Totals of base and all rows but one, for each row; shape (rows, terms)."""
        before = self.prefixes(base, rows)[:-1]
        nothing = np.full(base.size, np.nan)
        nothing[self._sums] = 0.0
        after = self.prefixes(nothing, rows[::-1])[:-1][::-1]
        together = np.empty_like(before)
        together[:, self._sums] = before[:, self._sums] + after[:, self._sums]
        together[:, self._highs] = np.fmax(before[:, self._highs], after[:, self._highs])
        together[:, self._lows] = np.fmin(before[:, self._lows], after[:, self._lows])
        return together


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
