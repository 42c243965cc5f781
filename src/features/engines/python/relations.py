"""The rules of plain Python for relations: how each makes rows of other rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import ibis.expr.operations as ops

from .primitives import grouped, in_order, parts_of
from .rows import Passed, Rows
from .values import Function, unknown

if TYPE_CHECKING:
    from .engine import Compiler


@dataclass(frozen=True, eq=False)
class Frame:
    """Where the columns of an expression are found.

    Attributes:
        rows: place of the rows of each relation.
        of_groups: places of the groups that reductions reduce to, and the frame of their rows.
    """

    rows: Mapping[Any, int]
    of_groups: tuple[int, Frame] | None = None


def _read(c: Compiler, op: Any) -> int:
    place = c.place()
    c.reads[place] = op.name
    return place


def _projected(c: Compiler, op: Any) -> int:
    return selected(c, op.values, c.relation(op.parent), c.frame(op.parent))


def selected(c: Compiler, values: Mapping[str, Any], rows: int, frame: Frame) -> int:
    """Rows with the values as columns; columns that stay as they are wait until they are asked."""
    passed = {name: one for name, one in values.items() if isinstance(one, ops.Field)}
    sources = list(dict.fromkeys(frame.rows[one.rel] for one in passed.values()))
    origins = {name: (sources.index(frame.rows[one.rel]), one.name) for name, one in passed.items()}
    computed = {name: c.column(one, frame) for name, one in values.items() if name not in passed}
    names, made, width = tuple(values), tuple(computed), len(sources)

    def select(rows: Rows, *given: Any) -> Rows:
        columns = Passed(origins, given[:width])
        columns.update(zip(made, given[width:], strict=True))
        return Rows(rows.size, columns, names)

    return c.emit(select, rows, *sources, *computed.values())


def _filtered(c: Compiler, op: Any) -> int:
    rows, frame = c.relation(op.parent), c.frame(op.parent)
    return c.emit(_kept, rows, *(c.column(one, frame) for one in op.predicates))


def _kept(rows: Rows, *conditions: list[Any]) -> Rows:
    return rows.take(
        [place for place, held in enumerate(zip(*conditions, strict=True)) if all(held)]
    )


def _sorted(c: Compiler, op: Any) -> int:
    rows, frame = c.relation(op.parent), c.frame(op.parent)
    keys = [(key.ascending, key.nulls_first) for key in op.keys]
    return c.emit(
        lambda rows, *columns: rows.take(in_order(list(range(rows.size)), keys, columns)),
        rows,
        *(c.column(key.arg, frame) for key in op.keys),
    )


def _limited(c: Compiler, op: Any) -> int:
    if not isinstance(op.n, int) or op.offset:
        raise unknown(op)
    return c.emit(lambda rows: rows.take(range(min(op.n, rows.size))), c.relation(op.parent))


def _distinct(c: Compiler, op: Any) -> int:
    return c.emit(_each_once, c.relation(op.parent))


def _each_once(rows: Rows) -> Rows:
    return rows.take(
        [places[0] for places in parts_of(rows, *(rows.columns[name] for name in rows.names))]
    )


def _united(c: Compiler, op: Any) -> int:
    both = c.emit(_together, c.relation(op.left), c.relation(op.right))
    return c.emit(_each_once, both) if op.distinct else both


def _together(left: Rows, right: Rows) -> Rows:
    columns = {name: left.columns[name] + right.columns[name] for name in left.names}
    return Rows(left.size + right.size, columns, left.names)


def _without(c: Compiler, op: Any) -> int:
    names = tuple(op.schema)
    return c.emit(lambda rows: Rows(rows.size, rows.columns, names), c.relation(op.parent))


def _aggregated(c: Compiler, op: Any) -> int:
    rows, frame = c.relation(op.parent), c.frame(op.parent)
    groups = c.emit(grouped, rows, *(c.column(one, frame) for one in op.groups.values()))
    keys = [c.emit(_key(place), groups) for place in range(len(op.groups))]
    size = c.emit(lambda groups: Rows(len(groups.keys), {}, ()), groups)
    # The rows of this frame are asked only for how many there are.
    over = Frame({None: size}, (groups, frame))
    metrics = [c.column(one, over) for one in op.metrics.values()]
    return c.emit(_named([*op.groups, *op.metrics]), size, *keys, *metrics)


def _named(names: Sequence[str]) -> Function:
    known = tuple(names)
    return lambda rows, *columns: Rows(rows.size, dict(zip(known, columns, strict=True)), known)


def _key(place: int) -> Function:
    return lambda groups: [key[place] for key in groups.keys]


def joined(c: Compiler, op: Any) -> int:
    """Rows of a chain of joins: places in each relation, from which the columns are taken."""
    first = c.relation(op.first)
    places = {op.first: c.emit(_all_places, first)}
    for link in op.rest:
        right = c.relation(link.table)
        pairs = [_sides(one, link.table) for one in link.predicates]
        ours = [_reached(c, left, places) for left, _right in pairs]
        theirs = [c.column(one, c.frame(link.table)) for _left, one in pairs]
        found = c.emit(_MATCHES[link.how](len(pairs)), right, *ours, *theirs)
        places = {known: c.emit(_picked_left, place, found) for known, place in places.items()}
        if link.how in ("inner", "left"):
            places[link.table] = c.emit(itemgetter(1), found)
    taken = {known: c.emit(_taken, c.relation(known), place) for known, place in places.items()}
    return selected(c, op.values, taken[op.first], Frame(taken))


def _taken(rows: Rows, places: list[int]) -> Rows:
    return rows.take(places)


def _all_places(rows: Rows) -> list[int]:
    return list(range(rows.size))


def _picked_left(places: list[int], found: tuple[list[int], list[int]]) -> list[int]:
    return [places[place] for place in found[0]]


def _sides(predicate: Any, table: Any) -> tuple[Any, Any]:
    if not isinstance(predicate, ops.Equals):
        raise unknown(predicate)
    if predicate.right.relations == frozenset({table}):
        return predicate.left, predicate.right
    return predicate.right, predicate.left


def _reached(c: Compiler, op: Any, places: Mapping[Any, int]) -> int:
    """A column of the relation that it is of, for each row of the chain so far."""
    (known,) = op.relations
    values = c.column(op, c.frame(known))
    return c.emit(_picked, values, places[known])


def _picked(values: list[Any], places: list[int]) -> list[Any]:
    return [None if place < 0 else values[place] for place in places]


def _keys(columns: Sequence[list[Any]]) -> list[Any]:
    """One key for each row; None where a part of it is null, for null equals nothing."""
    if len(columns) == 1:
        return columns[0]
    return [None if None in key else key for key in zip(*columns, strict=True)]


def _pairs(width: int, *, outer: bool) -> Function:
    def found(_right: Rows, *columns: list[Any]) -> tuple[list[int], list[int]]:
        places: dict[Any, list[int]] = {}
        for place, key in enumerate(_keys(columns[width:])):
            if key is not None:
                places.setdefault(key, []).append(place)
        nothing = [-1] if outer else []
        lefts: list[int] = []
        rights: list[int] = []
        for place, key in enumerate(_keys(columns[:width])):
            matches = places.get(key, nothing)
            lefts += [place] * len(matches)
            rights += matches
        return lefts, rights

    return found


def _members(width: int, *, wanted: bool) -> Function:
    def found(_right: Rows, *columns: list[Any]) -> tuple[list[int], list[int]]:
        known = set(_keys(columns[width:]))
        known.discard(None)
        kept = [
            place for place, key in enumerate(_keys(columns[:width])) if (key in known) is wanted
        ]
        return kept, []

    return found


_MATCHES: Mapping[str, Callable[[int], Function]] = {
    "inner": lambda width: _pairs(width, outer=False),
    "left": lambda width: _pairs(width, outer=True),
    "semi": lambda width: _members(width, wanted=True),
    "anti": lambda width: _members(width, wanted=False),
}

RELATIONS: Mapping[Any, Callable[[Compiler, Any], int]] = {
    ops.DatabaseTable: _read,
    ops.Project: _projected,
    ops.Filter: _filtered,
    ops.Sort: _sorted,
    ops.Limit: _limited,
    ops.Distinct: _distinct,
    ops.Union: _united,
    ops.DropColumns: _without,
    ops.Aggregate: _aggregated,
    ops.JoinChain: joined,
    ops.JoinReference: lambda c, op: c.relation(op.parent),
    ops.SelfReference: lambda c, op: c.relation(op.parent),
}
