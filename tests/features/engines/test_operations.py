"""What the NumPy and the Python engine share of operations: casts, rounding, literals, errors."""

from __future__ import annotations

from datetime import datetime, timedelta

import duckdb
import ibis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqbg.features.engines.instants import (
    EPOCH,
    MICROSECONDS_PER_DAY,
    microseconds_of,
    microseconds_since_epoch,
)
from mqbg.features.engines.numpy import compile_expressions
from mqbg.features.engines.operations import (
    Cast,
    describe_operation,
    find_cast,
    literal_value,
    rounds_to_whole,
)
from mqbg.features.engines.rounding import round_half_away, round_half_even

TABLE = ibis.table(
    {"x": "float64", "n": "int64", "p": "boolean", "s": "string", "t": "timestamp(6)"}
)
NUMBERS = st.floats(-(2.0**62), 2.0**62) | st.integers(-999, 999).map(lambda number: number / 2)


ROUND = compile_expressions({"found": TABLE.x.round().cast("float64")}, TABLE)
CAST = compile_expressions({"found": TABLE.x.cast("int64").cast("float64")}, TABLE)


@pytest.mark.parametrize(
    ("scalar", "of_array", "sql"),
    [(round_half_away, ROUND, "round(?)"), (round_half_even, CAST, "cast(? AS BIGINT)")],
    ids=["ROUND", "CAST"],
)
@given(number=NUMBERS)
def test_a_number_is_rounded_alone_and_in_an_array_as_duckdb_rounds_it(
    scalar, of_array, sql, number
):
    ((expected,),) = duckdb.execute(f"SELECT CAST({sql} AS BIGINT)", [number]).fetchall()
    assert scalar(number) == expected
    assert of_array({"x": np.array([number])})["found"].tolist() == [expected]


def test_an_array_without_a_fraction_has_no_minus_zero():
    for rounded in (ROUND, CAST):
        assert not np.signbit(rounded({"x": np.array([-0.25, -0.0])})["found"]).any()


@pytest.mark.parametrize("number", [2.0**63, -(2.0**63), 1e300])
def test_a_number_beyond_int64_is_refused_alone_and_in_an_array(number):
    for refuse in (round_half_away, lambda one: ROUND({"x": np.array([one, 1.0])})):
        with pytest.raises(OverflowError, match="expected whole numbers of 64 bits"):
            refuse(number)


@pytest.mark.parametrize(
    ("value", "cast"),
    [
        (TABLE.x.cast("int64"), Cast.TO_INTEGER),
        (TABLE.p.cast("int64"), Cast.TO_INTEGER),
        (TABLE.p.cast("float64"), Cast.TO_FLOAT),
        (TABLE.n.cast("float64"), Cast.TO_FLOAT),
        (ibis.literal("0.5").cast("float64"), Cast.TO_FLOAT),
        (TABLE.n.cast("int32"), Cast.UNCHANGED),
        (TABLE.t.cast("timestamp(3)"), Cast.UNCHANGED),
        (TABLE.n.cast("string"), None),
        (TABLE.s.cast("float64"), None),
        (TABLE.x.cast("float32"), None),
    ],
    ids=lambda one: str(one) if isinstance(one, Cast) else "",
)
def test_a_cast_is_found_by_its_types(value, cast):
    assert find_cast(value.op()) is cast


def test_only_rounding_to_whole_numbers_is_one():
    rounds = {digits: rounds_to_whole(TABLE.x.round(digits).op()) for digits in (0, 2, -1)}
    assert rounds == {0: True, 2: False, -1: False}
    assert rounds_to_whole(TABLE.x.round().op())


@given(instant=st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)))
def test_a_literal_of_time_is_in_microseconds(instant):
    expected = microseconds_since_epoch(instant)
    assert EPOCH + timedelta(microseconds=expected) == instant
    assert literal_value(ibis.literal(instant, "timestamp(6)").op()) == expected
    assert literal_value(ibis.interval(days=3).op()) == 3 * MICROSECONDS_PER_DAY
    assert microseconds_of(timedelta(days=3)) == 3 * MICROSECONDS_PER_DAY


def test_an_operation_is_described_by_kind_and_types():
    assert describe_operation((TABLE.n + TABLE.x).op()) == "Add of (int64, float64) as float64"
    assert describe_operation(TABLE.op()) == "UnboundTable"
