"""Raw tables as the views that a shape's SQL reads: `src` one row a record, `versions` all rows.

Every column that the shape declares is there (null where the export has none), as trimmed text;
beside them `row_number`, `active`, `valid_from` and `changed`, by which versions of one record are
told apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb

from ..contract import BadInput
from .reading import RawTable
from .recognition import Recognised
from .shapes import TableShape, normalise_header

_ACTIVE = ("fivetranactive",)
_VALID_FROM = ("fivetranstart",)
_CHANGED = (
    "systemmodstamp",
    "lastmodifieddate",
    "hslastmodifieddate",
    "lastmodifieddate",
    "updatedat",
    "airbyteemittedat",
    "airbyteextractedat",
    "fivetransynced",
)
SOLUTION = "solution_value"
_OF_THEIR_OWN_DEALS = ("hubspot", "salesforce")
"""Kinds whose deals must have the solution's column; one file of settings is for many systems."""


def make_views(
    con: duckdb.DuckDBPyConnection, found: Recognised, solution_property: str | None
) -> None:
    """Make the schemas `src` and `versions` in `con`; tables that are absent are empty.

    Raises:
        BadInput: `solution_property` is a column of no table of a CRM's deals.
    """
    con.execute("CREATE SCHEMA src; CREATE SCHEMA versions;")
    wanted = normalise_header(solution_property) if solution_property else None
    seen_solution = wanted is None
    for name, shape in found.shape.tables.items():
        raws = found.tables.get(name, [])
        extra = {}
        if name in found.shape.solution_tables:
            extra = {SOLUTION: (wanted,) if wanted else ()}
            seen_solution |= any(
                wanted == normalise_header(one) for raw in raws for one in raw.columns
            )
        _versions(con, name, shape, raws, extra)
        _records(con, name, shape, tuple(extra))
        if shape.unpivot:
            _unpivoted(con, name, shape, raws)
    if found.shape.long_ids:
        _spell_ids_alike(con, found)
    if not seen_solution and found.shape.kind in _OF_THEIR_OWN_DEALS:
        raise BadInput(
            f"[import] solution_property: expected a column of the deals, found no "
            f"{solution_property!r} there"
        )


def _versions(
    con: duckdb.DuckDBPyConnection,
    name: str,
    shape: TableShape,
    raws: Sequence[RawTable],
    extra: Mapping[str, Sequence[str]],
) -> None:
    columns = {**shape.columns, **extra}
    hidden = {"active": _ACTIVE, "valid_from": _VALID_FROM, "changed": _CHANGED}
    parts = []
    for raw in raws:
        by_header = _places(raw)
        texts = [
            f'{_first_of(by_header, names)} AS "{column}"'
            for column, names in {**columns, **hidden}.items()
        ]
        texts.append("row_number() OVER () AS row_number")
        parts.append(con.table(raw.relation).project(", ".join(texts)))
    if not parts:
        texts = [f'CAST(NULL AS VARCHAR) AS "{column}"' for column in (*columns, *hidden)]
        con.sql("SELECT 1 AS one WHERE false").project(
            ", ".join((*texts, "CAST(NULL AS BIGINT) AS row_number"))
        ).create(f'versions."{name}"')
        return
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.union(part)
    # Several files of one table number their rows on.
    whole.project("* REPLACE (row_number() OVER () AS row_number)").create(f'versions."{name}"')


def _places(raw: RawTable) -> dict[str, list[str]]:
    places: dict[str, list[str]] = {}
    for column, source in zip(raw.columns, raw.sources, strict=True):
        places.setdefault(normalise_header(column), []).append(f"plain({source})")
    return places


def _first_of(by_header: Mapping[str, Sequence[str]], names: Sequence[str]) -> str:
    found = [text for name in names for text in by_header.get(name, ())]
    if not found:
        return "CAST(NULL AS VARCHAR)"
    return found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"


def key_text(shape: TableShape, alias: str = "") -> str:
    """SQL of what names a row of the table."""
    columns = shape.key or tuple(shape.columns)
    parts = [f"coalesce({alias}\"{column}\", '')" for column in columns]
    return f"nullif(concat_ws('\x1f', {', '.join(parts)}), '{chr(31) * (len(parts) - 1)}')"


def _records(
    con: duckdb.DuckDBPyConnection, name: str, shape: TableShape, extra: Sequence[str]
) -> None:
    columns = ", ".join(f'"{column}"' for column in (*shape.columns, *extra))
    con.table(f'versions."{name}"').project(
        f"{columns}, row_number, active, valid_from, changed, {key_text(shape)} AS record_key, "
        f"row_number() OVER (PARTITION BY {key_text(shape)} "
        "ORDER BY coalesce(flag(active), true) DESC, moment(valid_from) DESC NULLS LAST, "
        "moment(changed) DESC NULLS LAST, row_number DESC) AS version"
    ).filter("record_key IS NOT NULL AND version = 1").create(f'src."{name}"')


def _unpivoted(
    con: duckdb.DuckDBPyConnection, name: str, shape: TableShape, raws: Sequence[RawTable]
) -> None:
    """`src."<table>@dates"`: id, label, value of every column that the pattern finds."""
    import re

    parts = []
    for raw in raws:
        by_header = _places(raw)
        for column, source in zip(raw.columns, raw.sources, strict=True):
            if hit := re.search(shape.unpivot or "", column):
                label = next(one for one in hit.groups() if one is not None)
                parts.append(
                    con.table(raw.relation).project(
                        f"{_first_of(by_header, shape.columns[shape.key[0]])} AS id, "
                        f"{_literal(label)} AS label, plain({source}) AS value"
                    )
                )
    target = f'src."{name}@dates"'
    if not parts:
        con.execute(f"CREATE TABLE {target} (id VARCHAR, label VARCHAR, value VARCHAR)")
        return
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.union(part)
    whole.filter("value IS NOT NULL").create(target)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _spell_ids_alike(con: duckdb.DuckDBPyConnection, found: Recognised) -> None:
    """Where an export has ids of 15 and of 18 characters, all become those of 18."""
    columns = [
        (schema, table, column)
        for table, shape in found.shape.tables.items()
        for column in shape.columns
        for schema in ("src", "versions")
        if (column.endswith("id") or column in ("oldvalue", "newvalue")) and table in found.tables
    ]
    lengths: set[int] = set()
    for schema, table, column in columns:
        lengths |= {
            row[0]
            for row in con.table(f'{schema}."{table}"')
            .filter(f"regexp_full_match(\"{column}\", '[a-zA-Z0-9]{{15}}|[a-zA-Z0-9]{{18}}')")
            .project(f'length("{column}") AS long')
            .distinct()
            .fetchall()
        }
    if lengths == {15, 18}:
        for schema, table, column in columns:
            if column.endswith("id"):
                con.execute(f'UPDATE {schema}."{table}" SET "{column}" = long_id("{column}")')  # noqa: S608
