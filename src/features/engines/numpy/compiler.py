"""Makes the numpy calls of expressions from the graph of their operations, by given rules."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce
from typing import Any, TypeAlias

import ibis.expr.operations as ops
import numpy as np
from ibis.common.graph import Graph

from ..operations import operation_key, unsupported_operation
from .evaluator import (
    FALSE,
    FLOAT,
    INTEGER,
    NULL,
    TEXT,
    TRUE,
    Aspect,
    Evaluator,
    Function,
    Output,
    Step,
    generate_evaluator,
)
from .primitives import (
    NULL_TEXT,
    TextCodes,
    encode_texts,
    identity,
    mask_nulls,
    to_float,
    to_instants,
    to_integer,
)

Rule: TypeAlias = Callable[["ExpressionCompiler", Any, Aspect], int]
"""Makes the calls for one aspect of an operation, and gives the register of its result."""

Derivation: TypeAlias = Callable[["ExpressionCompiler", Any], int]


@dataclass
class ExpressionCompiler:
    """Makes the steps of expressions.

    Attributes:
        table: the operation whose columns are the inputs.
        rules: by the aspect wanted and the `operation_key`.
    """

    table: Any
    rules: Mapping[tuple[Aspect, Any], Rule]
    _registers: list[Any] = field(default_factory=list)
    _steps: list[Step] = field(default_factory=list)
    _inputs: dict[int, tuple[str, Function]] = field(default_factory=dict)
    _constants: set[int] = field(default_factory=set)
    _register_by_key: dict[Any, int] = field(default_factory=dict)
    _codes: TextCodes = field(default_factory=lambda: TextCodes({None: NULL_TEXT}))
    _supported: set[Any] = field(init=False)  # by a rule for some aspect; others may follow from it

    def __post_init__(self) -> None:
        self._supported = {operation for _aspect, operation in self.rules}

    def register(self, op: Any, aspect: Aspect) -> int:
        """The register that will hold an aspect of an operation's value."""
        key = (op, aspect)
        if key not in self._register_by_key:
            self._register_by_key[key] = self._emit_aspect(op, aspect)
        return self._register_by_key[key]

    def _emit_aspect(self, op: Any, aspect: Aspect) -> int:
        operation = operation_key(op)
        if (aspect, operation) in self.rules:
            return self.rules[aspect, operation](self, op, aspect)
        derivation = self._derivation(op, aspect) if operation in self._supported else None
        if derivation is None:
            raise unsupported_operation(op, "numpy", "numpy/rules.py")
        return derivation(self, op)

    def emit(self, function: Function, *arguments: int) -> int:
        """The register of a call's result; a call of constants is made at once."""
        key = (function, arguments)
        if key not in self._register_by_key:
            if self._constants.issuperset(arguments):
                with np.errstate(all="ignore"):
                    value = function(*[self._registers[i] for i in arguments])
                self._register_by_key[key] = self.constant(value)
            else:
                self._register_by_key[key] = self._new_register()
                self._steps.append(Step(function, arguments, self._register_by_key[key]))
        return self._register_by_key[key]

    def constant(self, value: Any) -> int:
        """The register of a constant."""
        values = np.asarray(value)
        key = (values.dtype.str, values.tobytes())
        if key not in self._register_by_key:
            self._register_by_key[key] = self._new_register(values)
            self._constants.add(self._register_by_key[key])
        return self._register_by_key[key]

    def input(self, name: str, load: Function) -> int:
        """The register of a column, read by a function."""
        key = (name, load)
        if key not in self._register_by_key:
            self._register_by_key[key] = self._new_register()
            self._inputs[self._register_by_key[key]] = key
        return self._register_by_key[key]

    def _new_register(self, value: Any = None) -> int:
        self._registers.append(value)
        return len(self._registers) - 1

    def is_always(self, register: int, value: bool) -> bool:
        """Whether a condition is known to have one answer in every row."""
        return register in self._constants and bool(self._registers[register]) is value

    def all_of(self, *conditions: int) -> int:
        """Where all of some conditions hold."""
        return self._combine(np.logical_and, conditions, neutral=True)

    def any_of(self, *conditions: int) -> int:
        """Where any of some conditions holds."""
        return self._combine(np.logical_or, conditions, neutral=False)

    def _combine(self, function: Function, conditions: Sequence[int], *, neutral: bool) -> int:
        needed = [c for c in dict.fromkeys(conditions) if not self.is_always(c, neutral)]
        if not needed or any(self.is_always(c, not neutral) for c in needed):
            return self.constant(neutral if not needed else not neutral)
        return reduce(partial(self.emit, function), needed)

    def negate(self, condition: int) -> int:
        """Where a condition does not hold."""
        return self.emit(np.logical_not, condition)

    def is_nan(self, op: Any) -> int:
        """Where a number is null."""
        return self.emit(np.isnan, self.register(op, FLOAT))

    def any_argument_null(self, op: Any) -> int:
        """Where any argument is null."""
        parts = (part for part in op.__args__ if isinstance(part, ops.Value))
        return self.any_of(*(self.register(part, NULL) for part in parts))

    def is_false(self, op: Any) -> int:
        """Where a condition is false."""
        return self.negate(self.any_of(self.register(op, TRUE), self.register(op, NULL)))

    def integer_to_float(self, op: Any) -> int:
        """A whole number as float64."""
        number = self.emit(to_float, self.register(op, INTEGER))
        return self.unless(self.register(op, NULL), number, self.constant(math.nan))

    def float_to_integer(self, op: Any) -> int:
        """A number as int64."""
        non_null = self.unless(
            self.register(op, NULL), self.register(op, FLOAT), self.constant(0.0)
        )
        return self.emit(to_integer, non_null)

    def unless(self, condition: int, value: int, otherwise: int) -> int:
        """`value` where the condition does not hold."""
        if self.is_always(condition, False):
            return value
        return self.emit(np.where, condition, otherwise, value)

    def text_code(self, text: str | None) -> int:
        """The code of a text that an expression names."""
        return self._codes.setdefault(text, len(self._codes))

    def encode_column(self, op: Any) -> int:
        """The codes of a column of texts. All texts are known before the first row is read."""
        return self.emit(partial(encode_texts, self._codes), self.register(op, TEXT))

    def output(self, op: Any) -> Output:
        """What finishes an expression. Arguments go before what reads them: no deep recursion."""
        ordered, _readers = Graph.from_bfs(op, filter=ops.Value).toposort()
        for part in ordered:
            if not isinstance(part, ops.Literal):
                self.register(part, self._preferred_aspect(part))
        aspect, kind = self._preferred_aspect(op), op.dtype
        if aspect in (FLOAT, TEXT) and not kind.is_integer():
            return Output(identity, (self.register(op, aspect),))
        finish = to_instants if kind.is_timestamp() else mask_nulls
        aspect = TRUE if kind.is_boolean() else INTEGER
        return Output(finish, (self.register(op, aspect), self.register(op, NULL)))

    def build_evaluator(self, outputs: Mapping[str, Output]) -> Evaluator:
        """Only the steps that some output reads, each with the registers read there last."""
        read = {slot for output in outputs.values() for slot in output.registers}
        steps = []
        for step in reversed(self._steps):
            if step.target in read:
                last = set(step.arguments) - read - self._constants
                read.update(step.arguments)
                steps.append(Step(step.function, step.arguments, step.target, tuple(last)))
        inputs = {slot: known for slot, known in self._inputs.items() if slot in read}
        return generate_evaluator(self._registers, inputs, steps[::-1], outputs)

    def _preferred_aspect(self, op: Any) -> Aspect:
        """The aspect that says most of a value of its type."""
        dtype = op.dtype
        if dtype.is_boolean():
            return TRUE
        if dtype.is_timestamp():
            return INTEGER
        if dtype.is_integer():
            return INTEGER if (INTEGER, operation_key(op)) in self.rules else FLOAT
        return TEXT if dtype.is_string() else FLOAT

    def _derivation(self, op: Any, aspect: Aspect) -> Derivation | None:
        """What makes an aspect that follows from the others, if it does."""
        operation, is_integer = operation_key(op), op.dtype.is_integer()
        if aspect is NULL:
            floating = op.dtype.is_floating()
            return ExpressionCompiler.is_nan if floating else ExpressionCompiler.any_argument_null
        if aspect is FALSE and (TRUE, operation) in self.rules:
            return ExpressionCompiler.is_false
        if aspect is FLOAT and is_integer and (INTEGER, operation) in self.rules:
            return ExpressionCompiler.integer_to_float
        if aspect is INTEGER and is_integer and (FLOAT, operation) in self.rules:
            return ExpressionCompiler.float_to_integer
        return None
