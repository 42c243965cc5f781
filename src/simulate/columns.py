"""Arrow columns from codes and instants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .timeline import Flags, Integers


def id_column(prefix: str, codes: NDArray[Any], width: int) -> Any:
    """`G000012` for code 11: ids count from 1; a negative code is null."""
    known = np.asarray(codes) >= 0
    numbers = pa.array(np.where(known, codes, 0).astype(np.int64) + 1).cast(pa.string())
    text = pc.binary_join_element_wise(prefix, pc.utf8_lpad(numbers, width, "0"), "")
    return pc.if_else(pa.array(known), text, pa.scalar(None, pa.string()))


def category_column(vocabulary: Sequence[str | None], codes: NDArray[Any]) -> Any:
    """The word that each code stands for."""
    return pa.array(list(vocabulary), pa.string()).take(pa.array(np.asarray(codes)))


def timestamp_column(instants: Integers, known: Flags | None = None) -> Any:
    """Timestamps in microseconds without zone; null where not `known`."""
    mask = None if known is None else ~known
    return pa.array(instants.astype("M8[us]"), pa.timestamp("us"), mask=mask)


def with_missing_values(column: Any, rng: np.random.Generator, share: float) -> Any:
    """The column with a share of its values missing, as forms are left half filled in."""
    missing = pa.array(rng.random(len(column)) < share)
    return pc.if_else(missing, pa.scalar(None, column.type), column)


def concatenate_text(*parts: Any) -> Any:
    """Texts and text columns one after another, row by row."""
    return pc.binary_join_element_wise(*parts, "")
