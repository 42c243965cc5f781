"""What the steps call, beside numpy's own functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import xlogy

from ..instants import NAT
from ..rounding import check_int64_range

UNKNOWN_TEXT, NULL_TEXT = -1, -2  # codes of a text that no expression names, and of none


class TextCodes(dict[str | None, int]):
    """Codes of the texts that expressions name; any other text is unknown."""

    def __missing__(self, text: str | None) -> int:
        return UNKNOWN_TEXT


def identity(values: Any) -> Any:
    """A result that needs no finishing."""
    return values


def mask_nulls(values: Any, nulls: Any) -> Any:
    """Whole numbers or conditions, masked only where some are null."""
    return np.ma.MaskedArray(values, nulls) if np.any(nulls) else values


def to_instants(microseconds: Any, nulls: Any) -> Any:
    """Instants of microseconds since 1970, NaT where null."""
    return np.where(nulls, NAT, microseconds).view("datetime64[us]")


def to_float(values: Any) -> Any:
    """Whole numbers or conditions as float64."""
    return values.astype(np.float64)


def bool_to_integer(values: Any) -> Any:
    """Conditions as int64."""
    return values.astype(np.int64)


def to_integer(values: Any) -> Any:
    """Numbers without a fraction as int64."""
    return check_int64_range(values).astype(np.int64)


def shift_left(bits: Any, places: Any) -> Any:
    """Bits moved up; refused where the engine refuses as well."""
    shifted = np.left_shift(bits, places)
    if ((np.right_shift(shifted, places) != bits) | (bits < 0)).any():
        raise OverflowError("expected bits to stay within 63 when they are shifted, got more")
    return shifted


def count_bits(bits: Any) -> Any:
    """How many bits are set."""
    return np.bitwise_count(bits.view(np.uint64)).astype(np.int64)


# The logarithm and power of numpy itself differ from those of the C library, which the engine
# takes, in the last bit.


def c_log(values: Any) -> Any:
    """Natural logarithms, as the C library has them; scipy's loop calls it."""
    return xlogy(1.0, values)


def c_power(base: Any, exponent: Any) -> Any:
    """Powers, as the C library has them."""
    bases, exponents = np.broadcast_arrays(base, exponent)
    try:
        found = map(math.pow, bases.ravel().tolist(), exponents.ravel().tolist())
        return np.fromiter(found, np.float64, bases.size).reshape(bases.shape)
    except (OverflowError, ValueError):
        return np.power(base, exponent)


def encode_texts(codes: TextCodes, texts: Any) -> Any:
    """The code of each text."""
    found = map(codes.__getitem__, texts.ravel().tolist())
    return np.fromiter(found, np.int64, texts.size).reshape(texts.shape)
