"""SRC as raw tables of texts in DuckDB: folders, zips, CSV, workbooks, Parquet, databases."""

from __future__ import annotations

import csv
import datetime as dt
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
from python_calamine import CalamineError, CalamineWorkbook

from ..contract import BadInput
from ..source import display_name
from ..source.csv_dialect import DELIMITERS
from ..source.csv_files import is_gzip
from ..source.encodings import EncodingFault, find_encoding, open_text

_TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
_BOOK_SUFFIXES = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods")
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_SAMPLE_BYTES = 1 << 18


@dataclass(frozen=True)
class RawTable:
    """A table as it came: all columns texts, in the DuckDB table `relation`.

    Attributes:
        name: the file's without suffix, the sheet's, or the table's.
        columns: headers as they were written; the keys of a JSON column `properties` among them.
        sources: SQL of each column; those of the relation itself are called c0, c1, ...
    """

    name: str
    columns: tuple[str, ...]
    relation: str
    sources: tuple[str, ...]


def read_raw(con: duckdb.DuckDBPyConnection, src: str, scratch: Path) -> list[RawTable]:
    """Every table of SRC, read into `con`.

    Args:
        con: an open connection; tables raw_0, raw_1, ... are made in it.
        src: folder, file, DuckDB database or database URL.
        scratch: an empty folder for what has to be unpacked.

    Raises:
        BadInput: nothing is there, nothing can be read, or a zip wants a password.
    """
    raws: list[RawTable] = []

    def keep(name: str, rows: duckdb.DuckDBPyRelation) -> None:
        relation = f"raw_{len(raws)}"
        columns = tuple(rows.columns)
        texts = [
            f"{_as_text(kind)} AS c{place}".replace("{}", '"' + name.replace('"', '""') + '"')
            for place, (name, kind) in enumerate(zip(columns, rows.types, strict=True))
        ]
        if texts:
            rows.project(", ".join(texts)).create(relation)
            raws.append(_with_properties(con, RawTable(name, columns, relation, _own(columns))))

    if "://" in src:
        _read_database(con, src, keep)
    else:
        path = Path(src)
        if not path.exists():
            raise BadInput(f"import: expected a folder or file at {src}, found nothing there")
        for one in _files(path, scratch):
            _read_file(con, one, scratch, keep)
    if not raws:
        raise BadInput(
            f"import: expected .csv, .tsv, .xlsx, .parquet or a database at {display_name(src)}, "
            "found no table there"
        )
    return raws


def _own(columns: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"c{place}" for place in range(len(columns)))


def _with_properties(con: duckdb.DuckDBPyConnection, raw: RawTable) -> RawTable:
    """The table with what API connectors put into one column `properties` as columns."""
    places = [place for place, name in enumerate(raw.columns) if name.lower() == "properties"]
    if not places:
        return raw
    rows = con.table(raw.relation).filter(f"json_valid(c{places[0]})").limit(20_000)
    keys = (
        rows.project(f"unnest(json_keys(c{places[0]})) AS key").distinct().order("key").fetchall()
    )
    names = [key for (key,) in keys if key not in raw.columns]
    taken = [
        f"json_extract_string(c{places[0]}, '$.\"{name.replace(chr(39), chr(39) * 2)}\"')"
        for name in names
    ]
    return RawTable(raw.name, (*raw.columns, *names), raw.relation, (*raw.sources, *taken))


def _as_text(kind: object) -> str:
    name = str(kind)
    if name == "VARCHAR":
        return "{}"
    if name.startswith(("STRUCT", "MAP")) or name.endswith("]"):
        return "CAST(to_json({}) AS VARCHAR)"
    if name == "DOUBLE" or name == "FLOAT":
        # Whole numbers that a reader took for fractions: ids beside empty cells.
        return (
            "CASE WHEN {} = trunc({}) AND abs({}) < 1e15 "
            "THEN CAST(CAST({} AS BIGINT) AS VARCHAR) ELSE CAST({} AS VARCHAR) END"
        )
    return "CAST({} AS VARCHAR)"


def _files(path: Path, scratch: Path) -> Iterator[Path]:
    if path.is_dir():
        for entry in sorted(path.rglob("*")):
            if entry.is_file() and not any(
                part.startswith((".", "__MACOSX")) for part in entry.parts[-2:]
            ):
                yield from _files(entry, scratch)
    elif path.suffix.lower() == ".zip":
        yield from _unpacked(path, scratch)
    else:
        yield path


