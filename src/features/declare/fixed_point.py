"""Numbers whose sums do not depend on the order of adding."""

from __future__ import annotations

import ibis.expr.types as ir

RESOLUTION = 2.0**-20  # a millionth of a point; totals stay exact below 2**33, some 8.6 billion


def to_fixed_point(value: ir.NumericValue) -> ir.FloatingValue:
    """`value` rounded to a multiple of 2**-20, as float64.

    Floating-point addition of multiples of one power of two is exact while the total stays under
    2**53 of them, hence associative: the engine may add in any order. It also swallows the last
    bit in which the engines' `power` differ.
    """
    return (value.cast("float64") / RESOLUTION).round().cast("float64") * RESOLUTION
