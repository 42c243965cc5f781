"""The limits on requests, by a clock that moves only when somebody waits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.serve.delivery.targets.rate_limiter import WINDOW_SECONDS, RateLimiter
from mqbg.serve.delivery.targets.target import TargetUnavailable

DAY_SECONDS = 24 * 60 * 60


class Clock:
    """Seconds that pass only in `sleep`."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def limited(per_window: int, per_day: int = 10**6) -> tuple[RateLimiter, Clock]:
    clock = Clock()
    return RateLimiter(per_window, per_day, clock=clock, sleep=clock.sleep), clock


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.integers(2, 300), st.lists(st.floats(0, 12), min_size=1, max_size=300))
def test_no_ten_seconds_see_more_requests_than_the_limit(per_window, pauses):
    limiter, clock = limited(per_window)
    at = []
    for pause in pauses:
        clock.now += pause if pause > 6 else 0.0
        limiter.acquire()
        at.append(clock.now)
    assert all(
        sum(start <= instant <= start + WINDOW_SECONDS for instant in at) <= per_window
        for start in at
    )


@pytest.mark.parametrize("per_window", [100, 190, 1000])
def test_requests_without_a_pause_use_nearly_all_of_the_limit(per_window):
    limiter, clock = limited(per_window)
    for _ in range(10 * per_window):
        limiter.acquire()
    assert 10 * WINDOW_SECONDS * 0.95 < clock.now < 10 * WINDOW_SECONDS * 1.04


def test_the_first_request_does_not_wait():
    limiter, clock = limited(2)
    limiter.acquire()
    assert clock.now == 0.0


def test_a_day_s_requests_are_refused_beyond_the_limit_until_the_day_is_over():
    limiter, clock = limited(100, per_day=3)
    for _ in range(3):
        limiter.acquire()
    before = clock.now
    with pytest.raises(TargetUnavailable, match="the limit of 3 requests a day"):
        limiter.acquire()
    assert clock.now == before
    clock.now += DAY_SECONDS + 1
    limiter.acquire()


def test_nobody_draws_while_the_target_asks_to_wait():
    limiter, clock = limited(100)
    limiter.block_for(30.0)
    limiter.block_for(5.0)
    limiter.acquire()
    assert clock.now == 30.0
