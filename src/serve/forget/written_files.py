"""Removing a person from any other file that mqbg wrote: JSON, lines of it, CSV, Parquet, text."""

from __future__ import annotations

import json
import re
from collections import Counter
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
    if any(term.encode() in content for term in person.search_terms):
        raise BadInput(
            f"forget: expected files that can be changed in place, and {file} names the person; "
            "delete it, or make it again without the person, and leave it out here"
        )


def _redact_text_file(text: str, suffix: str, person: Person) -> str:
    if suffix in JSON_LINES:
        lines = (_redact_json_text(line, person) for line in text.splitlines(keepends=True))
        return "".join(lines)
    if suffix == ".json":
        return _redact_json_text(text, person)
    if suffix in (".csv", ".tsv"):
        return "".join(_redact_line(line, person) for line in text.splitlines(keepends=True))
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


def _redact_line(line: str, person: Person) -> str:
    """A row of a CSV file; one that has the person's id in a cell of its own goes."""
    cells = (cell.strip().strip('"') for cell in re.split("[,;\t]", line))
    return "" if person.contact_id in cells else person.pattern.sub(REDACTION, line)


def _forget_in_parquet(file: Path, person: Person, files: StagedFiles) -> int:
    table = before = read_parquet(file)
    for name in ID_COLUMNS:
        if name in table.column_names and pa.types.is_string(table.schema.field(name).type):
            is_person = pc.equal(table[name], person.contact_id).fill_null(False)
            table = table.filter(pc.invert(is_person))
    for index, field in enumerate(table.schema):
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            old = table.column(index).to_pylist()
            new = [text and person.pattern.sub(REDACTION, text) for text in old]
            if new != old:
                table = table.set_column(index, field, pa.array(new, field.type))
    if table.equals(before):
        return 0
    with files.replacing(file) as aside:
        pq.write_table(table, aside, compression="zstd")
    return 1
