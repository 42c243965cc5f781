"""Every feature of the catalogue is the same on Spark as on DuckDB, and as blind to the future."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mqbg.features import feature_table, prepare_source
from mqbg.features.declare.catalogue import build_catalogue
from mqbg.features.declare.vocabulary import find_vocabulary
from mqbg.features.tables.feature_table import open_snapshot
from mqbg.source import on_engine

AS_OF = datetime(2024, 6, 1)
CUTOFFS = (AS_OF - timedelta(days=30), AS_OF, AS_OF + timedelta(days=7))
SEEDS = range(40, 48)


def keyed(table):
    return {(row["group_id"], row["as_of"]): row for row in table.to_pylist()}


def assert_same(got, expected, bits):
    """Equal keys, and rows equal to the bit: counts, categories, and sums, which are exact."""
    assert got.keys() == expected.keys()
    for key, row in expected.items():
        assert bits(got[key]) == bits(row), key


def features(source, engine, of_settings, cutoffs, found_at=AS_OF):
    with on_engine(source, engine) as there:
        prepared = prepare_source(there, of_settings)
        words = build_catalogue(find_vocabulary(prepared, found_at))
        return words.feature_names, feature_table(prepared, words, cutoffs)


# ---------------------------------------------------------------- agreement


@pytest.fixture(scope="module")
def awkward(random_tables, side_by_side):
    """Random worlds side by side."""
    return side_by_side([random_tables(seed, AS_OF) for seed in SEEDS])


@pytest.mark.spark
@pytest.mark.parametrize(
    ("which", "cutoffs"),
    [("FROM_DATA", CUTOFFS), ("TEMPLATED", CUTOFFS[1:2])],
    ids=["template from the data", "template from settings"],
)
def test_every_feature_is_the_same_on_spark_as_on_duckdb(
    spark, awkward, as_source, of_time, bits, which, cutoffs
):
    given_settings = getattr(of_time, which)
    source = as_source(awkward)
    names, expected = features(source, "duckdb", given_settings, cutoffs)
    spark_names, got = features(source, "spark", given_settings, cutoffs)
    assert spark_names == names
    assert got.schema == expected.schema
    assert got["group_id"].to_pylist() == expected["group_id"].to_pylist()
    assert_same(keyed(got), keyed(expected), bits)


@pytest.mark.spark
def test_some_groups_alone_have_the_features_that_they_have_among_all(
    spark, awkward, as_source, of_time, bits
):
    source = as_source(awkward)
    _names, table = features(source, "duckdb", of_time.FROM_DATA, [AS_OF])
    expected = {key: row for key, row in keyed(table).items() if key[0] in ("g0/0", "g5/3")}
    assert len(expected) >= 1
    with on_engine(source, "spark") as there:
        prepared = prepare_source(there, of_time.FROM_DATA)
        words = build_catalogue(find_vocabulary(prepared, AS_OF))
        with open_snapshot(prepared, words, AS_OF, only=["g0/0", "g5/3"]) as at:
            rows = at.features().to_pylist()
            members = at.members.to_pyarrow()
    got = {(row["group_id"], AS_OF): {**row, "as_of": AS_OF} for row in rows}
    assert_same(got, expected, bits)
    assert set(members["group_id"].to_pylist()) == {group_id for group_id, _as_of in expected}


# ---------------------------------------------------------------- point in time


def drawn(strategy, examples):
    """So many values of a strategy, always the same, for one test of all of them together."""
    found = []

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],  # the clock of a busy machine says nothing
    )
    @given(strategy)
    def draw(value):
        found.append(value)

    draw()
    return found


def every_edit(module):
    return [
        (edit, number, AS_OF + number * timedelta(days=30))
        for edit in module.EDITS
        for number in range(3)
    ]


def edit_lists(module):
    edit = st.tuples(st.sampled_from(module.EDITS), st.integers(0, 10_000), module.FUTURE)
    return drawn(st.lists(edit, min_size=5, max_size=40), 8)


@pytest.mark.spark
@pytest.mark.parametrize("which", ["FROM_DATA", "TEMPLATED"])
def test_rows_known_at_or_after_the_cutoff_change_nothing(
    spark, random_tables, side_by_side, as_source, of_time, bits, which
):
    """Each world with its own edits beside the others; DuckDB says what they had without edits.

    The last world gets one activity before the cut-off, to show that edits can be seen at all.
    """
    given_settings = getattr(of_time, which)
    lists = [every_edit(of_time), *edit_lists(of_time)]
    worlds = [random_tables(1 + number % 2, AS_OF) for number in range(len(lists) + 1)]
    untouched = as_source(side_by_side(worlds))
    edited = copy.deepcopy(worlds)
    for world, edits in zip(edited, lists, strict=False):
        for edit, number, instant in edits:
            edit(world, number, instant)
    of_time.IN_THE_PAST["logged activity"](edited[-1], "g0")
    _names, expected = features(untouched, "duckdb", given_settings, [AS_OF])
    _names, got = features(as_source(side_by_side(edited)), "spark", given_settings, [AS_OF])
    last = f"g0/{len(lists)}"
    expected, got = keyed(expected), keyed(got)
    assert bits(got.pop((last, AS_OF))) != bits(expected.pop((last, AS_OF)))
    assert_same(got, expected, bits)
