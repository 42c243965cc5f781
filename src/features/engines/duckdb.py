"""DuckDB, in this process: the batch, and groups looked up in what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa

from ..declare.expressions import AsOf
from .as_of_variable import AS_OF_VARIABLE, as_of_variable
from .compiled_sql import load_columns, load_query, save_columns, save_query
from .query_runner import Build, CompiledCatalogue, CompiledCatalogues, QueryRunner

# Rules of the optimizer that take longer than looking a few groups up.
SKIPPED_OPTIMIZER_RULES = "common_subexpressions,statistics_propagation,column_lifetime"
LOADED_ROWS = "mqbg_rows"  # what rows made here are called while they are copied

_compiled: CompiledCatalogues[str] = CompiledCatalogues()


@dataclass
class DuckDBQueryRunner(QueryRunner):
    """Queries of DuckDB, whose SQL is compiled once for every source, cut-off and run.

    Kept tables have fixed names and the cut-off is a session variable, a constant wherever it is
    read; so the SQL of a query is one text, which the user's cache folder holds between runs.
    """

    bounds_memory: ClassVar[bool] = True
    prefers_sorting: ClassVar[bool] = True

    _tables: set[str] = field(default_factory=set)  # labels of those kept
    _known: CompiledCatalogue[str] = field(init=False)

    def __post_init__(self) -> None:
        self._known = _compiled.find(self.cache_key)

    def set_as_of(self, as_of: datetime) -> AsOf:
        """The cut-off: the session's variable, from now on with this value."""
        self.backend.con.execute(
            f"SET VARIABLE {AS_OF_VARIABLE} = TIMESTAMP '{as_of.isoformat(sep=' ')}'"
        )
        return as_of_variable()

    def materialize(self, label: str, build: Build) -> ir.Table:
        """The rows of a query, in a table that goes with the connection at the latest."""
        return self._create_table(label, self._compile(label, build)[0])

    def load_rows(self, label: str, rows: pa.Table) -> ir.Table:
        """Rows made here, copied into a table."""
        self.backend.con.register(LOADED_ROWS, rows)
        table = self._create_table(label, f"SELECT * FROM {LOADED_ROWS}")  # noqa: S608 - our own name
        self.backend.con.unregister(LOADED_ROWS)
        return table

    def fetch(self, label: str, build: Build) -> pa.Table:
        """The rows of a query."""
        sql, schema = self._compile(label, build)
        return self.backend.con.sql(sql).to_arrow_table().cast(schema)

    def fetch_small(self, label: str, build: Build) -> pa.Table:
        """The rows of a query, a few.

        DuckDB plans a query twice to give it as Arrow: once for its types, which are known here.
        """
        sql, schema = self._compile(label, build)
        rows = self.backend.con.execute(sql).fetchall()
        columns = zip(*rows, strict=True) if rows else [()] * len(schema)
        return pa.table(
            [pa.array(values, kind) for values, kind in zip(columns, schema.types, strict=True)],
            schema=schema,
        )

    @contextmanager
    def lookup(self) -> Iterator[None]:
        """A block of queries that are planned without the rules that cost more than they save."""
        self.backend.con.execute(f"SET disabled_optimizers = '{SKIPPED_OPTIMIZER_RULES}'")
        try:
            yield
        finally:
            self.backend.con.execute("RESET disabled_optimizers")

    def drop(self, *labels: str) -> None:
        """Drops tables that later queries do not read."""
        for label in labels:
            self._tables.remove(label)
            self.backend.con.execute(f"DROP TABLE {self.table_name(label)}")

    def release(self) -> None:
        """Drops every table kept."""
        for label in self._tables:
            self.backend.con.execute(f"DROP TABLE IF EXISTS {self.table_name(label)}")
        self._tables.clear()

    def _compile(self, label: str, build: Build) -> tuple[str, pa.Schema]:
        queries, key = self._known.queries, self._key(label)
        if label not in queries and (kept := load_query(key)):
            queries[label] = kept
        if label not in queries:
            compiled = self._known.compile(label, build, lambda r: str(self.backend.compile(r)))
            save_query(key, *compiled)
        return queries[label]

    def _key(self, label: str) -> str:
        """What all that is kept of a query depends on."""
        return repr((self.cache_key, label))

    def _create_table(self, label: str, sql: str) -> ir.Table:
        """A new table. To ask for its columns takes a millisecond, so it is done once.

        They are as the engine says, not as the query's: it may be stricter about nulls.
        """
        name, columns = self.table_name(label), self._known.kept_columns
        self.backend.con.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {sql}")
        self._tables.add(label)
        if label not in columns:
            columns[label] = load_columns(self._key(label)) or self._read_columns(label)
        return ops.DatabaseTable(name, columns[label], self.backend).to_expr()

    def _read_columns(self, label: str) -> ibis.Schema:
        columns = self.backend.table(self.table_name(label)).schema()
        save_columns(self._key(label), columns)
        return columns
