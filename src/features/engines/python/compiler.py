"""Makes the steps of a query from the graph of its operations, by given rules for relations.

The steps are the same whether a column is a list or an array; what they call is `Primitives`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import ibis.expr.operations as ops

from ..as_of_variable import AS_OF_FUNCTION
from ..operations import literal_value, operation_key, unsupported_operation
from .primitives import column_getter
from .rows import ListTable
from .values import AGGREGATE_FUNCTIONS, ENGINE, Function, unsupported_value, value_call
from .written import Call, Step, Written

RelationRule: TypeAlias = Callable[["QueryCompiler", Any], int]
"""Makes the steps of a relation, and gives the place of its rows."""


def unsupported_relation(op: Any) -> TypeError:
    """The error of a relation, or a join, without a rule."""
    return unsupported_operation(op, ENGINE, "python/relations.py")


@dataclass(frozen=True)
class Primitives:
    """What the steps of a query call, for one kind of columns.

    An operation is given where the kind of the columns depends on the type of its values.

    Attributes:
        table: the class of rows.
        map_values: of an operation, its function of single values and which of its arguments are
            one value for all rows: what makes the column.
        repeat_value: of an operation: what makes a column of one value, of it and rows.
        is_in: of a column and a table of one column: whether each value is in it.
        keep_rows: of rows and columns of conditions.
        sort_rows: of (ascending, nulls first) of each key: what sorts rows by columns.
        distinct_rows: of rows.
        concatenate: of column names and two tables.
        group_rows: of rows and columns of keys: groups, which have `sizes` and `key_column`.
        aggregate_groups: of an operation and its function of the values of a group: what reduces
            a column, perhaps where a condition holds, to a column of the groups.
        aggregate_all: the same of all rows, to a column of one value.
        partition_rows: of rows and columns of keys: the parts of a window.
        order_partitions: of (ascending, nulls first) of each key: what sorts parts by columns.
        row_numbers: of rows and parts.
        aggregate_partitions: of an operation and its function: what gives each row what its part
            reduces to.
        running_max_before: of an operation: what gives each row the greatest value before it.
        match_pairs: of the number of keys, and whether rows without a match stay: what joins.
        match_members: of the number of keys, and whether rows with a match stay or those without.
        pick: of a column and places: the values there.
        pick_left: of places and the matches of a join: the places of its rows.
    """

    table: type[ListTable]
    map_values: Callable[[Any, Function, Sequence[bool]], Call]
    repeat_value: Callable[[Any], Call]
    is_in: Function
    keep_rows: Function
    sort_rows: Callable[[Sequence[tuple[bool, bool]]], Call]
    distinct_rows: Function
    concatenate: Function
    group_rows: Function
    aggregate_groups: Callable[[Any, Function], Call]
    aggregate_all: Callable[[Any, Function], Call]
    partition_rows: Function
    order_partitions: Callable[[Sequence[tuple[bool, bool]]], Call]
    row_numbers: Function
    aggregate_partitions: Callable[[Any, Function], Call]
    running_max_before: Callable[[Any], Call]
    match_pairs: Callable[..., Function]
    match_members: Callable[..., Function]
    pick: Function
    pick_left: Function


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
        primitives: what the steps call.
        registers: constants in their places, None in those of results.
        tables_read: names of tables by their places.
        as_of_registers: places of the cut-off.
        steps: as a plan has them.
        keyed: whether groups, by their place, have keys.
    """

    relation_rules: Mapping[Any, RelationRule]
    needed: Mapping[Any, frozenset[str]]
    primitives: Primitives
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
            return self.emit(self.primitives.is_in, needle, self.relation(op.rel)), False
        if isinstance(op, ops.Reduction | ops.AggUDF) and scope.groups is not None:
            return self._compile_aggregate(op, *scope.groups), False
        function, parts = value_call(op)
        found = [self.value(part, scope) for part in parts]
        places, single = [place for place, _single in found], [one for _place, one in found]
        if all(single):
            return self.emit(function, *places), True
        return self.emit(self.primitives.map_values(op, function, single), *places), False

    def column(self, op: Any, scope: Scope) -> int:
        """The place of a value of every row."""
        place, single = self.value(op, scope)
        if not single:
            return place
        return self.emit(self.primitives.repeat_value(op), place, *list(scope.rows.values())[:1])

    def _compile_aggregate(self, op: Any, groups: int, scope: Scope) -> int:
        primitives, aggregate = self.primitives, AGGREGATE_FUNCTIONS.get(operation_key(op))
        if aggregate is None:
            raise unsupported_value(op)
        if isinstance(op, ops.CountStar):
            if op.where is None:
                return self.emit(Written("{0}.sizes"), groups)
            where = self.column(op.where, scope)  # of those that count it is what is counted
            return self.emit(primitives.aggregate_groups(op, aggregate), groups, where, where)
        argument = self.column(op.__args__[0], scope)
        if op.where is not None:
            where = self.column(op.where, scope)
            return self.emit(primitives.aggregate_groups(op, aggregate), groups, argument, where)
        if not self.keyed[groups]:
            return self.emit(primitives.aggregate_all(op, aggregate), argument)
        return self.emit(primitives.aggregate_groups(op, aggregate), groups, argument)

    def _compile_window(self, op: Any, scope: Scope) -> int:
        kind, rows = type(op.func), next(iter(scope.rows.values()))
        primitives = self.primitives
        part_keys = [self.column(one, scope) for one in op.group_by]
        parts = self.emit(primitives.partition_rows, rows, *part_keys)
        keys = [(key.ascending, key.nulls_first) for key in op.order_by]
        sorted_by = [self.column(key.arg, scope) for key in op.order_by]
        ordered = self.emit(primitives.order_partitions(keys), parts, *sorted_by)
        if kind is ops.RowNumber:
            return self.emit(primitives.row_numbers, rows, ordered)
        if kind not in (ops.Max, ops.Min) or op.func.where is not None:
            raise unsupported_value(op.func)
        argument = self.column(op.func.arg, scope)
        if not op.order_by and op.start is None and op.end is None:
            best = primitives.aggregate_partitions(op, AGGREGATE_FUNCTIONS[kind])
            return self.emit(best, rows, ordered, argument)
        if (
            op.how == "rows"
            and op.start is None
            and kind is ops.Max
            and _ends_before_current_row(op.end)
        ):
            return self.emit(primitives.running_max_before(op), rows, ordered, argument)
        raise unsupported_value(op)


def _ends_before_current_row(boundary: Any) -> bool:
    """Whether a window ends with the row before."""
    return (
        isinstance(boundary, ops.WindowBoundary)
        and boundary.preceding
        and isinstance(boundary.value, ops.Literal)
        and boundary.value.value == 1
    )
