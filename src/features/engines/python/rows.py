"""Rows of a table as lists in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..columns import Columns, column_of_list

Places: TypeAlias = Sequence[int] | NDArray[np.int64]
"""Places of rows; -1 stands for a row of nulls. A range is of the first rows."""


def are_all(places: Places, size: int) -> bool:
    """Whether they are known to be those of all rows, in their order."""
    return type(places) is range and len(places) == size


class _LazyTake(dict[str, list[Any]]):
    """Columns of some rows of others, each taken when it is first asked for."""

    __slots__ = ("_columns", "_places", "_take")

    def __init__(self, columns: Mapping[str, list[Any]], places: Places) -> None:
        self._columns = columns
        self._places = places
        self._take: Callable[[list[Any]], Iterable[Any]] | None = None

    def __missing__(self, name: str) -> list[Any]:
        if self._take is None:
            self._take = _taker(self._places)
        self[name] = taken = list(self._take(self._columns[name]))
        return taken


def _taker(places: Places) -> Callable[[list[Any]], Iterable[Any]]:
    """What takes the values at some places of any column."""
    if -1 in places:
        return lambda values: [None if place < 0 else values[place] for place in places]
    if len(places) < 2:  # of one place a getter gives no tuple
        return lambda values: [values[place] for place in places]
    return itemgetter(*places)  # for many columns; half the time of a look-up for each value


class LazyColumns(dict[str, list[Any]]):
    """Columns of other rows, under other names, each fetched when it is first asked for."""

    __slots__ = ("_origins", "_sources")

    def __init__(
        self,
        origins: Mapping[str, tuple[int, str]],
        sources: Sequence[ListTable],
        made: Mapping[str, list[Any]],
    ) -> None:
        super().__init__(made)
        self._origins = origins
        self._sources = sources

    def __missing__(self, name: str) -> list[Any]:
        place, column = self._origins[name]
        self[name] = values = self._sources[place].columns[column]
        return values


@dataclass(frozen=True, slots=True)
class ListTable:
    """Rows of a table.

    Attributes:
        size: how many.
        columns: their values by name; None is null, an instant is in microseconds since 1970.
            Asked for by name alone: some are made only then.
        column_names: of the columns.
    """

    size: int
    columns: Mapping[str, list[Any]]
    column_names: tuple[str, ...]

    def take(self, places: Places) -> ListTable:
        """Some of the rows."""
        if are_all(places, self.size):
            return self
        return ListTable(len(places), _LazyTake(self.columns, places), self.column_names)

    def to_arrow(self, schema: pa.Schema) -> pa.Table:
        """The same as Arrow has it."""
        arrays = [pa.array(self.columns[one.name], one.type) for one in schema]
        return pa.table(arrays, schema=schema)

    def to_columns(self, schema: pa.Schema) -> Columns:
        """The columns as arrays."""
        return {one.name: column_of_list(self.columns[one.name], one.type) for one in schema}

    def values(self, name: str) -> list[Any]:
        """The values of a column."""
        return self.columns[name]


def list_table(size: int, columns: Mapping[str, list[Any]]) -> ListTable:
    """Rows of the columns given."""
    return ListTable(size, columns, tuple(columns))


def list_table_from_arrow(table: pa.Table) -> ListTable:
    """Rows of an Arrow table."""
    columns = {}
    for name, values in zip(table.column_names, table.columns, strict=True):
        instants = pa.types.is_timestamp(values.type)
        columns[name] = (values.cast(pa.int64()) if instants else values).to_pylist()
    return list_table(table.num_rows, columns)
