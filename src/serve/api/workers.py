"""Some threads that score, each with an engine of its own, and a short queue before them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from ...model.registry import RegisteredBundle
from ...settings import Settings
from .problem_details import HttpProblem
from .scorer import Scorer

RETRY_SECONDS = 1


class WorkerPool:
    """A bounded pool; the event loop goes on while they compute."""

    def __init__(self, settings: Settings) -> None:
        """Opens an engine for each worker as soon as it is needed.

        Args:
            settings: [api] workers and waiting are read, and what `Scorer` reads.
        """
        self._settings = settings
        self._thread_local = threading.local()
        self._scorers: list[Scorer] = []
        self._max_requests = settings.api.workers + settings.api.waiting
        self._pool = ThreadPoolExecutor(settings.api.workers, "mqbg-score")
        self.in_progress = 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A place among those who may wait, taken before a body is read into memory.

        Raises:
            HttpProblem: 503 where too many wait already.
        """
        if self.in_progress >= self._max_requests:
            raise HttpProblem(
                503,
                f"expected at most {self._max_requests} requests at a time, got one more; "
                "send it again",
                {"Retry-After": str(RETRY_SECONDS)},
            )
        self.in_progress += 1
        try:
            yield
        finally:
            self.in_progress -= 1

    async def score_body(self, body: bytes, model: RegisteredBundle) -> bytes:
        """Scores a body; the answer is JSON.

        Raises:
            HttpProblem: as `Scorer.score_body`.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._score_in_thread, body, model)

    def _score_in_thread(self, body: bytes, model: RegisteredBundle) -> bytes:
        scorer = getattr(self._thread_local, "scorer", None)
        if scorer is None:
            scorer = self._thread_local.scorer = Scorer(self._settings)
            self._scorers.append(scorer)
        response: bytes = scorer.score_body(body, model)
        return response

    def close(self) -> None:
        """Waits for what is under way, and lets go of the engines."""
        self._pool.shutdown()
        for scorer in self._scorers:
            scorer.close()
