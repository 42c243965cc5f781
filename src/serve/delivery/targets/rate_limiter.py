"""A limit on requests: this many in any ten seconds, this many in any day."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from pyrate_limiter import Duration, InMemoryBucket, Rate, RateItem, TokenBucket

from .target import TargetUnavailable

WINDOW_SECONDS = 10.0  # seconds
SAFETY_MARGIN = 0.02
_MICROSECONDS, _MILLISECONDS = 1_000_000, 1000


class RateLimiter:
    """Two limits of pyrate-limiter, which any number of threads may draw from.

    The token bucket of the window holds a single token and stays a little below the limit, so
    that no ten seconds see more requests than the limit allows, also where requests do not arrive
    as evenly as they were sent.

    Args:
        per_window: requests in any ten seconds, at least 2.
        per_day: requests in any day, at least 1.
        clock: seconds that only rise.
        sleep: waits this many seconds.
    """

    def __init__(
        self,
        per_window: int,
        per_day: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        rate = max(int((1 - SAFETY_MARGIN) * per_window) - 1, 1)
        # The library counts whatever its clock does: milliseconds would be too coarse here.
        self._rates = [Rate(rate, int(WINDOW_SECONDS * _MICROSECONDS), burst=1)]
        self._window = TokenBucket()
        self._state = self._window.initial(self._rates)
        self._day, self._per_day = InMemoryBucket([Rate(per_day, Duration.DAY)]), per_day
        self._clock, self._sleep = clock, sleep
        self._lock, self._blocked_until = threading.Lock(), clock()

    def acquire(self) -> None:
        """Waits until one more request is within the limits.

        Raises:
            TargetUnavailable: the day's requests are used up.
        """
        if not self._day.put(RateItem("request", int(self._clock() * _MILLISECONDS))):
            raise TargetUnavailable(
                f"the limit of {self._per_day:,} requests a day is used up; what is left "
                "waits for the next run"
            )
        while wait_seconds := self._take_token():
            self._sleep(wait_seconds)

    def _take_token(self) -> float:
        """Takes a token if there is one; else seconds until there may be."""
        with self._lock:
            now = self._clock()
            if now < self._blocked_until:
                return self._blocked_until - now
            self._state, decision = self._window.step(
                self._rates, self._state, int(now * _MICROSECONDS), 1
            )
        return (decision.retry_after_ms or 0) / _MICROSECONDS

    def block_for(self, seconds: float) -> None:
        """Nobody draws before this many seconds have passed: the target has asked for it."""
        with self._lock:
            self._blocked_until = max(self._blocked_until, self._clock() + seconds)
