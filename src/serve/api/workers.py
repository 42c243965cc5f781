"""Some threads that score, each with an engine of its own, and a short queue before them."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from ...model.registry import RegisteredBundle
from ...settings import Settings
from .problem_details import Refused
from .scorer import Answer, Scorer

RETRY_SECONDS = 1


class Workers:
    """A bounded pool; the event loop goes on while they compute."""

    def __init__(self, settings: Settings) -> None:
        """Opens an engine for each worker as soon as it is needed.

        Args:
            settings: [api] workers and waiting are read, and what `Scorer` reads.
        """
        self._settings = settings
        self._own = threading.local()
        self._scorers: list[Scorer] = []
        self._most = settings.api.workers + settings.api.waiting
        self._pool = ThreadPoolExecutor(settings.api.workers, "mqbg-score")
        self.under_way = 0

    async def answer(self, body: bytes, model: RegisteredBundle) -> Answer:
        """Scores a body.

        Raises:
            Refused: 503 where too many wait already; else as `Scorer.answer`.
        """
        if self.under_way >= self._most:
            raise Refused(
                503,
                f"expected at most {self._most} requests at a time, got one more; send it again",
                {"Retry-After": str(RETRY_SECONDS)},
            )
        self.under_way += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, self._answer, body, model)
        finally:
            self.under_way -= 1

    def _answer(self, body: bytes, model: RegisteredBundle) -> Answer:
        scorer = getattr(self._own, "scorer", None)
        if scorer is None:
            scorer = self._own.scorer = Scorer(self._settings)
            self._scorers.append(scorer)
        answer: Answer = scorer.answer(body, model)
        return answer

    def close(self) -> None:
        """Waits for what is under way, and lets go of the engines."""
        self._pool.shutdown()
        for scorer in self._scorers:
            scorer.close()
