"""Spark, by way of Ibis: the big scan where the data is; what is left of it is asked here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

import ibis.expr.types as ir
import pyarrow as pa

from ..declare.expressions import AsOf, cutoff_literal
from .query_runner import Build, QueryRunner

_TYPES = {
    pa.string(): "string", pa.int32(): "int", pa.float64(): "double", pa.bool_(): "boolean",
}  # fmt: skip


@dataclass
class SparkQueryRunner(QueryRunner):
    """Queries of Spark, built for each run: the cut-off in them is a literal."""

    runs_in_process: ClassVar[bool] = False
    max_looked_up: ClassVar[int] = 0

    _tables: dict[str, ir.Table] = field(default_factory=dict)

    def set_as_of(self, as_of: datetime) -> AsOf:
        """The cut-off, a literal."""
        return cutoff_literal(as_of)

    def materialize(self, label: str, build: Build) -> ir.Table:
        """The rows of a query, computed when they are first read and cached from then on."""
        self._tables[label] = build().cache()
        return self._tables[label]

    def load_rows(self, label: str, rows: pa.Table) -> ir.Table:
        """Rows made here, as a view of the session.

        Ibis hands its own tables in memory to Spark only with queries that it answers at once.
        """
        schema = ", ".join(f"`{field.name}` {_TYPES[field.type]}" for field in rows.schema)
        values = list(zip(*(column.to_pylist() for column in rows.columns), strict=True))
        view = self.backend._session.createDataFrame(values, schema)
        view.createOrReplaceTempView(self.table_name(label))
        table: ir.Table = self.backend.table(self.table_name(label))
        return table

    def fetch(self, label: str, build: Build) -> pa.Table:  # noqa: ARG002 - nothing is remembered
        """The rows of a query."""
        return build().to_pyarrow()

    def drop(self, *labels: str) -> None:
        """Nothing: Spark computes what it keeps only when it is first read, so there it stays."""

    def release(self) -> None:
        """Lets go of everything kept."""
        for table in self._tables.values():
            table.release()
        self._tables.clear()