def _unpacked(path: Path, scratch: Path) -> Iterator[Path]:
    try:
        with zipfile.ZipFile(path) as packed:
            if any(entry.flag_bits & 1 for entry in packed.infolist()):
                raise BadInput(
                    f"import: {path.name} is a zip with a password: unpack it and give the folder"
                )
            folder = scratch / f"{path.stem}-{sum(1 for _ in scratch.iterdir())}"
            for entry in packed.infolist():
                entry.filename = _written_name(entry)
                packed.extract(entry, folder)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError) as error:
        raise BadInput(f"import: expected a zip that can be read, {path.name}: {error}") from None
    yield from _files(folder, scratch)


def _written_name(entry: zipfile.ZipInfo) -> str:
    """The entry's name; without the mark of UTF-8, Windows in Japan writes it in Shift_JIS."""
    if entry.flag_bits & 0x800:
        return entry.filename
    for encoding in ("utf-8", "cp932"):
        try:
            return entry.filename.encode("cp437").decode(encoding)
        except UnicodeError:
            continue
    return entry.filename


Keep = Callable[[str, duckdb.DuckDBPyRelation], None]
"""Takes a table under its name."""


def _read_file(con: duckdb.DuckDBPyConnection, path: Path, scratch: Path, keep: Keep) -> None:
    suffix = path.suffix.lower()
    try:
        if suffix in _TEXT_SUFFIXES or path.name.lower().endswith(".csv.gz"):
            for rows in _delimited(con, path, scratch):
                keep(path.name.split(".")[0], rows)
        elif suffix == ".parquet":
            keep(path.stem, con.read_parquet(str(path)))
        elif suffix in _BOOK_SUFFIXES:
            for name, table in _sheets(path):
                keep(name, con.from_arrow(table))
        elif suffix in (".duckdb", ".db", ".ddb"):
            _read_duckdb(con, path, keep)
    except (duckdb.Error, CalamineError) as error:
        raise BadInput(
            f"import: could not read {path.name}: {str(error).splitlines()[0]}"
        ) from None


def _delimited(
    con: duckdb.DuckDBPyConnection, path: Path, scratch: Path
) -> Iterator[duckdb.DuckDBPyRelation]:
    text = _as_utf8(path, scratch)
    if text.stat().st_size == 0:
        return
    with text.open(encoding="utf-8-sig", newline="") as file:
        sample = file.read(_SAMPLE_BYTES)
    delimiter = max(DELIMITERS, key=lambda one: _regular(sample, one))
    skipped = _lines_before_header(sample, delimiter)
    names = _header(sample, delimiter, skipped)
    if not any(names):
        return
    yield con.read_csv(
        str(text), header=False, skiprows=skipped + 1, delimiter=delimiter, quotechar='"',
        escapechar='"', columns=dict.fromkeys(names, "VARCHAR"), auto_detect=False,
        strict_mode=False, null_padding=True, parallel=False, max_line_size=16_000_000,
    )  # fmt: skip


def _as_utf8(path: Path, scratch: Path) -> Path:
    """The file itself if it is plain UTF-8, else a copy that is."""
    try:
        encoding = find_encoding(path)
        if encoding.is_utf8 and not is_gzip(path):
            return path
        copy = scratch / f"utf8-{sum(1 for _ in scratch.iterdir())}.csv"
        with (
            open_text(path, encoding.name) as old,
            copy.open("w", encoding="utf-8", newline="") as new,
        ):
            while block := old.read(1 << 20):
                new.write(block)
    except (EncodingFault, UnicodeError, EOFError, OSError) as error:
        raise BadInput(
            f"import: expected text in UTF-8, UTF-16 or Shift_JIS, {path.name} is none: {error}; "
            "export it again as UTF-8"
        ) from None
    return copy


def _records(sample: str, delimiter: str) -> list[list[str]]:
    try:
        return [
            record
            for _, record in zip(
                range(50),
                csv.reader(sample.splitlines(keepends=True), delimiter=delimiter),
                strict=False,
            )
        ]
    except csv.Error:
        return []


