"""Columns of plain Python are the arrays that they would be by way of Arrow."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqbg.features.engines.columns import arrow_numbers, column_of_list, columns_of_arrow

EPOCH = datetime(1970, 1, 1)
KINDS = {
    pa.float64(): st.floats(allow_nan=False),
    pa.int64(): st.integers(-(2**53), 2**53),
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.int8(): st.integers(-128, 127),
    pa.bool_(): st.booleans(),
    pa.string(): st.text(),
    pa.timestamp("us"): st.datetimes().map(lambda at: (at - EPOCH) // timedelta(microseconds=1)),
}


@pytest.mark.parametrize("kind", KINDS, ids=str)
@given(data=st.data())
def test_a_column_is_that_of_arrow(kind, data):
    nulls = data.draw(st.booleans())
    values = data.draw(st.lists(KINDS[kind] | st.none() if nulls else KINDS[kind], max_size=6))
    wanted = columns_of_arrow(pa.table({"one": pa.array(values, kind)}))["one"]
    found = column_of_list(values, kind)
    assert type(found) is type(wanted)
    assert found.dtype == wanted.dtype
    assert found.shape == wanted.shape
    np.testing.assert_array_equal(np.ma.getmaskarray(found), np.ma.getmaskarray(wanted))
    np.testing.assert_array_equal(np.ma.getdata(found), np.ma.getdata(wanted))


NUMBERS = [
    np.array([1.5, np.nan, -0.0]),
    np.array([3, 2**53, -7]),
    np.ma.MaskedArray([1, 2, 3], [False, True, False]),
    np.array([None, 2.5, 1], object),
    np.array([np.inf, 1.0, 5e-324]),
]


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_numbers_are_those_that_arrow_makes_of_each_column(rows):
    columns = {str(place): values[:rows] for place, values in enumerate(NUMBERS)}
    wanted = {
        name: pa.array(values, pa.float64(), from_pandas=True) for name, values in columns.items()
    }
    found = arrow_numbers(columns)
    assert {name: one.type for name, one in found.items()} == dict.fromkeys(columns, pa.float64())
    assert {name: str(one.to_pylist()) for name, one in found.items()} == {
        name: str(one.to_pylist()) for name, one in wanted.items()
    }
    assert arrow_numbers({}) == {}
