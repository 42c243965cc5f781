"""A limit on requests: so many in any ten seconds, so many in a run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from .target import Stopped

WINDOW = 10.0  # seconds
MARGIN = 0.02


class Bucket:
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
        self._rate = max((1 - MARGIN) * per_window - 1, 1) / WINDOW
        self._left, self._per_day = per_day, per_day
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._tokens, self._at = 1.0, clock()

    def draw(self) -> None:
        """Waits until one more request is within the limits.

        Raises:
            Stopped: the day's requests are used up.
        """
        with self._lock:
            if not self._left:
                raise Stopped(
                    f"the limit of {self._per_day:,} requests a day is used up; what is left "
                    "waits for the next run"
                )
            self._left -= 1
            now = self._clock()
            # `_at` lies ahead of the clock while the target has asked us to wait.
            self._tokens += max(0.0, now - self._at) * self._rate
            self._tokens = min(self._tokens, 1.0) - 1
            self._at = max(self._at, now)
            pause = max(0.0, -self._tokens / self._rate) + self._at - now
        if pause > 0:
            self._sleep(pause)

    def hold(self, seconds: float) -> None:
        """Nobody draws before so many seconds have passed: the target has asked for it."""
        with self._lock:
            self._at = max(self._at, self._clock() + seconds)
            self._tokens = min(self._tokens, 0.0)
