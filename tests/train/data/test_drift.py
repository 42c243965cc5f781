"""Drift is measured as the literature says, asks no outcome, and knows what chance would do."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqbg.train.data.drift import measure_drift, population_stability_index


def frame(**columns):
    size = len(next(iter(columns.values())))
    return pd.DataFrame({"group_id": [f"g{number}" for number in range(size)], **columns})


def one(before, after, **how):
    """The only row of a drift of one column `x`."""
    found = measure_drift(frame(x=before), frame(x=after), **how)
    assert len(found) == 1
    return found.iloc[0]


def by_hand(before, after):
    """The index of two lists of rows per bin, in plain Python, bins without a zero."""
    total = 0.0
    for was, is_now in zip(before, after, strict=True):
        p, q = was / sum(before), is_now / sum(after)
        total += (q - p) * math.log(q / p)
    return total


counts = st.lists(st.integers(0, 50), min_size=3, max_size=3)


def test_the_index_is_that_of_the_textbook():
    assert population_stability_index(
        np.array([60.0, 40.0]), np.array([30.0, 70.0])
    ) == pytest.approx((0.3 - 0.6) * math.log(0.3 / 0.6) + (0.7 - 0.4) * math.log(0.7 / 0.4))


def test_numbers_are_binned_by_the_quantiles_of_before():
    before, after = [1, 2, 3, 4] * 10, [1] * 4 + [2] * 8 + [3] * 12 + [4] * 16
    assert one(before, after, bins=4).psi == pytest.approx(by_hand([10] * 4, [4, 8, 12, 16]))


def test_a_number_that_most_rows_share_has_a_bin_of_its_own():
    before, after = [0] * 80 + [1, 2] * 10, [0] * 40 + [1, 2] * 30
    # All but one tenth of the quantiles are 0: the bins are 0, 1 and 2.
    assert one(before, after).psi == pytest.approx(by_hand([80, 10, 10], [40, 30, 30]))


@pytest.mark.parametrize("stranger", [-1.0, 2.0])
def test_numbers_outside_all_that_was_seen_are_seen(stranger):
    found = one([1.0] * 100, [1.0] * 50 + [stranger] * 50)
    # The empty bin counts as half a row.
    expected = (0.5 - 1.0) * math.log(0.5) + (0.5 - 0.005) * math.log(0.5 / 0.005)
    assert found.psi == pytest.approx(expected)
    assert found.verdict == "shifted"


def test_what_is_missing_has_a_bin_of_its_own():
    found = one([1.0] * 90 + [math.nan] * 10, [1.0] * 60 + [math.nan] * 40)
    assert found.psi == pytest.approx(by_hand([90, 10], [60, 40]))
    assert (found.missing_before, found.missing_after) == (0.1, 0.4)
    assert (found.mean_before, found.mean_after) == (1.0, 1.0)


def test_texts_are_compared_value_by_value_and_rare_ones_together():
    before = ["a"] * 50 + ["b"] * 30 + ["c"] * 10 + ["d"] * 5 + [None] * 5
    after = ["a"] * 20 + ["b"] * 30 + ["new"] * 20 + [None] * 30
    found = one(before, after, bins=3)
    assert found.psi == pytest.approx(by_hand([50, 30, 15, 5], [20, 30, 20, 30]))
    assert math.isnan(found.mean_before)


def test_truth_values_are_numbers():
    found = one([True, False] * 20, [True, True, True, False] * 10)
    assert found.psi == pytest.approx(by_hand([20, 20], [30, 10]))
    assert found.mean_after == 0.75


def test_the_most_moved_column_comes_first_and_keys_are_no_columns():
    before = frame(still=[1, 2] * 50, gone=[1, 2] * 50).assign(as_of=1)
    after = frame(still=[1, 2] * 50, gone=[5, 6] * 50).assign(as_of=2)
    assert measure_drift(before, after)["column"].tolist() == ["gone", "still"]


def test_a_column_that_moved_less_than_chance_moves_it_is_stable():
    few = one([1, 2] * 5, [1, 1, 1, 2, 2, 1, 1, 2, 2, 1])
    many = one([1, 2] * 500, [1, 1, 1, 2, 2, 1, 1, 2, 2, 1] * 100)
    assert few.psi < few.by_chance
    assert few.verdict == "stable"
    assert many.by_chance < few.by_chance / 50


def test_the_snapshots_of_one_group_are_no_more_proof_than_the_group():
    rows = frame(x=[1, 2] * 50)
    repeated = pd.concat([rows] * 8)
    later = frame(x=[2, 1] * 50)
    assert measure_drift(repeated, later)["by_chance"].equals(
        measure_drift(rows, later)["by_chance"]
    )


@pytest.mark.slow
def test_chance_alone_passes_its_limit_in_one_of_twenty():
    draws = np.random.default_rng(5)
    found = [one(draws.normal(size=2000), draws.normal(size=600)) for _ in range(300)]
    assert 0.02 < np.mean([row.psi > row.by_chance for row in found]) < 0.1


@pytest.mark.parametrize(("shift", "verdict"), [(0.0, "stable"), (0.4, "moved"), (0.8, "shifted")])
def test_the_verdict_follows_the_customary_limits(shift, verdict):
    draws = np.random.default_rng(3)
    assert one(draws.normal(size=4000), draws.normal(size=4000) + shift).verdict == verdict


@given(before=counts.filter(sum), after=counts.filter(sum))
def test_the_index_is_never_negative_and_the_same_both_ways(before, after):
    p, q = np.array(before, dtype=float), np.array(after, dtype=float)
    assert population_stability_index(p, q) >= 0
    assert population_stability_index(p, q) == pytest.approx(population_stability_index(q, p))
    assert population_stability_index(p, 3 * p) == pytest.approx(0, abs=1e-12)


@given(st.lists(st.floats(-100, 100) | st.none(), min_size=1, max_size=40))
def test_rows_have_not_drifted_from_themselves(values):
    column = pd.Series(values, dtype="float64")
    assert one(column, column).psi == 0


@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(shuffler):
    before, after = list("aabbbcd") * 3, list("abcce") * 4
    expected = one(before, after)
    shuffler.shuffle(before)
    shuffler.shuffle(after)
    assert one(before, after).psi == expected.psi


@pytest.mark.parametrize(
    ("before", "after", "bins", "said"),
    [
        (frame(x=[1]), frame(x=[1]).drop(columns="group_id"), 10, "got after with 1 rows"),
        (frame(x=[1]).iloc[:0], frame(x=[1]), 10, "got before with 0 rows"),
        (frame(x=[1], y=[2]), frame(x=[1]), 10, r"after lacks \['y'\]"),
        (frame(x=[1]), frame(x=[1]), 1, "at least 2 bins, got 1"),
    ],
)
def test_what_cannot_be_compared_is_refused(before, after, bins, said):
    with pytest.raises(ValueError, match=said):
        measure_drift(before, after, bins=bins)
