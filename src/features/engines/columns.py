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
    for name, chunks in zip(table.column_names, table.columns, strict=True):
        column = chunks.chunk(0) if chunks.num_chunks == 1 else chunks.combine_chunks()
        values = column.to_numpy(zero_copy_only=False)
        if column.null_count and pa.types.is_integer(column.type):
            values = np.ma.MaskedArray(
                column.fill_null(0).to_numpy(zero_copy_only=False), column.is_null().to_numpy(False)
            )
        columns[name] = values
    return columns


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
