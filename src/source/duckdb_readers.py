"""The contract's tables of a DuckDB file, in whatever schema they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from ..contract import TABLES, BadInput
from .problems import Rule
from .quoting import first_line, quote_identifier, quote_literal
from .table_reader import (
    ACCEPTED_SOURCES,
    TableReader,
    TableReaders,
    missing_tables,
    no_tables,
    structural_problem,
)

ATTACHED_CATALOG = "given"
_MAIN = "main"
_Place = tuple[str, str, str]  # schema, name, type


def duckdb_readers(backend: Any, path: Path) -> TableReaders:
    """Readers of the tables and views of a DuckDB file.

    A table of the schema `main` comes before one of its name elsewhere; of two others none can be
    chosen. Names are compared without regard to case.

    Raises:
        BadInput: the file is no DuckDB database, cannot be opened, or has none of the tables.
    """
    with path.open("rb") as file:
        if file.read(12)[8:] != b"DUCK":
            raise BadInput(f"expected {ACCEPTED_SOURCES}; {path} is a file, but no DuckDB database")
    try:
        backend.raw_sql(
            f"ATTACH {quote_literal(str(path.absolute()))} AS {ATTACHED_CATALOG} (READ_ONLY)"
        )
    except duckdb.Error as error:
        hint = "close other programs that write to it, and check its version"
        raise BadInput(f"DuckDB cannot open {path}: {first_line(error)}; {hint}") from error
    places = _places(backend)
    found = {name: chosen for name in TABLES if (chosen := _choose(name, places))}
    if not found:
        raise no_tables(path, (f"{schema}.{name}" for schema, name, _kind in places))
    problems = missing_tables((name for _schema, name, _kind in places), found)
    tables: dict[str, TableReader] = {}
    for name, chosen in found.items():
        if len(chosen) > 1:
            shown = [f"{schema}.{table}" for schema, table, _kind in chosen]
            problems.append(structural_problem(name, Rule.DUPLICATE_TABLE, len(shown), *shown))
            continue
        try:
            tables[name] = _reader(backend, *chosen[0])
        except duckdb.Error as error:
            problems.append(structural_problem(name, Rule.NOT_READABLE, 1, first_line(error)))
    return TableReaders(tables, tuple(problems))


def _places(backend: Any) -> list[_Place]:
    sql = (
        "SELECT table_schema, table_name, table_type FROM information_schema.tables"
        " WHERE table_catalog = ? ORDER BY ALL"
    )
    return [(*row,) for row in backend.con.execute(sql, [ATTACHED_CATALOG]).fetchall()]


def _choose(table: str, places: list[_Place]) -> list[_Place]:
    """The places that may be meant: one in `main` if there is one, else all of that name."""
    named = [place for place in places if place[1].lower() == table]
    return [place for place in named if place[0] == _MAIN] or named


def _reader(backend: Any, schema: str, name: str, kind: str) -> TableReader:
    relation = f"{ATTACHED_CATALOG}.{quote_identifier(schema)}.{quote_identifier(name)}"
    shown = name if schema == _MAIN else f"{schema}.{name}"
    return TableReader(
        shown, relation, column_types(backend, relation), None if kind == "VIEW" else "rowid"
    )


def column_types(backend: Any, relation: str) -> dict[str, tuple[str, str]]:
    """By name: SQL that names the column in `relation`, and its DuckDB type."""
    return {name: (quote_identifier(name), kind) for name, kind in described(backend, relation)}


def described(backend: Any, relation: str) -> list[tuple[str, str]]:
    """DuckDB's name and type of each column of `relation`, in order."""
    rows = backend.raw_sql(f"DESCRIBE SELECT * FROM {relation}").fetchall()  # noqa: S608 - built here
    return [(name, kind) for name, kind, *_ in rows]
