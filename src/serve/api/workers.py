"""What scores the bodies of requests, and a short queue before it."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from ...model.registry import RegisteredBundle
from ...settings import Settings
from .problem_details import HttpProblem
from .scorer import Scorer, prepare_for_serving

RETRY_SECONDS = 1
THREADS_PER_REQUEST = 1
"""Of one request: the workers share the machine."""


class WorkerPool(ABC):
    """A bounded pool; the event loop goes on while it computes.

    Attributes:
        in_progress: requests that are being scored or wait for it.
        processes: that score; 0 where the server's own does.
    """

    processes = 0

    def __init__(self, workers: int, waiting: int) -> None:
        """Has no model yet.

        Args:
            workers: requests scored at the same time.
            waiting: requests that may wait beside them.
        """
        self._max_requests = workers + waiting
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

    @abstractmethod
    def adopt(self, model: RegisteredBundle) -> None:
        """Scores by another model from now on; what is under way ends with the one before.

        It returns when all workers can score by it, which takes seconds.

        Args:
            model: as it was registered.

        Raises:
            BadInput: they cannot; the model before goes on.
        """

    @abstractmethod
    async def score_body(self, body: bytes) -> bytes:
        """Scores a body by the model that was adopted last; the answer is JSON.

        Raises:
            HttpProblem: as `Scorer.score_body`, and 503 where its worker came to an end.
        """

    @abstractmethod
    def close(self) -> None:
        """Waits for what is under way, and lets go of the workers."""


class WorkerThreads(WorkerPool):
    """Threads of the server's own process, each with an engine of its own."""

    def __init__(self, settings: Settings) -> None:
        """Opens an engine for each worker as soon as it is needed.

        Args:
            settings: [api] workers and waiting are read, and what `Scorer` reads.
        """
        super().__init__(settings.api.workers, settings.api.waiting)
        self._settings = settings
        self._thread_local = threading.local()
        self._scorers: list[Scorer] = []
        self._model: RegisteredBundle | None = None
        self._pool = ThreadPoolExecutor(settings.api.workers, "mqbg-score")

    def adopt(self, model: RegisteredBundle) -> None:
        """Scores by another model from now on; what is under way ends with the one before."""
        self._model = prepare_for_serving(model, THREADS_PER_REQUEST)

    async def score_body(self, body: bytes) -> bytes:
        """Scores a body by the model that was adopted last; the answer is JSON.

        Raises:
            HttpProblem: as `Scorer.score_body`.
        """
        loop = asyncio.get_running_loop()
        if self._model is None:
            raise RuntimeError("no model was adopted")
        return await loop.run_in_executor(self._pool, self._score_in_thread, body, self._model)

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
