"""Where each table of a source comes from: files in a folder, a DuckDB file, or PostgreSQL."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb

from ..contract import TABLES, BadInput
from . import csv_files, postgres
from .problems import MAX_EXAMPLES, Problem, Rule

_ACCEPTED_SOURCES = (
    "a folder of <table>.parquet or <table>.csv files, or a DuckDB file, or a database URL such as "
    f"{postgres.URL_EXAMPLE}"
)
ATTACHED_CATALOG = "given"
_STREAM_VIEW = "arriving"  # the table that PostgreSQL is sending; one at a time


@dataclass(frozen=True, slots=True)
class TableReader:
    """One table as it was given.

    Attributes:
        name: what its owner calls it, for messages.
        relation: SQL that reads it.
        columns: for every column name, SQL that names the column and its DuckDB type.
        row_number: SQL of a stable row number from 0; None: only a kept copy has one.
        csv_path: the file, if it is a CSV.
        csv_fields: how many names its header has.
        readable: `relation` can be read while this context lasts.
    """

    name: str
    relation: str
    columns: Mapping[str, tuple[str, str]]
    row_number: str | None = None
    csv_path: Path | None = None
    csv_fields: int = 0
    readable: Callable[[], AbstractContextManager[None]] = nullcontext


@dataclass(frozen=True, slots=True)
class TableReaders:
    """The tables that were found, and the problems met while looking."""

    tables: Mapping[str, TableReader]
    problems: tuple[Problem, ...]


@contextmanager
def find_readers(backend: Any, data: str | Path) -> Iterator[TableReaders]:
    """Look for the contract's tables at `data`; what has no stable rows is read while this lasts.

    The one place that tells kinds of sources apart.

    Args:
        backend: Ibis DuckDB backend that will read them.
        data: path of a folder or of a DuckDB file, or the URL of a PostgreSQL database.

    Raises:
        BadInput: nothing usable is at `data`.
    """
    if postgres.is_url(data):
        with postgres.open_database(str(data)) as database:
            yield _postgres_readers(backend, database)
    else:
        yield _file_readers(backend, data)


def _file_readers(backend: Any, data: str | Path) -> TableReaders:
    path, shown = Path(data), postgres.display_name(data)
    try:
        if path.is_dir():
            return _folder_readers(backend, path)
        if path.is_file():
            return _duckdb_readers(backend, path)
    except OSError as error:
        raise BadInput(f"cannot read {shown}: {error.strerror}; check its permissions") from error
    raise BadInput(f"expected {_ACCEPTED_SOURCES}; {shown} does not exist: check the path")


def quote_identifier(name: str) -> str:
    """`name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _quote_literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def first_line(error: Exception) -> str:
    """The message of `error` without the advice that DuckDB adds below."""
    return str(error).strip().split("\n", 1)[0]


def nearest_name(name: str, candidates: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The candidate that reads most like `name`, ignoring case; None if none is close."""
    lower = {candidate.lower(): candidate for candidate in candidates}
    close = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=cutoff)
    return lower[close[0]] if close else None


def _missing_tables(found: Iterable[str], names: Mapping[str, object]) -> list[Problem]:
    present = set(found)
    problems = []
    for table in TABLES.values():
        if not table.required or table.name in names:
            continue
        near = nearest_name(table.name, present - set(TABLES), cutoff=0.75)
        examples = (f"nearest: {near}",) if near else ()
        problems.append(Problem(table.name, "", Rule.MISSING_TABLE, 1, examples, structural=True))
    return problems


def _no_tables_error(data: str | Path, found: Iterable[str]) -> BadInput:
    expected = ", ".join(name for name, table in TABLES.items() if table.required)
    names = sorted(found)
    listed = ", ".join(names[:10]) + (" ..." if len(names) > 10 else "") if names else "nothing"
    return BadInput(
        f"expected the tables {expected} in {data}, found {listed}; expected {_ACCEPTED_SOURCES}"
    )


# ---------------------------------------------------------------- folders


def _folder_readers(backend: Any, folder: Path) -> TableReaders:
    files = {path.name: path for path in folder.iterdir() if path.is_file()}
    files_by_table = {
        name: [p for p in (f"{name}.parquet", f"{name}.csv") if p in files] for name in TABLES
    }
    if not any(files_by_table.values()):
        raise _no_tables_error(folder, (path.name for path in folder.iterdir()))
    problems: list[Problem] = []
    tables: dict[str, TableReader] = {}
    for name, names in files_by_table.items():
        if len(names) == 2:
            problems.append(_structural_problem(name, Rule.DUPLICATE_TABLE, 1, *names))
        elif names:
            read = _parquet_reader if names[0].endswith(".parquet") else _csv_reader
            reader = read(backend, name, files[names[0]])
            if isinstance(reader, TableReader):
                tables[name] = reader
            else:
                problems += reader
    stems = {Path(name).stem for name in files if name.endswith((".parquet", ".csv"))}
    problems += _missing_tables(
        stems, {name: names for name, names in files_by_table.items() if names}
    )
    return TableReaders(tables, tuple(problems))


def _structural_problem(table: str, rule: Rule, count: int, *examples: str) -> Problem:
    return Problem(table, "", rule, count, examples, structural=True)


def _path_literal(path: Path) -> str:
    # DuckDB takes a path for a pattern; brackets around its special characters disarm them.
    return _quote_literal(re.sub(r"([*?\[])", r"[\1]", str(path.absolute())))


def _parquet_reader(backend: Any, table: str, path: Path) -> TableReader | list[Problem]:
    options = "hive_partitioning=false, binary_as_string=true"
    relation = f"read_parquet({_path_literal(path)}, {options}, file_row_number=true)"
    try:
        described = _column_types(backend, relation)
    except duckdb.Error as error:
        reason = first_line(error).replace(str(path.absolute()), path.name)
        return [_structural_problem(table, Rule.NOT_READABLE, 1, f"{path.name}: {reason}")]
    described.pop("file_row_number")
    return TableReader(path.name, relation, described, row_number="file_row_number")


def _column_types(backend: Any, relation: str) -> dict[str, tuple[str, str]]:
    rows = backend.raw_sql(f"DESCRIBE SELECT * FROM {relation}").fetchall()  # noqa: S608 - built here
    return {name: (quote_identifier(name), kind) for name, kind, *_ in rows}


def _csv_reader(_backend: Any, table: str, path: Path) -> TableReader | list[Problem]:
    if problem := csv_files.find_non_utf8(path):
        return [_structural_problem(table, Rule.NOT_UTF8, 1, problem)]
    names = csv_files.read_header(path)
    if not any(names):
        return [_structural_problem(table, Rule.NOT_READABLE, 1, f"{path.name} has no header line")]
    if duplicates := [name for name in TABLES[table].column_names if names.count(name) > 1]:
        return [
            Problem(
                table, name, Rule.DUPLICATE_COLUMN, names.count(name), (path.name,), structural=True
            )
            for name in duplicates
        ]
    # DuckDB's names ignore case and ours do not: positions name the columns without a clash.
    columns = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(names)))
    relation = (
        f"read_csv({_path_literal(path)}, auto_detect=false, header=true, delim=',', quote='\"',"
        f" escape='\"', nullstr='', hive_partitioning=false, columns={{{columns}}})"
    )
    return TableReader(
        path.name,
        relation,
        {name: (f"c{i}", "VARCHAR") for i, name in enumerate(names)},
        csv_path=path,
        csv_fields=len(names),
    )


def unreadable_table(table: str, reader: TableReader, error: Exception) -> Problem:
    """Why DuckDB could not read a table; of a CSV the lines, but not what stands in them."""
    if reader.csv_path is None:
        return _structural_problem(
            table, Rule.NOT_READABLE, 1, f"{reader.name}: {first_line(error)}"
        )
    faults = csv_files.faulty_lines(reader.csv_path, reader.csv_fields)
    examples = [
        f"{reader.name} line {line}: {_csv_fault(fields, reader.csv_fields)}"
        for line, fields in islice(faults, MAX_EXAMPLES)
    ]
    count = len(examples) + sum(1 for _ in faults)
    if not examples:
        examples = [f"{reader.name}: {first_line(error)}"]
    return _structural_problem(table, Rule.NOT_READABLE, max(count, 1), *examples)


def _csv_fault(fields: int, expected: int) -> str:
    return f"{fields} fields, the header has {expected}" if fields else "a quote is out of place"


# ---------------------------------------------------------------- DuckDB files


def _duckdb_readers(backend: Any, path: Path) -> TableReaders:
    with path.open("rb") as file:
        if file.read(12)[8:] != b"DUCK":
            raise BadInput(
                f"expected {_ACCEPTED_SOURCES}; {path} is a file, but no DuckDB database"
            )
    try:
        backend.raw_sql(
            f"ATTACH {_quote_literal(str(path.absolute()))} AS {ATTACHED_CATALOG} (READ_ONLY)"
        )
    except duckdb.Error as error:
        hint = "close other programs that write to it, and check its version"
        raise BadInput(f"DuckDB cannot open {path}: {first_line(error)}; {hint}") from error
    found = _table_types(backend)
    present = {name: kind for name, kind in found.items() if name in TABLES}
    if not present:
        raise _no_tables_error(path, found)
    problems = _missing_tables(found, present)
    tables: dict[str, TableReader] = {}
    for name, kind in present.items():
        try:
            tables[name] = _duckdb_reader(backend, name, kind == "VIEW")
        except duckdb.Error as error:
            problems.append(_structural_problem(name, Rule.NOT_READABLE, 1, first_line(error)))
    return TableReaders(tables, tuple(problems))


def _table_types(backend: Any) -> dict[str, str]:
    sql = (
        "SELECT table_name, table_type FROM information_schema.tables"
        " WHERE table_catalog = ? AND table_schema = 'main'"
    )
    return dict(backend.con.execute(sql, [ATTACHED_CATALOG]).fetchall())


def _duckdb_reader(backend: Any, table: str, is_view: bool) -> TableReader:
    relation = f"{ATTACHED_CATALOG}.main.{quote_identifier(table)}"
    return TableReader(
        table, relation, _column_types(backend, relation), None if is_view else "rowid"
    )


# ---------------------------------------------------------------- PostgreSQL


def _postgres_readers(backend: Any, database: postgres.Database) -> TableReaders:
    found = database.relations()
    present = [name for name in TABLES if name in found]
    if not present:
        raise _no_tables_error(database.display_name, found)
    problems = _missing_tables(found, dict.fromkeys(present))
    tables: dict[str, TableReader] = {}
    for name in present:
        columns = database.columns(found[name])
        if refused := _select_refused(found[name], columns):
            problems.append(_structural_problem(name, Rule.NOT_READABLE, 1, refused))
        else:
            tables[name] = _postgres_reader(backend, database, found[name], columns)
    return TableReaders(tables, tuple(problems))


def _select_refused(
    relation: postgres.Relation, columns: Mapping[str, tuple[str, bool]]
) -> str | None:
    """Which of the contract's columns we may not read; None: all that there are may be."""
    wanted = [name for name in TABLES[relation.name].column_names if name in columns]
    unreadable_columns = [name for name in wanted if not columns[name][1]]
    if not unreadable_columns:
        return None
    which = f" {', '.join(unreadable_columns)} of" if len(unreadable_columns) < len(wanted) else ""
    return f"the URL's user may not read{which} {relation.schema}.{relation.name}: GRANT SELECT"


def _postgres_reader(
    backend: Any,
    database: postgres.Database,
    relation: postgres.Relation,
    columns: Mapping[str, tuple[str, bool]],
) -> TableReader:
    select_list = [
        f"{postgres.select_expression(quote_identifier(name), columns[name][0])}"
        f" AS {quote_identifier(name)}"
        for name in TABLES[relation.name].column_names
        if name in columns
    ]
    source = f"{quote_identifier(relation.schema)}.{quote_identifier(relation.name)}"
    shown = f"{relation.schema}.{relation.name}"
    return TableReader(
        shown,
        _STREAM_VIEW,
        {
            name: postgres.received_expression(quote_identifier(name), kind)
            for name, (kind, _) in columns.items()
        },
        readable=partial(
            database.register_stream,
            backend,
            f"SELECT {', '.join(select_list)} FROM {source}",  # noqa: S608 - names are quoted
            name=_STREAM_VIEW,
            what=shown,
        ),
    )
