"""Rows that break a rule, written aside with their reasons; the source goes on without them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir

from ..contract import TABLES, BadInput, Table
from ..support.atomic_output import new_folder
from .problems import Rule
from .row_rules import RowRule, row_rules, with_rule_columns
from .staging import ROW_NUMBER, STAGED_SCHEMA, Source, StagedTable, count_rows, create_table_view

logger = logging.getLogger(__name__)
_QUARANTINED = "bad"  # schema of our database: source_row and reasons of each table


def quarantine_rows(source: Source, folder: Path) -> Source:
    """Write the rows that break a rule to `folder` and leave them out of the tables.

    The contract names parents before children, so one pass in its order reaches every row whose
    parent went. `folder` appears whole or not at all.

    Raises:
        BadInput: a table that needs rows has none left.
    """
    backend = source.backend
    backend.raw_sql(f"CREATE SCHEMA {_QUARANTINED}")
    clean: dict[str, ir.Table] = {}
    flagged_counts: dict[str, int] = {}
    for name in (name for name in TABLES if name in source.staged):
        flagged_counts[name] = _flag_rows(source, TABLES[name], clean)
        if flagged_counts[name]:
            create_table_view(backend, name, _unflagged_relation(name))
        clean[name] = backend.table(name, database="main")
    _require_rows_left(source, clean, folder)
    _write(source, folder, [name for name, number in flagged_counts.items() if number])
    for name, number in flagged_counts.items():
        if number:
            logger.warning("%s: %d rows in quarantine, %s", name, number, folder)
    staged = {name: _unflagged_staged(source, name) for name in source.staged}
    return Source(backend, {**source.tables, **clean}, staged, (), source.name, source.notes)


def _flag_rows(source: Source, table: Table, clean: Mapping[str, ir.Table]) -> int:
    """Keep number and reasons of the rows to leave out; return how many there are."""
    staged = source.staged[table.name]
    rows = with_rule_columns(table, staged)
    originals = {name: source.staged[name].table for name in clean}
    rules = row_rules(table, staged, rows, originals)
    rules += _orphan_rules(table, staged, rows, originals, clean)
    reasons = [
        ibis.ifelse(rule.violated, f"{rule.column}: {rule.rule}", ibis.null("string"))
        for rule in rules
    ]
    with_reasons = rows.select(ROW_NUMBER, reasons=ibis.literal("; ").join(reasons))
    flagged = with_reasons.filter(with_reasons.reasons != "")
    flagged = source.backend.create_table(table.name, flagged, database=_QUARANTINED)
    return count_rows(source, flagged)


def _orphan_rules(
    table: Table,
    staged: StagedTable,
    rows: ir.Table,
    originals: Mapping[str, ir.Table],
    clean: Mapping[str, ir.Table],
) -> list[RowRule]:
    """Rules for keys that the source had and the clean tables have no more."""
    rules = []
    for column in table.columns:
        parent = column.references
        if parent is None or parent not in clean or column.name not in staged.present_columns:
            continue
        key, value = TABLES[parent].key[0], rows[column.name]
        before, after = originals[parent], clean[parent]
        gone = before.filter(before[key].notnull() & ~before[key].isin(after[key]))
        orphaned = value.notnull() & value.isin(gone[key])
        rules.append(RowRule(column.name, Rule.PARENT_QUARANTINED, orphaned))
    return rules


def _unflagged_relation(table: str) -> str:
    flagged = f"SELECT {ROW_NUMBER} FROM {_QUARANTINED}.{table}"  # noqa: S608 - the contract's own names
    return f"{STAGED_SCHEMA}.{table} WHERE {ROW_NUMBER} NOT IN ({flagged})"


def _unflagged_staged(source: Source, table: str) -> StagedTable:
    staged = source.staged[table]
    flagged = source.backend.table(table, database=_QUARANTINED)
    rows = staged.table.anti_join(flagged, ROW_NUMBER)
    return replace(staged, table=rows, without_flagged_rows=True)


def _require_rows_left(source: Source, clean: Mapping[str, ir.Table], folder: Path) -> None:
    empty = [
        name for name, rows in clean.items() if TABLES[name].filled and not count_rows(source, rows)
    ]
    if empty:
        raise BadInput(
            f"every row of {', '.join(empty)} in {source.name} breaks a rule, so nothing would be "
            f"left to work on; {folder} was not written: see the report without --quarantine"
        )


def _write(source: Source, folder: Path, tables: list[str]) -> None:
    with new_folder(folder) as aside:
        for name in tables:
            _original_rows(source, name).to_parquet(str(aside / f"{name}.parquet"))


def _original_rows(source: Source, table: str) -> Any:
    """The bad rows of `table`: the columns it had, unconverted where that may fail, and reasons."""
    staged = source.staged[table]
    flagged = source.backend.table(table, database=_QUARANTINED)
    rows = staged.table.inner_join(flagged, ROW_NUMBER)
    values = {
        name: rows["given_" + name] if name in staged.converted_columns else rows[name]
        for name in TABLES[table].column_names
        if name in staged.present_columns
    }
    return rows.order_by(ROW_NUMBER).select(**values, reasons=rows.reasons)
