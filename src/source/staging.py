"""A data source as Ibis tables in the contract's columns and types, whatever it was before.

`open_source` gives every table of the contract: an absent optional table is empty, an absent
optional column is null. Nothing is written beside the source; what must be kept (CSV, workbooks,
PostgreSQL) stays in memory, and spills into a temporary folder that is removed at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import duckdb

from ..contract import TABLES, BadInput, Table
from ..settings import Settings
from .connection import Connection, ibis_backend
from .conversion import (
    Conversion,
    convert,
    count_null_texts,
    empty_null_texts,
    is_nested,
    null_conversion,
)
from .csv_files import UnreadableCsv
from .folder_readers import unreadable_csv
from .postgres import display_name
from .problems import Problem, Report, Rule, sort_problems
from .quoting import first_line, quote_identifier
from .readers import find_readers
from .repeated_headers import RepeatedHeader, drop_repeated_headers
from .spellings import Spellings, join_spellings, known_spellings
from .table_reader import (
    GuessedEncoding,
    TableReader,
    TableReaders,
    nearest_name,
    structural_problem,
)

if TYPE_CHECKING:
    import ibis.expr.types as ir

STAGED_SCHEMA = "staged"  # typed columns, given_<column> where a conversion may fail, source_row
_MATERIALISED_SCHEMA = "kept"  # the same without source_row, for what is read once only
ROW_NUMBER = "source_row"
_MAX_NAMES, _MAX_NAME = 4, 40  # columns that a message lists, and their characters


@dataclass(frozen=True, slots=True)
class StagedTable:
    """One table as read, with what the checks need beside the contract's columns.

    Attributes:
        read: gives `table`.
        name: what the owner of the data calls it.
        present_columns: the contract's columns that the source has.
        converted_columns: those of them whose conversion may fail.
        extra_columns: the source's other columns.
        null_texts: by column, how many texts stood for no value, where there were any.
        notes: sentences on how the table was read.
        without_flagged_rows: rows in quarantine are left out of `table`.
        guesses: files whose encoding was guessed.
    """

    read: Callable[[], ir.Table]
    name: str
    present_columns: frozenset[str]
    converted_columns: frozenset[str]
    extra_columns: tuple[str, ...]
    null_texts: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    without_flagged_rows: bool = False
    guesses: tuple[GuessedEncoding, ...] = ()

    @property
    def table(self) -> ir.Table:
        """The rows: the contract's columns, and what the checks need beside them.

        That is `source_row` (int64, from 0), and for every column in `converted_columns` a
        `given_<column>`: the value as text before its conversion.
        """
        return self.read()

    @property
    def shape(self) -> str:
        """What the text of a query on `table` follows from, beside the contract."""
        columns = f"{sorted(self.present_columns)} {sorted(self.converted_columns)}"
        return f"{columns} without flagged rows" if self.without_flagged_rows else columns


@dataclass(frozen=True, slots=True)
class Source:
    """Open data.

    Attributes:
        session: an engine of Ibis, or a `Connection`, which is in UTC.
        tables: every table of the contract, columns in canonical order and type.
        staged: the tables that the source really has, for the checks.
        problems: what is wrong with the structure; empty unless opened with `strict=False`.
        name: the path as it was given, or the URL without its password.
        notes: sentences on how the source was read.
    """

    session: Any
    tables: Mapping[str, ir.Table]
    staged: Mapping[str, StagedTable]
    problems: tuple[Problem, ...]
    name: str
    notes: tuple[str, ...] = ()

    @property
    def backend(self) -> Any:
        """The engine, as Ibis has it."""
        return ibis_backend(self.session)


class ContractTables(Mapping[str, "ir.Table"]):
    """The contract's tables in a session, each made when it is first asked for."""

    def __init__(self, session: Connection) -> None:
        self._session = session
        self._tables: dict[str, ir.Table] = {}

    def __getitem__(self, name: str) -> ir.Table:
        if name not in self._tables:
            if name not in TABLES:
                raise KeyError(name)
            self._tables[name] = self._session.ibis.table(name, database="main")
        return self._tables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(TABLES)

    def __len__(self) -> int:
        return len(TABLES)


