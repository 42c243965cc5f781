"""What the API tells of stored scores: the latest run in memory, the history from the store."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from ...contract import BadInput
from ...settings import Settings
from ..store.connection import exists, opened, url_of
from ..store.errors import StoreFailed
from ..store.queries import Filter, Group, groups_page, history, transitions_of
from .responses import as_json
from .run_snapshot import Mirror, mirrored

LOGGER = logging.getLogger("mqbg.serve")

Answers = OrderedDict[str, bytes]


class Shelf:
    """The stored scores, as they were when they were last looked at.

    A run that comes later is taken over as a whole: an answer is of one run.
    """

    def __init__(self, settings: Settings) -> None:
        """Opens nothing yet; `refresh` does.

        Args:
            settings: [store] says where, [api] how many answers are kept.
        """
        self._url = url_of(settings.store)
        self._patience_seconds = settings.api.patience_seconds
        self._most = settings.api.cached_answers
        self._mirror: Mirror | None = None
        self._answers: Answers = OrderedDict()
        self._lock = threading.Lock()
        self.failure: str | None = None

    @property
    def mirror(self) -> Mirror | None:
        """The run that is told of; None before the first one."""
        return self._mirror

    def refresh(self) -> bool:
        """Takes over the latest run; whether it is another one. A failure is kept and logged."""
        try:
            found = self._looked_at()
        except (StoreFailed, BadInput) as error:
            if self.failure is None:
                LOGGER.warning("the store cannot be read, its last run stands: %s", error)
            self.failure = str(error)
            return False
        self.failure = None
        if found is self._mirror:
            return False
        with self._lock:
            self._mirror, self._answers = found, OrderedDict()
        return True

    def _looked_at(self) -> Mirror | None:
        if not self._url or not exists(self._url):
            return None
        with opened(self._url, patience_seconds=self._patience_seconds, read_only=True) as store:
            return mirrored(store, self._mirror)

    def group(self, group_id: str) -> bytes | None:
        """The answer about a group, as JSON; None where the latest run has no such group."""
        return self._kept(f"group {group_id}", lambda mirror: _told(mirror.group(group_id)))

    def history(self, group_id: str) -> bytes | None:
        """A group's scores and transitions of all runs; None where no run has it.

        Raises:
            StoreFailed: the store cannot be read.
        """
        return self._kept(f"history {group_id}", lambda _mirror: self._history(group_id))

    def _history(self, group_id: str) -> dict[str, Any] | None:
        with (
            opened(self._url, patience_seconds=self._patience_seconds, read_only=True) as store,
            store.begin() as connection,
        ):
            scores = history(connection, group_id)
            moves = transitions_of(connection, group_id)
        if not scores:
            return None
        return {"group_id": group_id, "scores": scores, "transitions": moves}

    def page(self, which: Filter, sort: str, descending: bool, limit: int, offset: int) -> bytes:
        """Some groups of the latest run, as JSON.

        Raises:
            BadInput: there is no such column to sort by.
        """
        if (mirror := self._mirror) is None:
            return as_json({"as_of": None, "model_version": None, "total": 0, "groups": []})
        with mirror.reading() as connection:
            found = groups_page(
                connection, mirror.run.as_of, which=which, sort=sort, descending=descending,
                limit=limit, offset=offset,
            )  # fmt: skip
        return as_json(
            {
                "as_of": mirror.run.as_of,
                "model_version": mirror.run.model_version,
                "total": found.total,
                "groups": found.groups,
            }
        )

    def _kept(self, key: str, ask: Callable[[Mirror], dict[str, Any] | None]) -> bytes | None:
        """An answer of the run, from memory if it was asked for before."""
        with self._lock:
            mirror, answers = self._mirror, self._answers
            if key in answers:
                answers.move_to_end(key)
                return answers[key]
        if mirror is None or (found := ask(mirror)) is None:
            return None
        answer = as_json(found)
        with self._lock:
            answers[key] = answer  # of the run that was asked: another one has answers of its own
            while len(answers) > self._most:
                answers.popitem(last=False)
        return answer


def _told(found: Group | None) -> dict[str, Any] | None:
    return None if found is None else vars(found)
