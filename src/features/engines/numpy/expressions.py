"""Expressions over one table, compiled by the rules."""

from __future__ import annotations

from collections.abc import Mapping

import ibis.expr.types as ir

from .compiler import ExpressionCompiler
from .evaluator import Evaluator
from .rules import RULES


def compile_expressions(expressions: Mapping[str, ir.Value], table: ir.Table) -> Evaluator:
    """Compiles expressions over one table; what they share is evaluated once.

    Args:
        expressions: the results wanted, by name.
        table: with the columns that they read, directly or by way of `mutate` and `select`; a
            type that is not nullable ("!int64") saves the work for nulls.

    Returns:
        What evaluates them. Null by null it answers as DuckDB does, except that 0 / 0 is null.

    Raises:
        TypeError: an expression has an operation that there is no rule for.
    """
    compiler = ExpressionCompiler(table.op(), RULES)
    outputs = {name: compiler.output(value.op()) for name, value in expressions.items()}
    return compiler.build_evaluator(outputs)