@contextmanager
def open_source(
    data: str | Path,
    *,
    threads: int | None = None,
    strict: bool = True,
    settings: Settings | None = None,
    known: Spellings | None = None,
) -> Iterator[Source]:
    """Open a folder of Parquet, CSV or Excel files, a workbook, a DuckDB file or PostgreSQL.

    Nothing is written to any of them. Parquet and DuckDB tables are read lazily, at every query;
    all others once, PostgreSQL's as they all were at one instant. Times become UTC without zone:
    naive means UTC, zone-aware is converted, value by value.

    Args:
        data: path of the folder or the file, or `postgresql://user:password@host:port/database`;
            its tables are looked for in the search path, and `?options=-csearch_path%3Dsales`
            sets it.
        threads: of DuckDB; None leaves the choice to it.
        strict: refuse what lacks a required table or column or cannot be read. With False
            such problems are in `Source.problems`, and the table is empty.
        settings: how files are read, `source`, and the names that spellings are joined to; None
            takes the defaults.
        known: more such names, by `table.column`; they come before those of the settings.

    Raises:
        BadInput: nothing usable is at `data`, a database goes away while it is read, or (strict)
            the structure breaks the contract.
    """
    with TemporaryDirectory(prefix="mqbg-") as spill_folder:
        scratch = Path(spill_folder) / "copies"
        scratch.mkdir()
        session = Connection(spill_folder, threads)
        try:
            source = _read(session, data, scratch, settings or Settings(), known or {})
            if strict and source.problems:
                raise BadInput(Report(source.problems).text(source.name))
            yield source
        finally:
            session.con.close()


def _read(
    backend: Connection, data: str | Path, scratch: Path, settings: Settings, known: Spellings
) -> Source:
    for schema in (STAGED_SCHEMA, _MATERIALISED_SCHEMA):
        backend.raw_sql(f"CREATE SCHEMA {schema}")
    with find_readers(backend, data, scratch, settings.source) as readers:
        staged, problems = _stage_all(backend, readers, settings.source.decimal)
    if settings.source.normalise:
        names = {**known_spellings(settings), **known}
        for name in staged:
            join_spellings(backend, TABLES[name], f"{STAGED_SCHEMA}.{name}", names)
    for name in TABLES:
        create_table_view(backend, name, f"{STAGED_SCHEMA}.{name}" if name in staged else None)
    return Source(
        backend,
        ContractTables(backend),
        staged,
        sort_problems(problems),
        display_name(data),
        readers.notes,
    )


def _stage_all(
    backend: Any, readers: TableReaders, decimal: str | None
) -> tuple[dict[str, StagedTable], list[Problem]]:
    staged: dict[str, StagedTable] = {}
    problems = list(readers.problems)
    for name in (name for name in TABLES if name in readers.tables):
        reader = readers.tables[name]
        if wrong := [*_missing_columns(TABLES[name], reader), *_nested(TABLES[name], reader)]:
            problems += wrong
            continue
        try:
            staged[name] = _stage_or_copy(backend, TABLES[name], reader, decimal)
        except UnreadableCsv as error:
            problems.append(unreadable_csv(name, error))
        except duckdb.Error as error:
            shown = f"{reader.name}: {first_line(error)}"
            problems.append(structural_problem(name, Rule.NOT_READABLE, 1, shown))
        except RepeatedHeader as error:
            problems.append(structural_problem(name, Rule.NOT_READABLE, 1, str(error)))
    return staged, problems


def _stage_or_copy(
    backend: Any, table: Table, reader: TableReader, decimal: str | None
) -> StagedTable:
    try:
        return _stage(backend, table, reader, decimal)
    except duckdb.Error:
        if reader.from_copy is None:
            raise
        return _stage(backend, table, reader.from_copy(), decimal)


def create_table_view(backend: Any, table: str, relation: str | None) -> None:
    """Let the contract's `table` show `relation` (SQL), copies once; None makes it empty."""
    columns = TABLES[table].columns
    if relation is None:
        values = ", ".join(
            f"{null_conversion(c).value} AS {quote_identifier(c.name)}" for c in columns
        )
        select = f"SELECT {values} WHERE false"
    else:
        names = ", ".join(quote_identifier(c.name) for c in columns)
        distinct = "DISTINCT " if TABLES[table].copies else ""
        select = f"SELECT {distinct}{names} FROM {relation}"  # noqa: S608 - names are quoted
    backend.raw_sql(f"CREATE OR REPLACE VIEW main.{quote_identifier(table)} AS {select}")


