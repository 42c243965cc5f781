"""The feature table as the trees read it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from mqbg.model.feature_matrix import MAX_DICT_LOOKUPS, feature_matrix

NAMES = ("whole", "place", "number", "nothing")
CODES = {"place": ("JP", "DE")}


def table_of(rows):
    draw = np.random.default_rng(rows)
    numbers = [None if one < 0.2 else one for one in draw.random(rows).tolist()]
    places = [("JP", "DE", "FR", None)[one] for one in draw.integers(0, 4, rows)]
    return pa.table(
        {
            "number": pa.array(numbers, pa.float64()),
            "place": pa.array(places, pa.string()),
            "whole": pa.array(draw.integers(-9, 9, rows), pa.int64()),
            "nothing": pa.nulls(rows, pa.float64()),
            "unread": pa.array(places, pa.string()),
        }
    )


@pytest.mark.parametrize("rows", [0, 1, MAX_DICT_LOOKUPS, MAX_DICT_LOOKUPS + 1])
def test_numbers_and_codes_of_categories_are_in_the_order_asked_for(rows):
    table = table_of(rows)
    wanted = [
        [
            row["whole"],
            {"JP": 0.0, "DE": 1.0}.get(row["place"], np.nan),
            np.nan if row["number"] is None else row["number"],
            np.nan,
        ]
        for row in table.to_pylist()
    ]
    for parts in (table, pa.concat_tables([table.slice(0, rows // 2), table.slice(rows // 2)])):
        found = feature_matrix(parts, NAMES, CODES)
        np.testing.assert_array_equal(found, np.array(wanted, np.float64).reshape(rows, 4))


@pytest.mark.parametrize("rows", [2, MAX_DICT_LOOKUPS + 1])
def test_conditions_small_numbers_and_columns_without_any_value_are_numbers_too(rows):
    table = pa.table(
        {
            "condition": pa.array([n % 2 == 0 for n in range(rows)]),
            "small": pa.array(range(rows), pa.int16()),
            "nothing": pa.nulls(rows),
            "number": pa.array([n / 4 for n in range(rows)]),
        }
    )
    found = feature_matrix(table, table.column_names, {})
    expected = [[float(n % 2 == 0), float(n), np.nan, n / 4] for n in range(rows)]
    np.testing.assert_array_equal(found, expected)


def test_a_table_without_a_feature_is_refused():
    with pytest.raises(ValueError, match=r"features missing: \['lost'\]"):
        feature_matrix(table_of(2), ("number", "lost"), {})
