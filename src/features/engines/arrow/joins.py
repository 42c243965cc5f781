"""Joins of Arrow's columns: places of the rows that meet, by their keys."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..python.rows import ListTable, Places, are_all
from ..python.values import Function
from .columns import Column, key_of, numbers_of, to_list

MAX_ROWS = 2_000_000
"""Of a join: some ten times as many as 500 groups have. A list holds one text for all of them."""

Numbers: TypeAlias = NDArray[np.int64]
"""One for each row, the same for the same key; -1 where a part of the key is null, or unknown."""


def pick_left(places: Places, found: tuple[Places, Places]) -> Places:
    """Places of rows on the left, for each row of a join."""
    lefts = found[0]
    if are_all(lefts, len(places)):
        return places
    return lefts if type(places) is range else np.asarray(places)[lefts]


def match_pairs(width: int, *, outer: bool) -> Function:
    """What joins rows by some columns, of the left and then of the right.

    Args:
        width: how many keys there are.
        outer: whether rows without a match stay.

    Raises:
        OverflowError: there are more rows than `MAX_ROWS`, once it is called.
    """

    def matched(_right: ListTable, *columns: Column) -> tuple[Places, Places]:
        lefts, rights, count = _key_numbers(columns[:width], columns[width:])
        known = np.flatnonzero(rights >= 0)
        sizes = np.bincount(rights[known], minlength=count + 1)
        if (sizes < 2).all():
            place_of_key = np.full(count + 1, -1, np.int64)  # the last is of no key
            place_of_key[rights[known]] = known
            return _match_one(place_of_key[lefts], outer=outer)
        order = known[np.argsort(rights[known], kind="stable")]
        begins = np.cumsum(sizes) - sizes
        found = sizes[lefts]  # how many rows on the right each meets
        rows = np.maximum(found, 1) if outer else found
        if rows.sum() > MAX_ROWS:
            raise OverflowError(f"expected joins of at most {MAX_ROWS:,} rows")
        left_places = np.repeat(np.arange(len(lefts)), rows)
        within = np.arange(len(left_places)) - np.repeat(np.cumsum(rows) - rows, rows)
        has_match = np.repeat(found > 0, rows)
        right_places = np.full(len(left_places), -1, np.int64)
        at = np.repeat(begins[lefts], rows) + within
        right_places[has_match] = order[at[has_match]]
        return left_places, right_places

    return matched


def _match_one(rights: Numbers, *, outer: bool) -> tuple[Places, Places]:
    """As `match_pairs`, where every key is on the right once, as most are."""
    if outer or (rights >= 0).all():
        return range(len(rights)), rights
    lefts = np.flatnonzero(rights >= 0)
    return lefts, rights[lefts]


def match_members(width: int, *, keep_matches: bool) -> Function:
    """What finds the rows with a match, or those without one; arguments as above."""

    def found(_right: ListTable, *columns: Column) -> tuple[Places, Places]:
        lefts, rights, count = _key_numbers(columns[:width], columns[width:])
        is_known = np.zeros(count + 1, np.bool_)
        is_known[rights[rights >= 0]] = True
        kept = is_known[lefts] == keep_matches
        return (range(len(lefts)) if kept.all() else np.flatnonzero(kept)), ()

    return found


def _key_numbers(lefts: tuple[Column, ...], rights: tuple[Column, ...]) -> tuple[Any, Any, int]:
    """Numbers of the keys on both sides, and how many there may be."""
    left, right, count = _numbers(lefts[0], rights[0])
    for left_key, right_key in zip(lefts[1:], rights[1:], strict=True):
        more_left, more_right, more = _numbers(left_key, right_key)
        combined = [
            pa.array(np.where((one < 0) | (other < 0), -1, one * more + other))
            for one, other in ((left, more_left), (right, more_right))
        ]
        left, right, count = _numbers(*combined)
        left[combined[0].to_numpy() < 0] = -1
        right[combined[1].to_numpy() < 0] = -1
    return left, right, count


def _numbers(left: Column, right: Column) -> tuple[Numbers, Numbers, int]:
    """A number for each value on the right, and on the left for those that are there too."""
    arrays = [one if isinstance(one, pa.Array) else pa.array(to_list(one)) for one in (left, right)]
    lefts, rights = map(key_of, _of_one_type(*arrays))
    encoded = rights.dictionary_encode()
    found = pc.index_in(lefts, encoded.dictionary, skip_nulls=True)
    numbers = [numbers_of(one, -1).astype(np.int64) for one in (found, encoded.indices)]
    return numbers[0], numbers[1], len(encoded.dictionary)


def _of_one_type(left: pa.Array, right: pa.Array) -> tuple[pa.Array, pa.Array]:
    if left.type.equals(right.type):
        return left, right
    if pa.types.is_null(left.type):
        return left.cast(right.type), right
    if pa.types.is_null(right.type):
        return left, right.cast(left.type)
    return left.cast(pa.float64(), safe=False), right.cast(pa.float64(), safe=False)
