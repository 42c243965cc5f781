"""The compiled loop of linear parts; importing this module compiles it, or loads it."""

from __future__ import annotations

import math

import numba
import numpy as np

from ...model.linear import CLIP
from ...support.compiling import compiled
from .layout import Array, Floats

_FLOATS = numba.types.Array(numba.float64, 1, "C", readonly=True)
_PLACES = numba.types.Array(numba.int64, 1, "C", readonly=True)
_ROWS = numba.types.Array(numba.float64, 2, "C", readonly=True)


@compiled(numba.void(_ROWS, numba.float64[:, ::1]))
def take_logarithms(values: Floats, logarithms: Floats) -> None:
    """`linear.logarithm` of values, with its bits; of one that comes again it is known.

    The rows of a game are coalitions of one group, which have most of their features in common.

    Args:
        values: shape (features, rows).
        logarithms: shape (features, rows or more); overwritten.
    """
    for feature in range(len(values)):
        before, known = np.nan, np.nan
        for row in range(values.shape[1]):
            value = values[feature, row]
            if value != before:
                before, known = value, math.copysign(np.log1p(abs(value)), value)
            elif value == 0:
                known = value  # of which there are two
            logarithms[feature, row] = known


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
        logarithms: shape (features, rows or more).
        intercepts: of each regression.
        starts: where the terms of each begin, and where all of them end.
        columns: feature of each term.
        centre: of each term, as `scale` and `slope`.
        scale: standard deviation.
        slope: log-odds for one.
        out: shape (regressions, rows); overwritten.
    """
    rows = out.shape[1]
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
