"""The rules: what each operation of Ibis does to registers, by the aspect that is wanted of it."""

from __future__ import annotations

import math
from typing import Any

import ibis.expr.operations as ops

from ..operations import Cast, describe_operation, find_cast, rounds_to_whole
from .compiler import ExpressionCompiler, Rule
from .evaluator import CODE, FALSE, FLOAT, INTEGER, NULL, TRUE, Aspect
from .kernel import Operation
from .loaders import field_rule, literal_rule


def _arithmetic(operation: Operation) -> Rule:
    def rule(c: ExpressionCompiler, op: Any, aspect: Aspect) -> int:
        if aspect is FLOAT and op.dtype.is_integer():
            return c.integer_to_float(op)
        parts = c.register(op.left, aspect), c.register(op.right, aspect)
        return c.emit(_of_aspect(operation, aspect), *parts)

    return rule


def _bits(operation: Operation) -> Rule:
    return lambda c, op, _aspect: c.emit(
        operation, c.register(op.left, INTEGER), c.register(op.right, INTEGER)
    )


def _unary_float(operation: Operation) -> Rule:
    return lambda c, op, _aspect: c.emit(operation, c.register(op.arg, FLOAT))


def _divide(c: ExpressionCompiler, op: Any, _aspect: Aspect) -> int:
    return c.emit(Operation.DIVIDE, c.register(op.left, FLOAT), c.register(op.right, FLOAT))


def _floor_divide(c: ExpressionCompiler, op: Any, aspect: Aspect) -> int:
    return c.emit(Operation.FLOOR, _divide(c, op, aspect))


def _power(c: ExpressionCompiler, op: Any, _aspect: Aspect) -> int:
    # C takes a null to the power of 0, and 1 to the power of null, for 1.
    power = c.emit(Operation.POWER, c.register(op.left, FLOAT), c.register(op.right, FLOAT))
    return c.unless(c.any_argument_null(op), power, c.constant(math.nan))


def _round(c: ExpressionCompiler, op: Any, _aspect: Aspect) -> int:
    if not rounds_to_whole(op):
        raise TypeError(f"expected rounding to whole numbers, got {describe_operation(op)}")
    return c.emit(Operation.ROUND_HALF_AWAY, c.register(op.arg, FLOAT))


def _cast(c: ExpressionCompiler, op: Any, aspect: Aspect) -> int:
    cast = find_cast(op)
    if cast is None:
        raise TypeError(
            f"expected a cast among conditions and numbers, got {describe_operation(op)}"
        )
    if op.arg.dtype.is_boolean():
        return _cast_condition(c, op, aspect)
    if cast is Cast.TO_INTEGER:
        if aspect is FLOAT:
            return c.emit(Operation.ROUND_HALF_EVEN, c.register(op.arg, FLOAT))
        return c.float_to_integer(op)
    return c.register(op.arg, aspect)


def _cast_condition(c: ExpressionCompiler, op: Any, aspect: Aspect) -> int:
    if aspect is INTEGER:
        return c.register(op.arg, TRUE)
    as_float = c.emit(Operation.WHOLE_TO_FLOAT, c.register(op.arg, TRUE))
    return c.unless(c.register(op.arg, NULL), as_float, c.constant(math.nan))


def _null_if(c: ExpressionCompiler, op: Any, _aspect: Aspect) -> int:
    value = c.register(op.arg, FLOAT)
    equal = c.emit(Operation.EQUAL, value, c.register(op.null_if_expr, FLOAT))
    return c.unless(equal, value, c.constant(math.nan))


def _if_else(c: ExpressionCompiler, op: Any, aspect: Aspect) -> int:
    condition = c.register(op.bool_expr, TRUE)
    return c.emit(
        Operation.CHOOSE,
        condition,
        c.register(op.true_expr, aspect),
        c.register(op.false_null_expr, aspect),
    )


def _simple_case(c: ExpressionCompiler, op: Any, aspect: Aspect) -> int:
    value = c.register(op.default, aspect)
    for case, result in reversed(list(zip(op.cases, op.results, strict=True))):
        matches = c.register(ops.Equals(op.base, case), TRUE)
        value = c.emit(Operation.CHOOSE, matches, c.register(result, aspect), value)
    return value


def _coalesce(c: ExpressionCompiler, op: Any, aspect: Aspect) -> int:
    value = c.register(op.arg[-1], aspect)
    for part in reversed(op.arg[:-1]):
        value = c.unless(c.register(part, NULL), c.register(part, aspect), value)
    return value


