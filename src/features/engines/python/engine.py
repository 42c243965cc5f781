"""The engine that holds tables as lists, and the queries that it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import ibis.expr.types as ir

from .compiler import QueryCompiler
from .relations import RELATIONS
from .rows import ListTable
from .values import Function

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
        registers: constants in their places.
        tables_read: names of tables by their places.
        as_of_registers: places that hold the cut-off.
        steps: calls, with the places of their arguments and of their result.
        result: place of the rows.
    """

    registers: tuple[Any, ...]
    tables_read: Mapping[int, str]
    as_of_registers: tuple[int, ...]
    steps: tuple[tuple[Function, tuple[int, ...], int], ...]
    result: int

    def __call__(self, engine: PythonEngine) -> ListTable:
        """The rows that the query asks for."""
        registers = list(self.registers)
        for place, name in self.tables_read.items():
            registers[place] = engine.tables[name]
        for place in self.as_of_registers:
            registers[place] = engine.as_of
        for function, arguments, target in self.steps:
            registers[target] = function(*[registers[place] for place in arguments])
        answer: ListTable = registers[self.result]
        return answer


def compile_query(query: ir.Table) -> CompiledQuery:
    """Compiles a query.

    Raises:
        TypeError: an operation has no rule.
    """
    compiler = QueryCompiler(RELATIONS)
    result = compiler.relation(query.op())
    return CompiledQuery(
        tuple(compiler.registers), compiler.tables_read, tuple(compiler.as_of_registers),
        tuple(compiler.steps), result,
    )  # fmt: skip
