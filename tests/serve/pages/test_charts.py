"""Geometry of the pictures, and rounding that keeps a shown sum true."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from made_report import tenths
from mqbg.serve.pages.charts import gauge, round_to_total, scale_end, waterfall
from mqbg.serve.pages.curves import Axes, from_top, round_axis_end, ticks

POINTS = st.floats(-100, 100).filter(lambda value: value == 0 or abs(value) > 1e-9)


@settings(derandomize=True, max_examples=300)
@given(st.lists(POINTS, min_size=1, max_size=40))
@example([0.05, 0.05, 0.05])
@example([0.3, 0.0, -0.3, 2.9999999999999996])
def test_rounded_parts_add_up_and_none_is_off_by_a_tenth(parts):
    total = math.fsum(parts)
    shown = round_to_total(parts, total)
    assert sum(round(10 * part) for part in shown) == tenths(f"{total:.1f}")
    for part, as_shown in zip(parts, shown, strict=True):
        assert abs(part - as_shown) < 0.1 + 1e-9
        assert part != 0 or as_shown == 0


@settings(derandomize=True, max_examples=200)
@given(st.lists(POINTS, min_size=1, max_size=40))
def test_a_waterfall_stays_in_its_picture_and_each_bar_starts_where_the_last_ended(parts):
    bars = waterfall(parts)
    assert all(bar.x >= 0 and bar.x + bar.width <= 100.01 for bar in bars)
    assert all(bar.up == (part >= 0) for bar, part in zip(bars, parts, strict=True))
    ends = [sum(parts[:n]) for n in range(len(parts) + 1)]
    left, right = min(ends), max(ends)
    for n, bar in enumerate(bars):
        if right > left and bar.width > 1.5:
            expected = 100 * (min(ends[n], ends[n + 1]) - left) / (right - left)
            assert bar.x == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(
    ("largest", "end"), [(0.0, 0.01), (0.01, 0.01), (0.011, 0.02), (0.41, 0.5), (0.99, 1.0)]
)
def test_a_scale_ends_at_the_next_round_number(largest, end):
    assert scale_end(largest) == end


def test_what_lies_beyond_the_scale_is_put_on_its_edge():
    at = gauge(0.1, 0.3, 0.2, 0.9, 0.4)
    assert (at.low, at.width, at.readiness, at.threshold) == (25.0, 50.0, 50.0, 100.0)


@settings(derandomize=True, max_examples=200)
@given(st.floats(1e-6, 1e9))
def test_an_axis_ends_at_or_beyond_its_largest_value_and_has_few_even_ticks(largest):
    end = round_axis_end(largest)
    assert largest <= end * (1 + 1e-9) <= 2 * largest * (1 + 1e-9)
    places = [place for place, _label in ticks(end, str)]
    assert 2 <= len(places) <= 7
    assert places[0] == 0
    assert places[-1] == pytest.approx(100, abs=0.02)
    steps = [after - before for before, after in pairwise(places)]
    assert steps == pytest.approx([steps[0]] * len(steps), abs=0.02)


def test_an_upright_axis_begins_at_the_bottom():
    assert from_top(((0.0, "0"), (40.0, "4"))) == ((100.0, "0"), (60.0, "4"))


def test_a_box_puts_what_lies_outside_on_its_edge():
    box = Axes(2.0, 4.0)
    assert box.position(1.0, 1.0) == (50.0, 75.0)
    assert box.position(3.0, -1.0) == (100.0, 100.0)
    assert box.path([(0.0, 0.0), (2.0, 4.0)]) == "M0 100 L100 0"
    assert box.band([0.0, 2.0], [0.0, 0.0], [4.0, 2.0]) == "M0 0 L100 50 L100 100 L0 100 Z"
