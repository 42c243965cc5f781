"""The engine that holds tables as lists, and the queries that it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import ibis.expr.types as ir

from .column_needs import needed_columns
from .compiler import QueryCompiler
from .relations import RELATIONS
from .rows import ListTable
from .values import Function
from .written import write_query

PYTHON = "python"


@dataclass
class PythonEngine:
    """The engine.

    Attributes:
        tables: by name.
        as_of: the cut-off, in microseconds since 1970.
        expressions: of tables that queries keep, by the query (see `PythonQueryRunner`).
    """

    tables: dict[str, ListTable] = field(default_factory=dict)
    as_of: int = 0
    expressions: dict[Any, ir.Table] = field(default_factory=dict)
    name: str = PYTHON

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


@dataclass(frozen=True, slots=True)
class CompiledQuery:
    """A compiled query.

    Attributes:
        run: a function of the tables by name, and of the cut-off.
    """

    run: Function

    def __call__(self, engine: PythonEngine) -> ListTable:
        """The rows that the query asks for."""
        rows: ListTable = self.run(engine.tables, engine.as_of)
        return rows


def compile_query(query: ir.Table) -> CompiledQuery:
    """Compiles a query.

    Raises:
        TypeError: an operation has no rule.
    """
    compiler = QueryCompiler(RELATIONS, needed_columns(query.op()))
    result = compiler.relation(query.op())
    return CompiledQuery(
        write_query(
            compiler.registers, compiler.tables_read, compiler.as_of_registers, compiler.steps,
            result,
        )
    )  # fmt: skip
