"""SQL that turns a column as it was given into the contract's type, losing nothing silently.

A conversion that may fail comes with a second expression, the value as it was given, in text:
where that is not null and the converted value is, the conversion failed, and the checks see it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..contract import Column

_INTEGER_TYPES = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
_FLOAT_TYPES = {"FLOAT", "DOUBLE"}
# Every nanosecond time has a microsecond; seconds and milliseconds can lie beyond the range.
_TIME_TYPES = {"TIMESTAMP", "TIMESTAMP_NS", "DATE"}
_ZONED_TIME_TYPES = {"TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS"}
_MAX_EXACT_INTEGER = 2**53
_SQL_TYPES = {
    "string": "VARCHAR",
    "timestamp": "TIMESTAMP",
    "float64": "DOUBLE",
    "int64": "BIGINT",
    "boolean": "BOOLEAN",
}


@dataclass(frozen=True, slots=True)
class Conversion:
    """Two SQL expressions: the value, and how it was given (None: it always converts)."""

    value: str
    original: str | None = None


def null_conversion(column: Column) -> Conversion:
    """A typed null for a column that the source lacks."""
    return Conversion(f"NULL::{_SQL_TYPES[column.dtype]}")


def convert(column: Column, source_type: str, reference: str) -> Conversion:
    """How `column` is read from a column of DuckDB's `source_type`.

    Args:
        column: what the contract wants.
        source_type: DuckDB's name of the type in the source.
        reference: SQL that names the column in the source.
    """
    match column.dtype:
        case "string":
            return Conversion(_string(source_type, reference))
        case "timestamp":
            return _timestamp(source_type, reference, month=column.month)
        case "boolean":
            return _boolean(source_type, reference)
        case _:
            return _number(source_type, reference, integer=column.dtype == "int64")


def _trimmed_text(reference: str) -> str:
    return f"nullif(trim(({reference})::VARCHAR), '')"


def _string(source_type: str, reference: str) -> str:
    if source_type == "VARCHAR":
        return f"nullif({reference}, '')"
    if source_type in _FLOAT_TYPES:
        # pandas stores whole-number ids with a gap among them as floats: 12.0 means id 12.
        return (
            f"CASE WHEN isnan({reference}) THEN NULL"
            f" WHEN {reference} = trunc({reference}) AND abs({reference}) < {_MAX_EXACT_INTEGER}"
            f" THEN ({reference})::BIGINT::VARCHAR ELSE ({reference})::VARCHAR END"
        )
    return f"nullif(({reference})::VARCHAR, '')"


def _timestamp(source_type: str, reference: str, *, month: bool) -> Conversion:
    original: str | None = None
    if source_type in _TIME_TYPES:
        value = f"({reference})::TIMESTAMP"
    elif source_type in _ZONED_TIME_TYPES:
        value = f"({reference} AT TIME ZONE 'UTC')::TIMESTAMP"
    else:
        original = _trimmed_text(reference)
        first_of_month = rf"regexp_replace({original}, '^(\d{{4}})[-/](\d{{1,2}})$', '\1-\2-01')"
        # With the session in UTC this reads a time without zone as UTC and converts the others.
        value = (
            f"(TRY_CAST({first_of_month if month else original} AS TIMESTAMPTZ) AT TIME ZONE 'UTC')"
        )
    return Conversion(f"date_trunc('month', {value})" if month else value, original)


def _boolean(source_type: str, reference: str) -> Conversion:
    if source_type == "BOOLEAN":
        return Conversion(reference)
    original = _trimmed_text(reference)
    value = (
        f"CASE WHEN lower({original}) IN ('true', '1', '1.0') THEN true"
        f" WHEN lower({original}) IN ('false', '0', '0.0') THEN false END"
    )
    return Conversion(value, original)


def _number(source_type: str, reference: str, *, integer: bool) -> Conversion:
    if source_type in _INTEGER_TYPES:
        return Conversion(f"({reference})::{'BIGINT' if integer else 'DOUBLE'}")
    binary = source_type in _FLOAT_TYPES
    number = (
        f"({reference})::DOUBLE" if binary else f"TRY_CAST({_trimmed_text(reference)} AS DOUBLE)"
    )
    # NaN is how data frames spell "no value"; infinity is no amount of anything.
    original = f"CASE WHEN isnan({number}) THEN NULL ELSE {_trimmed_text(reference)} END"
    if not integer:
        return Conversion(f"CASE WHEN isfinite({number}) THEN {number} END", original)
    is_integer = f"{number} = trunc({number}) AND abs({number}) < {_MAX_EXACT_INTEGER}"
    return Conversion(f"CASE WHEN {is_integer} THEN TRY_CAST({number} AS BIGINT) END", original)
