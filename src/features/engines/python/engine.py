"""The engine that holds tables as lists, and the queries that it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import ibis.expr.types as ir
import pyarrow as pa

from ..query_runner import CompiledCatalogues
from .column_needs import needed_columns
from .compiler import Primitives, QueryCompiler
from .joins import match_members, match_pairs, pick, pick_left
from .primitives import (
    aggregate_all,
    aggregate_groups,
    aggregate_partitions,
    concatenate,
    distinct_rows,
    group_rows,
    is_in,
    keep_rows,
    map_columns,
    order_partitions,
    partition_rows,
    repeat_value,
    row_numbers,
    running_max_before,
    sort_rows,
)
from .relations import RELATIONS
from .rows import ListTable, list_table_from_arrow
from .values import Function
from .written import write_query

PYTHON = "python"

LISTS = Primitives(
    table=ListTable,
    map_values=lambda _op, function, is_scalar: map_columns(function, is_scalar),
    repeat_value=lambda _op: repeat_value,
    is_in=is_in,
    keep_rows=keep_rows,
    sort_rows=sort_rows,
    distinct_rows=distinct_rows,
    concatenate=concatenate,
    group_rows=group_rows,
    aggregate_groups=lambda _op, aggregate: aggregate_groups(aggregate),
    aggregate_all=lambda _op, aggregate: aggregate_all(aggregate),
    partition_rows=partition_rows,
    order_partitions=order_partitions,
    row_numbers=row_numbers,
    aggregate_partitions=lambda _op, aggregate: aggregate_partitions(aggregate),
    running_max_before=lambda _op: running_max_before,
    match_pairs=match_pairs,
    match_members=match_members,
    pick=pick,
    pick_left=pick_left,
)
"""Columns that are lists."""


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


@dataclass
class PythonEngine:
    """The engine.

    Attributes:
        tables: by name.
        as_of: the cut-off, in microseconds since 1970.
        expressions: of tables that queries keep, by the query (see `PythonQueryRunner`).
        compiled: the queries of all engines of this kind of columns.
    """

    compiled: ClassVar[CompiledCatalogues[CompiledQuery]] = CompiledCatalogues()

    tables: dict[str, ListTable] = field(default_factory=dict)
    as_of: int = 0
    expressions: dict[Any, ir.Table] = field(default_factory=dict)
    name: str = PYTHON

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def compile(self, query: ir.Table) -> CompiledQuery:
        """A query over the engine's columns."""
        return compile_query(query)

    def rows_of(self, table: pa.Table) -> ListTable:
        """Rows of Arrow as the engine holds them."""
        return list_table_from_arrow(table)


def compile_query(query: ir.Table, primitives: Primitives = LISTS) -> CompiledQuery:
    """Compiles a query.

    Args:
        query: the query.
        primitives: of the kind of columns that the tables have.

    Raises:
        TypeError: an operation has no rule.
    """
    compiler = QueryCompiler(RELATIONS, needed_columns(query.op()), primitives)
    result = compiler.relation(query.op())
    return CompiledQuery(
        write_query(
            compiler.registers, compiler.tables_read, compiler.as_of_registers, compiler.steps,
            result,
        )
    )  # fmt: skip
