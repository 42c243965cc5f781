"""The compiled loop of linear parts; importing this module compiles it, or loads it."""

from __future__ import annotations

import math

import numba

from ...model.linear import CLIP
from ...support.compiling import compiled
from .layout import Array, Floats

_FLOATS = numba.types.Array(numba.float64, 1, "C", readonly=True)
_PLACES = numba.types.Array(numba.int64, 1, "C", readonly=True)
_ROWS = numba.types.Array(numba.float64, 2, "C", readonly=True)


@compiled(numba.int64(_ROWS, numba.float64[::1]))
def pack_changes(values: Floats, packed: Floats) -> int:
    """Sizes of the values that are not those of the row before, one after the other.

    Args:
        values: shape (features, rows).
        packed: shape (features times rows,); its beginning is overwritten.

    Returns:
        How many there are.
    """
    count = 0
    for feature in range(len(values)):
        for row in range(values.shape[1]):
            value = values[feature, row]
            if row == 0 or value != values[feature, row - 1]:
                packed[count] = abs(value)
                count += 1
    return count


@compiled(numba.void(_ROWS, numba.int64, numba.float64[::1]))
def spread_changes(values: Floats, count: int, packed: Floats) -> None:
    """What was made of packed sizes, with its sign, at the place of each value.

    From the end: a place is never before what was packed of it.

    Args:
        values: those of `pack_changes`.
        count: how many were packed.
        packed: shape (features times rows,); overwritten.
    """
    rows = values.shape[1]
    for feature in range(len(values) - 1, -1, -1):
        for row in range(rows - 1, -1, -1):
            value = values[feature, row]
            packed[feature * rows + row] = math.copysign(packed[count - 1], value)
            if row == 0 or value != values[feature, row - 1]:
                count -= 1


@compiled(
    numba.void(
        _ROWS, _FLOATS, _PLACES, _PLACES, _FLOATS, _FLOATS, _FLOATS, numba.float64[:, :]
    )
)  # fmt: skip
def add_terms(
    logarithms: Floats, intercepts: Floats, starts: Array, columns: Array, centre: Floats,
    scale: Floats, slope: Floats, out: Floats,
) -> None:  # fmt: skip
    """Log-odds by each regression, term by term in the order and with the bits of `linear`.

    Args:
        logarithms: shape (features, rows).
        intercepts: of each regression.
        starts: where the terms of each begin, and where all of them end.
        columns: feature of each term.
        centre: of each term, as `scale` and `slope`.
        scale: standard deviation.
        slope: log-odds for one.
        out: shape (regressions, rows); overwritten.
    """
    rows = logarithms.shape[1]
    for number in range(intercepts.size):
        for row in range(rows):
            out[number, row] = intercepts[number]
        for term in range(starts[number], starts[number + 1]):
            column, middle, width, rise = columns[term], centre[term], scale[term], slope[term]
            for row in range(rows):
                value = (logarithms[column, row] - middle) / width
                value = -CLIP if value < -CLIP else value
                value = CLIP if value > CLIP else value
                value = value if value == value else 0.0
                out[number, row] += value * rise
