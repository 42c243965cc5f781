"""Header lines in the middle of a table, and blank lines: what joined exports leave behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .quoting import quote_identifier, quote_literal
from .table_reader import TableReader

_BOM = quote_literal("\ufeff")
_MARK = quote_literal("\ufeff ")  # the second file's byte-order mark, and blanks
_MAX_SHOWN = 3


class RepeatedHeader(Exception):  # noqa: N818 - says what it is
    """A second header names other columns, so that the rows below it are read wrongly."""


def drop_repeated_headers(
    backend: Any, kept: str, texts: Mapping[str, str], reader: TableReader
) -> tuple[str, ...]:
    """Delete the rows of `kept` that repeat the header, and those without any value.

    Args:
        backend: Ibis DuckDB backend.
        kept: SQL that names the table that holds the rows.
        texts: by column of the contract, SQL that names its text as it was given in `kept`.
        reader: of the table.

    Returns:
        Sentences on what was left out.

    Raises:
        RepeatedHeader: a row is made of the header's names, but in another order.
    """
    plain = {name: f"trim({text}, {_MARK})" for name, text in texts.items()}
    listed = quote_literal("|" + "".join(f"{name}|" for name in reader.columns))

    def is_name(text: str) -> str:
        # DuckDB would make a join of a list after IN.
        return f"contains({listed}, concat('|', {text}, '|'))"

    like_header = " AND ".join([_candidate(texts, is_name), *map(is_name, plain.values())])
    same = " AND ".join(f"{text} = {quote_literal(name)}" for name, text in plain.items())
    found = backend.con.execute(
        f"SELECT rowid + 1, {same} FROM {kept} WHERE {like_header} ORDER BY 1"  # noqa: S608 - quoted
    ).fetchall()
    if other := [row for row, is_same in found if not is_same]:
        raise RepeatedHeader(
            f"{reader.name}: row {other[0]} is a second header whose columns are in another order; "
            "give the exports as files of their own, such as part-1 and part-2"
        )
    blank = " AND ".join(f"{text} IS NULL" for text in texts.values())
    empty = [
        row
        for (row,) in backend.con.execute(
            f"SELECT rowid + 1 FROM {kept} WHERE {blank} ORDER BY 1"  # noqa: S608 - quoted
        ).fetchall()
    ]
    notes = []
    for what, rows in (("repeats the header", [row for row, _ in found]), ("is empty", empty)):
        if rows:
            backend.con.execute(
                f"DELETE FROM {kept} WHERE rowid + 1 IN ({', '.join(map(str, rows))})"  # noqa: S608
            )
            shown = ", ".join(f"{row:,}" for row in rows[:_MAX_SHOWN])
            more = f" and {len(rows) - _MAX_SHOWN:,} more" if len(rows) > _MAX_SHOWN else ""
            notes.append(f"{reader.name}: row {shown}{more} {what} and was left out")
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
    return f"({is_name(first)} OR starts_with({first}, {_BOM}) OR suffix({first}, ' '))"
