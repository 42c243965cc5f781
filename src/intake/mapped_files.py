"""Tables of a system that we do not know, mapped in `[import.columns]`, as evidence.

Each mapping says what a file's rows are and which of its columns is which. People may be named by
their e-mail address where a table has no id of theirs, companies by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath

import duckdb

from ..contract import BadInput
from ..settings import ImportSettings, TableMapping
from .evidence import EVIDENCE
from .reading import RawTable
from .recognition import Recognised
from .shapes import Shape, TableShape, normalise_header
from .views import SOLUTION

_TIMES = ("created_at", "ended_at", "joined_at", "left_at", "changed_at")
_ENDS_OF_DAY = ("occurred_at", "recorded_at", "closed_at")
_NUMBERS = {"employees": "BIGINT", "amount": "DOUBLE", "duration_seconds": "DOUBLE"}
_CONTENT_ID = "left(md5(record_key), 16)"
"""Names a row without an id by what it says: its place in the file changes with every export."""

_BY_OTHERS = {"email": "e-mail address of the person", "last_name": "", "first_name": ""}


def mapped_tables(raws: Sequence[RawTable], imports: ImportSettings) -> Recognised:
    """The raw tables that the settings map, as a shape of their own.

    Raises:
        BadInput: nothing is mapped, a mapped file or column is not there, or a name is no column.
    """
    if not imports.columns:
        raise BadInput(
            "import files: expected [import.columns] in mqbg.toml to say what each file holds; see "
            "docs/getting-started.md"
        )
    tables: dict[str, TableShape] = {}
    found: dict[str, list[RawTable]] = {}
    for name, mapping in imports.columns.items():
        stem = normalise_header(PurePath(name).stem)
        matching = [raw for raw in raws if normalise_header(raw.name) == stem]
        if not matching:
            raise BadInput(
                f"[import.columns.{name!r}]: expected a file or table of this name, found "
                f"{', '.join(sorted(raw.name for raw in raws)[:5])}"
            )
        _require_columns(name, mapping, matching)
        columns = {
            target: (normalise_header(header),) for target, header in mapping.columns.items()
        }
        key = ("id",) if "id" in columns else ()
        tables[name] = TableShape(name, (), (), (), columns, key)
        found[name] = matching
    known = {raw.relation for one in found.values() for raw in one}
    deals = tuple(
        name for name, one in imports.columns.items()
        if one.table == "deals" and "solution" not in one.columns
    )  # fmt: skip
    shape = Shape(
        "files", "files", "mapped files", True, False, True, (), (), (), deals, tables, {}, ""
    )
    return Recognised(shape, found, [raw for raw in raws if raw.relation not in known])


def _require_columns(name: str, mapping: TableMapping, raws: Sequence[RawTable]) -> None:
    allowed = {*EVIDENCE[mapping.table], "id", *_BY_OTHERS} - {"source_table", "source_id", "fate"}
    for target, header in mapping.columns.items():
        if target not in allowed:
            raise BadInput(
                f"[import.columns.{name!r}]: {target!r} is nothing that {mapping.table} have; they "
                f"have {', '.join(sorted(allowed))}"
            )
        for raw in raws:
            if normalise_header(header) not in map(normalise_header, raw.columns):
                raise BadInput(
                    f"[import.columns.{name!r}]: expected a column {header!r} in {raw.name}, "
                    f"it has "
                    f"{', '.join(raw.columns[:12])}"
                )


def insert_mapped(con: duckdb.DuckDBPyConnection, imports: ImportSettings) -> None:
    """Fill the tables of evidence; people come first, as other tables may name them by address."""
    order = ("companies", "people", "deals", "deal_people", "deal_stages", "activities")
    people = [name for name, one in imports.columns.items() if one.table == "people"]
    for table in order:
        for name, mapping in imports.columns.items():
            if mapping.table == table:
                _insert(con, name, mapping, people)


def _insert(
    con: duckdb.DuckDBPyConnection, name: str, mapping: TableMapping, people: Sequence[str]
) -> None:
    values: dict[str, str] = {
        "source_table": _text(name),
        "source_id": '"id"' if "id" in mapping.columns else _CONTENT_ID,
    }
    for column in EVIDENCE[mapping.table]:
        if column in mapping.columns:
            values[column] = _value(column)
    if {"last_name", "first_name"} & set(mapping.columns) and "full_name" not in values:
        parts = [f'"{one}"' for one in ("last_name", "first_name") if one in mapping.columns]
        values["full_name"] = f"concat_ws(' ', {', '.join(parts)})"
    if mapping.table in ("activities", "deal_people"):
        values |= _person(mapping, people)
    if mapping.table == "activities" and "kind" not in values:
        values["kind"] = _text(mapping.kind or "activity")
    if mapping.table == "deals":
        stage = mapping.columns.get("stage")
        values["state"] = 'stage_state("stage")' if stage else "NULL"
        values.setdefault("created_at", "NULL")
        if "solution" not in mapping.columns:
            values["solution"] = f'"{SOLUTION}"'
    if mapping.table == "deal_stages":
        values["state"], values["rank"] = 'stage_state("stage")', "0"
    texts = ", ".join(f'{sql} AS "{column}"' for column, sql in values.items())
    rows = con.table(f'src."{name}"').set_alias("mapped").project(texts)
    full = ", ".join(
        f'CAST({_quoted(column) if column in values else "NULL"} AS {kind}) AS "{column}"'
        for column, kind in EVIDENCE[mapping.table].items()
    )
    rows.project(full).insert_into(f"evidence.{mapping.table}")


def _value(column: str) -> str:
    quoted = f'"{column}"'
    if column in _TIMES:
        return f"moment({quoted})"
    if column in _ENDS_OF_DAY:
        return f"day_end({quoted})"
    if column in _NUMBERS:
        return f"CAST(number_of({quoted}) AS {_NUMBERS[column]})"
    if column == "email":
        return f"email_of({quoted})"
    if column in ("domain", "company_domain"):
        return f"host_of({quoted})"
    return quoted


def _person(mapping: TableMapping, people: Sequence[str]) -> Mapping[str, str]:
    """SQL of the table and the id of a row's person: by address in any table of people if no id."""
    table = mapping.person_table
    if "person_id" in mapping.columns or "email" not in mapping.columns:
        return {"person_table": _text(table or (people[0] if people else ""))}
    among = f"p.source_table = {_text(table)} AND " if table else ""
    first = "(p.created_at, p.source_table, p.source_id)"
    where = f"{among}p.email = email_of(mapped.email)"
    return {
        f"person_{which}": f"(FROM evidence.people AS p SELECT min_by(p.source_{which}, {first}) "
        f"WHERE {where})"
        for which in ("table", "id")
    }


def _quoted(column: str) -> str:
    return f'"{column}"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
