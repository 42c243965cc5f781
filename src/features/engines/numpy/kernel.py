"""The compiled loop of the evaluator; importing this module compiles it, or loads it.

Operations and loop are in one module, since numba's cache of a kernel does not notice a change in
another file.
"""

from __future__ import annotations

import math
from enum import IntEnum, auto
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from ....support.compiling import compiled
from ..instants import MICROSECONDS_PER_SECOND
from ..rounding import BELOW_HALF, INT64_LIMIT

BLOCK_ROWS = 256
"""Rows that one operation does before the next, so that what lies between stays in the cache."""

OUT_OF_SHIFT = -1.0  # what `run_operations` returns of bits that leave their 63 places


class Operation(IntEnum):
    """What a step does to its arguments a, b and c, row by row.

    A value is 64 bits: a float64, NaN where null; or an int64, which is also an instant
    (microseconds since 1970), the code of a text, or a condition (1 where it holds, else 0).
    Those that say `WHOLE` read int64, the others float64 if they read numbers.
    """

    ADD = auto()
    SUBTRACT = auto()
    MULTIPLY = auto()
    DIVIDE = auto()
    POWER = auto()
    SQUARE_ROOT = auto()
    LOGARITHM = auto()
    FLOOR = auto()
    ROUND_HALF_AWAY = auto()
    ROUND_HALF_EVEN = auto()
    ADD_WHOLE = auto()
    SUBTRACT_WHOLE = auto()
    MULTIPLY_WHOLE = auto()
    AND_BITS = auto()
    OR_BITS = auto()
    SHIFT_LEFT = auto()
    COUNT_BITS = auto()
    WHOLE_TO_FLOAT = auto()
    FLOAT_TO_WHOLE = auto()  # of a number without a fraction
    SECONDS_OF_WHOLE = auto()  # of microseconds, with their fraction
    EQUAL = auto()
    LESS = auto()
    LESS_OR_EQUAL = auto()
    EQUAL_WHOLE = auto()
    LESS_WHOLE = auto()
    LESS_OR_EQUAL_WHOLE = auto()
    IS_NULL = auto()  # of a float64
    NOT = auto()
    CHOOSE = auto()  # b where the condition a holds, else c


@compiled()
def _whole_number(operation: int, value: float) -> float:
    """A number without a fraction, as `rounding` makes it, and no -0."""
    if operation == Operation.FLOOR:
        return float(np.floor(value)) + 0.0
    if operation == Operation.ROUND_HALF_EVEN:
        return float(np.rint(value)) + 0.0
    return float(np.trunc(value + math.copysign(BELOW_HALF, value))) + 0.0


@compiled()
def _count_bits(bits: Any) -> Any:
    count = 0
    while bits:
        bits &= bits - np.uint64(1)
        count += 1
    return count


_STEPS = numba.types.Array(numba.int64, 2, "C", readonly=True)
_WHOLE = numba.types.Array(numba.int64, 1, "C", readonly=True)


