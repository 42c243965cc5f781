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
from . import csv_files as csvfile
from . import postgres
from .problems import EXAMPLES, Problem, Rule

_ACCEPTED = (
    "a folder of <table>.parquet or <table>.csv files, or a DuckDB file, or a database URL such as "
    f"{postgres.EXAMPLE}"
)
ATTACHED = "given"
_STREAM = "arriving"  # the table that PostgreSQL is sending; one at a time


@dataclass(frozen=True, slots=True)
class Origin:
    """One table as it was given.

    Attributes:
        name: what its owner calls it, for messages.
        relation: SQL that reads it.
        columns: for every column name, SQL that names the column and its DuckDB type.
        row: SQL of a stable row number from 0; None: only a kept copy has one.
        csv: the file, if it is a CSV.
        fields: how many names its header has.
        reading: `relation` can be read while this context lasts.
    """

    name: str
    relation: str
    columns: Mapping[str, tuple[str, str]]
    row: str | None = None
    csv: Path | None = None
    fields: int = 0
    reading: Callable[[], AbstractContextManager[None]] = nullcontext


@dataclass(frozen=True, slots=True)
class Origins:
    """The tables that were found, and the problems met while looking."""

    tables: Mapping[str, Origin]
    problems: tuple[Problem, ...]


@contextmanager
def find(backend: Any, data: str | Path) -> Iterator[Origins]:
    """Look for the contract's tables at `data`; what has no stable rows is read while this lasts.

    The one place that tells kinds of sources apart.

    Args:
        backend: Ibis DuckDB backend that will read them.
        data: path of a folder or of a DuckDB file, or the URL of a PostgreSQL database.

    Raises:
        BadInput: nothing usable is at `data`.
    """
    if postgres.is_url(data):
        with postgres.connected(str(data)) as database:
            yield _server(backend, database)
    else:
        yield _files(backend, data)


def _files(backend: Any, data: str | Path) -> Origins:
    path, shown = Path(data), postgres.shown_name(data)
    try:
        if path.is_dir():
            return _folder(backend, path)
        if path.is_file():
            return _database(backend, path)
    except OSError as error:
        raise BadInput(f"cannot read {shown}: {error.strerror}; check its permissions") from error
    raise BadInput(f"expected {_ACCEPTED}; {shown} does not exist: check the path")


def quoted(name: str) -> str:
    """`name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def first_line(error: Exception) -> str:
    """The message of `error` without the advice that DuckDB adds below."""
    return str(error).strip().split("\n", 1)[0]


def nearest(name: str, candidates: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The candidate that reads most like `name`, ignoring case; None if none is close."""
    lower = {candidate.lower(): candidate for candidate in candidates}
    close = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=cutoff)
    return lower[close[0]] if close else None


def _missing(found: Iterable[str], names: Mapping[str, object]) -> list[Problem]:
    present = set(found)
    problems = []
    for table in TABLES.values():
        if not table.required or table.name in names:
            continue
        near = nearest(table.name, present - set(TABLES), cutoff=0.75)
        examples = (f"nearest: {near}",) if near else ()
        problems.append(Problem(table.name, "", Rule.MISSING_TABLE, 1, examples, structural=True))
    return problems


def _nothing_found(data: str | Path, found: Iterable[str]) -> BadInput:
    wanted = ", ".join(name for name, table in TABLES.items() if table.required)
    names = sorted(found)
    listed = ", ".join(names[:10]) + (" ..." if len(names) > 10 else "") if names else "nothing"
    return BadInput(f"expected the tables {wanted} in {data}, found {listed}; expected {_ACCEPTED}")


# ---------------------------------------------------------------- folders


def _folder(backend: Any, folder: Path) -> Origins:
    files = {path.name: path for path in folder.iterdir() if path.is_file()}
    given = {name: [p for p in (f"{name}.parquet", f"{name}.csv") if p in files] for name in TABLES}
    if not any(given.values()):
        raise _nothing_found(folder, (path.name for path in folder.iterdir()))
    problems: list[Problem] = []
    tables: dict[str, Origin] = {}
    for name, names in given.items():
        if len(names) == 2:
            problems.append(_structural(name, Rule.TABLE_TWICE, 1, *names))
        elif names:
            read = _parquet if names[0].endswith(".parquet") else _csv
            origin = read(backend, name, files[names[0]])
            if isinstance(origin, Origin):
                tables[name] = origin
            else:
                problems += origin
    stems = {Path(name).stem for name in files if name.endswith((".parquet", ".csv"))}
    problems += _missing(stems, {name: names for name, names in given.items() if names})
    return Origins(tables, tuple(problems))


def _structural(table: str, rule: Rule, count: int, *examples: str) -> Problem:
    return Problem(table, "", rule, count, examples, structural=True)


def _path_literal(path: Path) -> str:
    # DuckDB takes a path for a pattern; brackets around its special characters disarm them.
    return _literal(re.sub(r"([*?\[])", r"[\1]", str(path.absolute())))


def _parquet(backend: Any, table: str, path: Path) -> Origin | list[Problem]:
    options = "hive_partitioning=false, binary_as_string=true"
    relation = f"read_parquet({_path_literal(path)}, {options}, file_row_number=true)"
    try:
        described = _described(backend, relation)
    except duckdb.Error as error:
        reason = first_line(error).replace(str(path.absolute()), path.name)
        return [_structural(table, Rule.NOT_READABLE, 1, f"{path.name}: {reason}")]
    described.pop("file_row_number")
    return Origin(path.name, relation, described, row="file_row_number")


def _described(backend: Any, relation: str) -> dict[str, tuple[str, str]]:
    rows = backend.raw_sql(f"DESCRIBE SELECT * FROM {relation}").fetchall()  # noqa: S608 - built here
    return {name: (quoted(name), kind) for name, kind, *_ in rows}