def _coalesce_condition(c: ExpressionCompiler, op: Any, aspect: Aspect) -> int:
    value = c.register(op.arg[-1], aspect)
    for part in reversed(op.arg[:-1]):
        value = c.any_of(c.register(part, aspect), c.all_of(c.register(part, NULL), value))
    return value


def _null_if_all_null(c: ExpressionCompiler, op: Any, _aspect: Aspect) -> int:
    return c.all_of(*(c.register(part, NULL) for part in op.arg))


def _extreme(*, greatest: bool) -> Rule:
    """The greatest or least that is not null; of equals the first, so that -0.0 stays itself."""

    def rule(c: ExpressionCompiler, op: Any, aspect: Aspect) -> int:
        not_above = _of_aspect(Operation.LESS_OR_EQUAL, aspect)
        value, nulls = c.register(op.arg[0], aspect), c.register(op.arg[0], NULL)
        for part in op.arg[1:]:
            other, other_null = c.register(part, aspect), c.register(part, NULL)
            better = c.emit(not_above, *((other, value) if greatest else (value, other)))
            if aspect is INTEGER:
                better = c.all_of(better, c.negate(nulls))
            value = c.emit(Operation.CHOOSE, c.any_of(better, other_null), value, other)
            nulls = c.all_of(nulls, other_null)
        return value

    return rule


def _comparison(operation: Operation, *, swapped: bool = False) -> Rule:
    def rule(c: ExpressionCompiler, op: Any, _aspect: Aspect) -> int:
        sides = (op.right, op.left) if swapped else (op.left, op.right)
        left, right = op.left.dtype, op.right.dtype
        if left.is_floating() or right.is_floating():
            return c.emit(operation, *(c.register(side, FLOAT) for side in sides))
        aspect = CODE if left.is_string() else INTEGER
        if aspect is CODE and not _comparable(op):
            raise TypeError(
                f"expected texts to be compared with named ones, got {describe_operation(op)}"
            )
        of_whole = _of_aspect(operation, aspect)
        found = c.emit(of_whole, *(c.register(side, aspect) for side in sides))
        return c.all_of(found, c.negate(c.register(op, NULL)))

    return rule


def _of_aspect(operation: Operation, aspect: Aspect) -> Operation:
    """The operation on numbers of that kind."""
    return operation if aspect is FLOAT else WHOLE_OPERATIONS[operation]


def _comparable(op: Any) -> bool:
    """Whether codes say as much as texts: they know no order, and only texts that are named."""
    has_literal = isinstance(op.left, ops.Literal) or isinstance(op.right, ops.Literal)
    return has_literal and isinstance(op, ops.Equals)


def _between(c: ExpressionCompiler, op: Any, aspect: Aspect) -> int:
    lower = ops.GreaterEqual(op.arg, op.lower_bound)
    return c.register(ops.And(lower, ops.LessEqual(op.arg, op.upper_bound)), aspect)


def _and(c: ExpressionCompiler, op: Any, aspect: Aspect) -> int:
    join = c.all_of if aspect is TRUE else c.any_of
    return join(c.register(op.left, aspect), c.register(op.right, aspect))


def _or(c: ExpressionCompiler, op: Any, aspect: Aspect) -> int:
    join = c.any_of if aspect is TRUE else c.all_of
    return join(c.register(op.left, aspect), c.register(op.right, aspect))


def _null_of_logical(c: ExpressionCompiler, op: Any, _aspect: Aspect) -> int:
    if c.is_always(c.any_argument_null(op), False):
        return c.constant(False)
    return c.negate(c.any_of(c.register(op, TRUE), c.register(op, FALSE)))


def _not(c: ExpressionCompiler, op: Any, aspect: Aspect) -> int:
    return c.register(op.arg, FALSE if aspect is TRUE else TRUE)


def _is_null(c: ExpressionCompiler, op: Any, _aspect: Aspect) -> int:
    return c.register(op.arg, NULL)


def _is_not_null(c: ExpressionCompiler, op: Any, _aspect: Aspect) -> int:
    return c.negate(c.register(op.arg, NULL))


def _never_null(c: ExpressionCompiler, _op: Any, _aspect: Aspect) -> int:
    return c.constant(False)


def _bit_count(c: ExpressionCompiler, op: Any, _aspect: Aspect) -> int:
    return c.emit(Operation.COUNT_BITS, c.register(op.__args__[0], INTEGER))


