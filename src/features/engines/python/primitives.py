"""What the steps of a plan in plain Python call: columns in, columns out."""

from __future__ import annotations

import operator
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress, repeat
from typing import Any

from .rows import ListTable
from .values import Element, Function, NullPropagating
from .written import Call, Written, quoted

SYMBOLS: Mapping[Function, str] = {
    operator.add: "{0} + {1}", operator.sub: "{0} - {1}", operator.mul: "{0} * {1}",
    operator.truediv: "{0} / {1}", operator.and_: "{0} & {1}", operator.or_: "{0} | {1}",
    operator.eq: "{0} == {1}", operator.ne: "{0} != {1}", operator.lt: "{0} < {1}",
    operator.le: "{0} <= {1}", operator.gt: "{0} > {1}", operator.ge: "{0} >= {1}",
    operator.not_: "not {0}",
}  # fmt: skip
"""What operators are in Python's own words."""


def column_getter(name: str) -> Written:
    """What gives a column of rows."""
    return Written(f"{{0}}.columns[{quoted(name)}]")


def map_columns(function: Function, is_scalar: Sequence[bool]) -> Call:
    """What makes a column, value by value; some arguments are one value for all rows."""
    if isinstance(function, Element):
        return _comprehension(function.expression, is_scalar, {})
    if isinstance(function, NullPropagating):
        return _null_propagating(function.function, is_scalar)
    arguments = [
        f"{{repeat}}({{{place}}})" if alone else f"{{{place}}}"
        for place, alone in enumerate(is_scalar)
    ]
    names = {"function": function, "repeat": repeat}
    return Written(f"list(map({{function}}, {', '.join(arguments)}))", names)


def _null_propagating(function: Function, is_scalar: Sequence[bool]) -> Written:
    places = range(len(is_scalar))
    value = SYMBOLS.get(function, f"{{function}}({', '.join(f'{{{place}}}' for place in places)})")
    columns = [place for place in places if not is_scalar[place]]
    nulls = " or ".join(f"{{{place}}} is None" for place in columns)
    names = {} if function in SYMBOLS else {"function": function}
    made = _comprehension(f"None if {nulls} else {value}", is_scalar, names)
    if len(columns) == len(is_scalar):
        return made
    scalars = " or ".join(f"{{{place}}} is None" for place in places if is_scalar[place])
    return Written(f"[None] * len({{{columns[0]}}}) if {scalars} else {made.template}", names)


def _comprehension(expression: str, is_scalar: Sequence[bool], names: Mapping[str, Any]) -> Written:
    """A column whose values an expression says, of the values of others and of single values."""
    columns = [place for place, alone in enumerate(is_scalar) if not alone]
    if expression == "{0}":
        return Written(expression)
    values = [f"{{{place}}}" if alone else f"v{place}" for place, alone in enumerate(is_scalar)]
    value = expression.format(*values, **{name: f"{{{name}}}" for name in names})
    variables = ", ".join(f"v{place}" for place in columns)
    rows = ", ".join(f"{{{place}}}" for place in columns)
    rows = rows if len(columns) == 1 else f"zip({rows}, strict=True)"
    return Written(f"[{value} for {variables} in {rows}]", names)


def repeat_value(value: Any, rows: ListTable) -> list[Any]:
    """A column of one value."""
    return [value] * rows.size


def keep_rows(rows: ListTable, *conditions: list[Any]) -> ListTable:
    """The rows where every condition holds."""
    if all(map(all, conditions)):  # most filters of one group's tables leave out nothing
        return rows
    first, *others = conditions
    places = list(compress(range(rows.size), first))
    for condition in others:
        places = [place for place in places if condition[place]]
    return rows.take(places)


def sort_rows(keys: Sequence[tuple[bool, bool]]) -> Function:
    """What sorts rows by columns: (ascending, nulls first) of each."""
    return lambda rows, *columns: rows.take(sort_indices(list(range(rows.size)), keys, columns))


def distinct_rows(rows: ListTable) -> ListTable:
    """The first of the rows that are equal."""
    return rows.take(
        [
            places[0]
            for places in partition_rows(rows, *(rows.columns[name] for name in rows.column_names))
        ]
    )


def concatenate(names: tuple[str, ...], left: ListTable, right: ListTable) -> ListTable:
    """The named columns of two tables, one below the other."""
    for rows, others in ((left, right), (right, left)):
        if not others.size:
            return ListTable(rows.size, rows.columns, names)
    columns = {name: left.columns[name] + right.columns[name] for name in names}
    return ListTable(left.size + right.size, columns, names)


def is_in(needles: list[Any], rows: ListTable) -> list[Any]:
    """Whether each value is among those of a table's one column, null as SQL has it."""
    options = frozenset(rows.columns[rows.column_names[0]])
    missing = None if None in options else False
    return [None if one is None and options else one in options or missing for one in needles]


