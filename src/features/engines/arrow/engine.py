"""The engine that holds tables as Arrow does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import ibis.expr.types as ir
import pyarrow as pa

from ..python.compiler import Primitives
from ..python.engine import CompiledQuery, PythonEngine, compile_query
from ..python.rows import ListTable
from ..query_runner import CompiledCatalogues
from . import primitives
from .columns import ArrowRows, arrow_rows, pick
from .groups import aggregate_all, aggregate_groups, group_rows
from .joins import match_members, match_pairs, pick_left
from .values import map_values

ARROW = "arrow"

ARRAYS = Primitives(
    table=ArrowRows,
    map_values=map_values,
    repeat_value=primitives.repeat_value,
    is_in=primitives.is_in,
    keep_rows=primitives.keep_rows,
    sort_rows=primitives.sort_rows,
    distinct_rows=primitives.distinct_rows,
    concatenate=primitives.concatenate,
    group_rows=group_rows,
    aggregate_groups=aggregate_groups,
    aggregate_all=aggregate_all,
    partition_rows=group_rows,
    order_partitions=primitives.order_partitions,
    row_numbers=primitives.row_numbers,
    aggregate_partitions=primitives.aggregate_partitions,
    running_max_before=primitives.running_max_before,
    match_pairs=match_pairs,
    match_members=match_members,
    pick=pick,
    pick_left=pick_left,
)
"""Columns that are Arrow's arrays."""


@dataclass(eq=False)
class ArrowEngine(PythonEngine):
    """The engine; its tables are `ArrowRows`."""

    compiled: ClassVar[CompiledCatalogues[CompiledQuery]] = CompiledCatalogues()

    name: str = ARROW

    def compile(self, query: ir.Table) -> CompiledQuery:
        """A query over Arrow's columns."""
        return compile_query(query, ARRAYS)

    def rows_of(self, table: pa.Table) -> ListTable:
        """Rows of Arrow, whose columns stay as they are but for instants."""
        return arrow_rows(table)
