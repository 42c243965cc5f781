"""How a CSV file is written: its encoding, its separator, its header; found, not asked for."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .encodings import Encoding, find_encoding, open_text

DELIMITERS = (",", ";", "\t", "|")
_SAMPLE_CHARACTERS = 1 << 16
_SAMPLE_RECORDS = 100
_DECLARATION = "sep="  # Excel's own first line
_FOREIGN_TEXT = re.compile(r"[^\W\d_]{0,20}[^\x00-\x7f\ufeff][^\x00-\x2f]{0,19}")


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """How one CSV file is to be read.

    Attributes:
        encoding: of its bytes.
        delimiter: between its fields.
        header: the names of its columns, without blanks around them; () for an empty file.
        declared: its first line is Excel's `sep=;` and no header.
        headerless: its first line is a record, and `header` is that of another part.
        foreign_text: the first text of its beginning that is no ASCII; "" where there is none.
        blank_start: it begins with blank lines.
    """

    encoding: Encoding
    delimiter: str
    header: tuple[str, ...]
    declared: bool = False
    headerless: bool = False
    foreign_text: str = ""
    blank_start: bool = False


def sniff_csv(
    path: Path, *, encoding: str | None = None, delimiter: str | None = None
) -> CsvDialect:
    """How a CSV file, plain or gzip, is written; fields are quoted by `"` where they need it.

    Args:
        path: the file; the whole of it is read to know its encoding.
        encoding: Python's name of a codec; None finds it.
        delimiter: between fields; None finds it among comma, semicolon, tab and bar.

    Raises:
        EncodingFault: the bytes are text in no encoding that we know.
        UnicodeDecodeError: they are not text in `encoding`.
    """
    found = find_encoding(path) if encoding is None else Encoding(encoding)
    with open_text(path, found.name) as file:
        sample = file.read(_SAMPLE_CHARACTERS)
        complete = len(sample) < _SAMPLE_CHARACTERS
    declared = _declared_delimiter(sample)
    if declared is not None:
        sample = sample.split("\n", 1)[-1] if "\n" in sample else ""
    chosen = delimiter or declared or _most_likely(sample)
    records = _records(sample, chosen, complete=complete)
    header = tuple(name.strip().lstrip("\ufeff") for name in records[0]) if records else ()
    foreign = _FOREIGN_TEXT.search(sample)
    return CsvDialect(
        found,
        chosen,
        header,
        declared is not None,
        foreign_text=foreign.group() if foreign else "",
        blank_start=sample.startswith(("\n", "\r")),
    )


def _declared_delimiter(sample: str) -> str | None:
    first = sample.split("\n", 1)[0].rstrip("\r").strip('"')
    is_declaration = first.lower().startswith(_DECLARATION) and len(first) == len(_DECLARATION) + 1
    return first[-1] if is_declaration else None


def _most_likely(sample: str) -> str:
    """The delimiter that gives the header most fields, then most records as many as the header."""

    def fit(delimiter: str) -> tuple[int, float]:
        records = _records(sample, delimiter, complete=False)
        if not records:
            return 0, 0.0
        fields = len(records[0])
        return fields, sum(len(record) == fields for record in records) / len(records)

    return max(DELIMITERS, key=fit)


def _records(sample: str, delimiter: str, *, complete: bool) -> list[list[str]]:
    """The first records; the last of a sample that was cut may be cut as well."""
    records: list[list[str]] = []
    with no_field_limit():
        try:
            for record in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter):
                if record:
                    records.append(record)
                if len(records) > _SAMPLE_RECORDS:
                    break
        except csv.Error:  # a line break of a kind that no reader of ours takes
            return records
    return records if complete or len(records) < 2 else records[:-1]


@contextmanager
def no_field_limit() -> Iterator[None]:
    """Python's reader takes fields of any length while this lasts."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def iterate_records(path: Path, dialect: CsvDialect) -> Iterator[tuple[int, list[str]]]:
    """(line number, fields) of every record after the header, if it has one; any line ends.

    Raises:
        csv.Error: a quote opens and never closes, or closes inside a field.
        UnicodeDecodeError: the bytes are not text in the dialect's encoding.
    """
    with no_field_limit(), open_text(path, dialect.encoding.name) as file:
        if dialect.declared:
            file.readline()
        records = csv.reader(file, delimiter=dialect.delimiter, strict=True)
        past_header = dialect.headerless
        for record in records:
            if record and past_header:
                yield records.line_num + dialect.declared, record
            past_header = past_header or bool(record)
