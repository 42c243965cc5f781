"""Columns as arrays, the way that compiled expressions read them (see `numpy.evaluator`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

Columns = dict[str, Any]


def columns_of_arrow(table: pa.Table) -> Columns:
    """Columns of an Arrow table, by name.

    Numbers are float64 with NaN for null or whole, masked where some are null; texts are objects,
    and so are conditions of which some are null; instants are datetime64.
    """
    columns: Columns = {}
    for name, column in zip(table.column_names, whole_columns(table), strict=True):
        values = column.to_numpy(zero_copy_only=False)
        if column.null_count and pa.types.is_integer(column.type):
            values = np.ma.MaskedArray(
                column.fill_null(0).to_numpy(zero_copy_only=False), column.is_null().to_numpy(False)
            )
        columns[name] = values
    return columns


def whole_columns(table: pa.Table) -> list[pa.Array]:
    """Columns of a table, each in one piece."""
    batches = table.combine_chunks().to_batches()
    if len(batches) == 1:  # to ask a table for its columns takes longer than to read a few rows
        columns: list[pa.Array] = batches[0].columns
        return columns
    return [column.combine_chunks() for column in table.columns]


def arrow_numbers(columns: Columns) -> dict[str, pa.Array]:
    """Columns of numbers, NaN as null, as Arrow has them: float64, in the memory of one array.

    To make an array of each takes longer than all else that is done with the columns of a few rows.

    Args:
        columns: by name, of one length.
    """
    if not columns:
        return {}
    unmasked = [
        np.ma.filled(one.astype(np.float64), np.nan) if isinstance(one, np.ma.MaskedArray) else one
        for one in columns.values()
    ]
    values = np.array(unmasked, np.float64)
    memory, rows = pa.array(values.ravel(), from_pandas=True), values.shape[1]
    return {name: memory.slice(place * rows, rows) for place, name in enumerate(columns)}


def column_of_list(values: Sequence[Any], kind: pa.DataType) -> Any:
    """A column of plain Python, with instants in microseconds, as `columns_of_arrow` has it."""
    if pa.types.is_floating(kind):
        return np.array(values, np.float64)
    if pa.types.is_timestamp(kind):
        return np.array(values, "datetime64[us]")
    if pa.types.is_integer(kind):
        if None not in values:
            return np.array(values, kind.to_pandas_dtype())
        filled = [0 if value is None else value for value in values]
        missing = [value is None for value in values]
        return np.ma.MaskedArray(np.array(filled, kind.to_pandas_dtype()), missing)
    if pa.types.is_boolean(kind) and None not in values:
        return np.array(values, np.bool_)
    return np.array(values, object)
