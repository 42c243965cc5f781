"""The rules for relations: how each makes rows of other rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import ibis.expr.operations as ops

from .column_needs import fields_in
from .compiler import Primitives, QueryCompiler, RelationRule, Scope, unsupported_relation
from .rows import LazyColumns
from .values import Function
from .written import Written, quoted


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
        {
            "table": c.primitives.table,
            "lazy": LazyColumns,
            "origins": origins,
            "names": tuple(values),
        },
    )
    return c.emit(select, rows, *sources, *computed.values())


def _column_mapping(names: Iterable[str], first: int) -> str:
    """Columns as a template, by name; the arguments from the first given on are their values."""
    pairs = (f"{quoted(name)}: {{{place}}}" for place, name in enumerate(names, first))
    return f"{{{{{', '.join(pairs)}}}}}"


def _filter(c: QueryCompiler, op: Any) -> int:
    rows, scope = c.relation(op.parent), c.scope(op.parent)
    return c.emit(c.primitives.keep_rows, rows, *(c.column(one, scope) for one in op.predicates))


def _sort(c: QueryCompiler, op: Any) -> int:
    rows, scope = c.relation(op.parent), c.scope(op.parent)
    keys = [(key.ascending, key.nulls_first) for key in op.keys]
    columns = [c.column(key.arg, scope) for key in op.keys]
    return c.emit(c.primitives.sort_rows(keys), rows, *columns)


def _limit(c: QueryCompiler, op: Any) -> int:
    if not isinstance(op.n, int) or op.offset:
        raise unsupported_relation(op)
    return c.emit(Written(f"{{0}}.take(range(min({op.n}, {{0}}.size)))"), c.relation(op.parent))


def _distinct(c: QueryCompiler, op: Any) -> int:
    return c.emit(c.primitives.distinct_rows, c.relation(op.parent))


def _union(c: QueryCompiler, op: Any) -> int:
    names = tuple(_needed(c, op, op.schema))
    parts = (c.relation(op.left), c.relation(op.right))
    combined = c.emit(partial(c.primitives.concatenate, names), *parts)
    return c.emit(c.primitives.distinct_rows, combined) if op.distinct else combined


def _drop_columns(c: QueryCompiler, op: Any) -> int:
    names = tuple(_needed(c, op, op.schema))
    keep = Written(
        "{table}({0}.size, {0}.columns, {names})", {"table": c.primitives.table, "names": names}
    )
    return c.emit(keep, c.relation(op.parent))


def _aggregate(c: QueryCompiler, op: Any) -> int:
    rows, scope = c.relation(op.parent), c.scope(op.parent)
    groups = c.emit(
        c.primitives.group_rows, rows, *(c.column(one, scope) for one in op.groups.values())
    )
    columns = {
        name: c.emit(Written(f"{{0}}.key_column({place})"), groups)
        for place, name in enumerate(op.groups)
        if name in c.needed[op]
    }
    # The rows of this scope are asked only for how many there are.
    size = c.emit(
        Written("{table}(len({0}.sizes), {{}}, ())", {"table": c.primitives.table}), groups
    )
    c.keyed[groups] = bool(op.groups)
    group_scope = Scope({None: size}, (groups, scope))
    metrics = _needed(c, op, op.metrics)
    columns |= {name: c.column(one, group_scope) for name, one in metrics.items()}
    named = Written(
        f"{{table}}({{0}}.size, {_column_mapping(columns, 1)}, {{names}})",
        {"table": c.primitives.table, "names": tuple(columns)},
    )
    return c.emit(named, size, *columns.values())


def join_chain(c: QueryCompiler, op: Any) -> int:
    """Rows of a chain of joins: places in each relation, from which the columns are taken."""
    primitives = c.primitives
    first = c.relation(op.first)
    places = {op.first: c.emit(Written("range({0}.size)"), first)}
    for link in op.rest:
        right = c.relation(link.table)
        key_pairs = [_key_sides(one, link.table) for one in link.predicates]
        left_keys = [_left_key_column(c, left, places) for left, _right in key_pairs]
        right_keys = [c.column(one, c.scope(link.table)) for _left, one in key_pairs]
        match = _JOIN_KINDS[link.how](primitives, len(key_pairs))
        matches = c.emit(match, right, *left_keys, *right_keys)
        places = {
            known: c.emit(primitives.pick_left, place, matches) for known, place in places.items()
        }
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
    return c.emit(c.primitives.pick, values, places[relation])


_JOIN_KINDS: Mapping[str, Callable[[Primitives, int], Function]] = {
    "inner": lambda primitives, width: primitives.match_pairs(width, outer=False),
    "left": lambda primitives, width: primitives.match_pairs(width, outer=True),
    "semi": lambda primitives, width: primitives.match_members(width, keep_matches=True),
    "anti": lambda primitives, width: primitives.match_members(width, keep_matches=False),
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
