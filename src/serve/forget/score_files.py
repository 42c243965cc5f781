"""Removing a person from the Parquet tables of a batch, and from the pages of a report."""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...contract import BadInput
from ...support.atomic_output import replaced_file
from ..batch.score_tables import SCORE_SCHEMAS
from .person import LEFT_OUT, OF_THE_PERSON, POINTING, TEXTS, Person

PAGES = ("index.html", "groups")  # what tells a folder of pages from any other
NOTICE = (
    '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Removed</title>\n'
    "<p>This page was removed at a person's request. The next report brings it back."
    "</p></html>\n"
)


def forget_in_tables(folder: Path, person: Person) -> Counter[str]:
    """Removes a person from the tables that `mqbg score` wrote, each of which is replaced whole.

    The contributions that are left do not add up to the scores any more, so no report can be made
    of the folder until it is scored again.

    Args:
        folder: of the tables; those that it lacks are passed over.
        person: whom.

    Returns:
        How many rows were removed, or texts blanked, by table.

    Raises:
        BadInput: it is no such folder.
    """
    tables = {name: _read(folder / f"{name}.parquet") for name in SCORE_SCHEMAS}
    found = {name: table for name, table in tables.items() if table is not None}
    if not found:
        raise BadInput(
            f"{folder}: expected a folder that `mqbg score` wrote, found none of its tables; "
            "choose another folder"
        )
    there = {
        snapshot for name, table in found.items() for snapshot in _snapshots(name, table, person)
    }
    done: Counter[str] = Counter()
    for name, table in found.items():
        cleaned, counts = _without(name, table, person, there)
        if counts:
            with replaced_file(folder / f"{name}.parquet") as aside:
                pq.write_table(cleaned, aside, compression="zstd")
        done.update(counts)
    return done


def forget_in_pages(folder: Path, person: Person) -> Counter[str]:
    """Removes a person from a report: pages of groups give way to a notice.

    Args:
        folder: that `mqbg report` wrote.
        person: whom, by name: pages hardly say ids. On pages that stay, a dash stands for it.

    Returns:
        How many pages were removed, and in how many a dash stands now.

    Raises:
        BadInput: it is no such folder.
    """
    if not all((folder / name).exists() for name in PAGES):
        raise BadInput(
            f"{folder}: expected a folder that `mqbg report` wrote, found no {PAGES[0]}; choose "
            "another folder"
        )
    done: Counter[str] = Counter()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # an image: charts are drawn as text
        if not person.mentioned(text) and not person.mentioned(html.unescape(text)):
            continue
        whole = path.parent.name == PAGES[1]
        with replaced_file(path) as aside:
            aside.write_text(
                NOTICE if whole else _dashed(text, person), encoding="utf-8", newline="\n"
            )
        done["pages removed" if whole else "pages changed"] += 1
    return done


def _read(path: Path) -> pa.Table | None:
    if not path.is_file():
        return None
    try:
        return pq.read_table(path, partitioning=None)
    except (OSError, pa.ArrowInvalid) as error:
        raise BadInput(
            f"{path}: expected a table that `mqbg score` wrote, could not read it: "
            f"{str(error).splitlines()[0]}"
        ) from None


def _snapshots(name: str, table: pa.Table, person: Person) -> Iterator[tuple[str, datetime]]:
    column = {**OF_THE_PERSON, POINTING[0]: POINTING[1]}.get(name)
    if column is None:
        return
    rows = table.filter(pc.equal(table[column], person.contact_id))
    yield from zip(rows["group_id"].to_pylist(), rows["as_of"].to_pylist(), strict=True)


def _without(
    name: str, table: pa.Table, person: Person, there: set[tuple[str, datetime]]
) -> tuple[pa.Table, Counter[str]]:
    counts: Counter[str] = Counter()
    if name in OF_THE_PERSON:
        about = pc.equal(table[OF_THE_PERSON[name]], person.contact_id).fill_null(False)
        counts[f"{name} rows"] = pc.sum(about).as_py() or 0
        table = table.filter(pc.invert(about))
    if name == POINTING[0]:
        column = table[POINTING[1]]
        pointing = pc.equal(column, person.contact_id).fill_null(False)
        counts[f"{name} pointers"] = pc.sum(pointing).as_py() or 0
        table = _replaced(table, POINTING[1], pc.if_else(pointing, None, column))
    for column in TEXTS.get(name, ()):
        keys = zip(table["group_id"].to_pylist(), table["as_of"].to_pylist(), strict=True)
        inside = [key in there for key in keys]
        old = table[column].to_pylist()
        new = [_cleaned(name, text, person, here) for text, here in zip(old, inside, strict=True)]
        counts[f"{name} texts"] = sum(a != b for a, b in zip(old, new, strict=True))
        table = _replaced(table, column, pa.array(new, table.schema.field(column).type))
    return table, +counts


def _cleaned(name: str, value: Any, person: Person, inside: bool) -> Any:
    if isinstance(value, list):
        return [item for item in value if person.cleaned(name, item, there=inside)]
    return person.cleaned(name, value, there=inside)


def _replaced(table: pa.Table, column: str, values: Any) -> pa.Table:
    place = table.schema.get_field_index(column)
    return table.set_column(place, table.schema.field(column), values)


def _dashed(text: str, person: Person) -> str:
    """A page with a dash for the person, however the name is written in it."""
    for needle in sorted(person.needles, key=len, reverse=True):
        for spelling in (
            html.escape(needle),
            html.escape(needle).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
            json.dumps(needle)[1:-1],
        ):
            text = text.replace(spelling, LEFT_OUT)
    text = person.pattern.sub(LEFT_OUT, text)
    # Written in a way that nobody thought of: better no page than one that still names them.
    return NOTICE if person.mentioned(html.unescape(text)) else text
