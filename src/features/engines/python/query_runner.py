"""Queries of the Python engine, for the tables of one group, or of those sent together."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa

from ...declare.expressions import AsOf
from ..as_of_variable import as_of_variable
from ..columns import Columns
from ..instants import microseconds_since_epoch
from ..query_runner import (
    MAX_CACHED_CATALOGUES,
    Build,
    CompiledCatalogue,
    QueryRunner,
)
from .engine import CompiledQuery, PythonEngine
from .rows import ListTable


@dataclass
class PythonQueryRunner(QueryRunner):
    """Queries of a `PythonEngine`, compiled once for every source and cut-off."""

    shares_columns: ClassVar[bool] = True
    max_looked_up: ClassVar[int] = 1_000  # it holds no others than those asked for

    backend: PythonEngine
    _tables: set[str] = field(default_factory=set)  # labels of those kept
    _known: CompiledCatalogue[CompiledQuery] = field(init=False)

    def __post_init__(self) -> None:
        self._known = self.backend.compiled.find(self.cache_key)

    def set_as_of(self, as_of: datetime) -> AsOf:
        """The cut-off: the engine's variable, from now on with this value."""
        self.backend.as_of = microseconds_since_epoch(as_of)
        return as_of_variable()

    def materialize(self, label: str, build: Build) -> ir.Table:
        """The rows of a query, as a table of the engine."""
        rows, schema = self._run(label, build)
        return self._hold(label, rows, schema)

    def load_rows(self, label: str, rows: pa.Table) -> ir.Table:
        """Rows made here, as a table of the engine."""
        return self._hold(label, self.backend.rows_of(rows), rows.schema)

    def fetch(self, label: str, build: Build) -> pa.Table:
        """The rows of a query."""
        rows, schema = self._run(label, build)
        return rows.to_arrow(schema)

    def fetch_columns(self, label: str, build: Build) -> Columns:
        """The rows of a query, whose columns need not be Arrow's before they are arrays."""
        rows, schema = self._run(label, build)
        return rows.to_columns(schema)

    def drop(self, *labels: str) -> None:
        """Lets go of tables that later queries do not read."""
        for label in labels:
            self._tables.remove(label)
            del self.backend.tables[self.table_name(label)]

    def release(self) -> None:
        """Lets go of every table kept."""
        for label in self._tables:
            self.backend.tables.pop(self.table_name(label), None)
        self._tables.clear()

    def _run(self, label: str, build: Build) -> tuple[ListTable, pa.Schema]:
        query, schema = self._known.compile(label, build, self.backend.compile)
        return query(self.backend), schema

    def _hold(self, label: str, rows: ListTable, schema: pa.Schema) -> ir.Table:
        name, expressions = self.table_name(label), self.backend.expressions
        self.backend.tables[name] = rows
        self._tables.add(label)
        if (self.cache_key, label) not in expressions:
            table = ops.DatabaseTable(name, ibis.Schema.from_pyarrow(schema), self.backend)
            if len(expressions) > MAX_CACHED_CATALOGUES * MAX_CACHED_CATALOGUES:
                expressions.clear()
            expressions[self.cache_key, label] = table.to_expr()
        return expressions[self.cache_key, label]
