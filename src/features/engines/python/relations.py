"""The rules of plain Python for relations: how each makes rows of other rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from operator import itemgetter
from typing import Any

import ibis.expr.operations as ops

from .compiler import QueryCompiler, RelationRule, Scope, unsupported_relation
from .primitives import group_rows, partition_rows, sort_indices
from .rows import LazyColumns, ListTable
from .values import Function


def _table(c: QueryCompiler, op: Any) -> int:
    place = c.new_register()
    c.tables_read[place] = op.name
    return place


def _project(c: QueryCompiler, op: Any) -> int:
    return select_columns(c, op.values, c.relation(op.parent), c.scope(op.parent))


def select_columns(c: QueryCompiler, values: Mapping[str, Any], rows: int, scope: Scope) -> int:
    """Rows with the values as columns; columns that stay as they are wait until they are asked."""
    copied = {name: one for name, one in values.items() if isinstance(one, ops.Field)}
    sources = list(dict.fromkeys(scope.rows[one.rel] for one in copied.values()))
    origins = {name: (sources.index(scope.rows[one.rel]), one.name) for name, one in copied.items()}
    computed = {name: c.column(one, scope) for name, one in values.items() if name not in copied}
    names, computed_names, width = tuple(values), tuple(computed), len(sources)

    def select(rows: ListTable, *given: Any) -> ListTable:
        columns = LazyColumns(origins, given[:width])
        columns.update(zip(computed_names, given[width:], strict=True))
        return ListTable(rows.size, columns, names)

    return c.emit(select, rows, *sources, *computed.values())


def _filter(c: QueryCompiler, op: Any) -> int:
    rows, scope = c.relation(op.parent), c.scope(op.parent)
    return c.emit(_keep_rows, rows, *(c.column(one, scope) for one in op.predicates))


def _keep_rows(rows: ListTable, *conditions: list[Any]) -> ListTable:
    first, *others = conditions
    places = [place for place, held in enumerate(first) if held]
    for condition in others:
        places = [place for place in places if condition[place]]
    return rows.take(places)


def _sort(c: QueryCompiler, op: Any) -> int:
    rows, scope = c.relation(op.parent), c.scope(op.parent)
    keys = [(key.ascending, key.nulls_first) for key in op.keys]
    return c.emit(
        lambda rows, *columns: rows.take(sort_indices(list(range(rows.size)), keys, columns)),
        rows,
        *(c.column(key.arg, scope) for key in op.keys),
    )


def _limit(c: QueryCompiler, op: Any) -> int:
    if not isinstance(op.n, int) or op.offset:
        raise unsupported_relation(op)
    return c.emit(lambda rows: rows.take(range(min(op.n, rows.size))), c.relation(op.parent))


def _distinct(c: QueryCompiler, op: Any) -> int:
    return c.emit(_distinct_rows, c.relation(op.parent))


def _distinct_rows(rows: ListTable) -> ListTable:
    return rows.take(
        [
            places[0]
            for places in partition_rows(rows, *(rows.columns[name] for name in rows.column_names))
        ]
    )


def _union(c: QueryCompiler, op: Any) -> int:
    combined = c.emit(_concatenate, c.relation(op.left), c.relation(op.right))
    return c.emit(_distinct_rows, combined) if op.distinct else combined


def _concatenate(left: ListTable, right: ListTable) -> ListTable:
    columns = {name: left.columns[name] + right.columns[name] for name in left.column_names}
    return ListTable(left.size + right.size, columns, left.column_names)


def _drop_columns(c: QueryCompiler, op: Any) -> int:
    names = tuple(op.schema)
    return c.emit(lambda rows: ListTable(rows.size, rows.columns, names), c.relation(op.parent))


def _aggregate(c: QueryCompiler, op: Any) -> int:
    rows, scope = c.relation(op.parent), c.scope(op.parent)
    groups = c.emit(group_rows, rows, *(c.column(one, scope) for one in op.groups.values()))
    keys = [c.emit(_key_column(place), groups) for place in range(len(op.groups))]
    size = c.emit(lambda groups: ListTable(len(groups.keys), {}, ()), groups)
    # The rows of this scope are asked only for how many there are.
    group_scope = Scope({None: size}, (groups, scope))
    metrics = [c.column(one, group_scope) for one in op.metrics.values()]
    return c.emit(_name_columns([*op.groups, *op.metrics]), size, *keys, *metrics)


def _name_columns(names: Sequence[str]) -> Function:
    column_names = tuple(names)
    return lambda rows, *columns: ListTable(
        rows.size, dict(zip(column_names, columns, strict=True)), column_names
    )


def _key_column(place: int) -> Function:
    return lambda groups: [key[place] for key in groups.keys]


def join_chain(c: QueryCompiler, op: Any) -> int:
    """Rows of a chain of joins: places in each relation, from which the columns are taken."""
    first = c.relation(op.first)
    places = {op.first: c.emit(_all_indices, first)}
    for link in op.rest:
        right = c.relation(link.table)
        key_pairs = [_key_sides(one, link.table) for one in link.predicates]
        left_keys = [_left_key_column(c, left, places) for left, _right in key_pairs]
        right_keys = [c.column(one, c.scope(link.table)) for _left, one in key_pairs]
        matches = c.emit(_JOIN_KINDS[link.how](len(key_pairs)), right, *left_keys, *right_keys)
        places = {known: c.emit(_pick_left, place, matches) for known, place in places.items()}
        if link.how in ("inner", "left"):
            places[link.table] = c.emit(itemgetter(1), matches)
    taken = {known: c.emit(_take, c.relation(known), place) for known, place in places.items()}
    return select_columns(c, op.values, taken[op.first], Scope(taken))


def _take(rows: ListTable, places: list[int]) -> ListTable:
    return rows.take(places)


def _all_indices(rows: ListTable) -> list[int]:
    return list(range(rows.size))


def _pick_left(places: list[int], found: tuple[list[int], list[int]]) -> list[int]:
    return [places[place] for place in found[0]]


def _key_sides(predicate: Any, table: Any) -> tuple[Any, Any]:
    if not isinstance(predicate, ops.Equals):
        raise unsupported_relation(predicate)
    if predicate.right.relations == frozenset({table}):
        return predicate.left, predicate.right
    return predicate.right, predicate.left


def _left_key_column(c: QueryCompiler, op: Any, places: Mapping[Any, int]) -> int:
    """A column of the relation that it is of, for each row of the chain so far."""
    (relation,) = op.relations
    values = c.column(op, c.scope(relation))
    return c.emit(_pick, values, places[relation])


def _pick(values: list[Any], places: list[int]) -> list[Any]:
    return [None if place < 0 else values[place] for place in places]


def _row_keys(columns: Sequence[list[Any]]) -> list[Any]:
    """One key for each row; None where a part of it is null, for null equals nothing."""
    if len(columns) == 1:
        return columns[0]
    return [None if None in key else key for key in zip(*columns, strict=True)]


def _match_pairs(width: int, *, outer: bool) -> Function:
    def match_pairs(_right: ListTable, *columns: list[Any]) -> tuple[list[int], list[int]]:
        right_keys = _row_keys(columns[width:])
        place_of_key = dict(zip(right_keys, range(len(right_keys)), strict=True))
        if len(place_of_key) == len(right_keys):
            return _match_one(_row_keys(columns[:width]), place_of_key, outer=outer)
        places: dict[Any, list[int]] = {}
        for place, key in enumerate(right_keys):
            if key is not None:
                places.setdefault(key, []).append(place)
        nothing = [-1] if outer else []
        lefts: list[int] = []
        rights: list[int] = []
        for place, key in enumerate(_row_keys(columns[:width])):
            matches = places.get(key, nothing)
            lefts += [place] * len(matches)
            rights += matches
        return lefts, rights

    return match_pairs


def _match_one(
    left_keys: list[Any], place_of_key: dict[Any, int], *, outer: bool
) -> tuple[list[int], list[int]]:
    """As `match_pairs`, where every key is on the right once, as most are."""
    place_of_key.pop(None, None)  # null equals nothing
    rights = list(map(place_of_key.get, left_keys, repeat(-1)))
    if outer or -1 not in rights:
        return list(range(len(rights))), rights
    lefts = [place for place, right in enumerate(rights) if right >= 0]
    return lefts, [right for right in rights if right >= 0]


def _match_members(width: int, *, keep_matches: bool) -> Function:
    def found(_right: ListTable, *columns: list[Any]) -> tuple[list[int], list[int]]:
        known = set(_row_keys(columns[width:]))
        known.discard(None)
        kept = [
            place
            for place, key in enumerate(_row_keys(columns[:width]))
            if (key in known) is keep_matches
        ]
        return kept, []

    return found


_JOIN_KINDS: Mapping[str, Callable[[int], Function]] = {
    "inner": lambda width: _match_pairs(width, outer=False),
    "left": lambda width: _match_pairs(width, outer=True),
    "semi": lambda width: _match_members(width, keep_matches=True),
    "anti": lambda width: _match_members(width, keep_matches=False),
}

RELATIONS: Mapping[Any, RelationRule] = {
    ops.DatabaseTable: _table,
    ops.Project: _project,
    ops.Filter: _filter,
    ops.Sort: _sort,
    ops.Limit: _limit,
    ops.Distinct: _distinct,
    ops.Union: _union,
    ops.DropColumns: _drop_columns,
    ops.Aggregate: _aggregate,
    ops.JoinChain: join_chain,
    ops.JoinReference: lambda c, op: c.relation(op.parent),
    ops.SelfReference: lambda c, op: c.relation(op.parent),
}
