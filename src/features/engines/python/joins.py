"""Joins of lists: places of the rows that meet, by their keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import compress, repeat
from operator import not_
from typing import Any, TypeAlias

from .rows import ListTable, Places, are_all
from .values import Function

Matches: TypeAlias = tuple[Places, Sequence[int]]
"""Places of rows on the left of a join, and of those on the right that they meet; -1 is none."""


def pick_left(places: Places, found: Matches) -> Places:
    """Places of rows on the left, for each row of a join."""
    lefts = found[0]
    if are_all(lefts, len(places)):
        return places
    return lefts if type(places) is range else [places[place] for place in lefts]


def pick(values: list[Any], places: Places) -> list[Any]:
    """The values of a column at places; null where there is none."""
    if are_all(places, len(values)):
        return values
    if -1 not in places:
        return list(map(values.__getitem__, places))
    return [None if place < 0 else values[place] for place in places]


def _row_keys(columns: Sequence[list[Any]]) -> list[Any]:
    """One key for each row; None where a part of it is null, for null equals nothing."""
    if len(columns) == 1:
        return columns[0]
    keys = list(zip(*columns, strict=True))
    if not any(None in column for column in columns):
        return keys
    return [None if None in key else key for key in keys]


def match_pairs(width: int, *, outer: bool) -> Function:
    """What joins rows by some columns, of the left and then of the right.

    Args:
        width: how many keys there are.
        outer: whether rows without a match stay.
    """

    def matched(_right: ListTable, *columns: list[Any]) -> Matches:
        right_keys = _row_keys(columns[width:])
        place_of_key = dict(zip(right_keys, range(len(right_keys)), strict=True))
        if len(place_of_key) == len(right_keys):
            return _match_one(_row_keys(columns[:width]), place_of_key, outer=outer)
        places: dict[Any, list[int]] = {}
        for place, key in enumerate(right_keys):
            if key is not None:
                places.setdefault(key, []).append(place)
        nothing = [-1] if outer else []
        lefts: list[int] = []
        rights: list[int] = []
        for place, key in enumerate(_row_keys(columns[:width])):
            matches = places.get(key, nothing)
            lefts += [place] * len(matches)
            rights += matches
        return lefts, rights

    return matched


def _match_one(left_keys: list[Any], place_of_key: dict[Any, int], *, outer: bool) -> Matches:
    """As `match_pairs`, where every key is on the right once, as most are."""
    place_of_key.pop(None, None)  # null equals nothing
    rights = list(map(place_of_key.get, left_keys, repeat(-1)))
    if outer or -1 not in rights:
        return range(len(rights)), rights
    lefts = list(compress(range(len(rights)), map((0).__le__, rights)))
    return lefts, [right for right in rights if right >= 0]


def match_members(width: int, *, keep_matches: bool) -> Function:
    """What finds the rows with a match, or those without one; arguments as above."""

    def found(_right: ListTable, *columns: list[Any]) -> Matches:
        known = set(_row_keys(columns[width:]))
        known.discard(None)
        keys = _row_keys(columns[:width])
        if known.issuperset(keys) if keep_matches else known.isdisjoint(keys):
            return range(len(keys)), ()
        held: Iterable[bool] = map(known.__contains__, keys)
        return list(compress(range(len(keys)), held if keep_matches else map(not_, held))), ()

    return found
