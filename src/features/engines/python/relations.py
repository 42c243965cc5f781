"""The rules of plain Python for relations: how each makes rows of other rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import compress, repeat
from operator import not_
from typing import Any, TypeAlias

import ibis.expr.operations as ops

from .column_needs import fields_in
from .compiler import QueryCompiler, RelationRule, Scope, unsupported_relation
from .primitives import group_rows, partition_rows, sort_indices
from .rows import LazyColumns, ListTable, Places, are_all
from .values import Function
from .written import Written, quoted

Matches: TypeAlias = tuple[Places, Sequence[int]]
"""Places of rows on the left of a join, and of those on the right that they meet; -1 is none."""


def _table(c: QueryCompiler, op: Any) -> int:
    place = c.new_register()
    c.tables_read[place] = op.name
    return place


def _project(c: QueryCompiler, op: Any) -> int:
    return _select_columns(c, _needed(c, op, op.values), c.relation(op.parent), c.scope(op.parent))


def _needed(c: QueryCompiler, op: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a relation's columns that are read."""
    return {name: value for name, value in values.items() if name in c.needed[op]}


def _select_columns(c: QueryCompiler, values: Mapping[str, Any], rows: int, scope: Scope) -> int:
    """Rows with the values as columns; columns that stay as they are wait until they are asked."""
    copied = {name: one for name, one in values.items() if isinstance(one, ops.Field)}
    sources = list(dict.fromkeys(scope.rows[one.rel] for one in copied.values()))
    origins = {name: (sources.index(scope.rows[one.rel]), one.name) for name, one in copied.items()}
    computed = {name: c.column(one, scope) for name, one in values.items() if name not in copied}
    made = _column_mapping(computed, 1 + len(sources))
    if origins:
        given = ", ".join(f"{{{place}}}" for place in range(1, 1 + len(sources)))
        made = f"{{lazy}}({{origins}}, ({given},), {made})"
    select = Written(
        f"{{table}}({{0}}.size, {made}, {{names}})",
        {"table": ListTable, "lazy": LazyColumns, "origins": origins, "names": tuple(values)},
    )
    return c.emit(select, rows, *sources, *computed.values())


def _column_mapping(names: Iterable[str], first: int) -> str:
    """Columns as a template, by name; the arguments from the first given on are their values."""
    pairs = (f"{quoted(name)}: {{{place}}}" for place, name in enumerate(names, first))
    return f"{{{{{', '.join(pairs)}}}}}"


def _filter(c: QueryCompiler, op: Any) -> int:
    rows, scope = c.relation(op.parent), c.scope(op.parent)
    return c.emit(_keep_rows, rows, *(c.column(one, scope) for one in op.predicates))


def _keep_rows(rows: ListTable, *conditions: list[Any]) -> ListTable:
    if all(map(all, conditions)):  # most filters of one group's tables leave out nothing
        return rows
    first, *others = conditions
    places = list(compress(range(rows.size), first))
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
    return c.emit(Written(f"{{0}}.take(range(min({op.n}, {{0}}.size)))"), c.relation(op.parent))


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
    names = tuple(_needed(c, op, op.schema))
    combined = c.emit(partial(_concatenate, names), c.relation(op.left), c.relation(op.right))
    return c.emit(_distinct_rows, combined) if op.distinct else combined


def _concatenate(names: tuple[str, ...], left: ListTable, right: ListTable) -> ListTable:
    for rows, others in ((left, right), (right, left)):
        if not others.size:
            return ListTable(rows.size, rows.columns, names)
    columns = {name: left.columns[name] + right.columns[name] for name in names}
    return ListTable(left.size + right.size, columns, names)


def _drop_columns(c: QueryCompiler, op: Any) -> int:
    names = tuple(_needed(c, op, op.schema))
    keep = Written("{table}({0}.size, {0}.columns, {names})", {"table": ListTable, "names": names})
    return c.emit(keep, c.relation(op.parent))


