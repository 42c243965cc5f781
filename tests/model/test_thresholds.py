import json
from dataclasses import asdict, replace
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqbg.model.thresholds import (
    UNREACHABLE,
    Estimate,
    ThresholdPerformance,
    Thresholds,
    just_above,
    shift_threshold,
)
from scipy.special import expit, logit

MARCH, MAY = datetime(2025, 3, 1), datetime(2025, 5, 1)

PLAIN = Thresholds("capacity", completeness=0.6, pooled=0.12)
FULL = Thresholds(
    "capacity",
    completeness=0.6,
    pooled=0.12,
    floor=0.05,
    segment="tier",
    segment_shifts={"A": -0.5, "B": 0.3},
    month_shifts={3: 0.25},
    schedule=(("2025-02-01T00:00:00", 0.2), ("2025-04-01T00:00:00", 0.3)),
    forecast=ThresholdPerformance(
        Estimate(5.0, 4.0, 6.0), Estimate(0.4, 0.3, 0.5), Estimate(0.2, 0.1, 0.3),
        Estimate(None, None, None),
    ),
)  # fmt: skip


def read_back(thresholds):
    return Thresholds(**json.loads(json.dumps(asdict(thresholds))))


@pytest.mark.parametrize("thresholds", [PLAIN, FULL])
def test_what_is_read_back_from_json_equals_what_was_written(thresholds):
    assert read_back(thresholds) == thresholds


@given(
    st.floats(0.0, 2.0),
    st.dictionaries(st.text(max_size=3), st.floats(-2, 2), max_size=3),
    st.dictionaries(st.integers(1, 12), st.floats(-2, 2), max_size=3),
    st.lists(st.tuples(st.sampled_from(["2025-01-01", "2025-02-01"]), st.floats(0, 1)), max_size=2),
)
def test_any_thresholds_survive_json(pooled, segments, months, schedule):
    thresholds = Thresholds("value", 0.5, pooled, 0.0, "country", segments, months, schedule)
    assert read_back(thresholds) == thresholds


def test_a_line_without_shift_is_the_pooled_one_to_the_last_bit():
    assert PLAIN.readiness_thresholds([None, "A"], MAY).tolist() == [0.12, 0.12]


def test_segment_and_month_move_the_line_in_log_odds():
    line = replace(FULL, schedule=())
    by_hand = [expit(logit(0.12) - 0.5 + 0.25), expit(logit(0.12) + 0.3 + 0.25)]
    assert line.readiness_thresholds(["A", "B"], MARCH) == pytest.approx(by_hand, abs=1e-9)


@pytest.mark.parametrize("value", ["C", None, float("nan"), 7])
def test_an_unknown_segment_has_the_pooled_line(value):
    assert FULL.readiness_thresholds([value], MAY).tolist() == [0.3]


@pytest.mark.parametrize(
    ("as_of", "line"),
    [
        (datetime(2025, 1, 31), 0.12),  # before the first step
        (datetime(2025, 2, 1), 0.2),
        (datetime(2025, 3, 31, 23), 0.2),
        (datetime(2025, 4, 1), 0.3),
        (datetime(2030, 1, 1), 0.3),  # the last step holds
    ],
)
def test_each_step_of_the_schedule_holds_until_the_next(as_of, line):
    assert FULL.pooled_at(as_of) == line


def test_the_schedule_says_until_when_the_line_was_followed():
    assert PLAIN.updated_until is None
    assert FULL.updated_until == datetime(2025, 4, 1)


def test_a_line_that_is_held_forgets_its_schedule_and_keeps_its_shifts():
    held = FULL.frozen_at(MARCH)
    assert (held.pooled_at(datetime(2020, 1, 1)), held.pooled_at(MAY)) == (0.2, 0.2)
    assert (held.segment_shifts, held.month_shifts) == (FULL.segment_shifts, FULL.month_shifts)


def test_a_group_needs_both_readiness_and_completeness():
    got = PLAIN.qualifies(np.array([0.12, 0.12, 0.11]), np.array([0.6, 0.59, 1.0]), [None] * 3, MAY)
    assert got.tolist() == [True, False, False]


def test_nobody_qualifies_above_one_whatever_the_shift():
    nobody = replace(FULL, pooled=UNREACHABLE, schedule=())
    assert not nobody.qualifies(np.ones(3), np.ones(3), ["A", "B", None], MARCH).any()


@given(st.floats(0.001, 0.999), st.floats(-2, 2))
def test_moving_a_line_and_back_shuts_out_no_group_that_set_it(readiness, shift):
    pooled = float(expit(logit(readiness) - shift)) if shift else readiness
    assert readiness >= shift_threshold(pooled, np.array([shift]))[0]


@given(st.floats(0, 1), st.floats(-2, 2))
def test_just_above_shuts_out_the_group_even_when_moved(readiness, shift):
    assert just_above(readiness) > readiness
    assert (
        shift_threshold(just_above(0.5), np.array([shift]))[0]
        > shift_threshold(0.5, np.array([shift]))[0]
    )


@given(st.floats(0.0, 1.0), st.lists(st.floats(-2, 2), min_size=2, max_size=5))
def test_a_greater_shift_never_gives_a_looser_line(pooled, shifts):
    lines = shift_threshold(pooled, np.sort(np.array(shifts)))
    assert (np.diff(lines) >= -1e-9).all()


def test_the_sentence_names_the_months_that_differ():
    assert replace(PLAIN, month_shifts={3: 0.25}).description(MAY) == (
        "A group qualifies from readiness 12% in most months, 15% in March, with completeness 60%."
    )


def test_the_sentence_says_how_far_a_line_that_follows_has_gone():
    said = replace(PLAIN, schedule=(("2025-02-01", 0.05), ("2025-03-01", 0.2))).description(MAY)
    assert said == (
        "A group qualifies from readiness 20%, with completeness 60%; it follows the capacity, "
        "between 5.0% and 20% since 2025-02-01."
    )


def test_the_sentence_says_when_nobody_qualifies():
    assert replace(PLAIN, pooled=UNREACHABLE).description(MAY).startswith("No group qualifies")
