"""The rules of Arrow: how an operation makes one column of others, where Arrow has a function.

The others are asked of plain Python, value by value (see `python.values`), of which most are of
columns with few rows. What an operation means is said there: a rule here says the same faster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import ibis.expr.operations as ops
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..instants import MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND
from ..operations import Cast, find_cast, literal_value, operation_key, rounds_to_whole
from ..python.values import Function
from ..rounding import BELOW_HALF, INT64_LIMIT, overflow
from .columns import arrow_type, key_of, map_lists, numbers_of, to_list

Rule: TypeAlias = Callable[[Any], Function | None]
"""The function of an operation's columns, and of values that are one for all rows; None where
Arrow has none for it."""

_NUMBERS = frozenset((pa.int64(), pa.float64()))


def map_values(op: Any, function: Function, is_scalar: Sequence[bool]) -> Function:
    """What makes the column of an operation: by its rule, or by its function of single values."""
    rule = RULES.get(operation_key(op))
    parts = [part for part in op.__args__ if isinstance(part, ops.Value)]
    known = all(arrow_type(part.dtype) is not None for part in parts)
    by_arrow = rule(op) if rule is not None and known else None
    return by_arrow or map_lists(function, is_scalar, arrow_type(op.dtype))


def _typed(value: Any, kind: pa.DataType) -> Any:
    """A column, or one value, of a type.

    A whole number becomes the nearest double, as DuckDB has it; what has a fraction keeps it,
    for Ibis calls some such numbers whole.
    """
    if isinstance(value, pa.Array):
        if value.type.equals(kind) or (pa.types.is_floating(value.type) and kind == pa.int64()):
            return value
        return value.cast(kind, safe=False)
    return pa.scalar(value, pa.float64() if isinstance(value, float) else kind)


def _common_type(parts: Sequence[Any]) -> pa.DataType | None:
    """The type that the values of operations can be compared or added up in."""
    kinds = [arrow_type(part.dtype) for part in parts]
    if all(kind == kinds[0] for kind in kinds):
        return kinds[0]
    return pa.float64() if _NUMBERS.issuperset(kinds) else None


def _of_one_type(function: Function, parts: Sequence[Any]) -> Function | None:
    kind = _common_type(parts)
    if kind is None:
        return None
    return lambda *values: function(*(_typed(value, kind) for value in values))


def _binary(function: Function) -> Rule:
    return lambda op: _of_one_type(function, (op.left, op.right))


def _arithmetic(function: Function) -> Rule:
    """Of numbers: what goes beyond 64 bits is said, and not cut."""

    def checked(*values: Any) -> Any:
        try:
            return function(*values)
        except pa.ArrowInvalid as error:
            raise OverflowError(str(error)) from None

    def rule(op: Any) -> Function | None:
        conditions = any(part.dtype.is_boolean() for part in (op.left, op.right))
        return None if conditions else _of_one_type(checked, (op.left, op.right))

    return rule


def _divide(op: Any) -> Function | None:
    def divided(*values: Any) -> Any:
        left, right = (_typed(value, pa.float64()) for value in values)
        try:
            return pc.divide_checked(left, right)
        except pa.ArrowInvalid as error:
            raise ZeroDivisionError(str(error)) from None

    return divided if _common_type((op.left, op.right)) in _NUMBERS else None


def _between(op: Any) -> Function | None:
    def between(value: Any, low: Any, high: Any) -> Any:
        return pc.and_kleene(pc.greater_equal(value, low), pc.less_equal(value, high))

    return _of_one_type(between, (op.arg, op.lower_bound, op.upper_bound))


def _of_one_result(function: Function, parts: Sequence[Any], op: Any) -> Function | None:
    """A function whose arguments are of the type of its result."""
    kind = arrow_type(op.dtype)
    if kind is None or _common_type(parts) is None:
        return None
    return lambda *values: function(*(_typed(value, kind) for value in values))


def _extreme(function: Function) -> Rule:
    """Of numbers with a fraction plain Python says which of 0.0 and -0.0 is greater."""

    def rule(op: Any) -> Function | None:
        left_out = op.dtype.is_floating() or op.dtype.is_boolean()  # of which Arrow has none
        return None if left_out else _of_one_result(function, op.arg, op)

    return rule


def _clip(op: Any) -> Function | None:
    parts = [part for part in (op.arg, op.lower, op.upper) if part is not None]
    if len(parts) != 2 or not isinstance(parts[1], ops.Literal) or parts[1].value is None:
        return None
    inside = pc.greater if op.lower is not None else pc.less
    return _of_one_result(
        lambda value, bound: pc.if_else(inside(value, bound), value, bound), parts, op
    )


def _if_else(op: Any) -> Function | None:
    kind = arrow_type(op.dtype)
    if kind is None:
        return None

    def chosen(condition: Any, true: Any, false: Any) -> Any:
        if not isinstance(condition, pa.Array):
            size = len(true if isinstance(true, pa.Array) else false)
            condition = pa.repeat(bool(condition), size)
        if condition.null_count:
            condition = condition.fill_null(False)
        return pc.if_else(condition, _typed(true, kind), _typed(false, kind))

    return chosen


def _in_values(op: Any) -> Function | None:
    kind = arrow_type(op.value.dtype)
    if _common_type((op.value, *op.options)) != kind:
        return None
    options = key_of(pa.array([literal_value(option) for option in op.options], kind).drop_null())
    return lambda values: pc.if_else(pc.is_valid(values), pc.is_in(key_of(values), options), None)


def _simple_case(op: Any) -> Function | None:
    kind = arrow_type(op.dtype)
    if not all(isinstance(one, ops.Literal) for one in (*op.results, op.default)) or kind is None:
        return None
    cases = key_of(pa.array([literal_value(one) for one in op.cases], arrow_type(op.base.dtype)))
    results = pa.array([literal_value(one) for one in (*op.results, op.default)], kind)

    def found(values: Any, *_results: Any) -> Any:
        places = pc.index_in(key_of(values), cases, skip_nulls=True).fill_null(len(cases))
        return pc.take(results, places)

    return found


def _cast(op: Any) -> Function | None:
    cast = find_cast(op)
    if cast is Cast.UNCHANGED:
        return lambda values: values
    if cast is Cast.TO_FLOAT and not op.arg.dtype.is_string():
        return lambda values: values.cast(pa.float64(), safe=False)
    if cast is Cast.TO_INTEGER and op.arg.dtype.is_floating():
        return _to_whole(np.rint)
    if cast is Cast.TO_INTEGER and op.arg.dtype.is_boolean():
        return lambda values: values.cast(pa.int64())
    return None


def _round(op: Any) -> Function | None:
    if not rounds_to_whole(op) or not op.arg.dtype.is_floating():
        return None
    return _to_whole(lambda numbers: np.trunc(numbers + np.copysign(BELOW_HALF, numbers)))


def _to_whole(function: Function) -> Function:
    """A function that makes numbers whole, of a column."""

    def made_whole(values: Any) -> Any:
        numbers = numbers_of(values.cast(pa.float64(), safe=False), 0.0)
        if (too_great := np.abs(numbers) >= INT64_LIMIT).any():
            raise overflow(numbers[too_great][0])
        return _with_nulls_of(values, function(numbers).astype(np.int64))

    return made_whole


def _with_nulls_of(values: Any, numbers: Any) -> Any:
    missing = values.is_null().to_numpy(zero_copy_only=False) if values.null_count else None
    return pa.array(numbers, mask=missing)


def _truncate_to_day(op: Any) -> Function | None:
    if op.unit.short != "D":
        return None
    return lambda values: _with_nulls_of(
        values,
        numbers_of(values, 0) // MICROSECONDS_PER_DAY * MICROSECONDS_PER_DAY,
    )


def _hashes(values: Any) -> Any:
    """Python's own, as `python.values` has them: two queries may ask for those of one value."""
    return pa.array(np.fromiter(map(hash, to_list(values)), np.int64, len(values)))


