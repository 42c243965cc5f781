"""What operations of an expression mean, for the engines that are compiled from them.

All read the same graph. What the operation is, which cast or rounding is meant and what its
constants are is decided here; how null is carried is each engine's own.
"""

from __future__ import annotations

from datetime import timedelta
from enum import Enum, auto
from typing import Any

import ibis.expr.operations as ops
import numpy as np

from .instants import microseconds_of


def operation_key(op: Any) -> Any:
    """What rules are known by: the class, of a function of DuckDB its name."""
    return op.__func_name__ if isinstance(op, ops.ScalarUDF | ops.AggUDF) else type(op)


def unsupported_operation(op: Any, engine: str, rules: str) -> TypeError:
    """The error of an operation that an engine has no rule for.

    Args:
        op: the operation.
        engine: what users call the engine.
        rules: the module of `features/engines` that a rule belongs to.
    """
    return TypeError(
        f"expected an operation that {engine} has a rule for, got {describe_operation(op)}; "
        f"declare it with operations that have one, or add a rule to features/engines/{rules}"
    )


def describe_operation(op: Any) -> str:
    """An operation in words, for an error: its kind, and the types of its values."""
    types = ", ".join(str(part.dtype) for part in op.__args__ if isinstance(part, ops.Value))
    kind = operation_key(op)
    of_values = f" of ({types})" if types else ""
    as_type = f" as {op.dtype}" if isinstance(op, ops.Value) else ""
    return f"{kind if isinstance(kind, str) else kind.__name__}{of_values}{as_type}"


def literal_value(op: Any) -> Any:
    """The value of a literal: instants and intervals in microseconds."""
    value = op.value
    if value is None:
        return None
    if op.dtype.is_timestamp():
        return int(np.datetime64(value, "us").astype(np.int64))
    if op.dtype.is_interval():
        return microseconds_of(timedelta(**{op.dtype.unit.plural: value}))
    return value


class Cast(Enum):
    """What a cast does to a value that is not null."""

    TO_FLOAT = auto()
    TO_INTEGER = auto()  # half to the even neighbour
    UNCHANGED = auto()


def find_cast(op: Any) -> Cast | None:
    """What a cast does; None where it is none among conditions, numbers and equal types.

    The text of a literal may be cast to a number: that is how a number is written that is no
    decimal in DuckDB.
    """
    source, target = op.arg.dtype, op.to
    is_number = source.is_boolean() or source.is_integer() or source.is_float64()
    if target.is_float64() and source.is_float64():
        return Cast.UNCHANGED
    if target.is_float64() and (is_number or isinstance(op.arg, ops.Literal)):
        return Cast.TO_FLOAT
    if target.is_integer() and source.is_integer():
        return Cast.UNCHANGED
    if target.is_integer() and is_number:
        return Cast.TO_INTEGER
    return Cast.UNCHANGED if type(source) is type(target) else None


def rounds_to_whole(op: Any) -> bool:
    """Whether a rounding leaves no digits behind the point."""
    return op.digits is None or (isinstance(op.digits, ops.Literal) and not op.digits.value)
