"""The contract's rules on rows, each a boolean over one staged table, never null."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import ibis
import ibis.expr.types as ir

from ..contract import EARLIEST, LATEST, TABLES, Column, Table
from .problems import Rule
from .staging import ROW_NUMBER, StagedTable

_OPEN_END = datetime(9999, 1, 1)


@dataclass(frozen=True, slots=True)
class RowRule:
    """A rule, the rows that break it, and the value to show of such a row (None: its key says it).

    `violated` and `offending_value` are bound to the table that `with_rule_columns` returned.
    """

    column: str
    rule: Rule
    violated: ir.BooleanValue
    offending_value: ir.StringValue | None = None


def with_rule_columns(table: Table, staged: StagedTable) -> ir.Table:
    """The staged table with what the rules over several rows need.

    Adds `duplicates_differ` and `duplicate_number` (0 for the first of its key) where keys are
    unique, and `runs_until` (the latest end among the earlier rows of a member) to members.
    """
    rows = staged.table
    if table.once:
        return _with_duplicate_columns(table, rows)
    if table.name == "members":
        return _with_overlap_columns(rows, staged)
    return rows


def _with_duplicate_columns(table: Table, rows: ir.Table) -> ir.Table:
    row_hash = ibis.struct({name: rows[name] for name in table.column_names}).hash()
    rows = rows.mutate(fingerprint=row_hash)
    key_window = ibis.window(group_by=list(table.key))
    return rows.mutate(
        duplicates_differ=rows.fingerprint.min().over(key_window)
        != rows.fingerprint.max().over(key_window),
        duplicate_number=ibis.row_number().over(
            group_by=list(table.key), order_by=rows[ROW_NUMBER]
        ),
    ).drop("fingerprint")


def _with_overlap_columns(rows: ir.Table, staged: StagedTable) -> ir.Table:
    until = rows.left_at.fill_null(_OPEN_END)
    if "left_at" in staged.converted_columns:
        # An end that nobody can read is a problem of its own, and no open end.
        until = ibis.ifelse(_not_converted(rows, "left_at"), rows.joined_at, until)
    rows = rows.mutate(until=until)
    # Rows that begin together are ordered by what they say, so that file order decides nothing.
    earlier = ibis.window(
        group_by=["group_id", "contact_id"],
        order_by=[rows.joined_at, rows.until, rows.role, rows[ROW_NUMBER]],
        preceding=(None, 1),
    )
    return rows.mutate(runs_until=rows.until.max().over(earlier))


def _not_converted(rows: ir.Table, column: str) -> ir.BooleanValue:
    return rows[column].isnull() & rows["given_" + column].notnull()


def row_rules(
    table: Table, staged: StagedTable, rows: ir.Table, parents: Mapping[str, ir.Table]
) -> list[RowRule]:
    """Every rule on the rows of one table.

    Args:
        table: the contract's table.
        staged: the table as read.
        rows: what `with_rule_columns` made of it.
        parents: by name, the tables that keys are looked up in; a key that points at another
            table is not checked.
    """
    rules: list[RowRule] = []
    if table.once:
        rules.append(RowRule(table.key[0], Rule.DUPLICATE_KEY, _is_duplicate(table, rows)))
    for column in table.columns:
        if column.name in staged.present_columns:
            rules += _column_rules(column, staged, rows, parents)
    if table.name == "activities":
        nobody = rows.contact_id.isnull() & rows.group_id.isnull()
        rules.append(RowRule("contact_id", Rule.NEITHER_CONTACT_NOR_GROUP, nobody))
    if table.name == "members":
        rules += _member_rules(rows)
    return rules


def _is_duplicate(table: Table, rows: ir.Table) -> ir.BooleanValue:
    key = rows[table.key[0]]
    return key.notnull() & (rows.duplicates_differ | (rows.duplicate_number > 0))


def _column_rules(
    column: Column, staged: StagedTable, rows: ir.Table, parents: Mapping[str, ir.Table]
) -> Iterator[RowRule]:
    value = rows[column.name]
    converted = column.name in staged.converted_columns
    if not column.nullable:
        empty = value.isnull() & rows["given_" + column.name].isnull() if converted else None
        yield RowRule(column.name, Rule.MISSING_VALUE, value.isnull() if empty is None else empty)
    if converted:
        yield RowRule(
            column.name,
            Rule.NOT_CONVERTIBLE,
            _not_converted(rows, column.name),
            rows["given_" + column.name],
        )
    if column.dtype == "timestamp":
        shown = value.cast("string")
        yield RowRule(column.name, Rule.TOO_EARLY, _false_if_null(value < EARLIEST), shown)
        yield RowRule(column.name, Rule.TOO_LATE, _false_if_null(value > LATEST), shown)
    if column.values is not None:
        unknown = value.notnull() & value.notin(column.values)
        yield RowRule(column.name, Rule.UNKNOWN_VALUE, unknown, value)
    if column.between is not None:
        least, most = column.between
        outside = (value < least) | (value > most)
        yield RowRule(column.name, Rule.OUT_OF_RANGE, _false_if_null(outside), value.cast("string"))
    if column.references is not None and column.references in parents:
        dangling = value.notnull() & ~value.isin(_parent_keys(parents, column.references))
        yield RowRule(column.name, Rule.DANGLING_KEY, dangling, value)


def _false_if_null(condition: ir.BooleanValue) -> ir.BooleanValue:
    return condition.fill_null(False)


def _parent_keys(parents: Mapping[str, ir.Table], table: str) -> ir.Column:
    key = TABLES[table].key[0]
    parent = parents[table]
    return parent.filter(parent[key].notnull())[key]


def _member_rules(rows: ir.Table) -> Iterator[RowRule]:
    yield RowRule(
        "left_at",
        Rule.LEFT_BEFORE_JOINED,
        _false_if_null(rows.left_at < rows.joined_at),
        rows.joined_at.cast("string") + " to " + rows.left_at.cast("string"),
    )
    complete_key = rows.group_id.notnull() & rows.contact_id.notnull()
    overlap = complete_key & (rows.runs_until > rows.joined_at) & (rows.until > rows.joined_at)
    yield RowRule(
        "joined_at",
        Rule.OVERLAPPING_MEMBERSHIP,
        _false_if_null(overlap),
        "joined " + rows.joined_at.cast("string"),
    )
