"""What the steps of a plan over Arrow's columns call: columns in, columns out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..python import primitives as of_lists
from ..python.rows import ListTable
from ..python.values import Function
from .columns import (
    ArrowRows,
    Column,
    arrow_type,
    key_of,
    mask_of,
    over_lists,
    pick,
    to_column,
    to_list,
)
from .groups import ArrowGroups, aggregate_groups, group_rows

SortKeys = Sequence[tuple[bool, bool]]
"""(ascending, nulls first) of each key."""


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
    found = pc.is_in(key_of(needles), key_of(options), skip_nulls=True)
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
