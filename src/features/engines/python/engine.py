"""The engine that holds tables as lists, and what compiles a query for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import ibis.expr.operations as ops
import ibis.expr.types as ir

from .primitives import (
    column_named,
    contained,
    each_one,
    greatest_before,
    mapped_over,
    numbered,
    ordered_parts,
    over_groups,
    over_parts,
    parts_of,
    repeated,
)
from .relations import RELATIONS, Frame
from .rows import Rows
from .values import REDUCTIONS, Function, constant, kind_of, made, unknown

PLAIN = "plain"
VARIABLE = "getvariable"  # the function that says the cut-off


@dataclass
class Plain:
    """The engine.

    Attributes:
        tables: by name.
        as_of: the cut-off, in microseconds since 1970.
        expressions: of tables that queries keep, by the query (see `engine`).
    """

    tables: dict[str, Rows] = field(default_factory=dict)
    as_of: int = 0
    expressions: dict[Any, ir.Table] = field(default_factory=dict)
    name: str = PLAIN

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled query.

    Attributes:
        registers: constants in their places.
        reads: names of tables by their places.
        cutoffs: places that hold the cut-off.
        steps: calls, with the places of their arguments and of their result.
        answer: place of the rows.
    """

    registers: tuple[Any, ...]
    reads: Mapping[int, str]
    cutoffs: tuple[int, ...]
    steps: tuple[tuple[Function, tuple[int, ...], int], ...]
    answer: int

    def __call__(self, engine: Plain) -> Rows:
        """The rows that the query asks for."""
        registers = list(self.registers)
        for place, name in self.reads.items():
            registers[place] = engine.tables[name]
        for place in self.cutoffs:
            registers[place] = engine.as_of
        for function, arguments, target in self.steps:
            registers[target] = function(*[registers[place] for place in arguments])
        answer: Rows = registers[self.answer]
        return answer


def planned(query: ir.Table) -> Plan:
    """Compiles a query.

    Raises:
        TypeError: an operation has no rule.
    """
    compiler = Compiler()
    answer = compiler.relation(query.op())
    return Plan(
        tuple(compiler.registers), compiler.reads, tuple(compiler.cutoffs),
        tuple(compiler.steps), answer,
    )  # fmt: skip


@dataclass
class Compiler:
    """Makes the steps of a query.

    Attributes:
        registers: constants in their places, None in those of results.
        reads: names of tables by their places.
        cutoffs: places of the cut-off.
        steps: as a plan has them.
    """

    registers: list[Any] = field(default_factory=list)
    reads: dict[int, str] = field(default_factory=dict)
    cutoffs: list[int] = field(default_factory=list)
    steps: list[tuple[Function, tuple[int, ...], int]] = field(default_factory=list)
    _relations: dict[Any, int] = field(default_factory=dict)
    _frames: dict[Any, Frame] = field(default_factory=dict)
    _values: dict[Any, tuple[int, bool]] = field(default_factory=dict)

    def emit(self, function: Function, *arguments: int) -> int:
        """The place of a call's result."""
        target = self.place()
        self.steps.append((function, arguments, target))
        return target

    def place(self, value: Any = None) -> int:
        """A new place."""
        self.registers.append(value)
        return len(self.registers) - 1

    def relation(self, op: Any) -> int:
        """The place of a relation's rows."""
        if op not in self._relations:
            rule = RELATIONS.get(type(op))
            if rule is None:
                raise unknown(op)
            self._relations[op] = rule(self, op)
        return self._relations[op]

    def frame(self, op: Any) -> Frame:
        """Where the columns of one relation are found."""
        if op not in self._frames:
            self._frames[op] = Frame({op: self.relation(op)})
        return self._frames[op]

    def value(self, op: Any, frame: Frame) -> tuple[int, bool]:
        """The place of a value, and whether it is one for all rows."""
        key = (op, frame)
        if key not in self._values:
            self._values[key] = self._made(op, frame)
        return self._values[key]

    def _made(self, op: Any, frame: Frame) -> tuple[int, bool]:
        if isinstance(op, ops.Literal):
            return self.place(constant(op)), True
        if kind_of(op) == VARIABLE:
            self.cutoffs.append(self.place())
            return self.cutoffs[-1], True
        if isinstance(op, ops.Field):
            return self.emit(column_named(op.name), frame.rows[op.rel]), False
        if isinstance(op, ops.WindowFunction):
            return self._window(op, frame), False
        if isinstance(op, ops.InSubquery):
            needle = self.column(op.needle, frame)
            return self.emit(contained, needle, self.relation(op.rel)), False
        if isinstance(op, ops.Reduction | ops.AggUDF) and frame.of_groups is not None:
            return self._reduced(op, *frame.of_groups), False
        function, parts = made(op)
        found = [self.value(part, frame) for part in parts]
        places, single = [place for place, _single in found], [one for _place, one in found]
        if all(single):
            return self.emit(function, *places), True
        return self.emit(mapped_over(function, single), *places), False

    def column(self, op: Any, frame: Frame) -> int:
        """The place of a value of every row."""
        place, single = self.value(op, frame)
        return self.emit(repeated, place, *list(frame.rows.values())[:1]) if single else place

    def _reduced(self, op: Any, groups: int, frame: Frame) -> int:
        reduce = REDUCTIONS.get(kind_of(op))
        if reduce is None:
            raise unknown(op)
        rows = next(iter(frame.rows.values()))
        counted = isinstance(op, ops.CountStar)
        argument = self.emit(each_one, rows) if counted else self.column(op.__args__[0], frame)
        where = [] if op.where is None else [self.column(op.where, frame)]
        return self.emit(over_groups(reduce), groups, argument, *where)

    def _window(self, op: Any, frame: Frame) -> int:
        kind, rows = type(op.func), next(iter(frame.rows.values()))
        parts = self.emit(parts_of, rows, *(self.column(one, frame) for one in op.group_by))
        keys = [(key.ascending, key.nulls_first) for key in op.order_by]
        ordered = self.emit(
            ordered_parts(keys), parts, *(self.column(key.arg, frame) for key in op.order_by)
        )
        if kind is ops.RowNumber:
            return self.emit(numbered, rows, ordered)
        if kind not in (ops.Max, ops.Min) or op.func.where is not None:
            raise unknown(op.func)
        argument = self.column(op.func.arg, frame)
        if not op.order_by and op.start is None and op.end is None:
            return self.emit(over_parts(REDUCTIONS[kind]), rows, ordered, argument)
        if op.how == "rows" and op.start is None and kind is ops.Max and _is_before(op.end):
            return self.emit(greatest_before, rows, ordered, argument)
        raise unknown(op)


def _is_before(boundary: Any) -> bool:
    """Whether a window ends with the row before."""
    return (
        isinstance(boundary, ops.WindowBoundary)
        and boundary.preceding
        and isinstance(boundary.value, ops.Literal)
        and boundary.value.value == 1
    )
