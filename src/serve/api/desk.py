"""Where one worker puts the tables of a request, checked by the contract's own rules.

The queries do not depend on the request: they are compiled once for each worker, and asked anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import Any, TypeAlias

import duckdb
import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa

from ...contract import TABLES, Column, Table
from ...features.plain_engine import Plain, Plan, planned
from ...features.plain_rows import Rows, rows_from, rows_of
from ...source import Source
from ...source.conversion import Conversion, convert
from ...source.opening import ROW, STAGED, Staged
from ...source.origins import quoted
from ...source.problems import Rule
from ...source.rules import RowRule, prepared, row_rules
from .group_tables import GroupTables, place
from .refusals import Refused

AMOUNTS = ("float64", "int64", "boolean")
MOST_KNOWN = 10_000  # texts of amounts whose values are remembered
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

Pair: TypeAlias = tuple[Any, Any]
"""A value, and how it was given if that may not be one."""

_TYPES: Mapping[str, str] = {
    "string": "string", "timestamp": "timestamp(6)", "float64": "float64", "int64": "int64",
    "boolean": "boolean",
}  # fmt: skip


@dataclass(frozen=True)
class _Checks:
    """The rules on one table as plans.

    Attributes:
        rules: what they are.
        any_broken: whether a row breaks one.
        broken: the first rows that break each.
    """

    rules: tuple[RowRule, ...]
    any_broken: Plan
    broken: tuple[Plan, ...]


class Desk:
    """The engines of one worker, for one request at a time.

    DuckDB converts the values, in one query for each request, as it does for a batch. All else is
    asked of the engine of plain Python, for planning forty queries takes longer than the rest.
    """

    def __init__(self) -> None:
        """Opens the engines and compiles the checks."""
        self._connection = duckdb.connect(config={"threads": 1})
        self._connection.execute("SET TimeZone = 'UTC'")
        self._engine = Plain()
        self._conversions = _Conversions()
        staged = {name: _staged(self._engine, table) for name, table in TABLES.items()}
        parents = {name: one.table for name, one in staged.items()}
        self._checks = {name: _checks(TABLES[name], one, parents) for name, one in staged.items()}
        self._nothing = {
            **{name: _no_rows(_types(table)) for name, table in TABLES.items()},
            **{one.table.get_name(): _no_rows(one.table.columns) for one in staged.values()},
        }
        tables = {name: _table(self._engine, name, _types(one)) for name, one in TABLES.items()}
        self._source = Source(self._engine, tables, staged, (), "the body")

    def close(self) -> None:
        """Lets go of the engines."""
        self._connection.close()
        self._engine.tables.clear()

    @contextmanager
    def laid_out(self, given: GroupTables) -> Iterator[Source]:
        """The tables of a request as a source that keeps the contract, until the end of the block.

        Raises:
            Refused: 422 where a row breaks the contract.
        """
        tables = self._engine.tables
        tables.update(self._nothing)
        try:
            filled = {name: rows for name, rows in given.tables.items() if rows.num_rows}
            for name, one in self._conversions.converted(self._connection, filled).items():
                tables[name] = replace(one, names=tuple(TABLES[name].column_names))
                tables[_staged_name(name)] = one
            for name in filled:
                self._check(name)
            yield self._source
        finally:
            tables.clear()

    def _check(self, name: str) -> None:
        checks = self._checks[name]
        if not checks.any_broken(self._engine).columns["broken"][0]:
            return
        for rule, plan in zip(checks.rules, checks.broken, strict=True):
            if rows := plan(self._engine).columns[ROW]:
                raise Refused(422, _sentence(name, rule, rows))


class _Conversions:
    """The conversions of the contract: each text of a kind of column once, in one query."""

    def __init__(self) -> None:
        """Writes how a column of each kind is converted."""
        self._kinds = {
            _kind(column): column for table in TABLES.values() for column in table.columns
        }
        # Of amounts, which say nothing of a person and come again; to plan for them takes longest.
        self._known: dict[str, dict[str | None, Pair]] = {kind: {} for kind in AMOUNTS}
        self._given = {kind for kind, one in self._kinds.items() if _converted(one).given}

    def converted(self, connection: Any, tables: Mapping[str, pa.Table]) -> dict[str, Rows]:
        """Rows as `Staged.table` has them.

        Args:
            connection: of DuckDB, in UTC.
            tables: of the contract, every column as text.
        """
        texts = {name: dict(rows_of(table).columns) for name, table in tables.items()}
        asked: dict[str, dict[str | None, None]] = {}
        for name, columns in texts.items():
            for column in TABLES[name].columns:
                asked.setdefault(_kind(column), {}).update(dict.fromkeys(columns[column.name]))
        found = self._asked(connection, asked)
        return {
            name: self._rows(TABLES[name], columns, tables[name].num_rows, found)
            for name, columns in texts.items()
        }

    def _asked(
        self, connection: Any, asked: Mapping[str, Iterable[str | None]]
    ) -> dict[str, Mapping[str | None, Pair]]:
        """Of each kind and text the value, and what was given where that may not be one."""
        for known in self._known.values():
            if len(known) > MOST_KNOWN:
                known.clear()
        new: dict[str, list[str | None]] = {}
        for kind, texts in asked.items():
            known = self._known.get(kind, {})
            if missing := [text for text in texts if text not in known]:
                new[kind] = missing
        found = dict(self._converted(connection, new)) if new else {}
        for kind, known in self._known.items():
            known.update(found.get(kind, {}))
        return {**found, **self._known}

    def _converted(
        self, connection: Any, texts: Mapping[str, list[str | None]]
    ) -> Iterator[tuple[str, dict[str | None, Pair]]]:
        longest = max(map(len, texts.values()))
        padded = {
            kind: pa.array(of_kind + [None] * (longest - len(of_kind)), pa.string())
            for kind, of_kind in texts.items()
        }
        connection.register("arriving", pa.table(padded))
        try:
            rows = connection.execute(self._query(texts)).fetchall()
        finally:
            connection.unregister("arriving")
        columns = list(zip(*rows, strict=True))
        for number, (kind, of_kind) in enumerate(texts.items()):
            pairs = zip(columns[2 * number], columns[2 * number + 1], strict=True)
            yield kind, dict(zip(of_kind, pairs, strict=False))  # the shorter kinds are padded

    def _query(self, kinds: Iterable[str]) -> str:
        values = []
        for kind in kinds:
            conversion, instant = _converted(self._kinds[kind]), kind.startswith("timestamp")
            values += [
                f"epoch_us({conversion.value})" if instant else conversion.value,
                conversion.given or "NULL",
            ]
        return f"SELECT {', '.join(values)} FROM arriving"  # noqa: S608 - names are quoted

    def _rows(
        self,
        table: Table,
        texts: Mapping[str, list[Any]],
        size: int,
        found: Mapping[str, Mapping[str | None, Pair]],
    ) -> Rows:
        columns: dict[str, list[Any]] = {ROW: list(range(size))}
        for column in table.columns:
            of_kind, kind = found[_kind(column)], _kind(column)
            pairs = [of_kind[text] for text in texts[column.name]]
            columns[column.name] = [value for value, _given in pairs]
            if kind in self._given:
                columns[f"given_{column.name}"] = [given for _value, given in pairs]
        return rows_from(size, columns)


def _converted(column: Column) -> Conversion:
    return convert(column, "VARCHAR", quoted(_kind(column)))


def _kind(column: Column) -> str:
    """What decides how a text is converted."""
    return f"{column.dtype}_of_month" if column.month else column.dtype


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


def _staged(engine: Plain, table: Table) -> Staged:
    """One table of the contract's types, with what was given in place of them."""
    types = {ROW: "int64"}
    converted = set()
    for column in table.columns:
        types[column.name] = _TYPES[column.dtype]
        if convert(column, "VARCHAR", quoted(column.name)).given is not None:
            converted.add(column.name)
            types[f"given_{column.name}"] = "string"
    rows = _table(engine, _staged_name(table.name), types)
    return Staged(rows, table.name, frozenset(table.column_names), frozenset(converted), ())