def _aggregate(c: QueryCompiler, op: Any) -> int:
    rows, scope = c.relation(op.parent), c.scope(op.parent)
    groups = c.emit(group_rows, rows, *(c.column(one, scope) for one in op.groups.values()))
    columns = {
        name: c.emit(Written(f"{{0}}.key_column({place})"), groups)
        for place, name in enumerate(op.groups)
        if name in c.needed[op]
    }
    # The rows of this scope are asked only for how many there are.
    size = c.emit(Written("{table}(len({0}.sizes), {{}}, ())", {"table": ListTable}), groups)
    c.keyed[groups] = bool(op.groups)
    group_scope = Scope({None: size}, (groups, scope))
    metrics = _needed(c, op, op.metrics)
    columns |= {name: c.column(one, group_scope) for name, one in metrics.items()}
    named = Written(
        f"{{table}}({{0}}.size, {_column_mapping(columns, 1)}, {{names}})",
        {"table": ListTable, "names": tuple(columns)},
    )
    return c.emit(named, size, *columns.values())


def join_chain(c: QueryCompiler, op: Any) -> int:
    """Rows of a chain of joins: places in each relation, from which the columns are taken."""
    first = c.relation(op.first)
    places = {op.first: c.emit(Written("range({0}.size)"), first)}
    for link in op.rest:
        right = c.relation(link.table)
        key_pairs = [_key_sides(one, link.table) for one in link.predicates]
        left_keys = [_left_key_column(c, left, places) for left, _right in key_pairs]
        right_keys = [c.column(one, c.scope(link.table)) for _left, one in key_pairs]
        matches = c.emit(_JOIN_KINDS[link.how](len(key_pairs)), right, *left_keys, *right_keys)
        places = {known: c.emit(_pick_left, place, matches) for known, place in places.items()}
        if link.how in ("inner", "left"):
            places[link.table] = c.emit(Written("{0}[1]"), matches)
    values = _needed(c, op, op.values)
    read = {op.first, *(relation for relation, _names in fields_in(values.values()))}
    taken = {
        known: c.emit(Written("{0}.take({1})"), c.relation(known), place)
        for known, place in places.items()
        if known in read
    }
    return _select_columns(c, values, taken[op.first], Scope(taken))


def _pick_left(places: Places, found: Matches) -> Places:
    lefts = found[0]
    if are_all(lefts, len(places)):
        return places
    return lefts if type(places) is range else [places[place] for place in lefts]


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


def _pick(values: list[Any], places: Places) -> list[Any]:
    if are_all(places, len(values)):
        return values
    if -1 not in places:
        return list(map(values.__getitem__, places))
    return [None if place < 0 else values[place] for place in places]


def _row_keys(columns: Sequence[list[Any]]) -> list[Any]:
    """One key for each row; None where a part of it is null, for null equals nothing."""
    if len(columns) == 1:
        return columns[0]
    keys = list(zip(*columns, strict=True))
    if not any(None in column for column in columns):
        return keys
    return [None if None in key else key for key in keys]


def _match_pairs(width: int, *, outer: bool) -> Function:
    def match_pairs(_right: ListTable, *columns: list[Any]) -> Matches:
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


def _match_one(left_keys: list[Any], place_of_key: dict[Any, int], *, outer: bool) -> Matches:
    """As `match_pairs`, where every key is on the right once, as most are."""
    place_of_key.pop(None, None)  # null equals nothing
    rights = list(map(place_of_key.get, left_keys, repeat(-1)))
    if outer or -1 not in rights:
        return range(len(rights)), rights
    lefts = list(compress(range(len(rights)), map((0).__le__, rights)))
    return lefts, [right for right in rights if right >= 0]


def _match_members(width: int, *, keep_matches: bool) -> Function:
    def found(_right: ListTable, *columns: list[Any]) -> Matches:
        known = set(_row_keys(columns[width:]))
        known.discard(None)
        keys = _row_keys(columns[:width])
        if known.issuperset(keys) if keep_matches else known.isdisjoint(keys):
            return range(len(keys)), ()
        held: Iterable[bool] = map(known.__contains__, keys)
        return list(compress(range(len(keys)), held if keep_matches else map(not_, held))), ()

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
