"""Values of a body are converted as the batch converts their texts."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mqbg.contract import TABLES
from mqbg.features.engines.python import list_table
from mqbg.serve.api.body_values import ValueConverter
from mqbg.source.conversion import convert

TIMES = st.one_of(
    st.datetimes().map(lambda at: at.isoformat(timespec="seconds") + "Z"),
    st.datetimes().map(lambda at: at.isoformat() + "Z"),
    st.datetimes(timezones=st.timezones()).map(lambda at: at.isoformat()),
    st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}Z?", fullmatch=True),
    st.text(st.characters(codec="utf-8", exclude_categories=["C"])),
)


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as opened:
        opened.execute("SET TimeZone = 'UTC'")
        yield opened


def by_the_batch(connection, column, texts):
    """The values of texts, and which are not null and yet have none."""
    conversion = convert(column, "VARCHAR", "given")
    value = f"epoch_us({conversion.value})" if column.dtype == "timestamp" else conversion.value
    failed = f"({conversion.original or 'NULL'}) IS NOT NULL AND ({value}) IS NULL"
    given = "(SELECT unnest($1::VARCHAR[]) AS given)"
    query = f"SELECT {value}, {failed} FROM {given}"  # noqa: S608
    return connection.execute(query, [texts]).fetchall()


def converted(connection, table, column, values):
    """The same of values as JSON has them."""
    empty = {one.name: [None] * len(values) for one in TABLES[table].columns}
    rows = list_table(len(values), {**empty, column: values})
    columns = ValueConverter().convert_tables(connection, {table: rows})[table].columns
    given = columns.get(f"given_{column}", [None] * len(values))
    return [
        (value, value is None and text is not None)
        for value, text in zip(columns[column], given, strict=True)
    ]


@settings(max_examples=25)  # each asks the engine twice, about many values
@given(st.lists(st.none() | TIMES, min_size=1, max_size=40))
@example(["2024-02-30T00:00:00Z", "2024-12-31T24:00:00Z", "2016-12-31T23:59:60Z"])
@example(["2024-02-29T23:59:59Z", None, "", " 2024-02-29T23:59:59Z"])
@example(["2024-01-01T00:00:00.1Z", "2024-01-01T00:00:00.1234567Z", "2024-01-01T00:00:00.Z"])
@example(["1999-01-01T00:00:00Z", "２０２４-01-01T00:00:00Z"])
@example(["1999-01-01T00:00:00Z\n2001-01-01T00:00:00Z"])
@example(["1000-01-01T00:00:00.000001Z", "2999-12-31T23:59:59.999999Z", "1970-01-01T00:00:00Z"])
def test_times_are_those_of_the_batch(connection, texts):
    column = TABLES["activities"].column("occurred_at")
    wanted = by_the_batch(connection, column, texts)
    assert converted(connection, "activities", "occurred_at", texts) == wanted


NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=25)  # each asks the engine twice, about many values
@given(st.lists(st.none() | NUMBERS, min_size=1, max_size=40))
@example([1e300, -0.0, 1.5, float(2**53), 2**53 - 1])
@pytest.mark.parametrize("dtype", ["float64", "int64"])
def test_numbers_are_those_of_the_batch(connection, dtype, values):
    table, column = next(
        (table.name, column)
        for table in TABLES.values()
        for column in table.columns
        if column.dtype == dtype
    )
    texts = [None if value is None else repr(value) for value in values]
    wanted = by_the_batch(connection, column, texts)
    assert converted(connection, table, column.name, values) == wanted


@pytest.mark.parametrize(
    ("dtype", "literal"), [("string", True), ("string", False), ("boolean", False)]
)
def test_texts_and_truths_are_those_of_the_batch(connection, dtype, literal):
    table, column = next(
        (table.name, column)
        for table in TABLES.values()
        for column in table.columns
        if column.dtype == dtype and column.literal == literal
    )
    values = [None, "", " ", "a", "NULL", "nan "] if dtype == "string" else [None, True, False]
    texts = [value if value is None else str(value) for value in values]
    assert converted(connection, table, column.name, values) == by_the_batch(
        connection, column, texts
    )


def test_every_kind_of_column_of_the_contract_is_tried_here():
    kinds = {column.dtype for table in TABLES.values() for column in table.columns}
    assert kinds == {"string", "timestamp", "float64", "int64", "boolean"}
