"""Rows of a table as lists in plain Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa


class _LazyTake(dict[str, list[Any]]):
    """Columns of some rows of others, each taken when it is first asked for."""

    def __init__(self, columns: Mapping[str, list[Any]], indices: Sequence[int]) -> None:
        super().__init__()
        self._columns = columns
        self._indices = indices
        self._without_nulls = -1 not in indices

    def __missing__(self, name: str) -> list[Any]:
        values = self._columns[name]
        if self._without_nulls:
            self[name] = list(map(values.__getitem__, self._indices))
        else:
            self[name] = [None if place < 0 else values[place] for place in self._indices]
        return self[name]


class LazyColumns(dict[str, list[Any]]):
    """Columns of other rows, under other names, each fetched when it is first asked for."""

    def __init__(
        self, source_columns: Mapping[str, tuple[int, str]], sources: Sequence[ListTable]
    ) -> None:
        super().__init__()
        self._source_columns = source_columns
        self._sources = sources

    def __missing__(self, name: str) -> list[Any]:
        place, column = self._source_columns[name]
        self[name] = self._sources[place].columns[column]
        return self[name]


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

    def take(self, indices: Sequence[int]) -> ListTable:
        """Some of the rows; -1 stands for a row of nulls."""
        return ListTable(len(indices), _LazyTake(self.columns, indices), self.column_names)

    def to_arrow(self, schema: pa.Schema) -> pa.Table:
        """The same as Arrow has it."""
        arrays = [pa.array(self.columns[one.name], one.type) for one in schema]
        return pa.table(arrays, schema=schema)


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
