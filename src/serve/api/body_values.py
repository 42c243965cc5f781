"""Values of a body, as JSON has them, as the contract's types."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import repeat
from typing import Any, TypeAlias

from ...contract import TABLES, Column, Table
from ...features.engines.python import ListTable, list_table
from ...features.engines.query_runner import EPOCH
from ...source.conversion import convert
from ...source.readers import quoted
from ...source.staging import ROW
from .body_parsing import EXACT
from .group_tables import READ

PLAIN_TIME = re.compile(r"[12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d([.]\d{1,6})?Z", re.ASCII)
TEXT = "as_text"  # column of the texts that DuckDB converts

Pair: TypeAlias = tuple[Any, Any]
"""A value, and how it was given if that may not be one."""


class Values:
    """Converts values.

    JSON's numbers and truths are of those types already. Times are texts, which DuckDB reads as it
    does for a batch: each text once, in one query.
    """

    def __init__(self) -> None:
        """Writes how a time is read."""
        (self._instant,) = {
            convert(column, "VARCHAR", quoted(TEXT))
            for name in READ
            for column in TABLES[name].columns
            if _is_instant(column)
        }

    def converted(self, connection: Any, tables: Mapping[str, ListTable]) -> dict[str, ListTable]:
        """Rows as `Staged.table` has them.

        Args:
            connection: of DuckDB, in UTC.
            tables: of the contract, the values as JSON has them.
        """
        texts: dict[str, None] = {}
        for name, rows in tables.items():
            for column in filter(_is_instant, TABLES[name].columns):
                given = rows.columns[column.name]
                texts.update(dict.fromkeys(text for text in given if text is not None))
        instants = self._instants(connection, list(texts))
        return {name: _rows(TABLES[name], rows, instants) for name, rows in tables.items()}

    def _instants(self, connection: Any, texts: list[str]) -> dict[str | None, Pair]:
        given: Iterable[str | None] = repeat(None)
        values = [_plain_instant(text) for text in texts]
        if None in values:
            values = _asked(connection, f"epoch_us({self._instant.value})", texts)
            if None in values:
                given = _asked(connection, str(self._instant.given), texts)
        pairs = zip(values, given, strict=False)
        return {None: (None, None), **dict(zip(texts, pairs, strict=False))}


def _plain_instant(text: str) -> int | None:
    """Microseconds since 1970 of a time in the one form that needs no rules; None of any other.

    Nearly all times are in it, and to ask DuckDB anything takes as long as half of the checks.
    """
    if not PLAIN_TIME.fullmatch(text):
        return None
    try:
        return (datetime.fromisoformat(text[:-1]) - EPOCH) // timedelta(microseconds=1)
    except ValueError:
        return None


def _asked(connection: Any, expression: str, texts: list[str]) -> list[Any]:
    if not texts:
        return []
    # As a parameter: to register a table takes longer than to read the times in it.
    given = f"(SELECT unnest($1::VARCHAR[]) AS {TEXT})"
    rows = connection.execute(f"SELECT {expression} FROM {given}", [texts]).fetchall()  # noqa: S608
    return [value for (value,) in rows]


def _rows(table: Table, given: ListTable, instants: Mapping[str | None, Pair]) -> ListTable:
    columns: dict[str, list[Any]] = {ROW: list(range(given.size))}
    for column in table.columns:
        values = given.columns[column.name]
        if column.dtype == "string":
            columns[column.name] = [text or None for text in values]
            continue
        if _is_instant(column):
            pairs = [instants[text] for text in values]
        elif column.dtype == "int64":
            pairs = [_whole(value) for value in values]
        else:
            number = float if column.dtype == "float64" else bool
            pairs = [(None if value is None else number(value), None) for value in values]
        columns[column.name] = [value for value, _given in pairs]
        columns[f"given_{column.name}"] = [as_given for _value, as_given in pairs]
    return list_table(given.size, columns)


def _whole(value: float | None) -> Pair:
    if value is None or (abs(value) < EXACT and value == int(value)):
        return None if value is None else int(value), None
    return None, repr(value)


def _is_instant(column: Column) -> bool:
    return column.dtype == "timestamp"