@compiled(numba.float64(_STEPS, _WHOLE, numba.float64[:, ::1]))
def run_operations(
    steps: NDArray[np.int64], constants: NDArray[np.int64], x: NDArray[np.float64]
) -> float:
    """Does the steps one after the other, each for a block of rows.

    Args:
        steps: shape (steps, 5): the operation, the registers of a, b and c, and that of its result,
            which is none of the three.
        constants: shape (constants,), the bits of each; they are in the first registers.
        x: shape (registers, rows), any 64 bits; holds the inputs, in the registers after the
            constants, and is given the constants and the results.

    Returns:
        0, else what was refused: the number that is too great for int64, or `OUT_OF_SHIFT`. What
        the registers hold then is not to be read.
    """
    n = x.view(np.int64)
    for place in range(constants.size):
        for row in range(x.shape[1]):
            n[place, row] = constants[place]
    # Unsigned: of an index that may count from the end no vector is made.
    rows, width = np.uint64(x.shape[1]), np.uint64(BLOCK_ROWS)
    for start in range(np.uint64(0), rows, width):
        stop = min(start + width, rows)
        for step in range(steps.shape[0]):
            operation = steps[step, 0]
            a, b, c, to = steps[step, 1], steps[step, 2], steps[step, 3], steps[step, 4]
            if operation == Operation.ADD:
                for row in range(start, stop):
                    x[to, row] = x[a, row] + x[b, row]
            elif operation == Operation.SUBTRACT:
                for row in range(start, stop):
                    x[to, row] = x[a, row] - x[b, row]
            elif operation == Operation.MULTIPLY:
                for row in range(start, stop):
                    x[to, row] = x[a, row] * x[b, row]
            elif operation == Operation.DIVIDE:
                for row in range(start, stop):
                    x[to, row] = x[a, row] / x[b, row]
            elif operation == Operation.POWER:
                for row in range(start, stop):
                    x[to, row] = math.pow(x[a, row], x[b, row])
            elif operation == Operation.SQUARE_ROOT:
                for row in range(start, stop):
                    x[to, row] = math.sqrt(x[a, row])
            elif operation == Operation.LOGARITHM:
                for row in range(start, stop):
                    x[to, row] = math.log(x[a, row])
            elif (
                operation == Operation.FLOOR
                or operation == Operation.ROUND_HALF_AWAY
                or operation == Operation.ROUND_HALF_EVEN
            ):
                for row in range(start, stop):
                    value = _whole_number(operation, x[a, row])
                    if abs(value) >= INT64_LIMIT:
                        return abs(value)
                    x[to, row] = value
            elif operation == Operation.ADD_WHOLE:
                for row in range(start, stop):
                    n[to, row] = n[a, row] + n[b, row]
            elif operation == Operation.SUBTRACT_WHOLE:
                for row in range(start, stop):
                    n[to, row] = n[a, row] - n[b, row]
            elif operation == Operation.MULTIPLY_WHOLE:
                for row in range(start, stop):
                    n[to, row] = n[a, row] * n[b, row]
            elif operation == Operation.AND_BITS:
                for row in range(start, stop):
                    n[to, row] = n[a, row] & n[b, row]
            elif operation == Operation.OR_BITS:
                for row in range(start, stop):
                    n[to, row] = n[a, row] | n[b, row]
            elif operation == Operation.SHIFT_LEFT:
                for row in range(start, stop):
                    bits, places = n[a, row], n[b, row]
                    known = 0 <= places < 63
                    shifted = bits << places if known else np.int64(0)
                    if bits < 0 or (shifted >> places if known else np.int64(0)) != bits:
                        return OUT_OF_SHIFT
                    n[to, row] = shifted
            elif operation == Operation.COUNT_BITS:
                for row in range(start, stop):
                    n[to, row] = _count_bits(np.uint64(n[a, row]))
            elif operation == Operation.WHOLE_TO_FLOAT:
                for row in range(start, stop):
                    x[to, row] = np.float64(n[a, row])
            elif operation == Operation.FLOAT_TO_WHOLE:
                for row in range(start, stop):
                    value = float(x[a, row])
                    if abs(value) >= INT64_LIMIT:
                        return abs(value)
                    n[to, row] = np.int64(value)
            elif operation == Operation.SECONDS_OF_WHOLE:
                for row in range(start, stop):
                    x[to, row] = n[a, row] / MICROSECONDS_PER_SECOND
            elif operation == Operation.EQUAL:
                for row in range(start, stop):
                    n[to, row] = x[a, row] == x[b, row]
            elif operation == Operation.LESS:
                for row in range(start, stop):
                    n[to, row] = x[a, row] < x[b, row]
            elif operation == Operation.LESS_OR_EQUAL:
                for row in range(start, stop):
                    n[to, row] = x[a, row] <= x[b, row]
            elif operation == Operation.EQUAL_WHOLE:
                for row in range(start, stop):
                    n[to, row] = n[a, row] == n[b, row]
            elif operation == Operation.LESS_WHOLE:
                for row in range(start, stop):
                    n[to, row] = n[a, row] < n[b, row]
            elif operation == Operation.LESS_OR_EQUAL_WHOLE:
                for row in range(start, stop):
                    n[to, row] = n[a, row] <= n[b, row]
            elif operation == Operation.IS_NULL:
                for row in range(start, stop):
                    n[to, row] = x[a, row] != x[a, row]
            elif operation == Operation.NOT:
                for row in range(start, stop):
                    n[to, row] = n[a, row] ^ 1
            elif operation == Operation.CHOOSE:
                for row in range(start, stop):
                    mask = -n[a, row]
                    n[to, row] = (n[b, row] & mask) | (n[c, row] & ~mask)
    return 0.0