def count_rows(source: Source, rows: ir.Table) -> int:
    """How many rows an expression over the tables of `source` has."""
    return int(source.backend.to_pyarrow(rows.count()).as_py())


def _missing_columns(table: Table, reader: TableReader) -> list[Problem]:
    problems = []
    for column in table.columns:
        if not column.required or column.name in reader.columns:
            continue
        others = [name for name in reader.columns if name not in table.column_names]
        near = nearest_name(column.name, others)
        examples: tuple[str, ...] = ()
        if near:
            examples = (f"nearest in {reader.name}: {near}",)
        elif others:
            examples = (f"{reader.name} has {_listed(others)}",)
        problems.append(
            Problem(table.name, column.name, Rule.MISSING_COLUMN, 1, examples, structural=True)
        )
    return problems


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:_MAX_NAME]) for name in names[:_MAX_NAMES])
    return shown + (" ..." if len(names) > _MAX_NAMES else "")


def _nested(table: Table, reader: TableReader) -> list[Problem]:
    """Columns that hold lists or records where the contract has single values."""
    problems = []
    for name in table.column_names:
        _reference, kind = reader.columns.get(name, ("", ""))
        if is_nested(kind):
            example = (f"{reader.name}: {kind}",)
            problems.append(Problem(table.name, name, Rule.NESTED, 1, example, structural=True))
    return problems


def _stage(backend: Any, table: Table, reader: TableReader, decimal: str | None) -> StagedTable:
    texts = [
        column
        for column in table.columns
        if reader.columns.get(column.name, ("", ""))[1] == "VARCHAR"
    ]
    null_texts: Mapping[str, int] = {}
    if reader.row_number is not None:  # read at every query: look only where it is needed
        references = {column: reader.columns[column.name][0] for column in texts}
        null_texts = count_null_texts(backend, reader.relation, references)
    conversions = {
        column.name: convert(
            column, kind, reference, decimal=decimal, null_texts=column.name in null_texts
        )
        for column in table.columns
        if column.name in reader.columns
        for reference, kind in [reader.columns[column.name]]
    }
    select = f"{', '.join(_select_list(table, conversions))} FROM {reader.relation}"
    view = f"CREATE VIEW {STAGED_SCHEMA}.{quote_identifier(table.name)} AS"
    notes = reader.notes
    if reader.row_number is not None:
        backend.raw_sql(f"{view} SELECT {reader.row_number} AS {ROW_NUMBER}, {select}")
    else:
        kept = f"{_MATERIALISED_SCHEMA}.{quote_identifier(table.name)}"
        with reader.readable():
            backend.raw_sql(f"CREATE OR REPLACE TABLE {kept} AS SELECT {select}")
        as_given = {
            name: quote_identifier(name if made.original is None else "given_" + name)
            for name, made in conversions.items()
        }
        if reader.has_header_lines:
            notes += drop_repeated_headers(backend, kept, table, as_given, reader)
        null_texts = empty_null_texts(backend, kept, {c: as_given[c.name] for c in texts})
        backend.raw_sql(f"{view} SELECT rowid AS {ROW_NUMBER}, * FROM {kept}")  # noqa: S608 - quoted
    present = frozenset(reader.columns) & frozenset(table.column_names)
    return StagedTable(
        cache(lambda: ibis_backend(backend).table(table.name, database=STAGED_SCHEMA)),
        reader.name,
        present,
        frozenset(name for name, made in conversions.items() if made.original is not None),
        tuple(name for name in reader.columns if name not in present),
        null_texts,
        notes,
        guesses=reader.guesses,
    )


def _select_list(table: Table, conversions: Mapping[str, Conversion]) -> list[str]:
    values = []
    for column in table.columns:
        conversion = conversions.get(column.name, null_conversion(column))
        values.append(f"{conversion.value} AS {quote_identifier(column.name)}")
        if conversion.original is not None:
            values.append(f"{conversion.original} AS {quote_identifier('given_' + column.name)}")
    return values
