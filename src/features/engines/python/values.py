"""The rules of plain Python: how an operation makes one value of others; None is null."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

import ibis.expr.operations as ops

from ..instants import EPOCH_ORDINAL, MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND
from ..operations import (
    Cast,
    find_cast,
    literal_value,
    operation_key,
    rounds_to_whole,
    unsupported_operation,
)
from ..rounding import round_half_away, round_half_even

Function: TypeAlias = Callable[..., Any]
ValueCall: TypeAlias = tuple[Function, Sequence[Any]]
"""What makes a value, and the operations whose values it takes."""

ENGINE = "plain Python"
RULES_OF_VALUES = "python/values.py"


def value_call(op: Any) -> ValueCall:
    """How the value of an operation is made.

    Raises:
        TypeError: there is no rule for it.
    """
    rule = RULES.get(operation_key(op))
    if rule is None:
        raise unsupported_value(op)
    return rule(op)


def unsupported_value(op: Any) -> TypeError:
    """The error of an operation on values without a rule."""
    return unsupported_operation(op, ENGINE, RULES_OF_VALUES)


@dataclass(frozen=True, slots=True)
class NullPropagating:
    """A function of one value or two that is null where a value is."""

    function: Function

    def __call__(self, *values: Any) -> Any:
        """Of values."""
        return None if any(value is None for value in values) else self.function(*values)


@dataclass(frozen=True, slots=True)
class Element:
    """A function that is also said as an expression of Python.

    Attributes:
        function: of values.
        expression: a template, where {0}, {1} ... stand for the values.
    """

    function: Function
    expression: str

    def __call__(self, *values: Any) -> Any:
        """Of values."""
        return self.function(*values)


def _unary(function: Function) -> Callable[[Any], ValueCall]:
    strict = NullPropagating(function)
    return lambda op: (strict, (op.arg,))


def _binary(function: Function) -> Callable[[Any], ValueCall]:
    strict = NullPropagating(function)
    return lambda op: (strict, (op.left, op.right))


def _and(left: Any, right: Any) -> Any:
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def _or(left: Any, right: Any) -> Any:
    if left is True or right is True:
        return True
    return None if left is None or right is None else False


_AND = Element(
    _and,
    "False if {0} is False or {1} is False else None if {0} is None or {1} is None else True",
)
_OR = Element(
    _or, "True if {0} is True or {1} is True else None if {0} is None or {1} is None else False"
)


def _between(value: Any, low: Any, high: Any) -> Any:
    # Either bound alone may decide it.
    at_least_low = None if value is None or low is None else value >= low
    at_most_high = None if value is None or high is None else value <= high
    return _and(at_least_low, at_most_high)


def _is_null(value: Any) -> bool:
    return value is None


def _is_not_null(value: Any) -> bool:
    return value is not None


def _if_else(condition: Any, true: Any, false: Any) -> Any:
    return true if condition else false


def _coalesce(value: Any, *others: Any) -> Any:
    for other in others:
        if value is not None:
            return value
        value = other
    return value


def _coalesce_rule(op: Any) -> ValueCall:
    if len(op.arg) != 2:
        return _coalesce, op.arg
    return Element(_coalesce, "{1} if {0} is None else {0}"), op.arg


def _extreme(function: Function) -> Function:
    def extreme(value: Any, *others: Any) -> Any:
        for other in others:
            if value is None:
                value = other
            elif other is not None:
                value = function(value, other)
        return value

    return extreme


def _extreme_rule(function: Function, beats: str) -> Callable[[Any], ValueCall]:
    """The rule of the greatest, or the least, value that is not null."""
    extreme = _extreme(function)
    of_two = Element(
        extreme, f"{{1}} if {{0}} is None or ({{1}} is not None and {{1}} {beats} {{0}}) else {{0}}"
    )
    return lambda op: (of_two if len(op.arg) == 2 else extreme, op.arg)


def _clip(op: Any) -> ValueCall:
    def clipped(value: Any, *bounds: Any) -> Any:
        low, high = (bounds[0] if op.lower else None), (bounds[-1] if op.upper else None)
        if value is None:
            return None
        value = value if low is None else max(low, value)
        return value if high is None else min(high, value)

    parts = [part for part in (op.arg, op.lower, op.upper) if part is not None]
    if len(parts) != 2:
        return clipped, parts
    inside = "{0} > {1}" if op.lower else "{0} < {1}"
    kept = f"{{0}} is None or {{1}} is None or {inside}"
    return Element(clipped, f"{{0}} if {kept} else {{1}}"), parts


def _in_values(op: Any) -> ValueCall:
    if not all(isinstance(option, ops.Literal) for option in op.options):
        raise unsupported_value(op)
    options = frozenset(literal_value(option) for option in op.options)
    return NullPropagating(options.__contains__), (op.value,)


def _simple_case(op: Any) -> ValueCall:
    if not all(isinstance(case, ops.Literal) for case in op.cases):
        raise unsupported_value(op)
    places = {literal_value(case): place for place, case in reversed(list(enumerate(op.cases)))}

    def chosen(value: Any, *results: Any) -> Any:
        return results[-1] if value is None else results[places.get(value, -1)]

    return chosen, (op.base, *op.results, op.default)


def _cast(op: Any) -> ValueCall:
    cast = find_cast(op)
    if cast is None:
        raise unsupported_value(op)
    return _CASTS[cast], (op.arg,)


def _identity(value: Any) -> Any:
    return value


_CASTS: Mapping[Cast, Function] = {
    Cast.TO_FLOAT: NullPropagating(float),
    Cast.TO_INTEGER: NullPropagating(round_half_even),
    Cast.UNCHANGED: Element(_identity, "{0}"),
}


def _round(op: Any) -> ValueCall:
    if not rounds_to_whole(op):
        raise unsupported_value(op)
    return NullPropagating(round_half_away), (op.arg,)


def _truncate_to_day(op: Any) -> ValueCall:
    if op.unit.short != "D":
        raise unsupported_value(op)
    return NullPropagating(
        lambda instant: instant // MICROSECONDS_PER_DAY * MICROSECONDS_PER_DAY
    ), (op.arg,)


def _date_of_instant(instant: int) -> date:
    return date.fromordinal(instant // MICROSECONDS_PER_DAY + EPOCH_ORDINAL)


def _date_delta(op: Any) -> ValueCall:
    if literal_value(op.part) != "day":
        raise unsupported_value(op)
    return NullPropagating(lambda left, right: (left - right).days), (op.left, op.right)


def _date_from_ymd(op: Any) -> ValueCall:
    def from_parts(*parts: Any) -> Any:
        return None if None in parts else date(*parts)

    return from_parts, (op.year, op.month, op.day)


def _struct_field(op: Any) -> ValueCall:
    place = list(op.arg.dtype.names).index(op.field)
    return NullPropagating(lambda struct: struct[place]), (op.arg,)


RULES: dict[Any, Callable[[Any], ValueCall]] = {
    ops.Add: _binary(operator.add),
    ops.Subtract: _binary(operator.sub),
    ops.Multiply: _binary(operator.mul),
    ops.TimestampSub: _binary(operator.sub),
    ops.BitwiseAnd: _binary(operator.and_),
    ops.BitwiseOr: _binary(operator.or_),
    ops.Equals: _binary(operator.eq),
    ops.Less: _binary(operator.lt),
    ops.LessEqual: _binary(operator.le),
    ops.Greater: _binary(operator.gt),
    ops.GreaterEqual: _binary(operator.ge),
    ops.NotEquals: _binary(operator.ne),
    ops.Between: lambda op: (_between, (op.arg, op.lower_bound, op.upper_bound)),
    ops.InValues: _in_values,
    ops.And: lambda op: (_AND, (op.left, op.right)),
    ops.Or: lambda op: (_OR, (op.left, op.right)),
    ops.Not: _unary(operator.not_),
    ops.IsNull: lambda op: (Element(_is_null, "{0} is None"), (op.arg,)),
    ops.NotNull: lambda op: (Element(_is_not_null, "{0} is not None"), (op.arg,)),
    ops.Coalesce: _coalesce_rule,
    ops.Greatest: _extreme_rule(max, ">"),
    ops.Least: _extreme_rule(min, "<"),
    ops.Clip: _clip,
    ops.IfElse: lambda op: (
        Element(_if_else, "{1} if {0} else {2}"),
        (op.bool_expr, op.true_expr, op.false_null_expr),
    ),
    ops.SimpleCase: _simple_case,
    ops.Cast: _cast,
    ops.Divide: _binary(operator.truediv),
    ops.FloorDivide: _binary(lambda left, right: math.floor(left / right)),
    ops.Floor: _unary(math.floor),
    ops.Round: _round,
    ops.TimestampTruncate: _truncate_to_day,
    # With their fraction, as DuckDB has them whatever Ibis says of the type.
    ops.ExtractEpochSeconds: _unary(lambda instant: instant / MICROSECONDS_PER_SECOND),
    ops.ExtractYear: _unary(lambda instant: _date_of_instant(instant).year),
    ops.ExtractQuarter: _unary(lambda instant: (_date_of_instant(instant).month + 2) // 3),
    ops.ExtractMonth: _unary(lambda instant: _date_of_instant(instant).month),
    ops.Date: _unary(_date_of_instant),
    ops.DateFromYMD: _date_from_ymd,
    ops.DateDelta: _date_delta,
    ops.StructColumn: lambda op: (lambda *values: values, op.values),
    ops.StructField: _struct_field,
    ops.Hash: lambda op: (hash, (op.arg,)),
    # By its name; what it is for holds of any hash (see `activities`).
    "hash": lambda op: (hash, tuple(op.__args__[:1])),
}


def _count_distinct(values: list[Any]) -> int:
    return len(set(values))


def _null_if_empty(function: Function) -> Callable[[list[Any]], Any]:
    return lambda values: function(values) if values else None


AGGREGATE_FUNCTIONS: dict[Any, Callable[[list[Any]], Any]] = {
    ops.CountStar: len,
    ops.Count: len,
    ops.CountDistinct: _count_distinct,
    ops.Sum: _null_if_empty(sum),
    ops.Max: _null_if_empty(max),
    ops.Min: _null_if_empty(min),
    ops.Any: _null_if_empty(any),
    "max": _null_if_empty(lambda structs: max(structs, key=_nulls_last)),
}
"""What is made of the values of one group that are not null."""


def _nulls_last(struct: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple((value is None, value) for value in struct)
