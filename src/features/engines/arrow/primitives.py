"""What the steps of a plan over Arrow's columns call: columns in, columns out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
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
    ArrowRows,
    Column,
    arrow_type,
    mask_of,
    numbers_of,
    over_lists,
    pick,
    to_column,
    to_list,
)

Reduction: TypeAlias = Callable[["ArrowGroups", pa.Array, NDArray[np.bool_]], pa.Array | None]
"""What reduces a column per group, of the rows that count; None where it has no rule for it."""

SortKeys = Sequence[tuple[bool, bool]]
"""(ascending, nulls first) of each key."""

LARGEST_SUM = 2.0**62  # beyond it whole numbers might not have been added up within 64 bits


def repeat_value(op: Any) -> Function:
    """What makes a column of one value."""
    kind = arrow_type(op.dtype)
    if kind is None:
        return of_lists.repeat_value
    return lambda value, rows: pa.repeat(pa.scalar(value, kind), rows.size)


def is_in(needles: Column, rows: ListTable) -> Column:
    """Whether each value is among those of a table's one column, null as SQL has it."""
    options = rows.columns[rows.column_names[0]]
    if not isinstance(needles, pa.Array) or not isinstance(options, pa.Array):
        return over_lists(lambda one: of_lists.is_in(one, rows), pa.bool_())(needles)
    found = pc.is_in(needles, options, skip_nulls=True)
    if not len(options):
        return found
    if options.null_count:
        found = pc.if_else(found, True, None)
    return pc.if_else(pc.is_valid(needles), found, None)


def keep_rows(rows: ListTable, *conditions: Column) -> ListTable:
    """The rows where every condition holds."""
    kept = mask_of(reduce(pc.and_kleene, conditions))
    return rows if kept.all() else rows.take(np.flatnonzero(kept))


def sort_rows(keys: SortKeys) -> Function:
    """What sorts rows by columns; rows that are equal keep their order."""
    return lambda rows, *columns: rows.take(sort_places(keys, columns))


def sort_places(keys: SortKeys, columns: Sequence[Column]) -> NDArray[np.int64]:
    """Places of rows, sorted by one column or more."""
    size = len(columns[0])
    if any(isinstance(one, list) or one.null_count for one in columns):
        lists = [to_list(one) for one in columns]
        return np.array(of_lists.sort_indices(range(size), keys, lists), np.int64)
    names = [str(place) for place in range(len(columns))]
    orders = ["ascending" if ascending else "descending" for ascending, _nulls in keys]
    by_columns = list(zip(names, orders, strict=True))
    places: NDArray[np.uint64] = pc.sort_indices(
        pa.table(list(columns), names), sort_keys=by_columns
    ).to_numpy()
    return places.astype(np.int64)


def distinct_rows(rows: ListTable) -> ListTable:
    """The first of the rows that are equal."""
    groups = group_rows(rows, *(rows.columns[name] for name in rows.column_names))
    return rows.take(groups.first_rows)


def concatenate(names: tuple[str, ...], left: ListTable, right: ListTable) -> ListTable:
    """The named columns of two tables, one below the other."""
    for rows, others in ((left, right), (right, left)):
        if not others.size:
            return ArrowRows(rows.size, rows.columns, names)
    columns = {name: _joined(left.columns[name], right.columns[name]) for name in names}
    return ArrowRows(left.size + right.size, columns, names)


def _joined(upper: Column, lower: Column) -> Column:
    if isinstance(upper, list) or isinstance(lower, list):
        return to_list(upper) + to_list(lower)
    if upper.type.equals(lower.type):
        return pa.concat_arrays([upper, lower])
    return pa.concat_arrays([upper.cast(pa.float64()), lower.cast(pa.float64())])


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
    encoded = column.dictionary_encode(null_encoding="encode")
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


@dataclass(frozen=True)
class OrderedParts:
    """Rows of each group in an order.

    Attributes:
        groups: of the rows.
        places: of all rows, those of a group together.
    """

    groups: ArrowGroups
    places: NDArray[np.int64]

    @cached_property
    def of_lists(self) -> list[Sequence[int]]:
        """The places of each group, for what is asked of plain Python."""
        return [part.tolist() for part in np.split(self.places, self.groups.begins[1:])]


def order_partitions(keys: SortKeys) -> Function:
    """What sorts the rows of each group by columns."""

    def ordered(groups: ArrowGroups, *columns: Column) -> OrderedParts:
        by_group = [(True, False), *keys]
        places = sort_places(by_group, [pa.array(groups.row_groups), *columns])
        return OrderedParts(groups, places)

    return ordered


def row_numbers(rows: ListTable, parts: OrderedParts) -> Column:
    """The place of each row within its part, from 0."""
    begins = parts.groups.begins[parts.groups.row_groups[parts.places]]
    numbers = np.empty(rows.size, np.int64)
    numbers[parts.places] = np.arange(rows.size) - begins
    return pa.array(numbers)


def aggregate_partitions(op: Any, aggregate: Function) -> Function:
    """What gives each row what its part reduces to."""
    reduced = aggregate_groups(op.func, aggregate)
    return lambda _rows, parts, values: pick(reduced(parts.groups, values), parts.groups.row_groups)


def running_max_before(op: Any) -> Function:
    """What gives each row the greatest value of the rows before it in its part."""
    kind = arrow_type(op.dtype)
    return lambda rows, parts, values: to_column(
        of_lists.running_max_before(rows, parts.of_lists, to_list(values)), kind
    )
