"""Removing a person from any other file that mqbg wrote: JSON, lines of it, CSV, Parquet, text."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...contract import BadInput
from .outbox_rows import redact_json
from .person import REDACTION, Person
from .score_files import ID_COLUMNS, read_parquet
from .staged_files import StagedFiles, files_below

JSON_LINES = (".jsonl", ".ndjson")
BINARY_SUFFIXES = (
    ".duckdb",
    ".db",
    ".sqlite",
    ".sqlite-wal",
    ".sqlite-shm",
    ".xlsx",
    ".zip",
    ".gz",
)
"""Of files that cannot be cleared in place; a person found in one is said, and nothing is done."""

ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "cp932")  # in which such a file may hold a name
GZIP_MAGIC = b"\x1f\x8b"
DELIMITERS = ",;\t"


def forget_in_files(path: Path, person: Person, files: StagedFiles) -> Counter[str]:
    """Removes a person from a file, or from every file of a folder.

    Rows of Parquet and CSV tables, and objects of JSON lists, go where a column of contacts has the
    person's id; in all other texts a dash stands for the person.

    Args:
        path: of what mqbg wrote.
        person: whom.
        files: takes what changes.

    Returns:
        How many files are changed.

    Raises:
        BadInput: there is no such file, or one that names the person cannot be changed in place.
    """
    counts: Counter[str] = Counter()
    for file in files_below(path):
        if file.suffix == ".parquet":
            counts["files changed"] += _forget_in_parquet(file, person, files)
            continue
        content = file.read_bytes()
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            _refuse_named_binary(file, content, person)
            continue
        if file.suffix.lower() in BINARY_SUFFIXES:
            _refuse_named_binary(file, content, person)
            continue
        redacted = _redact_text_file(text, file.suffix.lower(), person)
        if redacted != text:
            with files.replacing(file) as aside:
                aside.write_bytes(redacted.encode())
            counts["files changed"] += 1
    return +counts


def _refuse_named_binary(file: Path, content: bytes, person: Person) -> None:
    contents = (content, *_unpacked(file, content))
    texts = (part.decode(name, "ignore") for part in contents for name in ENCODINGS)
    if any(map(person.is_named_in, texts)):
        raise BadInput(
            f"forget: expected files that can be changed in place, and {file} names the person; "
            "delete it, or make it again without the person, and leave it out here"
        )


def _unpacked(file: Path, content: bytes) -> Iterator[bytes]:
    """What a packed file holds; nothing where it is none, or is damaged."""
    try:
        if content.startswith(GZIP_MAGIC):
            yield gzip.decompress(content)
        elif zipfile.is_zipfile(file):  # workbooks are
            with zipfile.ZipFile(file) as archive:
                yield from map(archive.read, archive.namelist())
    except (OSError, EOFError, RuntimeError, zlib.error, zipfile.BadZipFile):
        return  # RuntimeError: it asks for a password


def _redact_text_file(text: str, suffix: str, person: Person) -> str:
    if suffix in JSON_LINES:
        lines = (_redact_json_text(line, person) for line in text.splitlines(keepends=True))
        return "".join(lines)
    if suffix == ".json":
        return _redact_json_text(text, person)
    if suffix in (".csv", ".tsv"):
        return "".join(_redact_record(record, person) for record in _csv_records(text))
    return person.pattern.sub(REDACTION, text)


def _redact_json_text(text: str, person: Person) -> str:
    try:
        value: Any = json.loads(text)
    except ValueError:
        return person.pattern.sub(REDACTION, text)
    cleaned = redact_json(value, person)
    if cleaned == value:
        return text
    end = text[len(text.rstrip("\r\n")) :]
    return json.dumps(cleaned, ensure_ascii=False, separators=(",", ":")) + end


def _csv_records(text: str) -> Iterator[str]:
    """Records of CSV as they are written; one whose quoted cells hold line ends has several."""
    record = ""
    for line in text.splitlines(keepends=True):
        record += line
        if record.count('"') % 2 == 0:
            yield record
            record = ""
    if record:
        yield record


def _redact_record(record: str, person: Person) -> str:
    """A row of a CSV file; one that has the person's id in a cell of its own goes."""
    cells = {
        cell.strip()
        for delimiter in DELIMITERS
        for row in csv.reader(io.StringIO(record, newline=""), delimiter=delimiter)
        for cell in row
    }
    return "" if person.contact_id in cells else person.pattern.sub(REDACTION, record)


def _forget_in_parquet(file: Path, person: Person, files: StagedFiles) -> int:
    table = before = read_parquet(file)
    for name in ID_COLUMNS:
        if name in table.column_names and _is_text(table.schema.field(name).type):
            is_person = pc.equal(table[name], person.contact_id).fill_null(False)
            table = table.filter(pc.invert(is_person))
    for index, field in enumerate(table.schema):
        if _is_text(field.type) or pa.types.is_nested(field.type):
            old = table.column(index).to_pylist()
            new = [_redact_nested(value, person) for value in old]
            if new != old:
                table = table.set_column(index, field, pa.array(new, field.type))
    if table.equals(before):
        return 0
    with files.replacing(file) as aside:
        pq.write_table(table, aside, compression="zstd")
    return 1


def _is_text(arrow_type: pa.DataType) -> bool:
    is_text: bool = pa.types.is_string(arrow_type) or pa.types.is_large_string(arrow_type)
    return is_text


def _redact_nested(value: Any, person: Person) -> Any:
    """A value of a column, whose shape its type says, without the person."""
    if isinstance(value, str):
        return person.pattern.sub(REDACTION, value)
    if isinstance(value, list | tuple):  # a map is a list of pairs
        return type(value)(_redact_nested(item, person) for item in value)
    if isinstance(value, dict):
        return {key: _redact_nested(item, person) for key, item in value.items()}
    return value