def _staged_name(table: str) -> str:
    return f"{STAGED}_{table}"


def _types(table: Table) -> dict[str, str]:
    return {column.name: _TYPES[column.dtype] for column in table.columns}


def _table(engine: Plain, name: str, types: Mapping[str, str]) -> ir.Table:
    rows: ir.Table = ops.DatabaseTable(name, ibis.schema(types), engine).to_expr()
    return rows


def _no_rows(columns: Iterable[str]) -> Rows:
    return rows_from(0, {name: [] for name in columns})


def _checks(table: Table, staged: Staged, parents: Mapping[str, ir.Table]) -> _Checks:
    rows = prepared(table, staged)
    rules = tuple(row_rules(table, staged, rows, parents))
    flagged = rows.select(broken=reduce(or_, (rule.broken for rule in rules)))
    return _Checks(
        rules,
        planned(flagged.aggregate(broken=flagged.broken.any().fill_null(False))),
        tuple(planned(_first_broken(rows, rule)) for rule in rules),
    )


def _first_broken(rows: ir.Table, rule: RowRule) -> ir.Table:
    # The flag is computed before the rows are cut, as a window must see all of them.
    flagged = rows.select(ROW, broken=rule.broken)
    first = flagged.filter(flagged.broken).order_by(ROW).limit(SHOWN + 1)
    return first.select(ROW)
