"""CSV files as one relation of text columns, read by DuckDB: as they are where it can.

What DuckDB does not read (other encodings, mixed or doubled line ends, fields of megabytes) is
copied once, record by record, into plain UTF-8 with the wanted columns alone, and DuckDB reads
that.
"""

from __future__ import annotations

import codecs
import csv
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from .csv_dialect import CsvDialect, iterate_records, sniff_csv
from .encodings import EncodingFault, open_bytes
from .quoting import path_literal, quote_literal

MAX_FAULTS = 5
_LONGEST_LINE = 1 << 26  # bytes, of a copy; DuckDB's own limit is 2 MB, and costs less memory
_COPY_NUMBERS = count()


class UnreadableCsv(Exception):  # noqa: N818 - says what it is
    """A file that no reader takes.

    Attributes:
        faults: up to five sentences that name the file and the line, and nothing that is in it.
        count: how many lines are at fault.
        is_encoding: the bytes are the matter, not the lines.
    """

    def __init__(self, faults: Sequence[str], count: int = 1, *, is_encoding: bool = False) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)
        self.count = count
        self.is_encoding = is_encoding


@dataclass(frozen=True, slots=True)
class CsvFile:
    """One file and how it is written."""

    path: Path
    dialect: CsvDialect

    @property
    def readable_as_it_is(self) -> bool:
        """Whether DuckDB may try the file itself."""
        dialect = self.dialect
        return dialect.encoding.is_utf8 and not dialect.declared and not dialect.blank_start


def open_csv(path: Path, *, encoding: str | None = None, delimiter: str | None = None) -> CsvFile:
    """A CSV file, plain or gzip, with what was found of its encoding, separator and header.

    Args:
        path: the file.
        encoding: Python's name of a codec; None finds it.
        delimiter: between fields; None finds it.

    Raises:
        UnreadableCsv: it is no text, or has no header line.
    """
    try:
        dialect = sniff_csv(path, encoding=encoding, delimiter=delimiter)
    except EncodingFault as error:
        raise UnreadableCsv([str(error)], is_encoding=True) from None
    except UnicodeDecodeError as error:
        raise UnreadableCsv([_wrong_byte(path, error)], is_encoding=True) from None
    except (EOFError, zlib.error, OSError) as error:
        raise UnreadableCsv([f"{path.name}: {_damage(error)}"]) from None
    if not any(dialect.header):
        raise UnreadableCsv([f"{path.name} has no header line"])
    return CsvFile(path, dialect)


def share_header(files: Sequence[CsvFile], wanted: Collection[str]) -> list[CsvFile]:
    """The parts of a table; one whose first line names no column continues the part before it.

    `split` and some warehouses write the header to the first part alone.

    Args:
        files: the parts, in order.
        wanted: names of the table's columns.

    Raises:
        UnreadableCsv: the first line of a part names no column, and has more or fewer fields.
    """
    named = next((file for file in files if not set(wanted).isdisjoint(file.dialect.header)), None)
    if named is None:  # no part has a column: what is missing is said of the table
        return list(files)
    faults = []
    shared = []
    for file in files:
        if set(wanted).isdisjoint(file.dialect.header):
            if len(file.dialect.header) != len(named.dialect.header):
                faults.append(
                    f"{file.path.name} line 1 names no column of the table, as that of "
                    f"{named.path.name} does, and has {len(file.dialect.header)} fields where "
                    f"that has {len(named.dialect.header)}"
                )
            dialect = replace(file.dialect, header=named.dialect.header, headerless=True)
            file = replace(file, dialect=dialect)
        shared.append(file)
    if faults:
        raise UnreadableCsv(faults[:MAX_FAULTS], len(faults))
    return shared


def csv_relation(
    files: Sequence[CsvFile], copies: Sequence[Path | None]
) -> tuple[str, dict[str, str]]:
    """SQL over the rows of all files, and by column name the SQL that names the column in it.

    Columns are matched by name, whatever their order in each file; a file without a column has
    nulls there. All are VARCHAR.

    Args:
        files: in the order of their rows.
        copies: where `write_copy` puts the plain copy of each; None reads the file itself.
    """
    names = list(dict.fromkeys(name for file in files for name in file.dialect.header if name))
    # DuckDB's names ignore case and ours do not: positions name the columns without a clash.
    alias = {name: f"n{position}" for position, name in enumerate(names)}
    parts = []
    for file, copy in zip(files, copies, strict=True):
        header = file.dialect.header
        first = {name: header.index(name) for name in names if name in header}
        selected = ", ".join(
            f"c{first[name]} AS {alias[name]}" if name in first else f"NULL AS {alias[name]}"
            for name in names
        )
        parts.append(f"SELECT {selected} FROM {_read_csv(file, copy)}")  # noqa: S608 - built here
    return f"({' UNION ALL '.join(parts)})", alias