def _epoch_seconds(c: ExpressionCompiler, op: Any, _aspect: Aspect) -> int:
    """With a fraction, as DuckDB has it, whatever Ibis says of the type."""
    found = c.emit(Operation.SECONDS_OF_WHOLE, c.register(op.arg, INTEGER))
    return c.unless(c.register(op.arg, NULL), found, c.constant(math.nan))


WHOLE_OPERATIONS = {
    Operation.ADD: Operation.ADD_WHOLE,
    Operation.SUBTRACT: Operation.SUBTRACT_WHOLE,
    Operation.MULTIPLY: Operation.MULTIPLY_WHOLE,
    Operation.EQUAL: Operation.EQUAL_WHOLE,
    Operation.LESS: Operation.LESS_WHOLE,
    Operation.LESS_OR_EQUAL: Operation.LESS_OR_EQUAL_WHOLE,
}
"""What is done to whole numbers in place of float64."""

RULES: dict[tuple[Aspect, Any], Rule] = {
    **dict.fromkeys([(aspect, ops.Field) for aspect in Aspect], field_rule),
    **dict.fromkeys([(aspect, ops.Literal) for aspect in Aspect], literal_rule),
    **{
        (aspect, kind): _arithmetic(operation)
        for aspect in (FLOAT, INTEGER)
        for kind, operation in (
            (ops.Add, Operation.ADD), (ops.Subtract, Operation.SUBTRACT),
            (ops.Multiply, Operation.MULTIPLY),
        )
    },
    (INTEGER, ops.TimestampSub): _arithmetic(Operation.SUBTRACT),
    (INTEGER, ops.BitwiseAnd): _bits(Operation.AND_BITS),
    (INTEGER, ops.BitwiseOr): _bits(Operation.OR_BITS),
    (INTEGER, ops.BitwiseLeftShift): _bits(Operation.SHIFT_LEFT),
    (INTEGER, "bit_count"): _bit_count,
    (FLOAT, ops.Divide): _divide,
    (FLOAT, ops.FloorDivide): _floor_divide,
    (FLOAT, ops.Power): _power,
    (FLOAT, ops.Sqrt): _unary_float(Operation.SQUARE_ROOT),
    (FLOAT, ops.Ln): _unary_float(Operation.LOGARITHM),
    (FLOAT, ops.Floor): _unary_float(Operation.FLOOR),
    (FLOAT, ops.Round): _round,
    (FLOAT, ops.NullIf): _null_if,
    (FLOAT, ops.ExtractEpochSeconds): _epoch_seconds,
    **{
        (aspect, kind): rule
        for aspect in (FLOAT, INTEGER)
        for kind, rule in (
            (ops.Cast, _cast), (ops.IfElse, _if_else), (ops.SimpleCase, _simple_case),
            (ops.Coalesce, _coalesce), (ops.Greatest, _extreme(greatest=True)),
            (ops.Least, _extreme(greatest=False)),
        )
    },
    **{(NULL, kind): _null_if_all_null for kind in (ops.Coalesce, ops.Greatest, ops.Least)},
    (NULL, ops.IfElse): _if_else,
    (NULL, ops.SimpleCase): _simple_case,
    (NULL, ops.Cast): lambda c, op, _aspect: c.register(op.arg, NULL),
    (TRUE, ops.Equals): _comparison(Operation.EQUAL),
    (TRUE, ops.Less): _comparison(Operation.LESS),
    (TRUE, ops.LessEqual): _comparison(Operation.LESS_OR_EQUAL),
    (TRUE, ops.Greater): _comparison(Operation.LESS, swapped=True),
    (TRUE, ops.GreaterEqual): _comparison(Operation.LESS_OR_EQUAL, swapped=True),
    **{(aspect, ops.Between): _between for aspect in (TRUE, FALSE, NULL)},
    (TRUE, ops.IsNull): _is_null,
    (TRUE, ops.NotNull): _is_not_null,
    (NULL, ops.IsNull): _never_null,
    (NULL, ops.NotNull): _never_null,
    (NULL, ops.And): _null_of_logical,
    (NULL, ops.Or): _null_of_logical,
    **{
        (aspect, kind): rule
        for aspect in (TRUE, FALSE)
        for kind, rule in (
            (ops.And, _and), (ops.Or, _or), (ops.Not, _not), (ops.Coalesce, _coalesce_condition),
        )
    },
}  # fmt: skip
