"""What a server holds while it runs, and how it is kept up to date."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC

from ...settings import Settings
from .champion import Champion
from .keys import KeyRing
from .middleware import Metrics
from .score_cache import ScoreCache
from .workers import WorkerPool

LOGGER = logging.getLogger("mqbg.serve")
LONGEST_REFRESH_SECONDS = 60.0  # after which a revoked key is refused, whatever the settings say


@dataclass
class ServerState:
    """One server's parts.

    Attributes:
        settings: of the user.
        keys: who may ask.
        champion: the model.
        score_cache: the stored scores.
        workers: that score.
        metrics: for Prometheus.
        on_new_run: called, outside the event loop, when another run was taken over.
    """

    settings: Settings
    keys: KeyRing
    champion: Champion
    score_cache: ScoreCache
    workers: WorkerPool
    metrics: Metrics
    on_new_run: Callable[[], None] = lambda: None
    _refresh_requested: asyncio.Event = field(default_factory=asyncio.Event)

    def refresh_now(self) -> None:
        """Makes the next look at keys, registry and store come at once."""
        self._refresh_requested.set()

    def update_gauges(self) -> None:
        """Brings gauges up to date."""
        self.metrics.scores_in_progress.set(self.workers.in_progress)
        self.metrics.scoring_processes.set(self.workers.processes)
        self.metrics.store_up.set(self.score_cache.failure is None)
        self.metrics.model.clear()
        model = self.champion.model
        self.metrics.model.labels(model.name, model.version).set(1)
        if (run := self.score_cache.run) is not None:
            self.metrics.groups.set(run.groups)
            self.metrics.run_as_of.set(run.as_of.replace(tzinfo=UTC).timestamp())

    async def refresh_until_cancelled(self) -> None:
        """Looks at the keys, the store and the registry again and again, until it is cancelled."""
        api = self.settings.api
        loop = asyncio.get_running_loop()
        next_model_refresh = loop.time() + api.reload_seconds
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(api.refresh_seconds, LONGEST_REFRESH_SECONDS)):
                    await self._refresh_requested.wait()
            requested = self._refresh_requested.is_set()
            self._refresh_requested.clear()
            await self._run_logging_errors(self.keys.refresh)
            await self._run_logging_errors(self._refresh_scores)
            if requested or loop.time() >= next_model_refresh:
                await self._run_logging_errors(self._refresh_champion)
                next_model_refresh = loop.time() + api.reload_seconds

    async def _run_logging_errors(self, refresh: Callable[[], object]) -> None:
        try:
            await asyncio.to_thread(refresh)
        except Exception as error:  # the next look may succeed, and the server goes on meanwhile
            LOGGER.exception("could not look for news: %s", type(error).__name__)

    def _refresh_champion(self) -> None:
        self.champion.refresh(self.workers.adopt)

    def _refresh_scores(self) -> None:
        if self.score_cache.refresh():
            self.on_new_run()
