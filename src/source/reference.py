"""The data reference, `docs/data.md`, written from the contract; `make docs` prints it."""

from __future__ import annotations

from collections.abc import Iterator

from ..contract import TABLES, Column, Table
from .column_meanings import MEANINGS, TABLE_MEANINGS, Meaning

_TYPES = {
    "string": "text",
    "timestamp": "time",
    "float64": "number",
    "int64": "whole number",
    "boolean": "true or false",
}

_HEAD = """\
# Data

Written from the contract (`src/contract.py`) by `make docs`: the tables that mqbg reads. A source
is a folder of Parquet, CSV or Excel files named after the tables, a workbook with a sheet for each,
a DuckDB file, or `postgresql://...`. `?` marks what may be absent or empty; columns that are not
listed are left out. Times are UTC where they name no zone; write them as `2024-02-01T09:00:00Z` or
with `+09:00`.

`mqbg check DATA` names every row that breaks a rule below, and `mqbg check DATA --json FILE` writes
the same for programs. Exports of CRM and marketing tools become these tables by `mqbg import`.
"""


def data_reference() -> str:
    """The page, as Markdown."""
    parts = [_HEAD, *(line for table in TABLES.values() for line in _table_lines(table))]
    return "\n".join(parts)


def _table_lines(table: Table) -> Iterator[str]:
    about = TABLE_MEANINGS[table.name]
    optional = "" if table.required else "?"
    yield f"## {table.name}{optional}\n"
    yield f"{about.meaning} {_rows_rule(table)}\n"
    yield f"Used for {about.used_for}. {_absence(table.required, about)}\n"
    names = [column.name for column in table.columns]
    example = [MEANINGS[f"{table.name}.{name}"].example for name in names]
    yield f"```csv\n{','.join(names)}\n{','.join(example)}\n```\n"
    yield "| column | type | meaning | used for | without it |"
    yield "|---|---|---|---|---|"
    for column in table.columns:
        yield _column_line(column, MEANINGS[f"{table.name}.{column.name}"])
    yield ""


def _rows_rule(table: Table) -> str:
    key = " and ".join(f"`{name}`" for name in table.key)
    if table.once:
        return f"One row for each {key}."
    return "Exact copies of a row count once." if table.copies else ""


def _absence(required: bool, about: Meaning) -> str:
    return "It must be there." if required else f"Without it {about.without}."


def _column_line(column: Column, about: Meaning) -> str:
    optional = "" if column.required else "?"
    without = "refused" if column.required else about.without
    cells = f"{_type(column)} | {about.meaning} | {about.used_for} | {without}"
    return f"| `{column.name}`{optional} | {cells} |"


def _type(column: Column) -> str:
    if column.month:
        return "month"
    if column.values:
        return " or ".join(f"`{value}`" for value in column.values)
    if column.references:
        return f"key of {column.references}"
    if column.between:
        return f"number from {column.between[0]:g} to {column.between[1]:g}"
    return _TYPES[column.dtype]


if __name__ == "__main__":
    print(data_reference(), end="")  # noqa: T201 - the page is the result
