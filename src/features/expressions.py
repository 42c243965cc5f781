"""The small expressions that declarations are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ibis
import ibis.expr.types as ir

Expression = Callable[[ir.Table], ir.Value]


def whole(condition: ir.BooleanValue) -> ir.FloatingValue:
    """1.0 where the condition holds, else 0.0, also where it is null."""
    return condition.fill_null(False).ifelse(1.0, 0.0)


def same(name: str) -> Expression:
    """The column of that name, as it is."""
    return lambda row: row[name]


def total(values: Sequence[ir.Value]) -> ir.Value:
    """The sum of some columns; 0 of none."""
    added: ir.Value = ibis.literal(0.0)
    for value in values:
        added += value
    return added


def ratio(numerator: ir.Value, denominator: ir.Value) -> ir.Value:
    """A quotient; null where the denominator is 0, for there is nothing to say."""
    return numerator / denominator.nullif(0.0)
