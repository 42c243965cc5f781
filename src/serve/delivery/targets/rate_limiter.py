"""A limit on requests: so many in any ten seconds, so many in a run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from .target import TargetUnavailable

WINDOW_SECONDS = 10.0  # seconds
SAFETY_MARGIN = 0.02


class RateLimiter:
    """A token bucket that any number of threads may draw from.

    It holds a single token and stays a little below the limit, so that no ten seconds see more
    requests than the limit allows, also where requests do not arrive as evenly as they were sent.

    Args:
        per_window: requests in any ten seconds, at least 2.
        per_day: requests that this bucket ever gives.
        clock: seconds that only rise.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        per_window: int,
        per_day: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = max((1 - SAFETY_MARGIN) * per_window - 1, 1) / WINDOW_SECONDS
        self._remaining_today, self._per_day = per_day, per_day
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._tokens, self._refilled_at = 1.0, clock()

    def acquire(self) -> None:
        """Waits until one more request is within the limits.

        Raises:
            TargetUnavailable: the day's requests are used up.
        """
        with self._lock:
            if not self._remaining_today:
                raise TargetUnavailable(
                    f"the limit of {self._per_day:,} requests a day is used up; what is left "
                    "waits for the next run"
                )
            self._remaining_today -= 1
            now = self._clock()
            # `_refilled_at` lies ahead of the clock while the target has asked us to wait.
            self._tokens += max(0.0, now - self._refilled_at) * self._rate
            self._tokens = min(self._tokens, 1.0) - 1
            self._refilled_at = max(self._refilled_at, now)
            wait_seconds = max(0.0, -self._tokens / self._rate) + self._refilled_at - now
        if wait_seconds > 0:
            self._sleep(wait_seconds)

    def block_for(self, seconds: float) -> None:
        """Nobody draws before so many seconds have passed: the target has asked for it."""
        with self._lock:
            self._refilled_at = max(self._refilled_at, self._clock() + seconds)
            self._tokens = min(self._tokens, 0.0)
