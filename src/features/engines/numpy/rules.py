"""The rules: how each operation becomes numpy calls, by the aspect that is wanted of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import ibis.expr.operations as ops
import numpy as np

from .evaluator import CODE, FALSE, NULL, NUMBER, TEXT, TRUE, WHOLE, Aspect, Function
from .loaders import field_rule, literal_rule
from .primitives import (
    as_number,
    bits_set,
    bool_to_whole,
    floored,
    logarithms,
    powers,
    rounded,
    seconds,
    shifted,
    to_even,
)  # fmt: skip

if TYPE_CHECKING:
    from .compiler import Compiler

Rule: TypeAlias = Callable[["Compiler", Any, Aspect], int]


def kind_of(op: Any) -> Any:
    """What rules are known by: the class, of a function of the engine its name."""
    return op.__func_name__ if isinstance(op, ops.ScalarUDF) else type(op)


def named(op: Any) -> str:
    """An operation in words, for an error."""
    types = ", ".join(str(part.dtype) for part in op.__args__ if isinstance(part, ops.Value))
    kind = kind_of(op)
    return f"{kind if isinstance(kind, str) else kind.__name__} of ({types}) as {op.dtype}"


def _arithmetic(function: Function) -> Rule:
    def rule(c: Compiler, op: Any, aspect: Aspect) -> int:
        if aspect is NUMBER and op.dtype.is_integer():
            return c.number_of_whole(op)
        return c.emit(function, c.slot(op.left, aspect), c.slot(op.right, aspect))

    return rule


def _of_number(function: Function) -> Rule:
    return lambda c, op, _aspect: c.emit(function, c.slot(op.arg, NUMBER))


def _divided(c: Compiler, op: Any, _aspect: Aspect) -> int:
    return c.emit(np.true_divide, c.slot(op.left, NUMBER), c.slot(op.right, NUMBER))


def _floor_divided(c: Compiler, op: Any, aspect: Aspect) -> int:
    return c.emit(floored, _divided(c, op, aspect))


def _power(c: Compiler, op: Any, _aspect: Aspect) -> int:
    # C takes a null to the power of 0, and 1 to the power of null, for 1.
    power = c.emit(powers, c.slot(op.left, NUMBER), c.slot(op.right, NUMBER))
    return c.unless(c.strict(op), power, c.constant(math.nan))


def _round(c: Compiler, op: Any, _aspect: Aspect) -> int:
    if not isinstance(op.digits, ops.Literal) or op.digits.value:
        raise TypeError(f"expected rounding to whole numbers, got {named(op)}")
    return c.emit(rounded, c.slot(op.arg, NUMBER))


def _cast(c: Compiler, op: Any, aspect: Aspect) -> int:
    source, wanted = op.arg.dtype, op.to
    if not (source.is_boolean() or source.is_integer() or source.is_float64()) or not (
        wanted.is_integer() or wanted.is_float64()
    ):
        raise TypeError(f"expected a cast among conditions and numbers, got {named(op)}")
    if source.is_boolean():
        if aspect is WHOLE:
            return c.emit(bool_to_whole, c.slot(op.arg, TRUE))
        number = c.emit(as_number, c.slot(op.arg, TRUE))
        return c.unless(c.slot(op.arg, NULL), number, c.constant(math.nan))
    if wanted.is_integer() and not source.is_integer():
        return c.emit(to_even, c.slot(op.arg, NUMBER)) if aspect is NUMBER else (
            c.whole_of_number(op)
        )  # fmt: skip
    return c.slot(op.arg, aspect)


def _null_if(c: Compiler, op: Any, _aspect: Aspect) -> int:
    value = c.slot(op.arg, NUMBER)
    same = c.emit(np.equal, value, c.slot(op.null_if_expr, NUMBER))
    return c.unless(same, value, c.constant(math.nan))


def _if_else(c: Compiler, op: Any, aspect: Aspect) -> int:
    condition = c.slot(op.bool_expr, TRUE)
    return c.emit(
        np.where, condition, c.slot(op.true_expr, aspect), c.slot(op.false_null_expr, aspect)
    )


def _simple_case(c: Compiler, op: Any, aspect: Aspect) -> int:
    value = c.slot(op.default, aspect)
    for case, result in reversed(list(zip(op.cases, op.results, strict=True))):
        same = c.slot(ops.Equals(op.base, case), TRUE)
        value = c.emit(np.where, same, c.slot(result, aspect), value)
    return value


def _coalesce(c: Compiler, op: Any, aspect: Aspect) -> int:
    value = c.slot(op.arg[-1], aspect)
    for part in reversed(op.arg[:-1]):
        value = c.unless(c.slot(part, NULL), c.slot(part, aspect), value)
    return value


def _coalesce_condition(c: Compiler, op: Any, aspect: Aspect) -> int:
    value = c.slot(op.arg[-1], aspect)
    for part in reversed(op.arg[:-1]):
        value = c.either(c.slot(part, aspect), c.both(c.slot(part, NULL), value))
    return value


def _all_null(c: Compiler, op: Any, _aspect: Aspect) -> int:
    return c.both(*(c.slot(part, NULL) for part in op.arg))


def _best(function: Function) -> Rule:
    """The greatest or least that is not null; of equals the first, so that -0.0 stays itself."""

    def rule(c: Compiler, op: Any, aspect: Aspect) -> int:
        value, nulls = c.slot(op.arg[0], aspect), c.slot(op.arg[0], NULL)
        for part in op.arg[1:]:
            other, other_null = c.slot(part, aspect), c.slot(part, NULL)
            better = c.emit(function, value, other)
            if aspect is WHOLE:
                better = c.both(better, c.opposite(nulls))
            value = c.emit(np.where, c.either(better, other_null), value, other)
            nulls = c.both(nulls, other_null)
        return value

    return rule


def _comparison(function: Function) -> Rule:
    def rule(c: Compiler, op: Any, _aspect: Aspect) -> int:
        left, right = op.left.dtype, op.right.dtype
        if left.is_floating() or right.is_floating():
            return c.emit(function, c.slot(op.left, NUMBER), c.slot(op.right, NUMBER))
        aspect = CODE if left.is_string() else WHOLE
        if aspect is CODE and not _comparable(op):
            raise TypeError(f"expected texts to be compared with named ones, got {named(op)}")
        found = c.emit(function, c.slot(op.left, aspect), c.slot(op.right, aspect))
        return c.both(found, c.opposite(c.slot(op, NULL)))

    return rule


def _comparable(op: Any) -> bool:
    """Whether codes say as much as texts: they know no order, and only texts that are named."""
    named = isinstance(op.left, ops.Literal) or isinstance(op.right, ops.Literal)
    return named and isinstance(op, ops.Equals)


def _between(c: Compiler, op: Any, aspect: Aspect) -> int:
    lower = ops.GreaterEqual(op.arg, op.lower_bound)
    return c.slot(ops.And(lower, ops.LessEqual(op.arg, op.upper_bound)), aspect)


def _and(c: Compiler, op: Any, aspect: Aspect) -> int:
    join = c.both if aspect is TRUE else c.either
    return join(c.slot(op.left, aspect), c.slot(op.right, aspect))


def _or(c: Compiler, op: Any, aspect: Aspect) -> int:
    join = c.either if aspect is TRUE else c.both
    return join(c.slot(op.left, aspect), c.slot(op.right, aspect))


def _undecided(c: Compiler, op: Any, _aspect: Aspect) -> int:
    if c.says(c.strict(op), False):
        return c.constant(False)
    return c.opposite(c.either(c.slot(op, TRUE), c.slot(op, FALSE)))


def _not(c: Compiler, op: Any, aspect: Aspect) -> int:
    return c.slot(op.arg, FALSE if aspect is TRUE else TRUE)


def _is_null(c: Compiler, op: Any, _aspect: Aspect) -> int:
    return c.slot(op.arg, NULL)


def _is_not_null(c: Compiler, op: Any, _aspect: Aspect) -> int:
    return c.opposite(c.slot(op.arg, NULL))


def _never(c: Compiler, _op: Any, _aspect: Aspect) -> int:
    return c.constant(False)


def _bit_count(c: Compiler, op: Any, _aspect: Aspect) -> int:
    return c.emit(bits_set, c.slot(op.__args__[0], WHOLE))


def _epoch_seconds(c: Compiler, op: Any, _aspect: Aspect) -> int:
    """With a fraction, as DuckDB has it, whatever Ibis says of the type."""
    found = c.emit(seconds, c.slot(op.arg, WHOLE))
    return c.unless(c.slot(op.arg, NULL), found, c.constant(math.nan))


RULES: dict[tuple[Aspect, Any], Rule] = {
    **dict.fromkeys([(aspect, ops.Field) for aspect in Aspect], field_rule),
    **dict.fromkeys([(a, ops.Literal) for a in Aspect if a is not TEXT], literal_rule),
    **{
        (aspect, kind): _arithmetic(function)
        for aspect in (NUMBER, WHOLE)
        for kind, function in (
            (ops.Add, np.add), (ops.Subtract, np.subtract), (ops.Multiply, np.multiply),
        )
    },
    (WHOLE, ops.TimestampSub): _arithmetic(np.subtract),
    (WHOLE, ops.BitwiseAnd): _arithmetic(np.bitwise_and),
    (WHOLE, ops.BitwiseOr): _arithmetic(np.bitwise_or),
    (WHOLE, ops.BitwiseLeftShift): _arithmetic(shifted),
    (WHOLE, "bit_count"): _bit_count,
    (NUMBER, ops.Divide): _divided,
    (NUMBER, ops.FloorDivide): _floor_divided,
    (NUMBER, ops.Power): _power,
    (NUMBER, ops.Sqrt): _of_number(np.sqrt),
    (NUMBER, ops.Ln): _of_number(logarithms),
    (NUMBER, ops.Floor): _of_number(floored),
    (NUMBER, ops.Round): _round,
    (NUMBER, ops.NullIf): _null_if,
    (NUMBER, ops.ExtractEpochSeconds): _epoch_seconds,
    **{
        (aspect, kind): rule
        for aspect in (NUMBER, WHOLE)
        for kind, rule in (
            (ops.Cast, _cast), (ops.IfElse, _if_else), (ops.SimpleCase, _simple_case),
            (ops.Coalesce, _coalesce), (ops.Greatest, _best(np.greater_equal)),
            (ops.Least, _best(np.less_equal)),
        )
    },
    **{(NULL, kind): _all_null for kind in (ops.Coalesce, ops.Greatest, ops.Least)},
    (NULL, ops.IfElse): _if_else,
    (NULL, ops.SimpleCase): _simple_case,
    (NULL, ops.Cast): lambda c, op, _aspect: c.slot(op.arg, NULL),
    (TRUE, ops.Equals): _comparison(np.equal),
    (TRUE, ops.Greater): _comparison(np.greater),
    (TRUE, ops.GreaterEqual): _comparison(np.greater_equal),
    (TRUE, ops.Less): _comparison(np.less),
    (TRUE, ops.LessEqual): _comparison(np.less_equal),
    **{(aspect, ops.Between): _between for aspect in (TRUE, FALSE, NULL)},
    (TRUE, ops.IsNull): _is_null,
    (TRUE, ops.NotNull): _is_not_null,
    (NULL, ops.IsNull): _never,
    (NULL, ops.NotNull): _never,
    (NULL, ops.And): _undecided,
    (NULL, ops.Or): _undecided,
    **{
        (aspect, kind): rule
        for aspect in (TRUE, FALSE)
        for kind, rule in (
            (ops.And, _and), (ops.Or, _or), (ops.Not, _not), (ops.Coalesce, _coalesce_condition),
        )
    },
}  # fmt: skip
# Kinds with a rule for some aspect, from which others may follow.
RULED = {kind for _aspect, kind in RULES}
