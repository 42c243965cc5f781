"""Rows of a table as lists in plain Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa


class _Taken(dict[str, list[Any]]):
    """Columns of some rows of others, each taken when it is first asked for."""

    def __init__(self, columns: Mapping[str, list[Any]], places: Sequence[int]) -> None:
        super().__init__()
        self._columns = columns
        self._places = places
        self._whole = -1 not in places

    def __missing__(self, name: str) -> list[Any]:
        values = self._columns[name]
        if self._whole:
            self[name] = list(map(values.__getitem__, self._places))
        else:
            self[name] = [None if place < 0 else values[place] for place in self._places]
        return self[name]


class Passed(dict[str, list[Any]]):
    """Columns of other rows, under other names, each fetched when it is first asked for."""

    def __init__(self, origins: Mapping[str, tuple[int, str]], sources: Sequence[Rows]) -> None:
        super().__init__()
        self._origins = origins
        self._sources = sources

    def __missing__(self, name: str) -> list[Any]:
        place, column = self._origins[name]
        self[name] = self._sources[place].columns[column]
        return self[name]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a table.

    Attributes:
        size: how many.
        columns: their values by name; None is null, an instant is in microseconds since 1970.
            Asked for by name alone: some are made only then.
        names: of the columns.
    """

    size: int
    columns: Mapping[str, list[Any]]
    names: tuple[str, ...]

    def take(self, places: Sequence[int]) -> Rows:
        """Some of the rows; -1 stands for a row of nulls."""
        return Rows(len(places), _Taken(self.columns, places), self.names)

    def table(self, schema: pa.Schema) -> pa.Table:
        """The same as Arrow has it."""
        arrays = [pa.array(self.columns[one.name], one.type) for one in schema]
        return pa.table(arrays, schema=schema)


def rows_from(size: int, columns: Mapping[str, list[Any]]) -> Rows:
    """Rows of the columns given."""
    return Rows(size, columns, tuple(columns))


def rows_of(table: pa.Table) -> Rows:
    """Rows of an Arrow table."""
    columns = {}
    for name, values in zip(table.column_names, table.columns, strict=True):
        instants = pa.types.is_timestamp(values.type)
        columns[name] = (values.cast(pa.int64()) if instants else values).to_pylist()
    return rows_from(table.num_rows, columns)
