"""Makes the steps of a query from the graph of its operations, by given rules for relations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import ibis.expr.operations as ops

from ..as_of_variable import AS_OF_FUNCTION
from ..operations import literal_value, operation_key, unsupported_operation
from .primitives import (
    aggregate_all,
    aggregate_groups,
    aggregate_partitions,
    column_getter,
    is_in,
    map_columns,
    order_partitions,
    partition_rows,
    repeat_value,
    row_numbers,
    running_max_before,
)
from .values import AGGREGATE_FUNCTIONS, ENGINE, unsupported_value, value_call
from .written import Call, Step, Written

RelationRule: TypeAlias = Callable[["QueryCompiler", Any], int]
"""Makes the steps of a relation, and gives the place of its rows."""


def unsupported_relation(op: Any) -> TypeError:
    """The error of a relation, or a join, without a rule."""
    return unsupported_operation(op, ENGINE, "python/relations.py")


@dataclass(frozen=True, eq=False)
class Scope:
    """Where the columns of an expression are found.

    Attributes:
        rows: place of the rows of each relation.
        groups: places of the groups that reductions reduce to, and the scope of their rows.
    """

    rows: Mapping[Any, int]
    groups: tuple[int, Scope] | None = None


@dataclass
class QueryCompiler:
    """Makes the steps of a query.

    Attributes:
        relation_rules: by the class of the relation.
        needed: columns that are read, by relation.
        registers: constants in their places, None in those of results.
        tables_read: names of tables by their places.
        as_of_registers: places of the cut-off.
        steps: as a plan has them.
        keyed: whether groups, by their place, have keys.
    """

    relation_rules: Mapping[Any, RelationRule]
    needed: Mapping[Any, frozenset[str]]
    registers: list[Any] = field(default_factory=list)
    tables_read: dict[int, str] = field(default_factory=dict)
    as_of_registers: list[int] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    keyed: dict[int, bool] = field(default_factory=dict)
    _relations: dict[Any, int] = field(default_factory=dict)
    _scopes: dict[Any, Scope] = field(default_factory=dict)
    _values: dict[Any, tuple[int, bool]] = field(default_factory=dict)

    def emit(self, call: Call, *arguments: int) -> int:
        """The place of a call's result."""
        target = self.new_register()
        self.steps.append((call, arguments, target))
        return target

    def new_register(self, value: Any = None) -> int:
        """A new place."""
        self.registers.append(value)
        return len(self.registers) - 1

    def relation(self, op: Any) -> int:
        """The place of a relation's rows."""
        if op not in self._relations:
            rule = self.relation_rules.get(type(op))
            if rule is None:
                raise unsupported_relation(op)
            self._relations[op] = rule(self, op)
        return self._relations[op]

    def scope(self, op: Any) -> Scope:
        """Where the columns of one relation are found."""
        if op not in self._scopes:
            self._scopes[op] = Scope({op: self.relation(op)})
        return self._scopes[op]

    def value(self, op: Any, scope: Scope) -> tuple[int, bool]:
        """The place of a value, and whether it is one for all rows."""
        key = (op, scope)
        if key not in self._values:
            self._values[key] = self._compile_value(op, scope)
        return self._values[key]

    def _compile_value(self, op: Any, scope: Scope) -> tuple[int, bool]:
        if isinstance(op, ops.Literal):
            return self.new_register(literal_value(op)), True
        if operation_key(op) == AS_OF_FUNCTION:
            self.as_of_registers.append(self.new_register())
            return self.as_of_registers[-1], True
        if isinstance(op, ops.Field):
            return self.emit(column_getter(op.name), scope.rows[op.rel]), False
        if isinstance(op, ops.WindowFunction):
            return self._compile_window(op, scope), False
        if isinstance(op, ops.InSubquery):
            needle = self.column(op.needle, scope)
            return self.emit(is_in, needle, self.relation(op.rel)), False
        if isinstance(op, ops.Reduction | ops.AggUDF) and scope.groups is not None:
            return self._compile_aggregate(op, *scope.groups), False
        function, parts = value_call(op)
        found = [self.value(part, scope) for part in parts]
        places, single = [place for place, _single in found], [one for _place, one in found]
        if all(single):
            return self.emit(function, *places), True
        return self.emit(map_columns(function, single), *places), False

    def column(self, op: Any, scope: Scope) -> int:
        """The place of a value of every row."""
        place, single = self.value(op, scope)
        return self.emit(repeat_value, place, *list(scope.rows.values())[:1]) if single else place

    def _compile_aggregate(self, op: Any, groups: int, scope: Scope) -> int:
        aggregate = AGGREGATE_FUNCTIONS.get(operation_key(op))
        if aggregate is None:
            raise unsupported_value(op)
        if isinstance(op, ops.CountStar):
            if op.where is None:
                return self.emit(Written("{0}.sizes"), groups)
            where = self.column(op.where, scope)  # of those that count it is what is counted
            return self.emit(aggregate_groups(aggregate), groups, where, where)
        argument = self.column(op.__args__[0], scope)
        if op.where is not None:
            where = self.column(op.where, scope)
            return self.emit(aggregate_groups(aggregate), groups, argument, where)
        if not self.keyed[groups]:
            return self.emit(aggregate_all(aggregate), argument)
        return self.emit(aggregate_groups(aggregate), groups, argument)

    def _compile_window(self, op: Any, scope: Scope) -> int:
        kind, rows = type(op.func), next(iter(scope.rows.values()))
        parts = self.emit(partition_rows, rows, *(self.column(one, scope) for one in op.group_by))
        keys = [(key.ascending, key.nulls_first) for key in op.order_by]
        ordered = self.emit(
            order_partitions(keys), parts, *(self.column(key.arg, scope) for key in op.order_by)
        )
        if kind is ops.RowNumber:
            return self.emit(row_numbers, rows, ordered)
        if kind not in (ops.Max, ops.Min) or op.func.where is not None:
            raise unsupported_value(op.func)
        argument = self.column(op.func.arg, scope)
        if not op.order_by and op.start is None and op.end is None:
            return self.emit(
                aggregate_partitions(AGGREGATE_FUNCTIONS[kind]), rows, ordered, argument
            )
        if (
            op.how == "rows"
            and op.start is None
            and kind is ops.Max
            and _ends_before_current_row(op.end)
        ):
            return self.emit(running_max_before, rows, ordered, argument)
        raise unsupported_value(op)


def _ends_before_current_row(boundary: Any) -> bool:
    """Whether a window ends with the row before."""
    return (
        isinstance(boundary, ops.WindowBoundary)
        and boundary.preceding
        and isinstance(boundary.value, ops.Literal)
        and boundary.value.value == 1
    )
