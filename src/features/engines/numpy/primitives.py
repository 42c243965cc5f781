"""How texts are read, and how results are made of the bits that the kernel leaves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..instants import NAT

UNKNOWN_TEXT, NULL_TEXT = -1, -2  # codes of a text that no expression names, and of none


class TextCodes(dict[str | None, int]):
    """Codes of the texts that expressions name; any other text is unknown."""

    def __missing__(self, text: str | None) -> int:
        return UNKNOWN_TEXT


def load_text(texts: Any) -> Any:
    """Texts as they are."""
    return np.asarray(texts, object)


def encode_texts(codes: TextCodes, column: Any) -> Any:
    """The code of each text."""
    texts = load_text(column)
    found = map(codes.__getitem__, texts.ravel().tolist())
    return np.fromiter(found, np.int64, texts.size).reshape(texts.shape)


def load_text_nulls(texts: Any) -> Any:
    """Where there is no text."""
    return np.asarray(load_text(texts) == None)  # noqa: E711 - of each of them


def to_whole(bits: NDArray[np.float64], nulls: NDArray[np.float64]) -> Any:
    """Whole numbers, masked only where some are null."""
    return _mask(bits.view(np.int64), nulls)


def to_conditions(bits: NDArray[np.float64], nulls: NDArray[np.float64]) -> Any:
    """Conditions, masked only where some are null."""
    return _mask(bits.view(np.int64).astype(np.bool_), nulls)


def to_instants(bits: NDArray[np.float64], nulls: NDArray[np.float64]) -> Any:
    """Instants of microseconds since 1970, NaT where null."""
    return np.where(nulls.view(np.int64), NAT, bits.view(np.int64)).view("datetime64[us]")


def _mask(values: Any, nulls: NDArray[np.float64]) -> Any:
    is_null = nulls.view(np.int64).astype(np.bool_)
    return np.ma.MaskedArray(values, is_null) if is_null.any() else values
