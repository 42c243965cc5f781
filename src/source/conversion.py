"""SQL that turns a column as it was given into the contract's type, losing nothing silently.

A conversion that may fail comes with a second expression, the value as it was given, in text:
where that is not null and the converted value is, the conversion failed, and the checks see it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..contract import Column

_WHOLE_NUMBERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
_FLOATS = {"FLOAT", "DOUBLE"}
# Every nanosecond time has a microsecond; seconds and milliseconds can lie beyond the range.
_TIMES = {"TIMESTAMP", "TIMESTAMP_NS", "DATE"}
_ZONED_TIMES = {"TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS"}
_EXACT_IN_DOUBLE = 2**53
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
    given: str | None = None


def absent(column: Column) -> Conversion:
    """A typed null for a column that the source lacks."""
    return Conversion(f"NULL::{_SQL_TYPES[column.dtype]}")


def convert(column: Column, given_type: str, reference: str) -> Conversion:
    """How `column` is read from a column of DuckDB's `given_type`.

    Args:
        column: what the contract wants.
        given_type: DuckDB's name of the type in the source.
        reference: SQL that names the column in the source.
    """
    match column.dtype:
        case "string":
            return Conversion(_string(given_type, reference))
        case "timestamp":
            return _timestamp(given_type, reference, month=column.month)
        case "boolean":
            return _boolean(given_type, reference)
        case _:
            return _number(given_type, reference, whole=column.dtype == "int64")


def _text(reference: str) -> str:
    return f"nullif(trim(({reference})::VARCHAR), '')"


def _string(given_type: str, reference: str) -> str:
    if given_type == "VARCHAR":
        return f"nullif({reference}, '')"
    if given_type in _FLOATS:
        # pandas stores whole-number ids with a gap among them as floats: 12.0 means id 12.
        return (
            f"CASE WHEN isnan({reference}) THEN NULL"
            f" WHEN {reference} = trunc({reference}) AND abs({reference}) < {_EXACT_IN_DOUBLE}"
            f" THEN ({reference})::BIGINT::VARCHAR ELSE ({reference})::VARCHAR END"
        )
    return f"nullif(({reference})::VARCHAR, '')"


def _timestamp(given_type: str, reference: str, *, month: bool) -> Conversion:
    given: str | None = None
    if given_type in _TIMES:
        value = f"({reference})::TIMESTAMP"
    elif given_type in _ZONED_TIMES:
        value = f"({reference} AT TIME ZONE 'UTC')::TIMESTAMP"
    else:
        given = _text(reference)
        whole = rf"regexp_replace({given}, '^(\d{{4}})[-/](\d{{1,2}})$', '\1-\2-01')"
        # With the session in UTC this reads a time without zone as UTC and converts the others.
        value = f"(TRY_CAST({whole if month else given} AS TIMESTAMPTZ) AT TIME ZONE 'UTC')"
    return Conversion(f"date_trunc('month', {value})" if month else value, given)


def _boolean(given_type: str, reference: str) -> Conversion:
    if given_type == "BOOLEAN":
        return Conversion(reference)
    given = _text(reference)
    value = (
        f"CASE WHEN lower({given}) IN ('true', '1', '1.0') THEN true"
        f" WHEN lower({given}) IN ('false', '0', '0.0') THEN false END"
    )
    return Conversion(value, given)


def _number(given_type: str, reference: str, *, whole: bool) -> Conversion:
    if given_type in _WHOLE_NUMBERS:
        return Conversion(f"({reference})::{'BIGINT' if whole else 'DOUBLE'}")
    binary = given_type in _FLOATS
    number = f"({reference})::DOUBLE" if binary else f"TRY_CAST({_text(reference)} AS DOUBLE)"
    # NaN is how data frames spell "no value"; infinity is no amount of anything.
    given = f"CASE WHEN isnan({number}) THEN NULL ELSE {_text(reference)} END"
    if not whole:
        return Conversion(f"CASE WHEN isfinite({number}) THEN {number} END", given)
    exact = f"{number} = trunc({number}) AND abs({number}) < {_EXACT_IN_DOUBLE}"
    return Conversion(f"CASE WHEN {exact} THEN TRY_CAST({number} AS BIGINT) END", given)
