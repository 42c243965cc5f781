"""Values of a body, as JSON has them, as the contract's types."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import repeat
from typing import Any, TypeAlias

from ...contract import TABLES, Column, Table
from ...features.engines.instants import microseconds_since_epoch
from ...features.engines.python import ListTable, list_table
from ...source.conversion import convert
from ...source.null_texts import is_null_text
from ...source.quoting import quote_identifier
from ...source.staging import ROW_NUMBER
from .body_parsing import MAX_EXACT_INTEGER
from .group_tables import BODY_TABLES

CANONICAL_TIME = re.compile(r"[12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d([.]\d{1,6})?Z", re.ASCII)
TEXT_COLUMN = "as_text"  # column of the texts that DuckDB converts

Conversion: TypeAlias = tuple[Any, Any]
"""A value, and how it was given if that may not be one."""


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
        conversions = self._convert_times(connection, list(texts))
        return {
            name: _convert_rows(TABLES[name], rows, conversions) for name, rows in tables.items()
        }

    def _convert_times(self, connection: Any, texts: list[str]) -> dict[str | None, Conversion]:
        originals: Iterable[str | None] = repeat(None)
        values = [_parse_canonical_time(text) for text in texts]
        if None in values:
            values = _evaluate_in_duckdb(
                connection, f"epoch_us({self._time_conversion.value})", texts
            )
            if None in values:
                originals = _evaluate_in_duckdb(
                    connection, str(self._time_conversion.original), texts
                )
        conversions_in_order = zip(values, originals, strict=False)
        return {None: (None, None), **dict(zip(texts, conversions_in_order, strict=False))}


def _parse_canonical_time(text: str) -> int | None:
    """Microseconds since 1970 of a time in the one form that needs no rules; None of any other.

    Nearly all times are in it, and to ask DuckDB anything takes as long as half of the checks.
    """
    if not CANONICAL_TIME.fullmatch(text):
        return None
    try:
        return microseconds_since_epoch(datetime.fromisoformat(text[:-1]))
    except ValueError:
        return None


def _evaluate_in_duckdb(connection: Any, expression: str, texts: list[str]) -> list[Any]:
    if not texts:
        return []
    # As a parameter: to register a table takes longer than to read the times in it.
    texts_query = f"(SELECT unnest($1::VARCHAR[]) AS {TEXT_COLUMN})"
    rows = connection.execute(f"SELECT {expression} FROM {texts_query}", [texts]).fetchall()  # noqa: S608
    return [value for (value,) in rows]


def _convert_rows(
    table: Table, body_rows: ListTable, conversions: Mapping[str | None, Conversion]
) -> ListTable:
    columns: dict[str, list[Any]] = {ROW_NUMBER: list(range(body_rows.size))}
    for column in table.columns:
        values = body_rows.columns[column.name]
        if column.dtype == "string":
            cleaned = {text: _text(column, text) for text in set(values)}
            columns[column.name] = [cleaned[text] for text in values]
            continue
        if _is_timestamp(column):
            pairs = [conversions[text] for text in values]
        elif column.dtype == "int64":
            pairs = [_to_integer(value) for value in values]
        else:
            to_number = float if column.dtype == "float64" else bool
            pairs = [(None if value is None else to_number(value), None) for value in values]
        columns[column.name] = [value for value, _original in pairs]
        columns[f"given_{column.name}"] = [original for _value, original in pairs]
    return list_table(body_rows.size, columns)


def _text(column: Column, text: str | None) -> str | None:
    return None if not text or is_null_text(text, words=not column.literal) else text


def _to_integer(value: float | None) -> Conversion:
    if value is None or (abs(value) < MAX_EXACT_INTEGER and value == int(value)):
        return None if value is None else int(value), None
    return None, repr(value)


def _is_timestamp(column: Column) -> bool:
    return column.dtype == "timestamp"
