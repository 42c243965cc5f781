"""The contract's rules on rows, each a boolean over one staged table, never null."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import ibis
import ibis.expr.types as ir

from ..contract import EARLIEST, LATEST, TABLES, Column, Table
from .problems import Rule
from .staging import ROW, Staged

_OPEN_END = datetime(9999, 1, 1)


@dataclass(frozen=True, slots=True)
class RowRule:
    """A rule, the rows that break it, and the value to show of such a row (None: its key says it).

    `broken` and `offending` are bound to the table that `prepared` returned.
    """

    column: str
    rule: Rule
    broken: ir.BooleanValue
    offending: ir.StringValue | None = None


def prepared(table: Table, staged: Staged) -> ir.Table:
    """The staged table with what the rules over several rows need.

    Adds `copies_differ` and `copy` (0 for the first of its key) where keys are unique, and
    `runs_until` (the latest end among the earlier rows of a member) to members.
    """
    rows = staged.table
    if table.once:
        return _with_copies(table, rows)
    if table.name == "members":
        return _with_earlier_end(rows, staged)
    return rows


def _with_copies(table: Table, rows: ir.Table) -> ir.Table:
    fingerprint = ibis.struct({name: rows[name] for name in table.column_names}).hash()
    rows = rows.mutate(fingerprint=fingerprint)
    same_key = ibis.window(group_by=list(table.key))
    return rows.mutate(
        copies_differ=rows.fingerprint.min().over(same_key)
        != rows.fingerprint.max().over(same_key),
        copy=ibis.row_number().over(group_by=list(table.key), order_by=rows[ROW]),
    ).drop("fingerprint")


def _with_earlier_end(rows: ir.Table, staged: Staged) -> ir.Table:
    until = rows.left_at.fill_null(_OPEN_END)
    if "left_at" in staged.converted:
        # An end that nobody can read is a problem of its own, and no open end.
        until = ibis.ifelse(_unread(rows, "left_at"), rows.joined_at, until)
    rows = rows.mutate(until=until)
    # Rows that begin together are ordered by what they say, so that file order decides nothing.
    earlier = ibis.window(
        group_by=["group_id", "contact_id"],
        order_by=[rows.joined_at, rows.until, rows.role, rows[ROW]],
        preceding=(None, 1),
    )
    return rows.mutate(runs_until=rows.until.max().over(earlier))


def _unread(rows: ir.Table, column: str) -> ir.BooleanValue:
    return rows[column].isnull() & rows["given_" + column].notnull()


def row_rules(
    table: Table, staged: Staged, rows: ir.Table, parents: Mapping[str, ir.Table]
) -> list[RowRule]:
    """Every rule on the rows of one table.

    Args:
        table: the contract's table.
        staged: the table as read.
        rows: what `prepared` made of it.
        parents: by name, the tables that keys are looked up in; a key that points at another
            table is not checked.
    """
    rules: list[RowRule] = []
    if table.once:
        rules.append(RowRule(table.key[0], Rule.DUPLICATE, _duplicate(table, rows)))
    for column in table.columns:
        if column.name in staged.present:
            rules += _column_rules(column, staged, rows, parents)
    if table.name == "activities":
        nobody = rows.contact_id.isnull() & rows.group_id.isnull()
        rules.append(RowRule("contact_id", Rule.NOBODY, nobody))
    if table.name == "members":
        rules += _member_rules(rows)
    return rules


def _duplicate(table: Table, rows: ir.Table) -> ir.BooleanValue:
    key = rows[table.key[0]]
    return key.notnull() & (rows.copies_differ | (rows["copy"] > 0))


def _column_rules(
    column: Column, staged: Staged, rows: ir.Table, parents: Mapping[str, ir.Table]
) -> Iterator[RowRule]:
    value = rows[column.name]
    converted = column.name in staged.converted
    if not column.nullable:
        empty = value.isnull() & rows["given_" + column.name].isnull() if converted else None
        yield RowRule(column.name, Rule.NULL, value.isnull() if empty is None else empty)
    if converted:
        yield RowRule(
            column.name, Rule.TYPE, _unread(rows, column.name), rows["given_" + column.name]
        )
    if column.dtype == "timestamp":
        shown = value.cast("string")
        yield RowRule(column.name, Rule.TOO_EARLY, _true(value < EARLIEST), shown)
        yield RowRule(column.name, Rule.TOO_LATE, _true(value > LATEST), shown)
    if column.values is not None:
        unknown = value.notnull() & value.notin(column.values)
        yield RowRule(column.name, Rule.UNKNOWN, unknown, value)
    if column.references is not None and column.references in parents:
        dangling = value.notnull() & ~value.isin(_keys(parents, column.references))
        yield RowRule(column.name, Rule.DANGLING, dangling, value)


def _true(condition: ir.BooleanValue) -> ir.BooleanValue:
    return condition.fill_null(False)


def _keys(parents: Mapping[str, ir.Table], table: str) -> ir.Column:
    key = TABLES[table].key[0]
    parent = parents[table]
    return parent.filter(parent[key].notnull())[key]


def _member_rules(rows: ir.Table) -> Iterator[RowRule]:
    yield RowRule(
        "left_at",
        Rule.LEFT_EARLY,
        _true(rows.left_at < rows.joined_at),
        rows.joined_at.cast("string") + " to " + rows.left_at.cast("string"),
    )
    whole_key = rows.group_id.notnull() & rows.contact_id.notnull()
    overlap = whole_key & (rows.runs_until > rows.joined_at) & (rows.until > rows.joined_at)
    yield RowRule(
        "joined_at",
        Rule.OVERLAP,
        _true(overlap),
        "joined " + rows.joined_at.cast("string"),
    )
