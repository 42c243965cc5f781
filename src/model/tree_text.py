"""What LightGBM's model text says of its trees, read without LightGBM, which takes a second."""

from __future__ import annotations

import re
from collections.abc import Iterator

_FEATURES = re.compile(r"^max_feature_idx=(\d+)$", re.MULTILINE)
_SPLITS = re.compile(r"^split_feature=(.*)$", re.MULTILINE)


def feature_count(text: str) -> int:
    """How many columns a row has for these trees.

    Raises:
        ValueError: the text is not that of a LightGBM model.
    """
    if (found := _FEATURES.search(text)) is None:
        raise ValueError("expected the text of a LightGBM model, found no max_feature_idx in it")
    return int(found[1]) + 1


def split_features(text: str) -> frozenset[int]:
    """Indices of the features that some tree splits on."""
    return frozenset(_split_indices(text))


def _split_indices(text: str) -> Iterator[int]:
    for found in _SPLITS.finditer(text):
        yield from map(int, found[1].split())
