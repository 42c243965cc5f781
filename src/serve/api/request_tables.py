"""Where one worker puts the tables of a request, checked by the contract's own rules.

The queries do not depend on the request: they are compiled once for each worker, and asked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import duckdb
import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir

from ...contract import TABLES, Table
from ...features.engines.python import (
    CompiledQuery,
    ListTable,
    PythonEngine,
    compile_query,
    list_table,
)
from ...features.tables.populations import POPULATION
from ...source import Source
from ...source.conversion import convert
from ...source.problems import Rule
from ...source.quoting import quote_identifier
from ...source.row_rules import RowRule, row_rules, with_rule_columns
from ...source.staging import ROW_NUMBER, STAGED_SCHEMA, StagedTable
from .body_values import ValueConverter
from .group_tables import GroupTables, row_location
from .problem_details import HttpProblem

GROUPS = "buying_groups"
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


class RequestTables:
    """The engines of one worker, for one request at a time.

    DuckDB reads the times, in one query for each request, as it does for a batch. All else is
    asked of the engine of plain Python, for planning forty queries takes longer than the rest.
    """

    def __init__(self) -> None:
        """Opens the engines and compiles the checks."""
        self._connection = duckdb.connect(config={"threads": 1})
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("PRAGMA disable_optimizer")  # nothing to make better
        self._engine = PythonEngine()
        self._converter = ValueConverter()
        staged = {name: _staged_table(self._engine, table) for name, table in TABLES.items()}
        parents = {name: staged_table.table for name, staged_table in staged.items()}
        self._checks = {
            name: _compile_checks(TABLES[name], staged_table, parents)
            for name, staged_table in staged.items()
        }
        self._empty_tables = {
            **{name: _empty_rows(_column_types(table)) for name, table in TABLES.items()},
            **{
                staged_table.table.get_name(): _empty_rows(staged_table.table.columns)
                for staged_table in staged.values()
            },
        }
        tables = {
            name: _engine_table(self._engine, name, _column_types(staged_table))
            for name, staged_table in TABLES.items()
        }
        self._source = Source(self._engine, tables, staged, (), "the body")

    def close(self) -> None:
        """Lets go of the engines."""
        self._connection.close()
        self._engine.tables.clear()

    @contextmanager
    def open_source(self, group_tables: GroupTables) -> Iterator[Source]:
        """The tables of a request as a source that keeps the contract, until the end of the block.

        Raises:
            HttpProblem: 422 where a row breaks the contract.
        """
        tables = self._engine.tables
        tables.update(self._empty_tables)
        try:
            filled = {name: rows for name, rows in group_tables.tables.items() if rows.size}
            for name, rows in self._converter.convert_tables(self._connection, filled).items():
                tables[name] = replace(rows, column_names=tuple(TABLES[name].column_names))
                tables[_staged_name(name)] = rows
            tables[GROUPS] = _with_populations(tables[GROUPS], group_tables.populations)
            for name in filled:
                self._check(name)
            yield self._source
        finally:
            tables.clear()

    def _check(self, name: str) -> None:
        checks = self._checks[name]
        broken = checks.any_broken(self._engine)
        if not any(broken.columns[column][0] for column in broken.column_names):
            return
        for rule, plan in zip(checks.rules, checks.first_broken, strict=True):
            if rows := plan(self._engine).columns[ROW_NUMBER]:
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


def _with_populations(groups: ListTable, populations: Sequence[str]) -> ListTable:
    """Rows of groups with the population of each; of one without them all are in one."""
    column = list(populations) or [""] * groups.size
    return list_table(groups.size, {**groups.columns, POPULATION: column})


def _engine_table(engine: PythonEngine, name: str, types: Mapping[str, str]) -> ir.Table:
    rows: ir.Table = ops.DatabaseTable(name, ibis.schema(types), engine).to_expr()
    return rows


def _empty_rows(columns: Iterable[str]) -> ListTable:
    return list_table(0, {name: [] for name in columns})


def _compile_checks(
    table: Table, staged: StagedTable, parents: Mapping[str, ir.Table]
) -> _TableChecks:
    rows = with_rule_columns(table, staged)
    rules = tuple(row_rules(table, staged, rows, parents))
    # Each by itself: to join the answers row by row takes as long as to find them.
    broken = {f"rule_{number}": rule.violated.any() for number, rule in enumerate(rules)}
    return _TableChecks(
        rules,
        compile_query(rows.aggregate(**broken)),
        tuple(compile_query(_first_broken(rows, rule)) for rule in rules),
    )


def _first_broken(rows: ir.Table, rule: RowRule) -> ir.Table:
    # The flag is computed before the rows are cut, as a window must see all of them.
    flagged = rows.select(ROW_NUMBER, broken=rule.violated)
    first_broken = flagged.filter(flagged.broken).order_by(ROW_NUMBER).limit(MAX_SHOWN_ROWS + 1)
    return first_broken.select(ROW_NUMBER)
