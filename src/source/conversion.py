"""SQL that turns a column as it was given into the contract's type, losing nothing silently.

A conversion that may fail comes with a second expression, the value as it was given, in text:
where that is not null and the converted value is, the conversion failed, and the checks see it.
A text that stands for no value (`NULL`, `nan`, blanks) is null in both.

DuckDB computes an expression as often as it occurs in another, so the common form of a text is read
at the price of one cast, and only what that does not take is looked at more closely.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..contract import Column
from .null_texts import clean_text_sql, null_text_sql

_INTEGER_TYPES = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
_FLOAT_TYPES = {"FLOAT", "DOUBLE"}
# Every nanosecond time has a microsecond; seconds and milliseconds can lie beyond the range.
_TIME_TYPES = {"TIMESTAMP", "TIMESTAMP_NS", "DATE"}
_ZONED_TIME_TYPES = {"TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS"}
_NESTED_TYPE = re.compile(r".*\]|(STRUCT|MAP|UNION|LIST|JSON)\b.*", re.DOTALL)
_MAX_EXACT_INTEGER = 2**53
_SQL_TYPES = {
    "string": "VARCHAR",
    "timestamp": "TIMESTAMP",
    "float64": "DOUBLE",
    "int64": "BIGINT",
    "boolean": "BOOLEAN",
}
# A zone is an offset, UTC, GMT, Z, or a name with a slash: CST, IST and BST are several zones each,
# and DuckDB reads one of them.
_NO_ABBREVIATION = r"(\d *Z|[\d ](UTC|GMT)|[A-Za-z_]+(/[A-Za-z0-9_+-]+)+|\d)$"


@dataclass(frozen=True, slots=True)
class Conversion:
    """Two SQL expressions: the value, and how it was given (None: it always converts)."""

    value: str
    original: str | None = None


def null_conversion(column: Column) -> Conversion:
    """A typed null for a column that the source lacks."""
    return Conversion(f"NULL::{_SQL_TYPES[column.dtype]}")


def is_nested(source_type: str) -> bool:
    """Whether a column of DuckDB's `source_type` holds lists or records and no single values."""
    return _NESTED_TYPE.fullmatch(source_type) is not None


def clean_text(column: Column, reference: str) -> str:
    """SQL: a text of the source, null where it is empty or stands for no value."""
    return clean_text_sql(reference, words=not column.literal)


def count_null_texts(
    backend: Any, relation: str, references: Mapping[Column, str]
) -> dict[str, int]:
    """By column of the contract, how many texts stand for no value, where there are any; one scan.

    Args:
        backend: Ibis DuckDB backend.
        relation: SQL that reads the table.
        references: by column, SQL that names its text in `relation`.
    """
    found = {
        c: _null_texts_of_category(backend, relation, references[c])
        for c in references
        if c.category
    }
    others = {column: reference for column, reference in references.items() if column not in found}
    if others:
        counts = ", ".join(
            f"count(*) FILTER ({null_text_sql(reference, words=not column.literal)})"
            for column, reference in others.items()
        )
        query = f"SELECT {counts} FROM {relation}"  # noqa: S608 - quoted
        found.update(zip(others, backend.con.execute(query).fetchall()[0], strict=True))
    return {column.name: found[column] for column in references if found[column]}


def _null_texts_of_category(backend: Any, relation: str, reference: str) -> int:
    """The same of a column with few different texts, at a fraction of the price."""
    is_null = null_text_sql("text")
    query = (
        f"WITH texts AS (SELECT {reference} AS text, count(*) AS rows FROM {relation} GROUP BY 1)"  # noqa: S608 - quoted
        f" SELECT sum(rows) FROM texts WHERE {is_null}"
    )
    ((found,),) = backend.con.execute(query).fetchall()
    return int(found or 0)


def empty_null_texts(backend: Any, kept: str, references: Mapping[Column, str]) -> dict[str, int]:
    """The same of a table of our own, in which such texts become null."""
    found = count_null_texts(backend, kept, references)
    for column, reference in references.items():
        if column.name in found:
            is_null = null_text_sql(reference, words=not column.literal)
            backend.raw_sql(f"UPDATE {kept} SET {reference} = NULL WHERE {is_null}")  # noqa: S608
    return found


