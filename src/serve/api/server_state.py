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
from .keys import Keys
from .middleware import Figures
from .score_cache import Shelf
from .workers import Workers

LOGGER = logging.getLogger("mqbg.serve")


@dataclass
class Standing:
    """One server's parts.

    Attributes:
        settings: of the user.
        keys: who may ask.
        champion: the model.
        shelf: the stored scores.
        workers: that score.
        figures: for Prometheus.
        on_new_run: called, outside the event loop, when another run was taken over.
    """

    settings: Settings
    keys: Keys
    champion: Champion
    shelf: Shelf
    workers: Workers
    figures: Figures
    on_new_run: Callable[[], None] = lambda: None
    _again: asyncio.Event = field(default_factory=asyncio.Event)

    def look_now(self) -> None:
        """Makes the next look at registry and store come at once."""
        self._again.set()

    def measure(self) -> None:
        """Brings gauges up to date."""
        self.figures.under_way.set(self.workers.under_way)
        self.figures.store_up.set(self.shelf.failure is None)
        self.figures.model.clear()
        model = self.champion.model
        self.figures.model.labels(model.name, model.version).set(1)
        if self.shelf.mirror is not None:
            run = self.shelf.mirror.run
            self.figures.groups.set(run.groups)
            self.figures.run_as_of.set(run.as_of.replace(tzinfo=UTC).timestamp())

    async def keep_up(self) -> None:
        """Looks at the store and the registry again and again, until it is cancelled."""
        api = self.settings.api
        loop = asyncio.get_running_loop()
        next_model = loop.time() + api.reload_seconds
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(api.refresh_seconds):
                    await self._again.wait()
            asked = self._again.is_set()
            self._again.clear()
            await self._guarded(self._look_at_store)
            if asked or loop.time() >= next_model:
                await self._guarded(self.champion.refresh)
                next_model = loop.time() + api.reload_seconds

    async def _guarded(self, look: Callable[[], object]) -> None:
        try:
            await asyncio.to_thread(look)
        except Exception as error:  # the next look may succeed, and the server goes on meanwhile
            LOGGER.exception("could not look for news: %s", type(error).__name__)

    def _look_at_store(self) -> None:
        if self.shelf.refresh():
            self.on_new_run()
