"""Numbers made whole as DuckDB makes them, one at a time for Python and by the array for NumPy.

Each rule is written twice, for a loop over an array of one value costs what a whole plan may cost:
the scalar gives an int, the array float64 without a fraction, and no -0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

BELOW_HALF = math.nextafter(0.5, 0.0)  # with 0.5 the number below it would be rounded up
INT64_LIMIT = 2.0**63  # whole numbers are below it, in size


def round_half_even(value: float) -> int:
    """Half to the even neighbour, as DuckDB's cast to a whole number."""
    return round(value)


def round_half_even_array(values: Any) -> Any:
    """As `round_half_even`, of each value; NaN stays."""
    return check_int64_range(np.rint(values)) + 0.0


def round_half_away(value: float) -> int:
    """Half away from zero, as DuckDB's ROUND.

    Raises:
        OverflowError: the number is too great for int64.
    """
    if abs(value) >= INT64_LIMIT:
        raise _overflow(value)
    return int(value + math.copysign(BELOW_HALF, value))


def round_half_away_array(values: Any) -> Any:
    """As `round_half_away`, of each value; NaN stays."""
    return np.trunc(check_int64_range(values + np.copysign(BELOW_HALF, values))) + 0.0


def floor_array(values: Any) -> Any:
    """The whole number below each value, as `math.floor` has it of one; NaN stays."""
    return check_int64_range(np.floor(values)) + 0.0


def check_int64_range(values: Any) -> Any:
    """The values themselves.

    Raises:
        OverflowError: one of them is too great for int64.
    """
    if (np.abs(values) >= INT64_LIMIT).any():
        raise _overflow(np.nanmax(np.abs(values)))
    return values


def _overflow(value: float) -> OverflowError:
    return OverflowError(f"expected whole numbers of 64 bits, got {value}")
