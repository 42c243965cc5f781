"""Numbers made whole as DuckDB makes them.

Each rule is written twice: here of one number, to an int, for Python; and in `numpy/kernel.py`,
where it is compiled with the loop around it, to a float64 without a fraction.
"""

from __future__ import annotations

import math

BELOW_HALF = math.nextafter(0.5, 0.0)  # with 0.5 the number below it would be rounded up
INT64_LIMIT = 2.0**63  # whole numbers are below it, in size


def round_half_even(value: float) -> int:
    """Half to the even neighbour, as DuckDB's cast to a whole number."""
    return round(value)


def round_half_away(value: float) -> int:
    """Half away from zero, as DuckDB's ROUND.

    Raises:
        OverflowError: the number is too great for int64.
    """
    if abs(value) >= INT64_LIMIT:
        raise overflow(value)
    return int(value + math.copysign(BELOW_HALF, value))


def overflow(value: float) -> OverflowError:
    """The error of a number that is too great for int64."""
    return OverflowError(f"expected whole numbers of 64 bits, got {value}")