def _csv(_backend: Any, table: str, path: Path) -> Origin | list[Problem]:
    if trouble := csvfile.not_utf8(path):
        return [_structural(table, Rule.NOT_UTF8, 1, trouble)]
    names = csvfile.header(path)
    if not any(names):
        return [_structural(table, Rule.NOT_READABLE, 1, f"{path.name} has no header line")]
    if twice := [name for name in TABLES[table].column_names if names.count(name) > 1]:
        return [
            Problem(
                table, name, Rule.COLUMN_TWICE, names.count(name), (path.name,), structural=True
            )
            for name in twice
        ]
    # DuckDB's names ignore case and ours do not: positions name the columns without a clash.
    columns = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(names)))
    relation = (
        f"read_csv({_path_literal(path)}, auto_detect=false, header=true, delim=',', quote='\"',"
        f" escape='\"', nullstr='', hive_partitioning=false, columns={{{columns}}})"
    )
    return Origin(
        path.name,
        relation,
        {name: (f"c{i}", "VARCHAR") for i, name in enumerate(names)},
        csv=path,
        fields=len(names),
    )


def unreadable(table: str, origin: Origin, error: Exception) -> Problem:
    """Why DuckDB could not read a table; of a CSV the lines, but not what stands in them."""
    if origin.csv is None:
        return _structural(table, Rule.NOT_READABLE, 1, f"{origin.name}: {first_line(error)}")
    faults = csvfile.faulty_lines(origin.csv, origin.fields)
    examples = [
        f"{origin.name} line {line}: {_fault(fields, origin.fields)}"
        for line, fields in islice(faults, EXAMPLES)
    ]
    count = len(examples) + sum(1 for _ in faults)
    if not examples:
        examples = [f"{origin.name}: {first_line(error)}"]
    return _structural(table, Rule.NOT_READABLE, max(count, 1), *examples)


def _fault(fields: int, expected: int) -> str:
    return f"{fields} fields, the header has {expected}" if fields else "a quote is out of place"


# ---------------------------------------------------------------- DuckDB files


def _database(backend: Any, path: Path) -> Origins:
    with path.open("rb") as file:
        if file.read(12)[8:] != b"DUCK":
            raise BadInput(f"expected {_ACCEPTED}; {path} is a file, but no DuckDB database")
    try:
        backend.raw_sql(f"ATTACH {_literal(str(path.absolute()))} AS {ATTACHED} (READ_ONLY)")
    except duckdb.Error as error:
        hint = "close other programs that write to it, and check its version"
        raise BadInput(f"DuckDB cannot open {path}: {first_line(error)}; {hint}") from error
    found = _kinds(backend)
    present = {name: kind for name, kind in found.items() if name in TABLES}
    if not present:
        raise _nothing_found(path, found)
    problems = _missing(found, present)
    tables: dict[str, Origin] = {}
    for name, kind in present.items():
        try:
            tables[name] = _attached(backend, name, kind == "VIEW")
        except duckdb.Error as error:
            problems.append(_structural(name, Rule.NOT_READABLE, 1, first_line(error)))
    return Origins(tables, tuple(problems))


def _kinds(backend: Any) -> dict[str, str]:
    sql = (
        "SELECT table_name, table_type FROM information_schema.tables"
        " WHERE table_catalog = ? AND table_schema = 'main'"
    )
    return dict(backend.con.execute(sql, [ATTACHED]).fetchall())


def _attached(backend: Any, table: str, is_view: bool) -> Origin:
    relation = f"{ATTACHED}.main.{quoted(table)}"
    return Origin(table, relation, _described(backend, relation), None if is_view else "rowid")


# ---------------------------------------------------------------- PostgreSQL


def _server(backend: Any, database: postgres.Database) -> Origins:
    found = database.relations()
    present = [name for name in TABLES if name in found]
    if not present:
        raise _nothing_found(database.shown, found)
    problems = _missing(found, dict.fromkeys(present))
    tables: dict[str, Origin] = {}
    for name in present:
        columns = database.columns(found[name])
        if refused := _refused(found[name], columns):
            problems.append(_structural(name, Rule.NOT_READABLE, 1, refused))
        else:
            tables[name] = _remote(backend, database, found[name], columns)
    return Origins(tables, tuple(problems))


def _refused(relation: postgres.Relation, columns: Mapping[str, tuple[str, bool]]) -> str | None:
    """Which of the contract's columns we may not read; None: all that there are may be."""
    wanted = [name for name in TABLES[relation.name].column_names if name in columns]
    refused = [name for name in wanted if not columns[name][1]]
    if not refused:
        return None
    which = f" {', '.join(refused)} of" if len(refused) < len(wanted) else ""
    return f"the URL's user may not read{which} {relation.schema}.{relation.name}: GRANT SELECT"


def _remote(
    backend: Any,
    database: postgres.Database,
    relation: postgres.Relation,
    columns: Mapping[str, tuple[str, bool]],
) -> Origin:
    sent = [
        f"{postgres.selected(quoted(name), columns[name][0])} AS {quoted(name)}"
        for name in TABLES[relation.name].column_names
        if name in columns
    ]
    source = f"{quoted(relation.schema)}.{quoted(relation.name)}"
    shown = f"{relation.schema}.{relation.name}"
    return Origin(
        shown,
        _STREAM,
        {name: postgres.received(quoted(name), kind) for name, (kind, _) in columns.items()},
        reading=partial(
            database.streamed,
            backend,
            f"SELECT {', '.join(sent)} FROM {source}",  # noqa: S608 - names are quoted
            name=_STREAM,
            what=shown,
        ),
    )
