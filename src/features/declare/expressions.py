"""The small expressions that declarations are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeAlias

import ibis
import ibis.expr.types as ir

Expression = Callable[[ir.Table], ir.Value]

AsOf: TypeAlias = ir.TimestampScalar
"""The cut-off inside an expression: a literal, or the engine's variable (see `QueryRunner`)."""

SECONDS_A_DAY = 86_400


def indicator(condition: ir.BooleanValue) -> ir.FloatingValue:
    """1.0 where the condition holds, else 0.0, also where it is null.

    By a cast: written as 1.0 and 0.0, DuckDB would take it for a decimal and add it as one.
    """
    return condition.fill_null(False).cast("float64")


def column(name: str) -> Expression:
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


def cutoff_literal(instant: datetime) -> AsOf:
    """An instant known in advance, as a cut-off."""
    literal: AsOf = ibis.literal(instant, "timestamp(6)")
    return literal


def days_before(as_of: AsOf, days: int) -> AsOf:
    """The instant that many times 24 hours before the cut-off: the start of a window."""
    start: AsOf = as_of - ibis.interval(days=days)
    return start


def days_between(earlier: ir.TimestampValue, as_of: AsOf) -> ir.IntegerValue:
    """Whole days from an instant to the cut-off.

    Seconds are floored on both sides before they are subtracted: engines differ in whether an
    epoch has a fraction (perf-notes.md).
    """
    return (_seconds(as_of) - _seconds(earlier)) // SECONDS_A_DAY


def _seconds(instant: ir.TimestampValue) -> ir.IntegerValue:
    return instant.epoch_seconds().floor().cast("int64")