@dataclass(frozen=True)
class Groups:
    """Groups of rows with the same keys, in the order of their first rows.

    Attributes:
        row_keys: of each row; of several key columns a tuple.
        width: how many key columns there are; without any, all rows are one group.
    """

    row_keys: Sequence[Any]
    width: int

    @cached_property
    def sizes(self) -> list[int]:
        """How many rows each has."""
        return list(self._counts.values()) if self.width else [len(self.row_keys)]

    @cached_property
    def _counts(self) -> Counter[Any]:
        return Counter(self.row_keys)

    @cached_property
    def row_indices(self) -> list[Sequence[int]]:
        """Places of the rows of each."""
        if not self.width:
            return [range(len(self.row_keys))]
        places: defaultdict[Any, list[int]] = defaultdict(list)
        for place, key in enumerate(self.row_keys):
            places[key].append(place)
        return list(places.values())

    def key_column(self, place: int) -> list[Any]:
        """One of the keys of each."""
        return list(self._counts) if self.width == 1 else [key[place] for key in self._counts]


def group_rows(rows: ListTable, *keys: list[Any]) -> Groups:
    """Groups of rows with the same keys; without keys one group, also of no rows."""
    if len(keys) == 1:
        return Groups(keys[0], 1)
    return Groups(list(zip(*keys, strict=True)) if keys else range(rows.size), len(keys))


def aggregate_groups(aggregate: Callable[[list[Any]], Any]) -> Function:
    """What reduces a column per group: values that are not null, and where a condition holds."""

    def reduced(groups: Groups, values: list[Any], where: list[Any] | None = None) -> list[Any]:
        if where is not None:
            return [
                aggregate(
                    [
                        values[place]
                        for place in places
                        if where[place] and values[place] is not None
                    ]
                )
                for places in groups.row_indices
            ]
        if None in values:
            return [
                aggregate([values[place] for place in places if values[place] is not None])
                for places in groups.row_indices
            ]
        return [aggregate([values[place] for place in places]) for places in groups.row_indices]

    return reduced


def aggregate_all(aggregate: Function) -> Written:
    """What reduces a column of all rows to one value, as `aggregate_groups` does."""
    return Written("[{aggregate}([v for v in {0} if v is not None])]", {"aggregate": aggregate})


def partition_rows(rows: ListTable, *keys: list[Any]) -> list[Sequence[int]]:
    """Places of the rows of each group."""
    return group_rows(rows, *keys).row_indices


def order_partitions(keys: Sequence[tuple[bool, bool]]) -> Function:
    """What sorts the places of each part by columns: (ascending, nulls first) of each."""

    def ordered(parts: list[Sequence[int]], *columns: list[Any]) -> list[Sequence[int]]:
        has_null = [None in column for column in columns]
        return [
            part if len(part) < 2 else _sort_indices(part, keys, columns, has_null)
            for part in parts
        ]

    return ordered


def sort_indices(
    indices: Sequence[int], keys: Sequence[tuple[bool, bool]], columns: Sequence[list[Any]]
) -> list[int]:
    """Places of rows, sorted; rows that are equal keep their order."""
    return _sort_indices(indices, keys, columns, [None in column for column in columns])


def _sort_indices(
    indices: Sequence[int],
    keys: Sequence[tuple[bool, bool]],
    columns: Sequence[list[Any]],
    has_null: Sequence[bool],
) -> list[int]:
    """As `sort_indices`, where it is known which of the columns hold a null."""
    ordered = list(indices)
    by_key = list(zip(keys, columns, has_null, strict=True))
    for (ascending, nulls_first), column, nullable in reversed(by_key):
        if not nullable:
            ordered.sort(key=column.__getitem__, reverse=not ascending)
            continue
        nulls = [place for place in ordered if column[place] is None]
        not_null = [place for place in ordered if column[place] is not None]
        not_null.sort(key=column.__getitem__, reverse=not ascending)
        ordered = nulls + not_null if nulls_first else not_null + nulls
    return ordered


def row_numbers(rows: ListTable, parts: list[Sequence[int]]) -> list[int]:
    """The place of each row within its part, from 0."""
    numbers = [0] * rows.size
    for part in parts:
        for number, place in enumerate(part):
            numbers[place] = number
    return numbers


def aggregate_partitions(aggregate: Callable[[list[Any]], Any]) -> Function:
    """What gives each row what its part reduces to."""

    def reduced(rows: ListTable, parts: list[Sequence[int]], values: list[Any]) -> list[Any]:
        found = [None] * rows.size
        for part in parts:
            best = aggregate([values[place] for place in part if values[place] is not None])
            for place in part:
                found[place] = best
        return found

    return reduced


def running_max_before(rows: ListTable, parts: list[Sequence[int]], values: list[Any]) -> list[Any]:
    """The greatest value of the rows before each in its part; null for the first."""
    found: list[Any] = [None] * rows.size
    for part in parts:
        greatest = None
        for place in part:
            found[place] = greatest
            if values[place] is not None and (greatest is None or values[place] > greatest):
                greatest = values[place]
    return found
