"""The forward split: no training label is still open when the test begins."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from mqbg.contract import BadInput
from mqbg.train.data.split import forward_split

START = datetime(2024, 1, 1)
WEEKS = tuple(START + timedelta(weeks=n) for n in range(30))


@hypothesis_settings(max_examples=60, deadline=None, derandomize=True)
@given(
    weeks=st.integers(1, 60),
    horizon_days=st.integers(1, 200),
    test_week=st.none() | st.integers(-2, 62),
)
def test_every_training_horizon_ends_before_the_test_begins(weeks, horizon_days, test_week):
    cutoffs = [START + timedelta(weeks=n) for n in range(weeks)]
    test_from = None if test_week is None else START + timedelta(weeks=test_week)
    try:
        split = forward_split(cutoffs, horizon_days, test_from)
    except BadInput:
        return
    horizon = timedelta(days=horizon_days)
    assert max(split.train) + horizon <= split.test_from <= min(split.test)
    between = [at for at in cutoffs if at not in split.train and at not in split.test]
    assert all(at + horizon > split.test_from > at for at in between)
    assert test_from in (None, split.test_from)


def test_the_gap_is_exactly_one_horizon():
    split = forward_split(WEEKS, 28, WEEKS[20])
    assert split.train == WEEKS[:17]
    assert split.test == WEEKS[20:]


def test_without_a_day_there_are_about_two_training_cutoffs_for_each_test_cutoff():
    split = forward_split(WEEKS, 28, None)
    assert len(split.train) / len(split.test) == pytest.approx(2, abs=0.5)


def test_a_test_may_begin_between_two_cutoffs():
    split = forward_split(WEEKS, 7, WEEKS[10] - timedelta(days=1))
    assert split.train == WEEKS[:9]
    assert split.test == WEEKS[10:]


@pytest.mark.parametrize(
    ("cutoffs", "test_from", "counts"),
    [
        (WEEKS, WEEKS[0], "0 and 30 of the 30"),
        (WEEKS, WEEKS[-1] + timedelta(days=91), "30 and 0 of the 30"),
        (WEEKS[:5], None, "0 and 5 of the 5"),
    ],
)
def test_an_empty_part_is_refused_with_what_to_do(cutoffs, test_from, counts):
    with pytest.raises(BadInput) as caught:
        forward_split(cutoffs, 90, test_from)
    assert f"got {counts} from 2024-01-01" in str(caught.value)
    assert "bring a longer history" in str(caught.value)
