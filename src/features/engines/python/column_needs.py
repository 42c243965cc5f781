"""Which columns of each relation a query reads: the others are not made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import ibis.expr.operations as ops

Need: TypeAlias = tuple[Any, frozenset[str]]
"""A relation, and names of its columns."""


def needed_columns(result: Any) -> Mapping[Any, frozenset[str]]:
    """Names of the columns that are read, by relation; of `result` all are.

    Args:
        result: the relation that a query gives.
    """
    found: dict[Any, frozenset[str]] = {}
    pending: list[Need] = [(result, frozenset(result.schema))]
    while pending:
        relation, names = pending.pop()
        first = relation not in found
        known = found.get(relation, frozenset())
        if first or not names <= known:
            found[relation] = known | names
            pending += _needs_of(relation, names - known, first=first)
    return found


def _needs_of(relation: Any, names: frozenset[str], *, first: bool) -> Iterator[Need]:
    """What a relation reads of others for some more of its columns.

    Args:
        relation: the relation.
        names: of its columns.
        first: what it reads whatever its columns is wanted too.
    """
    for source in _sources(relation) if first else ():
        yield source, frozenset()  # its rows are wanted, whatever is read of them
    if isinstance(relation, ops.Project):
        yield from fields_in(relation.values[name] for name in names)
    elif isinstance(relation, ops.Filter | ops.Sort | ops.Limit | ops.DropColumns):
        yield relation.parent, names
        if first and isinstance(relation, ops.Filter):
            yield from fields_in(relation.predicates)
        if first and isinstance(relation, ops.Sort):
            yield from fields_in(relation.keys)
    elif isinstance(relation, ops.JoinReference | ops.SelfReference):
        yield relation.parent, names
    elif isinstance(relation, ops.Distinct):
        yield relation.parent, frozenset(relation.parent.schema)
    elif isinstance(relation, ops.Union):
        for part in (relation.left, relation.right):
            yield part, frozenset(part.schema) if relation.distinct else names
    elif isinstance(relation, ops.Aggregate):
        yield from fields_in(relation.metrics[name] for name in names if name in relation.metrics)
        if first:
            yield from fields_in(relation.groups.values())
    elif isinstance(relation, ops.JoinChain):
        yield from fields_in(relation.values[name] for name in names)
        for link in relation.rest if first else ():
            yield from fields_in(link.predicates)


def _sources(relation: Any) -> Iterable[Any]:
    """The relations whose rows those of a relation are made of."""
    if isinstance(relation, ops.JoinChain):
        return relation.first, *(link.table for link in relation.rest)
    return [relation.parent] if isinstance(relation, ops.Project | ops.Aggregate) else ()


def fields_in(values: Iterable[Any]) -> Iterator[Need]:
    """The columns that values are made of."""
    pending = list(values)
    while pending:
        op = pending.pop()
        if isinstance(op, ops.Field):
            yield op.rel, frozenset((op.name,))
            continue
        if isinstance(op, ops.InSubquery):
            yield op.rel, frozenset(op.rel.schema)
        pending += (child for child in op.__children__ if not isinstance(child, ops.Relation))
