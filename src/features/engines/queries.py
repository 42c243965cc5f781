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

from ..declare.expressions import AsOf, at
from .python import PLAIN, Plan, planned, rows_of

DUCKDB = "duckdb"
VARIABLE = "mqbg_as_of"
EPOCH = datetime(1970, 1, 1)
MAX_TEXTS = 64  # of plans whose SQL is remembered; the least used goes first

_texts: OrderedDict[str, dict[str, tuple[str | Plan, pa.Schema]]] = OrderedDict()
_kept_columns: dict[str, dict[str, ibis.Schema]] = {}  # of kept tables, by the same keys


@ibis.udf.scalar.builtin(name="getvariable", signature=(("string",), "timestamp(6)"))  # type: ignore[untyped-decorator]
def _variable(variable: str) -> datetime:  # type: ignore[empty-body]
    """DuckDB's session variable of that name; it is a constant wherever a query reads it."""


@cache
def _cutoff() -> AsOf:
    """The variable as expressions read it; to make it takes longer than some queries."""
    expression: AsOf = _variable(VARIABLE)
    return expression


@dataclass
class Queries:
    """Queries that differ from run to run in nothing but the data, the cut-off and the ids asked.

    Building and compiling expressions of a hundred columns takes longer than looking one group
    up. In DuckDB kept tables have fixed names and the cut-off is a session variable, a constant
    wherever it is read; so the SQL of a query is one text, compiled once for every source and
    cut-off. Elsewhere the cut-off is a literal, and a query is built for each run.

    Attributes:
        backend: the engine.
        key: of everything that shapes the queries; the same key means the same SQL.
        prefix: of the names of kept tables.
    """

    backend: Any
    key: str
    prefix: str = ""
    _held: dict[str, ir.Table] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Engines do not share what is compiled."""
        self.key = f"{self.backend.name} {self.key}"

    def as_of(self, as_of: datetime) -> AsOf:
        """The cut-off as the expressions of this run read it."""
        if self.backend.name == PLAIN:
            self.backend.as_of = (as_of - EPOCH) // timedelta(microseconds=1)
            return _cutoff()
        if self.backend.name != DUCKDB:
            return at(as_of)
        self.backend.con.execute(
            f"SET VARIABLE {VARIABLE} = TIMESTAMP '{as_of.isoformat(sep=' ')}'"
        )
        return _cutoff()

    def keep(self, label: str, build: Callable[[], ir.Table]) -> ir.Table:
        """The rows of a query, held by the engine until `release`."""
        if self.backend.name == PLAIN:
            plan, schema = self._compiled(label, build)
            self.backend.tables[self._name(label)] = plan(self.backend)
            self._held[label] = self._plain(label, schema)
        elif self.backend.name == DUCKDB:
            self._create(label, self._compiled(label, build)[0])
            self._held[label] = self._kept(label)
        else:
            self._held[label] = build().cache()
        return self._held[label]

    def hold(self, label: str, rows: pa.Table) -> ir.Table:
        """A few rows made here, such as the settings of kinds, as a table of the engine."""
        if self.backend.name == DUCKDB:
            self.backend.con.register("mqbg_given", rows)
            self._create(label, "SELECT * FROM mqbg_given")
            self.backend.con.unregister("mqbg_given")
            self._held[label] = self._kept(label)
            return self._held[label]
        if self.backend.name == PLAIN:
            self.backend.tables[self._name(label)] = rows_of(rows)
            self._held[label] = self._plain(label, rows.schema)
            return self._held[label]
        # Ibis hands its own tables in memory to Spark only with queries that it answers at once.
        schema = ", ".join(f"`{field.name}` {_SPARK_TYPES[field.type]}" for field in rows.schema)
        values = list(zip(*(column.to_pylist() for column in rows.columns), strict=True))
        self.backend._session.createDataFrame(values, schema).createOrReplaceTempView(
            self._name(label)
        )
        return self.backend.table(self._name(label))

    def fetch(self, label: str, build: Callable[[], ir.Table]) -> pa.Table:
        """The rows of a query."""
        if self.backend.name == PLAIN:
            plan, schema = self._compiled(label, build)
            return plan(self.backend).table(schema)
        if self.backend.name != DUCKDB:
            return build().to_pyarrow()
        sql, schema = self._compiled(label, build)
        return self.backend.con.sql(sql).to_arrow_table().cast(schema)

    def fetch_few(self, label: str, build: Callable[[], ir.Table]) -> pa.Table:
        """The rows of a query, where they are so few that planning it takes the time.

        DuckDB plans a query twice to give it as Arrow: once for its types, which are known here.
        """
        if self.backend.name != DUCKDB:
            return self.fetch(label, build)
        sql, schema = self._compiled(label, build)
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
                del self._held[label]
                self.backend.con.execute(f"DROP TABLE {self._name(label)}")
        elif self.backend.name == PLAIN:
            for label in labels:
                del self._held[label], self.backend.tables[self._name(label)]

    def release(self) -> None:
        """Lets go of everything kept."""
        for label, table in self._held.items():
            if self.backend.name == DUCKDB:
                self.backend.con.execute(f"DROP TABLE IF EXISTS {self._name(label)}")
            elif self.backend.name == PLAIN:
                self.backend.tables.pop(self._name(label), None)
            else:
                table.release()
        self._held.clear()

    def _create(self, label: str, sql: str) -> None:
        self.backend.con.execute(f"CREATE OR REPLACE TEMP TABLE {self._name(label)} AS {sql}")

    def _kept(self, label: str) -> ir.Table:
        """A kept table. To ask the engine for its columns takes a millisecond, so it is done once.

        They are as the engine says, not as the query's: it may be stricter about nulls.
        """
        known = _kept_columns.setdefault(self.key, {})
        name = self._name(label)
        if label not in known:
            known[label] = self.backend.table(name).schema()
        return ops.DatabaseTable(name, known[label], self.backend).to_expr()

    def _plain(self, label: str, schema: pa.Schema) -> ir.Table:
        known = self.backend.expressions
        if (self.key, label) not in known:
            columns = ibis.Schema.from_pyarrow(schema)
            table = ops.DatabaseTable(self._name(label), columns, self.backend)
            if len(known) > MAX_TEXTS * MAX_TEXTS:
                known.clear()
            known[self.key, label] = table.to_expr()
        found: ir.Table = known[self.key, label]
        return found

    def _name(self, label: str) -> str:
        return f"mqbg_{self.prefix}{label}"

    def _compiled(self, label: str, build: Callable[[], ir.Table]) -> tuple[Any, pa.Schema]:
        texts = _texts.setdefault(self.key, {})
        _texts.move_to_end(self.key)
        if len(_texts) > MAX_TEXTS:
            _kept_columns.pop(_texts.popitem(last=False)[0], None)
        if label not in texts:
            rows = build()
            plain = self.backend.name == PLAIN
            query = planned(rows) if plain else str(self.backend.compile(rows))
            texts[label] = query, rows.schema().to_pyarrow()
        return texts[label]


def group_ids(ids: Sequence[str]) -> pa.Table:
    """A table of one column, group_id."""
    return pa.table({"group_id": pa.array(ids, pa.string())})


_SPARK_TYPES = {
    pa.string(): "string", pa.int32(): "int", pa.float64(): "double", pa.bool_(): "boolean",
}  # fmt: skip
