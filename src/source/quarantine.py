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
from .row_rules import RowRule, prepared, row_rules
from .staging import ROW, STAGED, Source, Staged, number_of_rows, publish

logger = logging.getLogger(__name__)
_BAD = "bad"  # schema of our database: source_row and reasons of each table


def set_aside(source: Source, folder: Path) -> Source:
    """Write the rows that break a rule to `folder` and leave them out of the tables.

    The contract names parents before children, so one pass in its order reaches every row whose
    parent went. `folder` appears whole or not at all.

    Raises:
        BadInput: a table that needs rows has none left.
    """
    backend = source.backend
    backend.raw_sql(f"CREATE SCHEMA {_BAD}")
    clean: dict[str, ir.Table] = {}
    bad: dict[str, int] = {}
    for name in (name for name in TABLES if name in source.staged):
        bad[name] = _condemn(source, TABLES[name], clean)
        if bad[name]:
            publish(backend, name, _without_bad(name))
        clean[name] = backend.table(name, database="main")
    _refuse_empty(source, clean, folder)
    _write(source, folder, [name for name, number in bad.items() if number])
    for name, number in bad.items():
        if number:
            logger.warning("%s: %d rows in quarantine, %s", name, number, folder)
    staged = {name: _narrowed(source, name) for name in source.staged}
    return Source(backend, {**source.tables, **clean}, staged, (), source.name)


def _condemn(source: Source, table: Table, clean: Mapping[str, ir.Table]) -> int:
    """Keep number and reasons of the rows to leave out; return how many there are."""
    staged = source.staged[table.name]
    rows = prepared(table, staged)
    originals = {name: source.staged[name].table for name in clean}
    rules = row_rules(table, staged, rows, originals)
    rules += _orphans(table, staged, rows, originals, clean)
    reasons = [
        ibis.ifelse(rule.broken, f"{rule.column}: {rule.rule}", ibis.null("string"))
        for rule in rules
    ]
    judged = rows.select(ROW, reasons=ibis.literal("; ").join(reasons))
    condemned = judged.filter(judged.reasons != "")
    bad = source.backend.create_table(table.name, condemned, database=_BAD)
    return number_of_rows(source, bad)


def _orphans(
    table: Table,
    staged: Staged,
    rows: ir.Table,
    originals: Mapping[str, ir.Table],
    clean: Mapping[str, ir.Table],
) -> list[RowRule]:
    """Rules for keys that the source had and the clean tables have no more."""
    rules = []
    for column in table.columns:
        parent = column.references
        if parent is None or parent not in clean or column.name not in staged.present:
            continue
        key, value = TABLES[parent].key[0], rows[column.name]
        before, after = originals[parent], clean[parent]
        gone = before.filter(before[key].notnull() & ~before[key].isin(after[key]))
        orphaned = value.notnull() & value.isin(gone[key])
        rules.append(RowRule(column.name, Rule.PARENT_GONE, orphaned))
    return rules


def _without_bad(table: str) -> str:
    bad = f"SELECT {ROW} FROM {_BAD}.{table}"  # noqa: S608 - the contract's own names
    return f"{STAGED}.{table} WHERE {ROW} NOT IN ({bad})"


def _narrowed(source: Source, table: str) -> Staged:
    staged = source.staged[table]
    bad = source.backend.table(table, database=_BAD)
    return replace(staged, table=staged.table.anti_join(bad, ROW))


def _refuse_empty(source: Source, clean: Mapping[str, ir.Table], folder: Path) -> None:
    empty = [
        name
        for name, rows in clean.items()
        if TABLES[name].filled and not number_of_rows(source, rows)
    ]
    if empty:
        raise BadInput(
            f"every row of {', '.join(empty)} in {source.name} breaks a rule, so nothing would be "
            f"left to work on; {folder} was not written: see the report without --quarantine"
        )


def _write(source: Source, folder: Path, tables: list[str]) -> None:
    with new_folder(folder) as aside:
        for name in tables:
            _as_given(source, name).to_parquet(str(aside / f"{name}.parquet"))


def _as_given(source: Source, table: str) -> Any:
    """The bad rows of `table`: the columns it had, unconverted where that may fail, and reasons."""
    staged = source.staged[table]
    bad = source.backend.table(table, database=_BAD)
    rows = staged.table.inner_join(bad, ROW)
    values = {
        name: rows["given_" + name] if name in staged.converted else rows[name]
        for name in TABLES[table].column_names
        if name in staged.present
    }
    return rows.order_by(ROW).select(**values, reasons=rows.reasons)
