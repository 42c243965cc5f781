"""Some threads that score, each with an engine of its own, and a short queue before them."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from ...model.registry import RegisteredBundle
from ...settings import Settings
from .problem_details import HttpProblem
from .scorer import Scorer, ScoreResponse

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

    async def score_body(self, body: bytes, model: RegisteredBundle) -> ScoreResponse:
        """Scores a body.

        Raises:
            HttpProblem: 503 where too many wait already; else as `Scorer.score_body`.
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
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, self._score_in_thread, body, model)
        finally:
            self.in_progress -= 1

    def _score_in_thread(self, body: bytes, model: RegisteredBundle) -> ScoreResponse:
        scorer = getattr(self._thread_local, "scorer", None)
        if scorer is None:
            scorer = self._thread_local.scorer = Scorer(self._settings)
            self._scorers.append(scorer)
        response: ScoreResponse = scorer.score_body(body, model)
        return response

    def close(self) -> None:
        """Waits for what is under way, and lets go of the engines."""
        self._pool.shutdown()
        for scorer in self._scorers:
            scorer.close()