def _read_csv(file: CsvFile, copy: Path | None) -> str:
    columns = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(file.dialect.header)))
    delimiter = "," if copy else file.dialect.delimiter
    packed = copy is None and is_gzip(file.path)
    header = "true" if copy or not file.dialect.headerless else "false"
    longest = f", max_line_size={_LONGEST_LINE}" if copy else ""
    return (
        f"read_csv({path_literal(copy or file.path)}, auto_detect=false, header={header},"
        f" delim={quote_literal(delimiter)}, quote='\"', escape='\"', nullstr='',"
        f" compression={quote_literal('gzip' if packed else 'none')},"
        f" hive_partitioning=false, columns={{{columns}}}{longest})"
    )


def is_gzip(path: Path) -> bool:
    """Whether the file is packed, whatever its name."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def copy_place(scratch: Path) -> Path:
    """A path in `scratch` for one copy."""
    return scratch / f"copy-{next(_COPY_NUMBERS)}.csv"


def write_copy(file: CsvFile, wanted: Collection[str], copy: Path) -> None:
    """Write the records of `file` as plain CSV; a column that is not wanted is left empty.

    Raises:
        UnreadableCsv: lines with more or fewer fields than the header, or a quote out of place.
    """
    header = file.dialect.header
    kept = [name in wanted for name in header]
    faults: list[str] = []
    faulty = 0
    line = 0
    try:
        with copy.open("w", encoding="utf-8", newline="") as target:
            writer = csv.writer(target, lineterminator="\n", quoting=csv.QUOTE_ALL)
            writer.writerow(f"c{i}" for i in range(len(header)))
            for line, record in iterate_records(file.path, file.dialect):
                fields = _without_trailing_delimiter(record, len(header))
                if len(fields) == len(header):
                    writer.writerow(
                        value if keep else "" for value, keep in zip(fields, kept, strict=True)
                    )
                    continue
                faulty += 1
                if len(faults) < MAX_FAULTS:
                    faults.append(
                        f"{file.path.name} line {line}: {len(fields)} fields, "
                        f"the header has {len(header)}"
                    )
    except csv.Error:
        place = f"{file.path.name} line {_last_quoted_line(file, line)}"
        faults.append(f"{place}: a quote is out of place")
        raise UnreadableCsv(faults[-MAX_FAULTS:], faulty + 1) from None
    except UnicodeError as error:
        raise UnreadableCsv([_wrong_byte(file.path, error)], is_encoding=True) from None
    except (EOFError, zlib.error) as error:
        raise UnreadableCsv([f"{file.path.name}: {_damage(error)}"]) from None
    if faulty:
        raise UnreadableCsv(faults, faulty)


def _without_trailing_delimiter(record: list[str], fields: int) -> list[str]:
    """A line that ends in a separator has one empty field too many."""
    return record[:-1] if len(record) == fields + 1 and not record[-1] else record


def _last_quoted_line(file: CsvFile, line: int) -> int:
    """The line on which the record after `line` begins."""
    return line + 1 if line else 2 - file.dialect.headerless + file.dialect.declared


def _wrong_byte(path: Path, error: UnicodeError) -> str:
    if not isinstance(error, UnicodeDecodeError):
        return f"{path.name}: {error}"
    name = error.encoding
    with open_bytes(path) as file:
        offset = 0
        decoder = _decoder(name)
        while block := file.read(1 << 20):
            try:
                decoder.decode(block)
            except UnicodeDecodeError as found:
                return f"{path.name} is no {name} at byte {offset + found.start}"
            offset += len(block)
    return f"{path.name} is no {name}: the file ends inside a character"


def _decoder(name: str) -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder(name)()


def _damage(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "the packed file is damaged or cut short"
