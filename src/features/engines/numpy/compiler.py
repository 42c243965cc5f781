"""Makes the steps of expressions from the graph of their operations, by given rules."""

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
    TRUE,
    Aspect,
    Evaluator,
    Load,
    Output,
    Step,
    TextColumn,
    build_evaluator,
)
from .kernel import Operation
from .primitives import (
    NULL_TEXT,
    TextCodes,
    encode_texts,
    load_text,
    to_conditions,
    to_instants,
    to_whole,
)

Rule: TypeAlias = Callable[["ExpressionCompiler", Any, Aspect], int]
"""Makes the steps for one aspect of an operation, and gives the register of its result."""

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
    _steps: list[Step] = field(default_factory=list)
    _inputs: dict[int, tuple[str, Load]] = field(default_factory=dict)
    _constants: dict[int, int] = field(default_factory=dict)  # the bits of each
    _register_by_key: dict[Any, int] = field(default_factory=dict)
    _codes: TextCodes = field(default_factory=lambda: TextCodes({None: NULL_TEXT}))
    _encode: Load = field(init=False)
    _supported: set[Any] = field(init=False)  # by a rule for some aspect; others may follow from it

    def __post_init__(self) -> None:
        self._supported = {operation for _aspect, operation in self.rules}
        self._encode = partial(encode_texts, self._codes)

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

    def emit(self, operation: Operation, *arguments: int) -> int:
        """The register of an operation's result; of constants it is done at once."""
        key = (operation, arguments)
        if key not in self._register_by_key:
            if self._constants.keys() >= set(arguments):
                self._register_by_key[key] = self._fold(operation, arguments)
            else:
                self._register_by_key[key] = self._new_register()
                self._steps.append(Step(operation, arguments, self._register_by_key[key]))
        return self._register_by_key[key]

    def _fold(self, operation: Operation, arguments: tuple[int, ...]) -> int:
        """The constant that an operation makes of constants, as the evaluator makes it."""
        known = {register: self._constants[register] for register in arguments}
        evaluate = build_evaluator(known, {}, [Step(operation, arguments, -1)], {"": Output((-1,))})
        return self._constant_of_bits(int(evaluate({})[""].view(np.int64)[0]))

    def constant(self, value: float) -> int:
        """The register of a constant: a float64, a whole number or a condition."""
        if isinstance(value, float):
            return self._constant_of_bits(int(np.float64(value).view(np.int64)))
        return self._constant_of_bits(int(value))

    def _constant_of_bits(self, bits: int) -> int:
        if bits not in self._register_by_key:
            self._register_by_key[bits] = self._new_register()
            self._constants[self._register_by_key[bits]] = bits
        return self._register_by_key[bits]

    def input(self, name: str, load: Load) -> int:
        """The register of a column, read by a function."""
        key = (name, load)
        if key not in self._register_by_key:
            self._register_by_key[key] = self._new_register()
            self._inputs[self._register_by_key[key]] = key
        return self._register_by_key[key]

    def _new_register(self) -> int:
        return len(self._constants) + len(self._inputs) + len(self._steps)

    def is_always(self, register: int, value: bool) -> bool:
        """Whether a condition is known to have one answer in every row."""
        return register in self._constants and bool(self._constants[register]) is value

    def all_of(self, *conditions: int) -> int:
        """Where all of some conditions hold."""
        return self._combine(Operation.AND_BITS, conditions, neutral=True)

    def any_of(self, *conditions: int) -> int:
        """Where any of some conditions holds."""
        return self._combine(Operation.OR_BITS, conditions, neutral=False)

    def _combine(self, operation: Operation, conditions: Sequence[int], *, neutral: bool) -> int:
        needed = [c for c in dict.fromkeys(conditions) if not self.is_always(c, neutral)]
        if not needed or any(self.is_always(c, not neutral) for c in needed):
            return self.constant(neutral if not needed else not neutral)
        return reduce(partial(self.emit, operation), needed)

    def negate(self, condition: int) -> int:
        """Where a condition does not hold."""
        return self.emit(Operation.NOT, condition)

    def is_nan(self, op: Any) -> int:
        """Where a number is null."""
        return self.emit(Operation.IS_NULL, self.register(op, FLOAT))

    def any_argument_null(self, op: Any) -> int:
        """Where any argument is null."""
        parts = (part for part in op.__args__ if isinstance(part, ops.Value))
        return self.any_of(*(self.register(part, NULL) for part in parts))

    def is_false(self, op: Any) -> int:
        """Where a condition is false."""
        return self.negate(self.any_of(self.register(op, TRUE), self.register(op, NULL)))

    def integer_to_float(self, op: Any) -> int:
        """A whole number as float64."""
        number = self.emit(Operation.WHOLE_TO_FLOAT, self.register(op, INTEGER))
        return self.unless(self.register(op, NULL), number, self.constant(math.nan))

    def float_to_integer(self, op: Any) -> int:
        """A number as int64."""
        non_null = self.unless(
            self.register(op, NULL), self.register(op, FLOAT), self.constant(0.0)
        )
        return self.emit(Operation.FLOAT_TO_WHOLE, non_null)

    def unless(self, condition: int, value: int, otherwise: int) -> int:
        """`value` where the condition does not hold."""
        if self.is_always(condition, False):
            return value
        return self.emit(Operation.CHOOSE, condition, otherwise, value)

    def text_code(self, text: str | None) -> int:
        """The code of a text that an expression names."""
        return self._codes.setdefault(text, len(self._codes))

    def encode_column(self, op: Any) -> int:
        """The codes of a column of texts. All texts are known before the first row is read."""
        return self.input(op.name, self._encode)

    def output(self, op: Any) -> Output | TextColumn:
        """What an expression gives. Arguments go before what reads them: no deep recursion."""
        ordered, _readers = Graph.from_bfs(op, filter=ops.Value).toposort()
        for part in ordered:
            if part.dtype.is_string():
                if not isinstance(part, ops.Field | ops.Literal):
                    raise unsupported_operation(part, "numpy", "numpy/rules.py")
            elif not isinstance(part, ops.Literal):
                self.register(part, self._preferred_aspect(part))
        kind = op.dtype
        if kind.is_string():
            return self._text(op)
        aspect = self._preferred_aspect(op)
        if aspect is FLOAT and not kind.is_integer():
            return Output((self.register(op, FLOAT),))
        finish = to_instants if kind.is_timestamp() else to_whole
        if kind.is_boolean():
            return Output((self.register(op, TRUE), self.register(op, NULL)), to_conditions)
        return Output((self.register(op, INTEGER), self.register(op, NULL)), finish)

    def _text(self, op: Any) -> TextColumn:
        if not isinstance(op, ops.Field):
            raise unsupported_operation(op, "numpy", "numpy/rules.py")
        if isinstance(op.rel, ops.Project):
            return self._text(op.rel.values[op.name])
        self.require_own_column(op)
        return TextColumn(op.name, load_text)

    def require_own_column(self, op: Any) -> None:
        """Refuses a column of another table.

        Raises:
            TypeError: it is one.
        """
        if op.rel != self.table:
            raise TypeError(f"expected columns of one table, got {op.name!r} of another")

    def build_evaluator(self, outputs: Mapping[str, Output | TextColumn]) -> Evaluator:
        """Only the steps that some output reads, and what they need."""
        numbers = [output for output in outputs.values() if isinstance(output, Output)]
        read = {slot for output in numbers for slot in output.registers}
        steps = []
        for step in reversed(self._steps):
            if step.target in read:
                read.update(step.arguments)
                steps.append(step)
        constants = {slot: bits for slot, bits in self._constants.items() if slot in read}
        inputs = {slot: known for slot, known in self._inputs.items() if slot in read}
        return build_evaluator(constants, inputs, steps[::-1], outputs)

    def _preferred_aspect(self, op: Any) -> Aspect:
        """The aspect that says most of a value of its type."""
        dtype = op.dtype
        if dtype.is_boolean():
            return TRUE
        if dtype.is_timestamp():
            return INTEGER
        if dtype.is_integer():
            return INTEGER if (INTEGER, operation_key(op)) in self.rules else FLOAT
        return FLOAT

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
