"""What expressions start from: columns, how they are read, and constants."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import ibis.expr.operations as ops
import numpy as np

from .evaluator import CODE, FALSE, NULL, NUMBER, TEXT, TRUE, WHOLE, Aspect, Function

if TYPE_CHECKING:
    from .compiler import Compiler

NOTHING = np.iinfo(np.int64).min  # how numpy writes an instant that is null


def _load_number(column: Any) -> Any:
    return np.asarray(column, np.float64)


def _load_whole(column: Any) -> Any:
    return np.asarray(np.ma.filled(column, 0), np.int64)


def _load_condition(column: Any) -> Any:
    return np.asarray(np.ma.filled(column, False), np.bool_)


def _load_text(column: Any) -> Any:
    return np.asarray(column, object)


def _load_instant(column: Any) -> Any:
    return np.asarray(column, "datetime64[us]").view(np.int64)


def _without_null(load: Function, column: Any) -> Any:
    values = load(column)
    if np.ma.is_masked(column) or (load is _load_instant and (values == NOTHING).any()):
        raise ValueError("expected a column without nulls, got some in one that is never null")
    return values


_LOADERS: Mapping[Aspect | None, Function] = {
    NUMBER: _load_number, WHOLE: _load_whole, TRUE: _load_condition, TEXT: _load_text,
    None: _load_instant,
}  # fmt: skip
_COMPLETE = {load: partial(_without_null, load) for load in _LOADERS.values()}


def field_rule(c: Compiler, op: Any, aspect: Aspect) -> int:
    """The rule of a column, also of one made by `mutate` or `select`."""
    if isinstance(op.rel, ops.Project):
        return c.slot(op.rel.values[op.name], aspect)
    if op.rel != c.table:
        raise TypeError(f"expected columns of one table, got {op.name!r} of another")
    kind = op.dtype
    if aspect is CODE:
        return c.encoded(op)
    if aspect is NUMBER and kind.is_integer():
        return c.number_of_whole(op)
    if aspect is FALSE:
        return c.neither_true_nor_null(op)
    if aspect is not NULL:
        load = _LOADERS[aspect if not kind.is_timestamp() else None]
        return c.input(op.name, load if kind.nullable else _COMPLETE[load])
    if not kind.nullable:
        return c.constant(False)
    if kind.is_floating():
        return c.not_a_number(op)
    if kind.is_string():
        return c.emit(np.equal, c.slot(op, TEXT), c.constant(None))
    if kind.is_timestamp():
        return c.emit(np.equal, c.slot(op, WHOLE), c.constant(NOTHING))
    return c.input(op.name, np.ma.getmaskarray)


def literal_rule(c: Compiler, op: Any, aspect: Aspect) -> int:
    """The rule of a constant."""
    value = op.value
    if aspect is NULL:
        return c.constant(value is None)
    if aspect in (TRUE, FALSE):
        return c.constant(value is (aspect is TRUE))
    if aspect is CODE:
        return c.constant(c.code(value))
    if aspect is NUMBER:
        return c.constant(math.nan if value is None else float(value))
    if op.dtype.is_interval():
        value = timedelta(**{op.dtype.unit.plural: value}) // timedelta(microseconds=1)
    elif op.dtype.is_timestamp() and value is not None:
        value = np.datetime64(value, "us").astype(np.int64)
    return c.constant(np.int64(0 if value is None else value))
