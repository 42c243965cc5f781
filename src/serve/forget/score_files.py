"""Removing a person from the Parquet tables of a batch, and from the pages of a report."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...contract import BadInput
from ..batch.score_tables import SCORE_SCHEMAS
from .person import PERSON_ID_COLUMNS, REDACTION, REFERENCE_COLUMN, TEXT_COLUMNS, Person
from .staged_files import StagedFiles, files_below

ID_COLUMNS = ("contact_id",)  # of any table: a row with the person's id is about them
REPORT_ENTRIES = ("index.html", "groups")  # what tells a folder of pages from any other
REMOVED_PAGE = (
    '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Removed</title>\n'
    "<p>This page was removed at a person's request. The next report brings it back."
    "</p></html>\n"
)


def require_tables(folder: Path) -> None:
    """Makes sure that a folder holds tables of `mqbg score`.

    Raises:
        BadInput: it does not.
    """
    if not any((folder / f"{name}.parquet").is_file() for name in SCORE_SCHEMAS):
        raise BadInput(
            f"{folder}: expected a folder that `mqbg score` wrote, found none of its tables; "
            "choose another folder"
        )


def require_pages(folder: Path) -> None:
    """Makes sure that a folder holds pages of `mqbg report`.

    Raises:
        BadInput: it does not.
    """
    if not all((folder / name).exists() for name in REPORT_ENTRIES):
        raise BadInput(
            f"{folder}: expected a folder that `mqbg report` wrote, found no "
            f"{REPORT_ENTRIES[0]}; choose another folder"
        )


def forget_in_tables(folder: Path, person: Person, files: StagedFiles) -> Counter[str]:
    """Removes a person from the tables that `mqbg score` wrote, each of which is replaced whole.

    What the person added to a score is shown by reports as one part without a name.

    Args:
        folder: of the tables; those that it lacks are passed over.
        person: whom.
        files: takes what changes.

    Returns:
        How many rows are removed, or texts blanked, by table.

    Raises:
        BadInput: it is no such folder, or a table cannot be read.
    """
    require_tables(folder)
    tables = {name: folder / f"{name}.parquet" for name in SCORE_SCHEMAS}
    present = {name: read_parquet(path) for name, path in tables.items() if path.is_file()}
    person_snapshots = {
        snapshot
        for name, table in present.items()
        for snapshot in _snapshots_of(name, table, person)
    }
    removed: Counter[str] = Counter()
    for name, table in present.items():
        cleaned, counts = _redact_table(name, table, person, person_snapshots)
        if counts:
            with files.replacing(tables[name]) as aside:
                pq.write_table(cleaned, aside, compression="zstd")
        removed.update(counts)
    return removed


def forget_in_pages(folder: Path, person: Person, files: StagedFiles) -> Counter[str]:
    """Removes a person from a report: pages of groups give way to a notice.

    Args:
        folder: that `mqbg report` wrote.
        person: whom, by name: pages hardly say ids. On pages that stay, a dash stands for it.
        files: takes what changes.

    Returns:
        How many pages are removed, and in how many a dash takes the name's place.

    Raises:
        BadInput: it is no such folder.
    """
    require_pages(folder)
    removed: Counter[str] = Counter()
    for path in files_below(folder):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # an image: charts are drawn as text
        if not person.is_named_in(text) and not person.is_named_in(html.unescape(text)):
            continue
        is_group_page = path.parent.name == REPORT_ENTRIES[1]
        with files.replacing(path) as aside:
            aside.write_text(
                REMOVED_PAGE if is_group_page else _redact_page(text, person),
                encoding="utf-8",
                newline="\n",
            )
        removed["pages removed" if is_group_page else "pages changed"] += 1
    return removed


def read_parquet(path: Path) -> pa.Table:
    """A table that mqbg wrote.

    Raises:
        BadInput: it cannot be read.
    """
    try:
        return pq.read_table(path, partitioning=None)
    except (OSError, pa.ArrowInvalid) as error:
        raise BadInput(
            f"{path}: expected a table that mqbg wrote, could not read it: "
            f"{str(error).splitlines()[0]}"
        ) from None


def _snapshots_of(name: str, table: pa.Table, person: Person) -> Iterator[tuple[str, datetime]]:
    column = {**PERSON_ID_COLUMNS, REFERENCE_COLUMN[0]: REFERENCE_COLUMN[1]}.get(name)
    if column is None:
        return
    rows = table.filter(pc.equal(table[column], person.contact_id))
    yield from zip(rows["group_id"].to_pylist(), rows["as_of"].to_pylist(), strict=True)


def _redact_table(
    name: str, table: pa.Table, person: Person, person_snapshots: set[tuple[str, datetime]]
) -> tuple[pa.Table, Counter[str]]:
    counts: Counter[str] = Counter()
    if name in PERSON_ID_COLUMNS:
        is_about_person = pc.equal(table[PERSON_ID_COLUMNS[name]], person.contact_id).fill_null(
            False
        )
        counts[f"{name} rows"] = pc.sum(is_about_person).as_py() or 0
        table = table.filter(pc.invert(is_about_person))
    if name == REFERENCE_COLUMN[0]:
        column = table[REFERENCE_COLUMN[1]]
        is_reference = pc.equal(column, person.contact_id).fill_null(False)
        counts[f"{name} pointers"] = pc.sum(is_reference).as_py() or 0
        table = _replace_column(table, REFERENCE_COLUMN[1], pc.if_else(is_reference, None, column))
    for column in TEXT_COLUMNS.get(name, ()):
        snapshot_keys = zip(table["group_id"].to_pylist(), table["as_of"].to_pylist(), strict=True)
        in_group = [key in person_snapshots for key in snapshot_keys]
        old_texts = table[column].to_pylist()
        redacted_texts = [
            _redact_value(name, text, person, is_member)
            for text, is_member in zip(old_texts, in_group, strict=True)
        ]
        counts[f"{name} texts"] = sum(
            a != b for a, b in zip(old_texts, redacted_texts, strict=True)
        )
        table = _replace_column(
            table, column, pa.array(redacted_texts, table.schema.field(column).type)
        )
    return table, +counts


def _redact_value(name: str, value: Any, person: Person, in_group: bool) -> Any:
    if isinstance(value, list):
        return [item for item in value if person.redact(name, item, in_group=in_group)]
    return person.redact(name, value, in_group=in_group)


def _replace_column(table: pa.Table, column: str, values: Any) -> pa.Table:
    column_index = table.schema.get_field_index(column)
    return table.set_column(column_index, table.schema.field(column), values)


def _redact_page(text: str, person: Person) -> str:
    """A page with a dash for the person, however the name is written in it."""
    text = person.pattern.sub(REDACTION, text)
    # Written in a way that nobody thought of: better no page than one that still names them.
    return REMOVED_PAGE if person.is_named_in(html.unescape(text)) else text
