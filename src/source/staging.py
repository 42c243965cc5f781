"""A data source as Ibis tables in the contract's columns and types, whatever it was before.

`open_source` gives every table of the contract: an absent optional table is empty, an absent
optional column is null. Nothing is written beside the source; what must be kept (CSV, PostgreSQL)
stays in memory, and spills into a temporary folder that is removed at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir

from ..contract import TABLES, BadInput, Table
from .conversion import convert, null_conversion
from .postgres import display_name
from .problems import Problem, Report, Rule, sort_problems
from .readers import (
    TableReader,
    TableReaders,
    find_readers,
    nearest_name,
    quote_identifier,
    unreadable_table,
)

STAGED_SCHEMA = "staged"  # typed columns, given_<column> where a conversion may fail, source_row
_MATERIALISED_SCHEMA = "kept"  # the same without source_row, for what is read once only
ROW_NUMBER = "source_row"


@dataclass(frozen=True, slots=True)
class StagedTable:
    """One table as read, with what the checks need beside the contract's columns.

    Attributes:
        table: the contract's columns, `source_row` (int64, from 0), and for every column in
            `converted_columns` a `given_<column>`: the value as text before its conversion.
        name: what the owner of the data calls it.
        present_columns: the contract's columns that the source has.
        converted_columns: those of them whose conversion may fail.
        extra_columns: the source's other columns.
    """

    table: ir.Table
    name: str
    present_columns: frozenset[str]
    converted_columns: frozenset[str]
    extra_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """Open data.

    Attributes:
        backend: Ibis DuckDB backend, session in UTC.
        tables: every table of the contract, columns in canonical order and type.
        staged: the tables that the source really has, for the checks.
        problems: what is wrong with the structure; empty unless opened with `strict=False`.
        name: the path as it was given, or the URL without its password.
    """

    backend: Any
    tables: Mapping[str, ir.Table]
    staged: Mapping[str, StagedTable]
    problems: tuple[Problem, ...]
    name: str


@contextmanager
def open_source(
    data: str | Path, *, threads: int | None = None, strict: bool = True
) -> Iterator[Source]:
    """Open a folder of `<table>.parquet` or `<table>.csv`, a DuckDB file or a PostgreSQL database.

    Nothing is written to any of them. Parquet and DuckDB tables are read lazily, at every query;
    CSV and PostgreSQL once, the latter's tables as they all were at one instant. Times become UTC
    without zone: naive means UTC, zone-aware is converted, value by value.

    Args:
        data: path of the folder or the file, or `postgresql://user:password@host:port/database`;
            its tables are looked for in the search path, and `?options=-csearch_path%3Dsales`
            sets it.
        threads: of DuckDB; None leaves the choice to it.
        strict: refuse what lacks a required table or column or cannot be read. With False
            such problems stand in `Source.problems`, and the table is empty.

    Raises:
        BadInput: nothing usable is at `data`, a database goes away while it is read, or (strict)
            the structure breaks the contract.
    """
    options = {} if threads is None else {"threads": threads}
    with TemporaryDirectory(prefix="mqbg-") as spill_folder:
        backend = ibis.duckdb.connect(temp_directory=spill_folder, **options)
        try:
            # Also when the machine's own settings say otherwise: naive times mean UTC.
            backend.raw_sql("SET TimeZone = 'UTC'")
            source = _read(backend, data)
            if strict and source.problems:
                raise BadInput(Report(source.problems).text(source.name))
            yield source
        finally:
            backend.disconnect()


def _read(backend: Any, data: str | Path) -> Source:
    for schema in (STAGED_SCHEMA, _MATERIALISED_SCHEMA):
        backend.raw_sql(f"CREATE SCHEMA {schema}")
    with find_readers(backend, data) as readers:
        staged, problems = _stage_all(backend, readers)
    for name in TABLES:
        create_table_view(backend, name, f"{STAGED_SCHEMA}.{name}" if name in staged else None)
    tables = {name: backend.table(name, database="main") for name in TABLES}
    return Source(backend, tables, staged, sort_problems(problems), display_name(data))


def _stage_all(backend: Any, readers: TableReaders) -> tuple[dict[str, StagedTable], list[Problem]]:
    staged: dict[str, StagedTable] = {}
    problems = list(readers.problems)
    for name in (name for name in TABLES if name in readers.tables):
        reader = readers.tables[name]
        if missing := _missing_columns(TABLES[name], reader):
            problems += missing
            continue
        try:
            staged[name] = _stage(backend, TABLES[name], reader)
        except duckdb.Error as error:
            problems.append(unreadable_table(name, reader, error))
    return staged, problems


def create_table_view(backend: Any, table: str, relation: str | None) -> None:
    """Let the contract's `table` show `relation` (SQL); None makes it empty."""
    columns = TABLES[table].columns
    if relation is None:
        values = ", ".join(
            f"{null_conversion(c).value} AS {quote_identifier(c.name)}" for c in columns
        )
        select = f"SELECT {values} WHERE false"
    else:
        names = ", ".join(quote_identifier(c.name) for c in columns)
        select = f"SELECT {names} FROM {relation}"  # noqa: S608 - names are quoted
    backend.raw_sql(f"CREATE OR REPLACE VIEW main.{quote_identifier(table)} AS {select}")


def count_rows(source: Source, rows: ir.Table) -> int:
    """How many rows an expression over the tables of `source` has."""
    return int(source.backend.to_pyarrow(rows.count()).as_py())


def _missing_columns(table: Table, reader: TableReader) -> list[Problem]:
    problems = []
    for column in table.columns:
        if not column.required or column.name in reader.columns:
            continue
        near = nearest_name(column.name, set(reader.columns) - set(table.column_names))
        examples = (f"nearest in {reader.name}: {near}",) if near else ()
        problems.append(
            Problem(table.name, column.name, Rule.MISSING_COLUMN, 1, examples, structural=True)
        )
    return problems


def _stage(backend: Any, table: Table, reader: TableReader) -> StagedTable:
    values: list[str] = []
    converted: set[str] = set()
    for column in table.columns:
        if column.name in reader.columns:
            reference, source_type = reader.columns[column.name]
            conversion = convert(column, source_type, reference)
        else:
            conversion = null_conversion(column)
        values.append(f"{conversion.value} AS {quote_identifier(column.name)}")
        if conversion.original is not None:
            converted.add(column.name)
            values.append(f"{conversion.original} AS {quote_identifier('given_' + column.name)}")
    select = f"{', '.join(values)} FROM {reader.relation}"
    view = f"CREATE VIEW {STAGED_SCHEMA}.{quote_identifier(table.name)} AS"
    if reader.row_number is not None:
        backend.raw_sql(f"{view} SELECT {reader.row_number} AS {ROW_NUMBER}, {select}")
    else:
        materialised = f"{_MATERIALISED_SCHEMA}.{quote_identifier(table.name)}"
        with reader.readable():
            backend.raw_sql(f"CREATE TABLE {materialised} AS SELECT {select}")
        backend.raw_sql(f"{view} SELECT rowid AS {ROW_NUMBER}, * FROM {materialised}")  # noqa: S608 - quoted
    present = frozenset(reader.columns) & frozenset(table.column_names)
    extra = tuple(name for name in reader.columns if name not in present)
    staged = backend.table(table.name, database=STAGED_SCHEMA)
    return StagedTable(staged, reader.name, present, frozenset(converted), extra)
