"""Header lines in the middle of a table, and blank lines: what joined exports leave behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..contract import Table
from .quoting import quote_identifier, quote_literal
from .table_reader import TableReader

_BOM = quote_literal("\ufeff")
_MARK = quote_literal("\ufeff ")  # the second file's byte-order mark, and blanks
_MAX_SHOWN = 3


class RepeatedHeader(Exception):  # noqa: N818 - says what it is
    """A second header names other columns, so that the rows below it are read wrongly."""


def drop_repeated_headers(
    backend: Any, kept: str, table: Table, texts: Mapping[str, str], reader: TableReader
) -> tuple[str, ...]:
    """Delete the rows of `kept` that repeat the header, and those without any value.

    A row is a header if a name of a column, in any case, is in each column that needs a value.

    Args:
        backend: Ibis DuckDB backend.
        kept: SQL that names the table that holds the rows.
        table: of the contract.
        texts: by column of the contract, SQL that names its text as it was given in `kept`.
        reader: of the table.

    Returns:
        Sentences on what was left out.

    Raises:
        RepeatedHeader: a row is a header with other names, or in another order.
    """
    plain = {name: f"lower(trim({text}, {_MARK}))" for name, text in texts.items()}
    names = dict.fromkeys(name.lower() for name in (*reader.columns, *table.column_names))
    listed = quote_literal("|" + "".join(f"{name}|" for name in names))
    needed = [plain[column.name] for column in table.columns if not column.nullable]

    def is_name(text: str) -> str:
        # DuckDB would make a join of a list after IN.
        return f"contains({listed}, concat('|', {text}, '|'))"

    like_header = " AND ".join([_candidate(texts, is_name), *map(is_name, needed)])
    same = " AND ".join(f"{text} = {quote_literal(name.lower())}" for name, text in plain.items())
    found = backend.con.execute(
        f"SELECT rowid + 1, coalesce({same}, false) FROM {kept} WHERE {like_header} ORDER BY 1"  # noqa: S608 - quoted
    ).fetchall()
    if other := [row for row, is_same in found if not is_same]:
        raise RepeatedHeader(
            f"{reader.name}: row {other[0]} is a second header with other columns, or in another "
            "order; give the exports as files of their own, such as part-1 and part-2"
        )
    blank = " AND ".join(f"{text} IS NULL" for text in texts.values())
    empty = [
        row
        for (row,) in backend.con.execute(
            f"SELECT rowid + 1 FROM {kept} WHERE {blank} ORDER BY 1"  # noqa: S608 - quoted
        ).fetchall()
    ]
    notes = []
    headers = [row for row, _ in found]
    for one, several, rows in (
        ("repeats the header and was", "repeat the header and were", headers),
        ("is empty and was", "are empty and were", empty),
    ):
        if rows:
            backend.con.execute(
                f"DELETE FROM {kept} WHERE rowid + 1 IN ({', '.join(map(str, rows))})"  # noqa: S608
            )
            shown = ", ".join(f"{row:,}" for row in rows[:_MAX_SHOWN])
            more = f" and {len(rows) - _MAX_SHOWN:,} more" if len(rows) > _MAX_SHOWN else ""
            what = f"row {shown} {one}" if len(rows) == 1 else f"rows {shown}{more} {several}"
            notes.append(f"{reader.name}: {what} left out")
    return tuple(notes)


def _candidate(texts: Mapping[str, str], is_name: Callable[[str], str]) -> str:
    """SQL that few rows meet, at the price of a comparison: where a header may be.

    The name of a column is no time and no number, so a column of these tells it best.
    """
    for name, text in texts.items():
        value = quote_identifier(name)
        if text != value:
            return f"{value} IS NULL AND {text} IS NOT NULL"
    first = next(iter(texts.values()))
    return f"({is_name(f'lower({first})')} OR starts_with({first}, {_BOM}) OR suffix({first}, ' '))"
