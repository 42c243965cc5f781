"""Tables of a request in an engine, checked by the contract's own rules.

The queries do not depend on the request: they are compiled once for each worker, and asked again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir

from ...contract import TABLES, Table
from ...features.engines.python import (
    CompiledQuery,
    ListTable,
    PythonEngine,
)
from ...features.tables.populations import POPULATION
from ...source import Source
from ...source.conversion import convert
from ...source.problems import Rule
from ...source.quoting import quote_identifier
from ...source.row_rules import RowRule, row_rules, with_rule_columns
from ...source.staging import ROW_NUMBER, STAGED_SCHEMA, StagedTable
from .group_tables import GROUPS, row_location
from .problem_details import HttpProblem

MAX_SHOWN_ROWS = 5  # broken rows that a refusal names
ADVICE: Mapping[Rule, str] = {
    Rule.MISSING_VALUE: "every row needs a value",
    Rule.NOT_CONVERTIBLE: "write times as 2025-09-01T09:00:00Z",
    Rule.DUPLICATE_KEY: "give every key once",
    Rule.DANGLING_KEY: "give the row that it points at",
    Rule.NEITHER_CONTACT_NOR_GROUP: "an activity needs a contact_id or a group_id",
    Rule.LEFT_BEFORE_JOINED: "a member leaves at or after joining",
    Rule.OVERLAPPING_MEMBERSHIP: "end one row before the next begins",
    Rule.TOO_EARLY: "check the year",
    Rule.TOO_LATE: "check the year",
}

_TYPES: Mapping[str, str] = {
    "string": "string", "timestamp": "timestamp(6)", "float64": "float64", "int64": "int64",
    "boolean": "boolean",
}  # fmt: skip


@dataclass(frozen=True)
class _TableChecks:
    """The rules on one table as plans.

    Attributes:
        rules: what they are.
        any_broken: whether a row breaks it, a column for each.
        first_broken: the first rows that break each.
    """

    rules: tuple[RowRule, ...]
    any_broken: CompiledQuery
    first_broken: tuple[CompiledQuery, ...]


class CheckedTables:
    """An engine of one worker, for one request at a time."""

    def __init__(self, engine: PythonEngine) -> None:
        """Compiles the checks.

        Args:
            engine: with the kind of columns that the tables will have.
        """
        self._engine = engine
        staged = {name: _staged_table(engine, table) for name, table in TABLES.items()}
        parents = {name: staged_table.table for name, staged_table in staged.items()}
        self._checks = {
            name: _compile_checks(engine, TABLES[name], staged_table, parents)
            for name, staged_table in staged.items()
        }
        self._empty_tables = {
            **{name: _empty_rows(engine, _column_types(table)) for name, table in TABLES.items()},
            **{
                _staged_name(name): _empty_rows(engine, staged_table.table.schema())
                for name, staged_table in staged.items()
            },
        }
        tables = {
            name: _engine_table(engine, name, _column_types(table))
            for name, table in TABLES.items()
        }
        self._source = Source(engine, tables, staged, (), "the body")

    @contextmanager
    def open_source(self, tables: Mapping[str, ListTable], populations: Any) -> Iterator[Source]:
        """Tables as a source that keeps the contract, until the end of the block.

        Args:
            tables: those with rows, as `StagedTable.table` has them.
            populations: of each row of `buying_groups`, a column.

        Raises:
            HttpProblem: 422 where a row breaks the contract.
        """
        held = self._engine.tables
        held.update(self._empty_tables)
        try:
            for name, rows in tables.items():
                held[name] = replace(rows, column_names=tuple(TABLES[name].column_names))
                held[_staged_name(name)] = rows
            groups = held[GROUPS]
            columns = {**groups.columns, POPULATION: populations}
            held[GROUPS] = replace(groups, columns=columns, column_names=tuple(columns))
            for name in tables:
                self._check(name)
            yield self._source
        finally:
            held.clear()

    def _check(self, name: str) -> None:
        checks = self._checks[name]
        broken = checks.any_broken(self._engine)
        if not any(broken.values(column)[0] for column in broken.column_names):
            return
        for rule, plan in zip(checks.rules, checks.first_broken, strict=True):
            if rows := plan(self._engine).values(ROW_NUMBER):
                raise HttpProblem(422, _broken_rule_message(name, rule, rows))


def _broken_rule_message(table: str, rule: RowRule, rows: list[int]) -> str:
    places = ", ".join(row_location(table, row) for row in rows[:MAX_SHOWN_ROWS])
    advice = ADVICE.get(rule.rule)
    values = next((c.values for c in TABLES[table].columns if c.name == rule.column), None)
    if rule.rule is Rule.UNKNOWN_VALUE and values:
        advice = f"expected one of {', '.join(values)}"
    if rule.rule is Rule.DANGLING_KEY:
        parent = TABLES[table].column(rule.column).references
        advice = f"{advice} among the {str(parent).replace('_', ' ')}"
    more = " and more" if len(rows) > MAX_SHOWN_ROWS else ""
    return f"{table}.{rule.column}: {rule.rule} at {places}{more}; {advice or 'fix the rows'}"


def _staged_table(engine: PythonEngine, table: Table) -> StagedTable:
    """One table of the contract's types, with what was given in place of them."""
    types = {ROW_NUMBER: "int64"}
    converted = set()
    for column in table.columns:
        types[column.name] = _TYPES[column.dtype]
        if convert(column, "VARCHAR", quote_identifier(column.name)).original is not None:
            converted.add(column.name)
            types[f"given_{column.name}"] = "string"
    rows = _engine_table(engine, _staged_name(table.name), types)
    return StagedTable(
        lambda: rows, table.name, frozenset(table.column_names), frozenset(converted), ()
    )


def _staged_name(table: str) -> str:
    return f"{STAGED_SCHEMA}_{table}"


def _column_types(table: Table) -> dict[str, str]:
    types = {column.name: _TYPES[column.dtype] for column in table.columns}
    return {**types, POPULATION: "string"} if table.name == GROUPS else types


def _engine_table(engine: PythonEngine, name: str, types: Mapping[str, str]) -> ir.Table:
    rows: ir.Table = ops.DatabaseTable(name, ibis.schema(types), engine).to_expr()
    return rows


def _empty_rows(engine: PythonEngine, types: Any) -> ListTable:
    schema = ibis.schema(types)
    return engine.rows_of(schema.to_pyarrow().empty_table())


def _compile_checks(
    engine: PythonEngine, table: Table, staged: StagedTable, parents: Mapping[str, ir.Table]
) -> _TableChecks:
    rows = with_rule_columns(table, staged)
    rules = tuple(row_rules(table, staged, rows, parents))
    # Each by itself: to join the answers row by row takes as long as to find them.
    broken = {f"rule_{number}": rule.violated.any() for number, rule in enumerate(rules)}
    return _TableChecks(
        rules,
        engine.compile(rows.aggregate(**broken)),
        tuple(engine.compile(_first_broken(rows, rule)) for rule in rules),
    )


def _first_broken(rows: ir.Table, rule: RowRule) -> ir.Table:
    # The flag is computed before the rows are cut, as a window must see all of them.
    flagged = rows.select(ROW_NUMBER, broken=rule.violated)
    first_broken = flagged.filter(flagged.broken).order_by(ROW_NUMBER).limit(MAX_SHOWN_ROWS + 1)
    return first_broken.select(ROW_NUMBER)
