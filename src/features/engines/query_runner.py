"""What differs between engines: how they keep a table, and how they are told the cut-off."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa

from ..declare.expressions import AsOf, cutoff_literal
from .python import PYTHON, CompiledQuery, compile_query, list_table_from_arrow

DUCKDB = "duckdb"
AS_OF_VARIABLE = "mqbg_as_of"
EPOCH = datetime(1970, 1, 1)
MAX_CACHED_CATALOGUES = 64  # of plans whose SQL is remembered; the least used goes first

_compiled_queries: OrderedDict[str, dict[str, tuple[str | CompiledQuery, pa.Schema]]] = (
    OrderedDict()
)
_table_schemas: dict[str, dict[str, ibis.Schema]] = {}  # of kept tables, by the same keys


@ibis.udf.scalar.builtin(name="getvariable", signature=(("string",), "timestamp(6)"))  # type: ignore[untyped-decorator]
def _variable(variable: str) -> datetime:  # type: ignore[empty-body]
    """DuckDB's session variable of that name; it is a constant wherever a query reads it."""


@cache
def _as_of_variable() -> AsOf:
    """The variable as expressions read it; to make it takes longer than some queries."""
    expression: AsOf = _variable(AS_OF_VARIABLE)
    return expression


@dataclass
class QueryRunner:
    """Queries that differ from run to run in nothing but the data, the cut-off and the ids asked.

    Building and compiling expressions of a hundred columns takes longer than looking one group
    up. In DuckDB kept tables have fixed names and the cut-off is a session variable, a constant
    wherever it is read; so the SQL of a query is one text, compiled once for every source and
    cut-off. Elsewhere the cut-off is a literal, and a query is built for each run.

    Attributes:
        backend: the engine.
        cache_key: of everything that shapes the queries; the same key means the same SQL.
        table_prefix: of the names of kept tables.
    """

    backend: Any
    cache_key: str
    table_prefix: str = ""
    _tables: dict[str, ir.Table] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Engines do not share what is compiled."""
        self.cache_key = f"{self.backend.name} {self.cache_key}"

    def set_as_of(self, as_of: datetime) -> AsOf:
        """The cut-off as the expressions of this run read it."""
        if self.backend.name == PYTHON:
            self.backend.as_of = (as_of - EPOCH) // timedelta(microseconds=1)
            return _as_of_variable()
        if self.backend.name != DUCKDB:
            return cutoff_literal(as_of)
        self.backend.con.execute(
            f"SET VARIABLE {AS_OF_VARIABLE} = TIMESTAMP '{as_of.isoformat(sep=' ')}'"
        )
        return _as_of_variable()

    def materialize(self, label: str, build: Callable[[], ir.Table]) -> ir.Table:
        """The rows of a query, held by the engine until `release`."""
        if self.backend.name == PYTHON:
            plan, schema = self._compile(label, build)
            self.backend.tables[self._table_name(label)] = plan(self.backend)
            self._tables[label] = self._python_table(label, schema)
        elif self.backend.name == DUCKDB:
            self._create_table(label, self._compile(label, build)[0])
            self._tables[label] = self._duckdb_table(label)
        else:
            self._tables[label] = build().cache()
        return self._tables[label]

    def load_rows(self, label: str, rows: pa.Table) -> ir.Table:
        """A few rows made here, such as the settings of kinds, as a table of the engine."""
        if self.backend.name == DUCKDB:
            self.backend.con.register("mqbg_rows", rows)
            self._create_table(label, "SELECT * FROM mqbg_rows")
            self.backend.con.unregister("mqbg_rows")
            self._tables[label] = self._duckdb_table(label)
            return self._tables[label]
        if self.backend.name == PYTHON:
            self.backend.tables[self._table_name(label)] = list_table_from_arrow(rows)
            self._tables[label] = self._python_table(label, rows.schema)
            return self._tables[label]
        # Ibis hands its own tables in memory to Spark only with queries that it answers at once.
        schema = ", ".join(f"`{field.name}` {_SPARK_TYPES[field.type]}" for field in rows.schema)
        values = list(zip(*(column.to_pylist() for column in rows.columns), strict=True))
        self.backend._session.createDataFrame(values, schema).createOrReplaceTempView(
            self._table_name(label)
        )
        return self.backend.table(self._table_name(label))

    def fetch(self, label: str, build: Callable[[], ir.Table]) -> pa.Table:
        """The rows of a query."""
        if self.backend.name == PYTHON:
            plan, schema = self._compile(label, build)
            return plan(self.backend).to_arrow(schema)
        if self.backend.name != DUCKDB:
            return build().to_pyarrow()
        sql, schema = self._compile(label, build)
        return self.backend.con.sql(sql).to_arrow_table().cast(schema)

    def fetch_small(self, label: str, build: Callable[[], ir.Table]) -> pa.Table:
        """The rows of a query, where they are so few that planning it takes the time.

        DuckDB plans a query twice to give it as Arrow: once for its types, which are known here.
        """
        if self.backend.name != DUCKDB:
            return self.fetch(label, build)
        sql, schema = self._compile(label, build)
        rows = self.backend.con.execute(sql).fetchall()
        columns = zip(*rows, strict=True) if rows else [()] * len(schema)
        return pa.table(
            [pa.array(values, kind) for values, kind in zip(columns, schema.types, strict=True)],
            schema=schema,
        )

    def drop(self, *labels: str) -> None:
        """Lets go of tables that later queries do not read, for their memory.

        Spark computes what it keeps only when it is first read, so there they stay.
        """
        if self.backend.name == DUCKDB:
            for label in labels:
                del self._tables[label]
                self.backend.con.execute(f"DROP TABLE {self._table_name(label)}")
        elif self.backend.name == PYTHON:
            for label in labels:
                del self._tables[label], self.backend.tables[self._table_name(label)]

    def release(self) -> None:
        """Lets go of everything kept."""
        for label, table in self._tables.items():
            if self.backend.name == DUCKDB:
                self.backend.con.execute(f"DROP TABLE IF EXISTS {self._table_name(label)}")
            elif self.backend.name == PYTHON:
                self.backend.tables.pop(self._table_name(label), None)
            else:
                table.release()
        self._tables.clear()

    def _create_table(self, label: str, sql: str) -> None:
        self.backend.con.execute(f"CREATE OR REPLACE TEMP TABLE {self._table_name(label)} AS {sql}")

    def _duckdb_table(self, label: str) -> ir.Table:
        """A kept table. To ask the engine for its columns takes a millisecond, so it is done once.

        They are as the engine says, not as the query's: it may be stricter about nulls.
        """
        schemas = _table_schemas.setdefault(self.cache_key, {})
        name = self._table_name(label)
        if label not in schemas:
            schemas[label] = self.backend.table(name).schema()
        return ops.DatabaseTable(name, schemas[label], self.backend).to_expr()

    def _python_table(self, label: str, schema: pa.Schema) -> ir.Table:
        expressions = self.backend.expressions
        if (self.cache_key, label) not in expressions:
            columns = ibis.Schema.from_pyarrow(schema)
            table = ops.DatabaseTable(self._table_name(label), columns, self.backend)
            if len(expressions) > MAX_CACHED_CATALOGUES * MAX_CACHED_CATALOGUES:
                expressions.clear()
            expressions[self.cache_key, label] = table.to_expr()
        expression: ir.Table = expressions[self.cache_key, label]
        return expression

    def _table_name(self, label: str) -> str:
        return f"mqbg_{self.table_prefix}{label}"

    def _compile(self, label: str, build: Callable[[], ir.Table]) -> tuple[Any, pa.Schema]:
        compiled = _compiled_queries.setdefault(self.cache_key, {})
        _compiled_queries.move_to_end(self.cache_key)
        if len(_compiled_queries) > MAX_CACHED_CATALOGUES:
            _table_schemas.pop(_compiled_queries.popitem(last=False)[0], None)
        if label not in compiled:
            rows = build()
            is_python = self.backend.name == PYTHON
            query = compile_query(rows) if is_python else str(self.backend.compile(rows))
            compiled[label] = query, rows.schema().to_pyarrow()
        return compiled[label]


def group_id_table(ids: Sequence[str]) -> pa.Table:
    """A table of one column, group_id."""
    return pa.table({"group_id": pa.array(ids, pa.string())})


_SPARK_TYPES = {
    pa.string(): "string", pa.int32(): "int", pa.float64(): "double", pa.bool_(): "boolean",
}  # fmt: skip
