"""Makes the numpy calls of expressions from the graph of their operations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce
from typing import Any, TypeAlias

import ibis.expr.operations as ops
import ibis.expr.types as ir
import numpy as np
from ibis.common.graph import Graph

from .evaluator import (
    FALSE,
    NULL,
    NUMBER,
    TEXT,
    TRUE,
    WHOLE,
    Aspect,
    Evaluator,
    Function,
    Output,
    Step,
    evaluator,
)
from .primitives import NULL_TEXT, Codes, as_it_is, as_number, as_whole, encode, instants, masked
from .rules import RULED, RULES, kind_of, named

Derived: TypeAlias = Callable[["Compiler", Any], int]


def compiled(expressions: Mapping[str, ir.Value], table: ir.Table) -> Evaluator:
    """Compiles expressions over one table; what they share is evaluated once.

    Args:
        expressions: the results wanted, by name.
        table: with the columns that they read, directly or by way of `mutate` and `select`; a
            type that is not nullable ("!int64") saves the work for nulls.

    Returns:
        What evaluates them. Null by null it answers as DuckDB does, except that 0 / 0 is null.

    Raises:
        TypeError: an expression has an operation that there is no rule for.
    """
    compiler = Compiler(table.op())
    outputs = {name: compiler.output(value.op()) for name, value in expressions.items()}
    return compiler.evaluator(outputs)


@dataclass
class Compiler:
    """Makes the steps of expressions.

    Attributes:
        table: the operation whose columns are the inputs.
    """

    table: Any
    _registers: list[Any] = field(default_factory=list)
    _steps: list[Step] = field(default_factory=list)
    _inputs: dict[int, tuple[str, Function]] = field(default_factory=dict)
    _constants: set[int] = field(default_factory=set)
    _known: dict[Any, int] = field(default_factory=dict)
    _codes: Codes = field(default_factory=lambda: Codes({None: NULL_TEXT}))

    def slot(self, op: Any, aspect: Aspect) -> int:
        """The register that will hold an aspect of an operation's value."""
        key = (op, aspect)
        if key not in self._known:
            self._known[key] = self._made(op, aspect)
        return self._known[key]

    def _made(self, op: Any, aspect: Aspect) -> int:
        kind = kind_of(op)
        if (aspect, kind) in RULES:
            return RULES[aspect, kind](self, op, aspect)
        if kind in RULED and (derived := _derived(op, aspect)) is not None:
            return derived(self, op)
        raise TypeError(
            f"expected an operation that numpy has a rule for, got {named(op)}; declare it "
            "with operations that have one, or add a rule to features/engines/numpy/rules.py"
        )

    def emit(self, function: Function, *arguments: int) -> int:
        """The register of a call's result; a call of constants is made at once."""
        key = (function, arguments)
        if key not in self._known:
            if self._constants.issuperset(arguments):
                with np.errstate(all="ignore"):
                    value = function(*[self._registers[i] for i in arguments])
                self._known[key] = self.constant(value)
            else:
                self._known[key] = self._new()
                self._steps.append(Step(function, arguments, self._known[key]))
        return self._known[key]

    def constant(self, value: Any) -> int:
        """The register of a constant."""
        values = np.asarray(value)
        key = (values.dtype.str, values.tobytes())
        if key not in self._known:
            self._known[key] = self._new(values)
            self._constants.add(self._known[key])
        return self._known[key]

    def input(self, name: str, load: Function) -> int:
        """The register of a column, read by a function."""
        key = (name, load)
        if key not in self._known:
            self._known[key] = self._new()
            self._inputs[self._known[key]] = key
        return self._known[key]

    def _new(self, value: Any = None) -> int:
        self._registers.append(value)
        return len(self._registers) - 1

    def says(self, slot: int, answer: bool) -> bool:
        """Whether a condition is known to have one answer in every row."""
        return slot in self._constants and bool(self._registers[slot]) is answer

    def both(self, *conditions: int) -> int:
        """Where all of some conditions hold."""
        return self._joined(np.logical_and, conditions, neutral=True)

    def either(self, *conditions: int) -> int:
        """Where any of some conditions holds."""
        return self._joined(np.logical_or, conditions, neutral=False)

    def _joined(self, function: Function, conditions: Sequence[int], *, neutral: bool) -> int:
        wanted = [c for c in dict.fromkeys(conditions) if not self.says(c, neutral)]
        if not wanted or any(self.says(c, not neutral) for c in wanted):
            return self.constant(neutral if not wanted else not neutral)
        return reduce(partial(self.emit, function), wanted)

    def opposite(self, condition: int) -> int:
        """Where a condition does not hold."""
        return self.emit(np.logical_not, condition)

    def not_a_number(self, op: Any) -> int:
        """Where a number is null."""
        return self.emit(np.isnan, self.slot(op, NUMBER))

    def strict(self, op: Any) -> int:
        """Where any argument is null."""
        parts = (part for part in op.__args__ if isinstance(part, ops.Value))
        return self.either(*(self.slot(part, NULL) for part in parts))

    def neither_true_nor_null(self, op: Any) -> int:
        """Where a condition is false."""
        return self.opposite(self.either(self.slot(op, TRUE), self.slot(op, NULL)))

    def number_of_whole(self, op: Any) -> int:
        """A whole number as float64."""
        number = self.emit(as_number, self.slot(op, WHOLE))
        return self.unless(self.slot(op, NULL), number, self.constant(math.nan))

    def whole_of_number(self, op: Any) -> int:
        """A number as int64."""
        known = self.unless(self.slot(op, NULL), self.slot(op, NUMBER), self.constant(0.0))
        return self.emit(as_whole, known)

    def unless(self, condition: int, value: int, otherwise: int) -> int:
        """`value` where the condition does not hold."""
        if self.says(condition, False):
            return value
        return self.emit(np.where, condition, otherwise, value)

    def code(self, text: str | None) -> int:
        """The code of a text that an expression names."""
        return self._codes.setdefault(text, len(self._codes))

    def encoded(self, op: Any) -> int:
        """The codes of a column of texts. All texts are known before the first row is read."""
        return self.emit(partial(encode, self._codes), self.slot(op, TEXT))

    def output(self, op: Any) -> Output:
        """What finishes an expression. Arguments go before what reads them: no deep recursion."""
        ordered, _readers = Graph.from_bfs(op, filter=ops.Value).toposort()
        for part in ordered:
            if not isinstance(part, ops.Literal):
                self.slot(part, _natural(part))
        aspect, kind = _natural(op), op.dtype
        if aspect in (NUMBER, TEXT) and not kind.is_integer():
            return Output(as_it_is, (self.slot(op, aspect),))
        finish = instants if kind.is_timestamp() else masked
        aspect = TRUE if kind.is_boolean() else WHOLE
        return Output(finish, (self.slot(op, aspect), self.slot(op, NULL)))

    def evaluator(self, outputs: Mapping[str, Output]) -> Evaluator:
        """Only the steps that some output reads, each with the registers read there last."""
        read = {slot for output in outputs.values() for slot in output.slots}
        steps = []
        for step in reversed(self._steps):
            if step.target in read:
                last = set(step.arguments) - read - self._constants
                read.update(step.arguments)
                steps.append(Step(step.function, step.arguments, step.target, tuple(last)))
        inputs = {slot: known for slot, known in self._inputs.items() if slot in read}
        return evaluator(self._registers, inputs, steps[::-1], outputs)


def _natural(op: Any) -> Aspect:
    """The aspect that says most of a value of its type."""
    kind = op.dtype
    if kind.is_boolean():
        return TRUE
    if kind.is_integer() or kind.is_timestamp():
        return NUMBER if (WHOLE, kind_of(op)) not in RULES and kind.is_integer() else WHOLE
    return TEXT if kind.is_string() else NUMBER


def _derived(op: Any, aspect: Aspect) -> Derived | None:
    """What makes an aspect that follows from the others, if it does."""
    if aspect is NULL:
        return Compiler.not_a_number if op.dtype.is_floating() else Compiler.strict
    if aspect is FALSE and (TRUE, kind_of(op)) in RULES:
        return Compiler.neither_true_nor_null
    if aspect is NUMBER and op.dtype.is_integer() and (WHOLE, kind_of(op)) in RULES:
        return Compiler.number_of_whole
    if aspect is WHOLE and op.dtype.is_integer() and (NUMBER, kind_of(op)) in RULES:
        return Compiler.whole_of_number
    return None
