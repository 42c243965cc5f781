"""What the steps of a plan in plain Python call: columns in, columns out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from typing import Any

from .rows import Rows
from .values import Function, Strict


def column_named(name: str) -> Function:
    """What gives a column of rows."""
    return lambda rows: rows.columns[name]


def mapped_over(function: Function, single: Sequence[bool]) -> Function:
    """What makes a column, value by value; some arguments are one value for all rows."""
    over = function.over if isinstance(function, Strict) else partial(_called, function)
    if not any(single):
        return over

    def mapped(*columns: Any) -> list[Any]:
        given = zip(columns, single, strict=True)
        return over(*[repeat(one) if alone else one for one, alone in given])

    return mapped


def _called(function: Function, *columns: Any) -> list[Any]:
    return list(map(function, *columns))


def repeated(value: Any, rows: Rows) -> list[Any]:
    """A column of one value."""
    return [value] * rows.size


def each_one(rows: Rows) -> list[Any]:
    """A column that is never null, for counting rows."""
    return [True] * rows.size


def contained(needles: list[Any], rows: Rows) -> list[Any]:
    """Whether each value is among those of a table's one column, null as SQL has it."""
    known = frozenset(rows.columns[rows.names[0]])
    missing = None if None in known else False
    return [None if one is None and known else one in known or missing for one in needles]


@dataclass(frozen=True, slots=True)
class Groups:
    """Places of the rows of each group, in the order of their first rows."""

    keys: list[tuple[Any, ...]]
    places: list[list[int]]


def grouped(rows: Rows, *keys: list[Any]) -> Groups:
    """Groups of rows with the same keys; without keys one group, also of no rows."""
    if not keys:
        return Groups([()], [list(range(rows.size))])
    found: dict[tuple[Any, ...], list[int]] = {}
    for place, key in enumerate(zip(*keys, strict=True)):
        found.setdefault(key, []).append(place)
    return Groups(list(found), list(found.values()))


def over_groups(reduce: Callable[[list[Any]], Any]) -> Function:
    """What reduces a column per group: values that are not null, and where a condition holds."""

    def reduced(groups: Groups, values: list[Any], where: list[Any] | None = None) -> list[Any]:
        return [
            reduce(
                [
                    values[place]
                    for place in places
                    if values[place] is not None and (where is None or where[place])
                ]
            )
            for places in groups.places
        ]

    return reduced


def parts_of(rows: Rows, *keys: list[Any]) -> list[list[int]]:
    """Places of the rows of each group."""
    return grouped(rows, *keys).places


def ordered_parts(keys: Sequence[tuple[bool, bool]]) -> Function:
    """What sorts the places of each part by columns: (ascending, nulls first) of each."""
    return lambda parts, *columns: [in_order(part, keys, columns) for part in parts]


def in_order(
    places: list[int], keys: Sequence[tuple[bool, bool]], columns: Sequence[list[Any]]
) -> list[int]:
    """Places of rows, sorted; rows that are equal keep their order."""
    ordered = list(places)
    for (ascending, nulls_first), column in reversed(list(zip(keys, columns, strict=True))):
        nulls = [place for place in ordered if column[place] is None]
        known = [place for place in ordered if column[place] is not None]
        known.sort(key=column.__getitem__, reverse=not ascending)
        ordered = nulls + known if nulls_first else known + nulls
    return ordered


def numbered(rows: Rows, parts: list[list[int]]) -> list[int]:
    """The place of each row within its part, from 0."""
    found = [0] * rows.size
    for part in parts:
        for number, place in enumerate(part):
            found[place] = number
    return found


def over_parts(reduce: Callable[[list[Any]], Any]) -> Function:
    """What gives each row what its part reduces to."""

    def reduced(rows: Rows, parts: list[list[int]], values: list[Any]) -> list[Any]:
        found = [None] * rows.size
        for part in parts:
            best = reduce([values[place] for place in part if values[place] is not None])
            for place in part:
                found[place] = best
        return found

    return reduced


def greatest_before(rows: Rows, parts: list[list[int]], values: list[Any]) -> list[Any]:
    """The greatest value of the rows before each in its part; null for the first."""
    found: list[Any] = [None] * rows.size
    for part in parts:
        best = None
        for place in part:
            found[place] = best
            if values[place] is not None and (best is None or values[place] > best):
                best = values[place]
    return found
