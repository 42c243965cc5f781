"""Groups of rows, and what their values reduce to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import ibis.expr.operations as ops
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..operations import operation_key
from ..python import primitives as of_lists
from ..python.rows import ListTable
from ..python.values import Function
from .columns import (
    Column,
    arrow_type,
    key_of,
    mask_of,
    numbers_of,
    pick,
    to_column,
    to_list,
)

Reduction: TypeAlias = Callable[["ArrowGroups", pa.Array, NDArray[np.bool_]], pa.Array | None]
"""What reduces a column per group, of the rows that count; None where it has no rule for it."""

LARGEST_SUM = 2.0**62  # beyond it whole numbers might not have been added up within 64 bits


@dataclass(frozen=True)
class ArrowGroups:
    """Groups of rows with the same keys, in the order of their first rows.

    Attributes:
        keys: columns; without any, all rows are one group.
        row_groups: the number of each row's group.
        count: of groups.
    """

    keys: tuple[Column, ...]
    row_groups: NDArray[np.int64]
    count: int

    @cached_property
    def sizes(self) -> pa.Array:
        """How many rows each has."""
        return pa.array(np.bincount(self.row_groups, minlength=self.count).astype(np.int64))

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """Places of the rows, those of a group together."""
        return np.argsort(self.row_groups, kind="stable")

    @cached_property
    def begins(self) -> NDArray[np.int64]:
        """Where in that order the rows of each group begin."""
        sizes = np.bincount(self.row_groups, minlength=self.count)
        return np.cumsum(sizes) - sizes

    @cached_property
    def first_rows(self) -> NDArray[np.int64]:
        """The place of the first row of each."""
        first = np.zeros(self.count, np.int64)
        first[self.row_groups[::-1]] = np.arange(len(self.row_groups))[::-1]
        return first

    def key_column(self, place: int) -> Column:
        """One of the keys of each."""
        return pick(self.keys[place], self.first_rows)

    @cached_property
    def of_lists(self) -> of_lists.Groups:
        """The same for what is asked of plain Python."""
        if not self.keys:
            return of_lists.Groups(range(len(self.row_groups)), 0)
        return of_lists.Groups(self.row_groups.tolist(), 1)


def group_rows(rows: ListTable, *keys: Column) -> ArrowGroups:
    """Groups of rows with the same keys; without keys one group, also of no rows."""
    if not keys:
        return ArrowGroups((), np.zeros(rows.size, np.int64), 1)
    numbers, count = _numbered(keys[0])
    for key in keys[1:]:
        others, other_count = _numbered(key)
        numbers, count = _numbered(pa.array(numbers * other_count + others))
    return ArrowGroups(keys, numbers, count)


def _numbered(column: Column) -> tuple[NDArray[np.int64], int]:
    """A number for each value, by the order in which they come, and how many there are."""
    if isinstance(column, list):
        known: dict[Any, int] = {}
        found = [known.setdefault(value, len(known)) for value in column]
        return np.array(found, np.int64), len(known)
    encoded = key_of(column).dictionary_encode(null_encoding="encode")
    return encoded.indices.to_numpy().astype(np.int64), len(encoded.dictionary)


def aggregate_groups(op: Any, aggregate: Function) -> Function:
    """What reduces a column per group: values that are not null, and where a condition holds."""
    kind, reduce_numbers = arrow_type(op.dtype), REDUCTIONS.get(operation_key(op))
    by_lists = of_lists.aggregate_groups(aggregate)

    def reduced(groups: ArrowGroups, values: Column, where: Column | None = None) -> Column:
        if reduce_numbers is None or not isinstance(values, pa.Array) or not groups.row_groups.size:
            return by_plain_python(groups, values, where)
        counted = mask_of(values.is_valid())
        if where is not None:
            counted = counted & mask_of(where)
        found = reduce_numbers(groups, values, counted)
        return by_plain_python(groups, values, where) if found is None else found.cast(kind)

    def by_plain_python(groups: ArrowGroups, *columns: Column | None) -> Column:
        lists = [to_list(one) for one in columns if one is not None]
        return to_column(by_lists(groups.of_lists, *lists), kind)

    return reduced


def _count(groups: ArrowGroups, _values: pa.Array, counted: NDArray[np.bool_]) -> pa.Array:
    return pa.array(np.bincount(groups.row_groups[counted], minlength=groups.count))


def _any(groups: ArrowGroups, values: pa.Array, counted: NDArray[np.bool_]) -> pa.Array:
    holds = np.bincount(groups.row_groups[counted & mask_of(values)], minlength=groups.count) > 0
    return pa.array(holds, mask=~_reached(groups, counted))


def _reached(groups: ArrowGroups, counted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether a group has a row that counts."""
    return np.bincount(groups.row_groups[counted], minlength=groups.count) > 0


def _sum(groups: ArrowGroups, values: pa.Array, counted: NDArray[np.bool_]) -> pa.Array | None:
    """Of whole numbers; others are added up one after the other.

    Raises:
        OverflowError: they might not be added up within 64 bits.
    """
    if not pa.types.is_integer(values.type):
        return None
    numbers = np.where(counted, numbers_of(values, 0), 0)
    if np.abs(numbers.astype(np.float64)).sum() > LARGEST_SUM:
        raise OverflowError("expected whole numbers that can be added up within 64 bits")
    return _of_sorted(np.add, groups, numbers, counted)


def _extreme(function: np.ufunc, bound: str) -> Reduction:
    """Of whole numbers and instants."""

    def extreme(
        groups: ArrowGroups, values: pa.Array, counted: NDArray[np.bool_]
    ) -> pa.Array | None:
        if not pa.types.is_integer(values.type):
            return None
        beyond = getattr(np.iinfo(np.int64), bound)
        numbers = np.where(counted, numbers_of(values, 0), beyond)
        return _of_sorted(function, groups, numbers, counted)

    return extreme


def _of_sorted(
    function: np.ufunc,
    groups: ArrowGroups,
    numbers: NDArray[np.int64],
    counted: NDArray[np.bool_],
) -> pa.Array:
    reduced = function.reduceat(numbers[groups.order], groups.begins)
    return pa.array(reduced, mask=~_reached(groups, counted))


REDUCTIONS: Mapping[Any, Reduction] = {
    ops.CountStar: _count,
    ops.Count: _count,
    ops.Sum: _sum,
    ops.Max: _extreme(np.maximum, "min"),
    ops.Min: _extreme(np.minimum, "max"),
    ops.Any: _any,
}
"""What is made of the rows of each group that count; the rest is asked of plain Python."""


def aggregate_all(op: Any, aggregate: Function) -> Function:
    """What reduces a column of all rows to one value, as `aggregate_groups` does."""
    kind = arrow_type(op.dtype)
    if operation_key(op) is ops.Any:
        return lambda values: pa.array([pc.any(values, min_count=1).as_py()], kind)
    by_groups = aggregate_groups(op, aggregate)
    return lambda values: by_groups(ArrowGroups((), np.zeros(len(values), np.int64), 1), values)