def _hash_rule(op: Any) -> Function | None:
    return _hashes if op.__args__[0].dtype.is_string() else None


def _seconds(values: Any) -> Any:
    return pc.divide(values.cast(pa.float64(), safe=False), float(MICROSECONDS_PER_SECOND))


RULES: Mapping[Any, Rule] = {
    ops.Add: _arithmetic(pc.add_checked),
    ops.Subtract: _arithmetic(pc.subtract_checked),
    ops.Multiply: _arithmetic(pc.multiply_checked),
    ops.TimestampSub: _arithmetic(pc.subtract_checked),
    ops.Divide: _divide,
    ops.BitwiseAnd: _binary(pc.bit_wise_and),
    ops.Equals: _binary(pc.equal),
    ops.NotEquals: _binary(pc.not_equal),
    ops.Less: _binary(pc.less),
    ops.LessEqual: _binary(pc.less_equal),
    ops.Greater: _binary(pc.greater),
    ops.GreaterEqual: _binary(pc.greater_equal),
    ops.Between: _between,
    ops.InValues: _in_values,
    ops.And: _binary(pc.and_kleene),
    ops.Or: _binary(pc.or_kleene),
    ops.Not: lambda _op: pc.invert,
    ops.IsNull: lambda _op: pc.is_null,
    ops.NotNull: lambda _op: pc.is_valid,
    ops.Coalesce: lambda op: _of_one_result(pc.coalesce, op.arg, op),
    ops.Greatest: _extreme(pc.max_element_wise),
    ops.Least: _extreme(pc.min_element_wise),
    ops.Clip: _clip,
    ops.IfElse: _if_else,
    ops.SimpleCase: _simple_case,
    ops.Cast: _cast,
    ops.Round: _round,
    ops.Floor: lambda _op: _to_whole(np.floor),
    ops.Hash: _hash_rule,
    "hash": _hash_rule,
    ops.TimestampTruncate: _truncate_to_day,
    ops.ExtractEpochSeconds: lambda _op: _seconds,
}
