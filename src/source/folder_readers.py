"""The contract's tables of a folder or of a workbook: Parquet, CSV and Excel, whole or in parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from ..contract import TABLES
from ..settings import SourceSettings
from .csv_files import (
    CsvFile,
    UnreadableCsv,
    copy_place,
    csv_relation,
    open_csv,
    share_header,
    write_copy,
)
from .duckdb_readers import described
from .problems import Problem, Rule
from .quoting import first_line, path_literal, quote_identifier
from .table_files import CSV, PARQUET, FoundFiles, TableFiles, find_table_files
from .table_reader import (
    GuessedEncoding,
    TableReader,
    TableReaders,
    missing_tables,
    no_tables,
    structural_problem,
)
from .workbooks import Sheet, UnreadableWorkbook, read_sheets

_ROWS_OF_ONE_FILE = 1 << 40  # more than any file has; numbers rows through all parts of a table


def folder_readers(
    backend: Any, folder: Path, scratch: Path, settings: SourceSettings
) -> TableReaders:
    """Readers of the tables of a folder.

    Raises:
        BadInput: it has none of the contract's tables.
    """
    found = find_table_files(folder, TABLES)
    sheets, problems = _sheets(found)
    if not (found.tables or found.competing or sheets or problems):
        raise no_tables(folder, (*found.others, *_names(found)))
    problems += [
        structural_problem(name, Rule.DUPLICATE_TABLE, len(names) - 1, *names)
        for name, names in found.competing.items()
    ]
    tables: dict[str, TableReader] = {}
    for name in TABLES:
        try:
            if name in sheets:
                tables[name] = _sheet_reader(backend, name, sheets[name])
            elif name in found.tables and found.tables[name].format in (CSV, PARQUET):
                read = _csv_reader if found.tables[name].format == CSV else _parquet_reader
                tables[name] = read(backend, name, found.tables[name], scratch, settings)
        except UnreadableCsv as error:
            problems.append(unreadable_csv(name, error))
        except _ColumnGivenTwice as error:
            problems.append(error.problem)
        except duckdb.Error as error:
            reason = first_line(error).replace(str(folder.absolute()) + "/", "")
            shown = f"{found.tables[name].name}: {reason}"
            problems.append(structural_problem(name, Rule.NOT_READABLE, 1, shown))
    known = {*found.tables, *found.competing, *sheets, *(p.table for p in problems)}
    problems += missing_tables(found.others, known)
    notes = tuple(
        f"{_listed(names)} looks like a part of {table} "
        f"and is not read, as {found.tables[table].name} is there: keep one or the other"
        for table, names in found.ignored.items()
        if table in found.tables
    )
    return TableReaders(tables, tuple(problems), notes)


def workbook_readers(backend: Any, path: Path) -> TableReaders:
    """Readers of the sheets of a workbook.

    Raises:
        BadInput: it has no sheet of that name for any of the contract's tables.
    """
    try:
        sheets = read_sheets(path, TABLES)
    except UnreadableWorkbook as error:
        raise no_tables(path, [str(error)]) from None
    if not sheets:
        raise no_tables(path, [])
    tables: dict[str, TableReader] = {}
    problems: list[Problem] = []
    for name, sheet in sheets.items():
        try:
            tables[name] = _sheet_reader(backend, name, sheet)
        except UnreadableCsv as error:
            problems.append(unreadable_csv(name, error))
        except _ColumnGivenTwice as error:
            problems.append(error.problem)
    problems += missing_tables([], sheets)
    return TableReaders(tables, tuple(problems))


def unreadable_csv(table: str, error: UnreadableCsv) -> Problem:
    """Why a table in CSV was not read; the lines, but not what is in them."""
    rule = Rule.NOT_UTF8 if error.is_encoding else Rule.NOT_READABLE
    return structural_problem(table, rule, max(error.count, 1), *error.faults)


class _ColumnGivenTwice(Exception):  # noqa: N818 - says what it is
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


def _require_each_once(table: str, file: str, names: Sequence[str]) -> None:
    for name in TABLES[table].column_names:
        if names.count(name) > 1:
            count = names.count(name)
            raise _ColumnGivenTwice(
                Problem(table, name, Rule.DUPLICATE_COLUMN, count, (file,), structural=True)
            )


def _names(found: FoundFiles) -> list[str]:
    return [files.name for files in found.tables.values()]


# ---------------------------------------------------------------- Parquet


def _parquet_reader(
    backend: Any, table: str, files: TableFiles, _scratch: Path, _settings: SourceSettings
) -> TableReader:
    options = "binary_as_string=true, file_row_number=true"
    if files.folder is not None and any(
        "=" in part for path in files.paths for part in path.relative_to(files.folder).parts[:-1]
    ):
        options += ", hive_partitioning=true, hive_types_autocast=false"
    else:
        options += ", hive_partitioning=false"
    if len(files.paths) > 1:
        options += ", union_by_name=true"
    listed = ", ".join(path_literal(path) for path in files.paths)
    relation = f"read_parquet([{listed}], {options})"
    columns = described(backend, relation)
    names = _given_names(files, [name for name, _kind in columns])
    by_name = {
        given: (quote_identifier(name), kind)
        for given, (name, kind) in zip(names, columns, strict=True)
        if name != "file_row_number"
    }
    _require_each_once(table, files.name, [*by_name])
    number = "file_row_number"
    if len(files.paths) > 1:
        number = f"file_index * {_ROWS_OF_ONE_FILE} + {number}"
    return TableReader(files.name, relation, by_name, row_number=number)


def _given_names(files: TableFiles, described_names: list[str]) -> list[str]:
    """The names in the files: DuckDB, whose names ignore case, renames one of two alike."""
    given = list(pq.read_schema(files.paths[0]).names)
    if len(given) == len({name.lower() for name in given}):
        return described_names
    if any(pq.read_schema(path).names != given for path in files.paths[1:]):
        return described_names
    return [*given, *described_names[len(given) :]]


# ---------------------------------------------------------------- CSV


def _csv_reader(
    _backend: Any, table: str, files: TableFiles, scratch: Path, settings: SourceSettings
) -> TableReader:
    opened = [
        open_csv(path, encoding=settings.encoding, delimiter=settings.delimiter)
        for path in files.paths
    ]
    opened = share_header(opened, TABLES[table].column_names)
    for file in opened:
        _require_each_once(table, file.path.name, file.dialect.header)
    copies = [None if file.readable_as_it_is else copy_place(scratch) for file in opened]
    return _reader_of_csv(table, files.name, opened, copies, scratch)


def _reader_of_csv(
    table: str, name: str, files: list[CsvFile], copies: list[Path | None], scratch: Path
) -> TableReader:
    relation, aliases = csv_relation(files, copies)
    retry = partial(
        _reader_of_csv, table, name, files, [copy_place(scratch) for _ in files], scratch
    )
    return TableReader(
        name,
        relation,
        {column: (alias, "VARCHAR") for column, alias in aliases.items()},
        readable=partial(_copied, table, files, copies),
        from_copy=None if all(copies) else retry,
        notes=tuple(_part_notes(table, files)),
        guesses=tuple(
            GuessedEncoding(file.path.name, file.dialect.encoding.name, file.dialect.foreign_text)
            for file in files
            if file.dialect.encoding.guessed
        ),
        has_header_lines=True,
    )


@contextmanager
def _copied(table: str, files: list[CsvFile], copies: list[Path | None]) -> Iterator[None]:
    """The plain copies are there while this lasts."""
    wanted = TABLES[table].column_names
    faults: list[str] = []
    count = 0
    try:
        for file, copy in zip(files, copies, strict=True):
            if copy is None:
                continue
            try:
                write_copy(file, wanted, copy)
            except UnreadableCsv as error:
                if error.is_encoding:
                    raise
                faults += error.faults
                count += error.count
        if faults:
            raise UnreadableCsv(faults[:5], count)
        yield
    finally:
        for copy in copies:
            if copy is not None:
                copy.unlink(missing_ok=True)


def _part_notes(table: str, files: Sequence[CsvFile]) -> Iterator[str]:
    """What the parts of a table lack that other parts have."""
    headerless = [file.path.name for file in files if file.dialect.headerless]
    if headerless:
        yield (
            f"{_listed(headerless)}: the first line names no column, so it was read as a row, in "
            "the columns of the part that has a header"
        )
    for column in TABLES[table].column_names:
        without = [file.path.name for file in files if column not in file.dialect.header]
        if 0 < len(without) < len(files):
            yield f"{_listed(without)}: no column {column}, which other parts have; empty there"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")


# ---------------------------------------------------------------- workbooks


def _sheets(found: FoundFiles) -> tuple[dict[str, Sheet], list[Problem]]:
    """The sheets that are tables; a file of the table's own name comes before a sheet."""
    sheets: dict[str, Sheet] = {}
    problems: list[Problem] = []
    for table, files in found.tables.items():
        if files.format in (CSV, PARQUET):
            continue
        try:
            sheets[table] = read_sheets(files.paths[0], [table])[table]
        except UnreadableWorkbook as error:
            problems.append(structural_problem(table, Rule.NOT_READABLE, 1, str(error)))
    for path in found.workbooks:
        try:
            more = read_sheets(path, TABLES)
        except UnreadableWorkbook:
            continue
        for table, sheet in more.items():
            if table in sheets or table in found.tables:
                taken = sheets[table].name if table in sheets else found.tables[table].name
                names = (taken, sheet.name)
                problems.append(structural_problem(table, Rule.DUPLICATE_TABLE, 1, *names))
            else:
                sheets[table] = sheet
    return sheets, problems


def _sheet_reader(backend: Any, table: str, sheet: Sheet) -> TableReader:
    if not any(sheet.header):
        raise UnreadableCsv([f"{sheet.name} has no header line"])
    _require_each_once(table, sheet.name, sheet.header)
    view = f"sheet_{table}"
    return TableReader(
        sheet.name,
        view,
        {name: (f"c{i}", "VARCHAR") for i, name in enumerate(sheet.header) if name},
        readable=partial(_registered, backend, view, sheet),
        has_header_lines=True,
    )


@contextmanager
def _registered(backend: Any, view: str, sheet: Sheet) -> Iterator[None]:
    backend.con.register(view, sheet.rows)
    try:
        yield
    finally:
        backend.con.unregister(view)
