"""Values of a body, as JSON has them, as the contract's types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from ...contract import TABLES, Column, Table
from ...features.engines.python import ListTable, list_table
from ...source.conversion import convert
from ...source.null_texts import are_plain_texts, is_null_text
from ...source.quoting import quote_identifier
from ...source.staging import ROW_NUMBER
from .body_parsing import MAX_EXACT_INTEGER
from .group_tables import BODY_TABLES

CANONICAL_TIMES = re.compile(r"(?:[12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.]\d{1,6})?Z\n)*", re.ASCII)
"""Times in the one form that needs no rules, each with a new line behind it."""

TEXT_COLUMN = "as_text"  # column of the texts that DuckDB converts

Conversion: TypeAlias = tuple[Any, Any]
"""A value, and how it was given if that may not be one."""

Instants: TypeAlias = tuple[Mapping[str | None, int | None], Mapping[str | None, str | None]]
"""Microseconds since 1970 of each text, and how those were given that may be no time."""


class ValueConverter:
    """Converts values.

    JSON's numbers and truths are of those types already. Times are texts, which DuckDB reads as it
    does for a batch: each text once, in one query.
    """

    def __init__(self) -> None:
        """Writes how a time is read."""
        (self._time_conversion,) = {
            convert(column, "VARCHAR", quote_identifier(TEXT_COLUMN))
            for name in BODY_TABLES
            for column in TABLES[name].columns
            if _is_timestamp(column)
        }

    def convert_tables(
        self, connection: Any, tables: Mapping[str, ListTable]
    ) -> dict[str, ListTable]:
        """Rows as `Staged.table` has them.

        Args:
            connection: of DuckDB, in UTC.
            tables: of the contract, the values as JSON has them.
        """
        texts: dict[str, None] = {}
        for name, rows in tables.items():
            for column in filter(_is_timestamp, TABLES[name].columns):
                column_texts = rows.columns[column.name]
                texts.update(dict.fromkeys(text for text in column_texts if text is not None))
        instants = self.convert_times(connection, list(texts))
        return {name: _convert_rows(TABLES[name], rows, instants) for name, rows in tables.items()}

    def convert_times(self, connection: Any, texts: list[str]) -> Instants:
        """What texts of times say.

        Args:
            connection: of DuckDB, in UTC.
            texts: each once.
        """
        originals: dict[str | None, str | None] = {}
        values: list[Any] | None = _parse_canonical_times(texts)
        if values is None:
            values = _evaluate_in_duckdb(
                connection, f"epoch_us({self._time_conversion.value})", texts
            )
            if None in values:
                given = _evaluate_in_duckdb(connection, str(self._time_conversion.original), texts)
                originals = {
                    text: original
                    for text, value, original in zip(texts, values, given, strict=True)
                    if value is None
                }
        return {None: None, **dict(zip(texts, values, strict=True))}, originals


def _parse_canonical_times(texts: list[str]) -> list[int] | None:
    """Microseconds since 1970 of times that need no rules; None where one of them does.

    Nearly all times are so, and to ask DuckDB anything takes as long as half of the checks.
    """
    lines = "\n".join([*texts, ""])
    if not texts or not CANONICAL_TIMES.fullmatch(lines):
        return None if texts else []
    times = lines[: -len("Z\n")].split("Z\n")
    if len(times) != len(texts):  # a text of several lines
        return None
    try:
        instants = np.array(times, "datetime64[us]")
    except ValueError:  # no such day, or hour
        return None
    found: list[int] = instants.astype(np.int64).tolist()
    return found


def _evaluate_in_duckdb(connection: Any, expression: str, texts: list[str]) -> list[Any]:
    if not texts:
        return []
    # As a parameter: to register a table takes longer than to read the times in it.
    texts_query = f"(SELECT unnest($1::VARCHAR[]) AS {TEXT_COLUMN})"
    rows = connection.execute(f"SELECT {expression} FROM {texts_query}", [texts]).fetchall()  # noqa: S608
    return [value for (value,) in rows]


def _convert_rows(table: Table, body_rows: ListTable, instants: Instants) -> ListTable:
    columns: dict[str, list[Any]] = {ROW_NUMBER: list(range(body_rows.size))}
    nothing: list[Any] = [None] * body_rows.size
    for column in table.columns:
        values, given = body_rows.columns[column.name], nothing
        if column.dtype == "string":
            columns[column.name] = _clean_texts(column, values)
            continue
        if _is_timestamp(column):
            found, originals = instants
            converted: list[Any] = list(map(found.__getitem__, values))
            given = [originals.get(text) for text in values] if originals else nothing
        elif column.dtype == "int64":
            pairs = [_to_integer(value) for value in values]
            converted = [value for value, _original in pairs]
            given = [original for _value, original in pairs]
        else:
            to_number = float if column.dtype == "float64" else bool
            converted = [None if value is None else to_number(value) for value in values]
        columns[column.name], columns[f"given_{column.name}"] = converted, given
    return list_table(body_rows.size, columns)


def _clean_texts(column: Column, values: list[str | None]) -> list[str | None]:
    """Texts, null where they stand for no value."""
    distinct = set(values)
    texts = {text for text in distinct if text}
    if "" not in distinct and are_plain_texts(texts, words=not column.literal):
        return values
    cleaned = {text: _text(column, text) for text in distinct}
    return [cleaned[text] for text in values]


def _text(column: Column, text: str | None) -> str | None:
    return None if not text or is_null_text(text, words=not column.literal) else text


def _to_integer(value: float | None) -> Conversion:
    if value is None or (abs(value) < MAX_EXACT_INTEGER and value == int(value)):
        return None if value is None else int(value), None
    return None, repr(value)


def _is_timestamp(column: Column) -> bool:
    return column.dtype == "timestamp"