def convert(
    column: Column,
    source_type: str,
    reference: str,
    *,
    decimal: str | None = None,
    null_texts: bool = True,
) -> Conversion:
    """How `column` is read from a column of DuckDB's `source_type`.

    Args:
        column: what the contract wants.
        source_type: DuckDB's name of the type in the source, none that `is_nested`.
        reference: SQL that names the column in the source.
        decimal: what comes before the decimals of a number in text; None is a dot.
        null_texts: some text in it may stand for no value; without them reading costs less.
    """
    if source_type == "VARCHAR":
        given = clean_text(column, reference) if null_texts else f"nullif({reference}, '')"
    else:
        given = f"nullif(trim(({reference})::VARCHAR), '')"
    match column.dtype:
        case "string":
            return Conversion(
                given if source_type == "VARCHAR" else _string(source_type, reference)
            )
        case "timestamp":
            return _timestamp(source_type, reference, given, month=column.month)
        case "boolean":
            return _boolean(source_type, reference, given)
        case _:
            integer = column.dtype == "int64"
            return _number(source_type, reference, given, integer=integer, decimal=decimal)


def _string(source_type: str, reference: str) -> str:
    if source_type in _FLOAT_TYPES:
        # pandas stores whole-number ids with a gap among them as floats: 12.0 means id 12.
        return (
            f"CASE WHEN isnan({reference}) THEN NULL"
            f" WHEN {reference} = trunc({reference}) AND abs({reference}) < {_MAX_EXACT_INTEGER}"
            f" THEN ({reference})::BIGINT::VARCHAR ELSE ({reference})::VARCHAR END"
        )
    return f"nullif(({reference})::VARCHAR, '')"


def _timestamp(source_type: str, reference: str, given: str, *, month: bool) -> Conversion:
    original: str | None = None
    if source_type in _TIME_TYPES:
        value = f"({reference})::TIMESTAMP"
    elif source_type in _ZONED_TIME_TYPES:
        value = f"({reference} AT TIME ZONE 'UTC')::TIMESTAMP"
    else:
        original = given
        text = f"({reference})::VARCHAR"
        day = rf"regexp_replace(trim({text}), '^(\d{{4}})[-/](\d{{1,2}})$', '\1-\2-01')"
        value = _time_of_text(day if month else text)
    value = f"date_trunc('month', {value})" if month else value
    return Conversion(value, original)


def _time_of_text(text: str) -> str:
    """With the session in UTC a time without zone is read as UTC, and others are converted."""
    trimmed = f"trim({text})"
    # DuckDB takes no blank before an offset or a Z, and no small z.
    joined = rf"regexp_replace({trimmed}, '\s+([+-]\d[\d:]*|[Zz])$', '\1')"
    corrected = (
        f"CASE WHEN suffix(lower({trimmed}), 'z') THEN upper({joined})"
        f" WHEN regexp_matches({trimmed}, '{_NO_ABBREVIATION}', 'i') THEN {joined} END"
    )
    return (
        f"(CASE WHEN right({text}, 1) BETWEEN '0' AND '9' OR suffix({text}, 'Z')"
        f" THEN coalesce(TRY_CAST({text} AS TIMESTAMPTZ), TRY_CAST({corrected} AS TIMESTAMPTZ))"
        f" ELSE TRY_CAST({corrected} AS TIMESTAMPTZ) END AT TIME ZONE 'UTC')"
    )


def _boolean(source_type: str, reference: str, given: str) -> Conversion:
    if source_type == "BOOLEAN":
        return Conversion(reference)
    text = f"lower(trim(({reference})::VARCHAR))"
    value = (
        f"CASE WHEN {text} IN ('true', '1', '1.0') THEN true"
        f" WHEN {text} IN ('false', '0', '0.0') THEN false END"
    )
    return Conversion(value, given)


def _number(
    source_type: str, reference: str, given: str, *, integer: bool, decimal: str | None
) -> Conversion:
    if source_type in _INTEGER_TYPES:
        return Conversion(f"({reference})::{'BIGINT' if integer else 'DOUBLE'}")
    if source_type in _FLOAT_TYPES:
        number = f"({reference})::DOUBLE"
    elif decimal == "," and source_type == "VARCHAR":
        number = f"TRY_CAST(replace(replace({reference}, '.', ''), ',', '.') AS DOUBLE)"
    else:
        number = f"TRY_CAST(({reference})::VARCHAR AS DOUBLE)"
    # NaN is how data frames spell "no value"; infinity is no amount of anything.
    original = f"CASE WHEN isnan({number}) THEN NULL ELSE {given} END"
    if not integer:
        return Conversion(f"CASE WHEN isfinite({number}) THEN {number} END", original)
    is_integer = f"{number} = trunc({number}) AND abs({number}) < {_MAX_EXACT_INTEGER}"
    return Conversion(f"CASE WHEN {is_integer} THEN TRY_CAST({number} AS BIGINT) END", original)
