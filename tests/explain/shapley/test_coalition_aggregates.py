from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.explain.shapley.coalition_aggregates import (
    Aggregator,
    interchangeable_types,
    stack,
    turn_to_columns,
)
from mqbg.features.declare.signals import Aggregation
from mqbg.features.declare.terms import Term

NAN = math.nan
REDUCES = (Aggregation.SUM, Aggregation.MAX, Aggregation.MIN, Aggregation.SUM, Aggregation.MIN)
TOTALS = Aggregator(
    tuple(Term(f"t{i}", lambda row: row, reduce) for i, reduce in enumerate(REDUCES))
)
QUICK = settings(max_examples=60, deadline=None, derandomize=True)

sums = st.integers(-(2**40), 2**40).map(lambda n: n * 2.0**-20)  # what `to_fixed_point` makes
extremes = st.just(NAN) | st.sampled_from([-3.0, 0.0, 0.5, 7.0]) | sums
row = st.tuples(*(sums if reduce is Aggregation.SUM else extremes for reduce in REDUCES))
base_and_rows = st.tuples(row, st.lists(row, max_size=6))


def reduced(rows):
    """Every column reduced in plain Python; None of a null is left out."""
    totals = []
    for reduce, values in zip(REDUCES, zip(*rows, strict=True), strict=True):
        said = [value for value in values if not math.isnan(value)]
        how = {Aggregation.SUM: sum, Aggregation.MAX: max, Aggregation.MIN: min}[reduce]
        totals.append(how(said) if said or reduce is Aggregation.SUM else NAN)
    return totals


def arrays(drawn):
    base, rows = drawn
    return np.array(base), np.array(rows).reshape(len(rows), len(REDUCES))


@given(base_and_rows)
@QUICK
def test_prefixes_are_the_reductions_of_the_first_rows(drawn):
    base, rows = arrays(drawn)
    expected = [reduced([base, *rows[:count]]) for count in range(len(rows) + 1)]
    np.testing.assert_array_equal(TOTALS.prefixes(base, rows), expected)


@given(base_and_rows)
@QUICK
def test_group_totals_are_the_reductions_of_all_and_of_all_but_one(drawn):
    base, rows = arrays(drawn)
    found = TOTALS.group_totals(base, rows)
    np.testing.assert_array_equal(found.everyone, reduced([base, *rows]))
    assert found.types.shape == (len(rows),)
    for index, kind in enumerate(found.types):
        others = [*rows[:index], *rows[index + 1 :]]
        np.testing.assert_array_equal(found.without[kind], reduced([base, *others]))
        np.testing.assert_array_equal(rows[found.representatives[kind]], rows[index])


@given(base_and_rows)
@QUICK
def test_alone_each_row_is_added_to_the_base(drawn):
    base, rows = arrays(drawn)
    expected = np.array([reduced([base, row]) for row in rows]).reshape(rows.shape)
    np.testing.assert_array_equal(TOTALS.alone(base, rows), expected)
    for row, total in zip(rows, expected, strict=True):
        np.testing.assert_array_equal(TOTALS.add(base, row), total)


@given(base_and_rows, st.randoms(use_true_random=False))
@QUICK
def test_prefixes_of_an_order_are_those_of_the_rows_in_that_order(drawn, random):
    base, rows = arrays(drawn)
    orders = [random.sample(range(len(rows)), len(rows)) for _ in range(3)]
    got = TOTALS.prefixes_by_order(
        base, rows, np.array(orders, dtype=np.int64).reshape(3, len(rows))
    )
    for order, running in zip(orders, got, strict=True):
        np.testing.assert_array_equal(running, TOTALS.prefixes(base, rows[order]))


@given(row, st.lists(st.tuples(row, st.integers(1, 3)), max_size=4))
@QUICK
def test_coalitions_are_every_count_of_each_type_the_first_fastest(base, types):
    rows, counts = [row for row, _ in types], [count for _, count in types]
    expected = [
        reduced([base, *(row for row, n in zip(rows, inside[::-1], strict=True) for _ in range(n))])
        for inside in product(*(range(count + 1) for count in counts[::-1]))
    ]
    shaped = np.array(rows).reshape(len(rows), len(REDUCES))
    got = TOTALS.coalitions(np.array(base), shaped, np.array(counts, dtype=np.int64))
    np.testing.assert_array_equal(got, expected)


def test_alike_gathers_members_equal_in_every_term_in_order_of_appearance():
    rows = np.array([[1.0, NAN], [2.0, 0.0], [1.0, NAN], [1.0, 0.0], [2.0, 0.0]])
    first, types = interchangeable_types(rows)
    assert first.tolist() == [0, 1, 3]
    assert types.tolist() == [0, 1, 0, 2, 1]


def test_alike_knows_one_zero():
    assert interchangeable_types(np.array([[0.0], [-0.0]]))[1].tolist() == [0, 0]


def test_alike_of_nobody_is_empty():
    first, types = interchangeable_types(np.empty((0, 3)))
    assert (first.size, types.size) == (0, 0)


@pytest.mark.parametrize("counts", [(), (0,), (2, 0, 1)])
def test_stack_keeps_every_row_and_the_width(counts):
    parts = [np.full((count, 4), float(count)) for count in counts]
    assert stack(parts, 4).shape == (sum(counts), 4)


def test_terms_turned_to_columns_have_their_default_in_place_of_null():
    draw = np.random.default_rng(4)
    totals = np.where(draw.random((150, 5)) < 0.3, NAN, draw.normal(size=(150, 5)))
    which, defaults = np.array([3, 0, 4]), np.array([NAN, 0.0, -1.5])
    columns = np.empty((3, 150))
    turn_to_columns(totals, which, defaults, columns)
    expected = [
        np.where(np.isnan(totals[:, term]), default, totals[:, term])
        for term, default in zip(which, defaults, strict=True)
    ]
    np.testing.assert_array_equal(columns, expected)
