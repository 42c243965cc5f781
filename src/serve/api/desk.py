"""Where one worker puts the tables of a request, checked by the contract's own rules.

The queries do not depend on the request: they are written once for each worker, and asked anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from ...contract import TABLES, Table
from ...source import Source
from ...source.conversion import convert
from ...source.opening import ROW, STAGED, Staged, publish
from ...source.origins import quoted
from ...source.problems import Rule
from ...source.rules import RowRule, prepared, row_rules
from .group_tables import GroupTables, place
from .refusals import Refused

GIVEN = "given"  # the schema of what came, as text
SHOWN = 5  # broken rows that a refusal names
ADVICE: Mapping[Rule, str] = {
    Rule.NULL: "every row needs a value",
    Rule.TYPE: "write times as 2025-09-01T09:00:00Z",
    Rule.DUPLICATE: "give every key once",
    Rule.DANGLING: "give the row that it points at",
    Rule.NOBODY: "an activity needs a contact_id or a group_id",
    Rule.LEFT_EARLY: "a member leaves at or after joining",
    Rule.OVERLAP: "end one row before the next begins",
    Rule.TOO_EARLY: "check the year",
    Rule.TOO_LATE: "check the year",
}


@dataclass(frozen=True)
class _Checks:
    """The rules on one table as SQL.

    Attributes:
        rules: what they are.
        any_broken: whether a row breaks one.
        broken: the first rows that break each.
    """

    rules: tuple[RowRule, ...]
    any_broken: str
    broken: tuple[str, ...]


class Desk:
    """An engine of one worker, for one request at a time."""

    def __init__(self, threads: int = 1) -> None:
        """Opens the engine and writes the queries.

        Args:
            threads: of the engine.
        """
        self._backend = ibis.duckdb.connect(threads=threads)
        self._backend.raw_sql("SET TimeZone = 'UTC'")
        for schema in (GIVEN, STAGED):
            self._backend.raw_sql(f"CREATE SCHEMA {schema}")
        staged = {name: _staged(self._backend, table) for name, table in TABLES.items()}
        parents = {name: one.table for name, one in staged.items()}
        for name in TABLES:
            publish(self._backend, name, f"{STAGED}.{quoted(name)}")
        self._checks = {
            name: _checks(self._backend, TABLES[name], one, parents) for name, one in staged.items()
        }
        tables = {name: self._backend.table(name, database="main") for name in TABLES}
        self._source = Source(self._backend, tables, staged, (), "the body")

    def close(self) -> None:
        """Lets go of the engine."""
        self._backend.disconnect()

    @contextmanager
    def laid_out(self, given: GroupTables) -> Iterator[Source]:
        """The tables of a request as a source that keeps the contract, until the end of the block.

        Raises:
            Refused: 422 where a row breaks the contract.
        """
        try:
            for name, rows in given.tables.items():
                self._fill(name, rows)
            for name, rows in given.tables.items():
                if rows.num_rows:
                    self._check(name)
            yield self._source
        finally:
            for name, rows in given.tables.items():
                if rows.num_rows:
                    self._backend.con.execute(f"DELETE FROM {GIVEN}.{quoted(name)}")  # noqa: S608

    def _fill(self, name: str, rows: pa.Table) -> None:
        if not rows.num_rows:
            return
        con = self._backend.con
        con.register("arriving", rows.append_column(ROW, pa.array(range(rows.num_rows))))
        # In place of the table before: rows that are deleted would still take their memory.
        con.execute(f"CREATE OR REPLACE TABLE {GIVEN}.{quoted(name)} AS SELECT * FROM arriving")  # noqa: S608
        con.unregister("arriving")

    def _check(self, name: str) -> None:
        checks, con = self._checks[name], self._backend.con
        if not con.execute(checks.any_broken).fetchone()[0]:
            return
        for rule, query in zip(checks.rules, checks.broken, strict=True):
            if rows := [row for (row,) in con.execute(query).fetchall()]:
                raise Refused(422, _sentence(name, rule, rows))


def _sentence(table: str, rule: RowRule, rows: list[int]) -> str:
    places = ", ".join(place(table, row) for row in rows[:SHOWN])
    advice = ADVICE.get(rule.rule)
    values = next((c.values for c in TABLES[table].columns if c.name == rule.column), None)
    if rule.rule is Rule.UNKNOWN and values:
        advice = f"expected one of {', '.join(values)}"
    if rule.rule is Rule.DANGLING:
        parent = TABLES[table].column(rule.column).references
        advice = f"{advice} among the {str(parent).replace('_', ' ')}"
    more = " and more" if len(rows) > SHOWN else ""
    return f"{table}.{rule.column}: {rule.rule} at {places}{more}; {advice or 'mend the rows'}"


def _staged(backend: Any, table: Table) -> Staged:
    """One table of the contract, all text, and the same in the contract's types."""
    names = [quoted(column.name) for column in table.columns]
    columns = ", ".join([*(f"{name} VARCHAR" for name in names), f"{ROW} BIGINT"])
    backend.raw_sql(f"CREATE TABLE {GIVEN}.{quoted(table.name)} ({columns})")
    values, converted = [ROW], set()
    for column, name in zip(table.columns, names, strict=True):
        conversion = convert(column, "VARCHAR", name)
        values.append(f"{conversion.value} AS {name}")
        if conversion.given is not None:
            converted.add(column.name)
            values.append(f"{conversion.given} AS {quoted('given_' + column.name)}")
    backend.raw_sql(
        f"CREATE VIEW {STAGED}.{quoted(table.name)} AS SELECT {', '.join(values)} "  # noqa: S608
        f"FROM {GIVEN}.{quoted(table.name)}"
    )
    staged = backend.table(table.name, database=STAGED)
    return Staged(staged, table.name, frozenset(table.column_names), frozenset(converted), ())


def _checks(backend: Any, table: Table, staged: Staged, parents: Mapping[str, ir.Table]) -> _Checks:
    rows = prepared(table, staged)
    rules = tuple(row_rules(table, staged, rows, parents))
    flagged = rows.select(broken=reduce(or_, (rule.broken for rule in rules)))
    return _Checks(
        rules,
        str(backend.compile(flagged.aggregate(broken=flagged.broken.any().fill_null(False)))),
        tuple(str(backend.compile(_first_broken(rows, rule))) for rule in rules),
    )


def _first_broken(rows: ir.Table, rule: RowRule) -> ir.Table:
    # The flag is computed before the rows are cut, as a window must see all of them.
    flagged = rows.select(ROW, broken=rule.broken)
    first = flagged.filter(flagged.broken).order_by(ROW).limit(SHOWN + 1)
    return first.select(ROW)
