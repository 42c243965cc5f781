"""What expressions start from: columns, how they are read, and constants."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import ibis.expr.operations as ops
import numpy as np

from ..instants import NAT
from ..operations import literal_value
from .compiler import ExpressionCompiler
from .evaluator import CODE, FALSE, FLOAT, INTEGER, NULL, TRUE, Aspect, Load, load_float
from .kernel import Operation
from .primitives import load_text_nulls


def _load_integer(column: Any) -> Any:
    return np.asarray(np.ma.filled(column, 0), np.int64)


def _load_condition(column: Any) -> Any:
    return np.asarray(np.ma.filled(column, False), np.bool_)


def _load_instant(column: Any) -> Any:
    return np.asarray(column, "datetime64[us]").view(np.int64)


def _load_non_null(load: Load, column: Any) -> Any:
    values = load(column)
    if np.ma.is_masked(column) or (load is _load_instant and (values == NAT).any()):
        raise ValueError("expected a column without nulls, got some in one that is never null")
    return values


_LOADERS: Mapping[Aspect | None, Load] = {
    FLOAT: load_float, INTEGER: _load_integer, TRUE: _load_condition, None: _load_instant,
}  # fmt: skip
_NON_NULL_LOADERS = {load: partial(_load_non_null, load) for load in _LOADERS.values()}


def field_rule(c: ExpressionCompiler, op: Any, aspect: Aspect) -> int:
    """The rule of a column, also of one made by `mutate` or `select`."""
    if isinstance(op.rel, ops.Project):
        return c.register(op.rel.values[op.name], aspect)
    c.require_own_column(op)
    dtype = op.dtype
    if aspect is CODE:
        return c.encode_column(op)
    if aspect is FLOAT and dtype.is_integer():
        return c.integer_to_float(op)
    if aspect is FALSE:
        return c.is_false(op)
    if aspect is not NULL:
        load = _LOADERS[aspect if not dtype.is_timestamp() else None]
        return c.input(op.name, load if dtype.nullable else _NON_NULL_LOADERS[load])
    if not dtype.nullable:
        return c.constant(False)
    if dtype.is_floating():
        return c.is_nan(op)
    if dtype.is_string():
        return c.input(op.name, load_text_nulls)
    if dtype.is_timestamp():
        return c.emit(Operation.EQUAL_WHOLE, c.register(op, INTEGER), c.constant(NAT))
    return c.input(op.name, np.ma.getmaskarray)


def literal_rule(c: ExpressionCompiler, op: Any, aspect: Aspect) -> int:
    """The rule of a constant."""
    value = literal_value(op)
    if aspect is NULL:
        return c.constant(value is None)
    if aspect in (TRUE, FALSE):
        return c.constant(value is (aspect is TRUE))
    if aspect is CODE:
        return c.constant(c.text_code(value))
    if aspect is FLOAT:
        return c.constant(math.nan if value is None else float(value))
    return c.constant(0 if value is None else int(value))