def _regular(sample: str, delimiter: str) -> tuple[int, int]:
    """How many of the first records have the commonest width, and how wide: the more the better."""
    widths = [
        len(record) for record in _records(sample, delimiter)[:-1] or _records(sample, delimiter)
    ]
    if not widths or max(widths) < 2:
        return (0, 0)
    common = max(set(widths), key=lambda one: (widths.count(one), one))
    return (widths.count(common) if common > 1 else 0, common)


def _lines_before_header(sample: str, delimiter: str) -> int:
    """Lines of title and notes that reports put before the header."""
    records = _records(sample, delimiter)
    widest = max((len(record) for record in records), default=0)
    for place, record in enumerate(records):
        if len(record) >= max(2, widest - 1) and sum(1 for one in record if one.strip()) >= max(
            2, len(record) // 2
        ):
            return _lines_of(sample, delimiter, place)
    return 0


def _lines_of(sample: str, delimiter: str, records: int) -> int:
    reader = csv.reader(sample.splitlines(keepends=True), delimiter=delimiter)
    for _ in range(records):
        next(reader)
    return reader.line_num


def _header(sample: str, delimiter: str, skipped: int) -> list[str]:
    lines = sample.splitlines(keepends=True)[skipped:]
    names = next(csv.reader(lines, delimiter=delimiter), [])
    return _distinct([name.strip() for name in names])


def _distinct(names: list[str]) -> list[str]:
    taken: dict[str, int] = {}
    result = []
    for place, name in enumerate(names):
        base = name or f"column {place + 1}"
        taken[base.lower()] = taken.get(base.lower(), 0) + 1
        result.append(base if taken[base.lower()] == 1 else f"{base} ({taken[base.lower()]})")
    return result


def _sheets(path: Path) -> Iterator[tuple[str, pa.Table]]:
    # A newer workbook is a zip; with a password it is an older container around that.
    if path.suffix.lower() in (".xlsx", ".xlsm", ".xlsb"):
        with path.open("rb") as file:
            if file.read(8) == _OLE:
                raise BadInput(
                    f"import: {path.name} is a workbook with a password, or of another kind than "
                    "its name says: save it without a password, or as CSV"
                )
    book = CalamineWorkbook.from_path(str(path))
    for sheet in book.sheet_names:
        rows = [[_cell(one) for one in row] for row in book.get_sheet_by_name(sheet).to_python()]
        rows = [row for row in rows if any(row)]
        widest = max((sum(1 for one in row if one) for row in rows), default=0)
        start = next(
            (
                place
                for place, row in enumerate(rows)
                if sum(1 for one in row if one) >= max(2, widest - 1)
            ),
            None,
        )
        if start is None:
            continue
        names = _distinct([one or "" for one in rows[start]])
        values = list(zip(*rows[start + 1 :], strict=True)) or [()] * len(names)
        only = len(book.sheet_names) == 1
        yield (
            path.stem if only else sheet,
            pa.table(
                {
                    name: pa.array(list(column), pa.string())
                    for name, column in zip(names, values, strict=True)
                }
            ),
        )


def _cell(value: object) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    return str(value)


def _read_duckdb(con: duckdb.DuckDBPyConnection, path: Path, keep: Keep) -> None:
    others = con.execute("SELECT count(*) FROM duckdb_databases()").fetchall()[0][0]
    alias = f"attached_{others}"
    con.execute(f"ATTACH '{str(path).replace(chr(39), chr(39) * 2)}' AS {alias} (READ_ONLY)")
    found = con.execute(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = ? "
        "UNION SELECT schema_name, view_name FROM duckdb_views() "
        "WHERE database_name = ? AND NOT internal "
        "ORDER BY ALL",
        [alias, alias],
    ).fetchall()
    for schema, table in found:
        keep(table, con.table(f'{alias}."{schema}"."{table}"'))


def _read_database(con: duckdb.DuckDBPyConnection, url: str, keep: Keep) -> None:
    import ibis

    try:
        database = ibis.connect(url)
        names = sorted(database.list_tables())
    except Exception as error:  # drivers have no common ancestor, and their texts may hold the URL
        raise BadInput(
            f"import: expected a database that opens at {display_name(url)}, got "
            f"{type(error).__name__}; check the address, the user and the password"
        ) from None
    for name in names:
        keep(name, con.from_arrow(database.table(name).to_pyarrow()))
