"""Columns as Arrow has them, and as lists for what is asked of plain Python.

Whole numbers are int64, so are instants and durations, in microseconds; what Arrow has no such type
for, dates and structs, stays a list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..columns import Columns, columns_of_arrow
from ..python.rows import ListTable, Places, are_all
from ..python.values import Function

MAX_TEXT_BYTES = 2**25
"""Of a column whose values are copied: some ten times as many as 500 groups have. A list would hold
one text for all rows that have it."""

Column = Any
"""A `pa.Array`, or a list of what `arrow_type` has no type for."""


def arrow_type(dtype: Any) -> pa.DataType | None:
    """The type of a column whose values Ibis calls so; None for a list."""
    if dtype.is_boolean():
        return pa.bool_()
    if dtype.is_integer() or dtype.is_timestamp() or dtype.is_interval():
        return pa.int64()
    if dtype.is_floating():
        return pa.float64()
    return pa.string() if dtype.is_string() else None


def to_column(values: list[Any], kind: pa.DataType | None) -> Column:
    """A list of values as a column of a type.

    Raises:
        OverflowError: a whole number is too great for 64 bits.
    """
    if kind is None:
        return values
    try:
        return pa.array(values, kind)
    except pa.ArrowInvalid:  # Ibis calls some numbers whole that have a fraction
        return pa.array(values, pa.float64())


def to_list(column: Column) -> list[Any]:
    """The values of a column; None is null."""
    if isinstance(column, list):
        return column
    if column.null_count and not pa.types.is_string(column.type):
        listed: list[Any] = column.to_pylist()
        return listed
    values: list[Any] = column.to_numpy(zero_copy_only=False).tolist()
    return values


def over_lists(function: Function, kind: pa.DataType | None) -> Function:
    """A function of lists that makes a list, as one of columns that makes a column."""

    def called(*arguments: Any) -> Column:
        lists = [to_list(one) if isinstance(one, pa.Array) else one for one in arguments]
        return to_column(function(*lists), kind)

    return called


def map_lists(function: Function, is_scalar: Sequence[bool], kind: pa.DataType | None) -> Function:
    """What makes a column value by value; some arguments are one value for all rows."""

    def mapped(*arguments: Any) -> Column:
        values = [
            repeat(one) if alone else to_list(one)
            for one, alone in zip(arguments, is_scalar, strict=True)
        ]
        return to_column(list(map(function, *values)), kind)

    return mapped


def pick(column: Column, places: Places) -> Column:
    """The values of a column at places; null where there is none."""
    return column if are_all(places, len(column)) else _take(column, places, _indices(places))


def _indices(places: Places) -> pa.Array:
    """Places as Arrow takes them, null in place of -1."""
    indices = np.asarray(places, np.int64)
    missing = indices < 0
    return pa.array(indices, mask=missing) if missing.any() else pa.array(indices)


def _take(column: Column, places: Places, indices: pa.Array) -> Column:
    if isinstance(column, list):
        return [None if place < 0 else column[place] for place in places]
    if pa.types.is_string(column.type):
        _require_little_text(column, indices)
    return _TAKE.call([column, indices], _UNCHECKED)


def _require_little_text(texts: pa.Array, indices: pa.Array) -> None:
    """Refuses to copy so much that Arrow's offsets, which it does not check, might not hold it.

    Raises:
        OverflowError: what is taken would be longer.
    """
    data = texts.buffers()[2]
    if data is None or data.size * len(indices) <= MAX_TEXT_BYTES:
        return
    lengths = pc.binary_length(texts)
    if (pc.max(lengths).as_py() or 0) * len(indices) <= MAX_TEXT_BYTES:
        return
    if (pc.sum(_TAKE.call([lengths, indices], _UNCHECKED)).as_py() or 0) > MAX_TEXT_BYTES:
        raise OverflowError(f"expected columns of at most {MAX_TEXT_BYTES:,} bytes of text")


_TAKE = pc.get_function("array_take")  # asked without looking it up, in half of the time
_UNCHECKED = pc.TakeOptions(boundscheck=False)  # places are of rows that are there


class _LazyPick(dict[str, Column]):
    """Columns of some rows of others, each taken when it is first asked for."""

    __slots__ = ("_columns", "_indices", "_places")

    def __init__(self, columns: Mapping[str, Column], places: Places) -> None:
        self._columns = columns
        self._places = places
        self._indices: pa.Array | None = None

    def __missing__(self, name: str) -> Column:
        if self._indices is None:
            self._indices = _indices(self._places)
        self[name] = taken = _take(self._columns[name], self._places, self._indices)
        return taken


def mask_of(condition: pa.Array) -> NDArray[np.bool_]:
    """Where a condition holds."""
    if condition.null_count:
        condition = condition.fill_null(False)
    mask: NDArray[np.bool_] = condition.to_numpy(zero_copy_only=False)
    return mask


def key_of(column: pa.Array) -> pa.Array:
    """A column by which equal values are found: of 0.0 and -0.0 Arrow makes two."""
    return pc.add(column, 0.0) if pa.types.is_floating(column.type) else column


def numbers_of(column: pa.Array, missing: float) -> NDArray[Any]:
    """The numbers of a column, with one in place of nulls."""
    numbers: NDArray[Any] = (column.fill_null(missing) if column.null_count else column).to_numpy()
    return numbers


class ArrowRows(ListTable):
    """Rows of a table, whose columns are as this module has them."""

    __slots__ = ()

    def take(self, places: Places) -> ArrowRows:
        """Some of the rows."""
        if are_all(places, self.size):
            return self
        return ArrowRows(len(places), _LazyPick(self.columns, places), self.column_names)

    def to_arrow(self, schema: pa.Schema) -> pa.Table:
        """The same as Arrow has it."""
        arrays = [_of_type(self.columns[one.name], one.type) for one in schema]
        return pa.table(arrays, schema=schema)

    def to_columns(self, schema: pa.Schema) -> Columns:
        """The columns as arrays of numpy."""
        return columns_of_arrow(self.to_arrow(schema))

    def values(self, name: str) -> list[Any]:
        """The values of a column."""
        return to_list(self.columns[name])


def _of_type(column: Column, kind: pa.DataType) -> pa.Array:
    return pa.array(column, kind) if isinstance(column, list) else column.cast(kind)


def arrow_rows(table: pa.Table) -> ArrowRows:
    """Rows of an Arrow table."""
    columns = {}
    for name, values in zip(table.column_names, table.columns, strict=True):
        column = values.combine_chunks()
        if pa.types.is_integer(column.type) or pa.types.is_timestamp(column.type):
            column = column.cast(pa.int64())
        columns[name] = column
    return ArrowRows(table.num_rows, columns, tuple(columns))
