"""Feature columns as the matrix that trees read; categories as codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

MAX_DICT_LOOKUPS = 64
"""Rows up to which texts are looked up one by one, which takes less than a call of Arrow."""


def feature_matrix(
    features: pa.Table, names: Sequence[str], category_values: Mapping[str, Sequence[str]]
) -> NDArray[np.float64]:
    """Feature columns as one float64 matrix; a category's unknown value is missing (NaN).

    Raises:
        ValueError: a column is missing.
    """
    if missing := set(names).difference(features.column_names):
        in_order = [name for name in names if name in missing]
        raise ValueError(
            f"features missing: {in_order}; got {features.column_names}; build the table with the "
            "catalogue of this bundle"
        )
    # Filled by columns, read by columns: the copy into rows would cost as much as the trees.
    values = np.empty((features.num_rows, len(names)), dtype=np.float64, order="F")
    numbers = [index for index, name in enumerate(names) if name not in category_values]
    if features.num_rows <= MAX_DICT_LOOKUPS:
        values[:, numbers] = _numbers_at_once(features.select([names[index] for index in numbers]))
    else:
        for index in numbers:
            values[:, index] = _cast_if_needed(pa.float64(), features[names[index]]).to_numpy()
    for index, name in enumerate(names):
        if name in category_values:
            values[:, index] = encode_category(features[name], category_values[name])
    return values


def _numbers_at_once(numbers: pa.Table) -> NDArray[np.float64]:
    """Columns of numbers, null as NaN; of a few rows a call for each takes longer than the trees.

    Returns:
        Shape (rows, columns).
    """
    if not numbers.num_rows or not numbers.num_columns:
        return np.empty(numbers.shape)
    try:
        (batch,) = numbers.combine_chunks().to_batches()
        tensor = batch.to_tensor(null_to_nan=True)
    except pa.ArrowTypeError:  # conditions, or a column without any value
        floats = pa.schema([(name, pa.float64()) for name in numbers.column_names])
        (batch,) = numbers.cast(floats).combine_chunks().to_batches()
        tensor = batch.to_tensor(null_to_nan=True)
    found: NDArray[np.float64] = tensor.to_numpy()
    return found


def _cast_if_needed(dtype: pa.DataType, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column in a type; to cast what has it already takes longer than a few rows do."""
    return column if column.type == dtype else column.cast(dtype)


@lru_cache(1024)
def _value_set(known_values: tuple[str, ...]) -> pa.Array:
    return pa.array(known_values, pa.string())


@lru_cache(1024)
def _category_codes(known_values: tuple[str, ...]) -> Mapping[str | None, float]:
    return {value: float(code) for code, value in enumerate(known_values)}


def encode_category(column: pa.ChunkedArray, known_values: Sequence[str]) -> NDArray[np.float64]:
    """Codes of a category's values, their places among the known ones; NaN for all others."""
    if len(column) <= MAX_DICT_LOOKUPS:
        codes_of = _category_codes(tuple(known_values))
        return np.array([codes_of.get(value, np.nan) for value in column.to_pylist()], np.float64)
    # A column without any value has no type of its own.
    codes = pc.index_in(
        _cast_if_needed(pa.string(), column), value_set=_value_set(tuple(known_values))
    )
    float_codes: NDArray[np.float64] = codes.cast(pa.float64()).to_numpy()
    return float_codes
