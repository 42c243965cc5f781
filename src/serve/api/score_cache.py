"""What the API tells of stored scores: the latest run in memory, the history from the store."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from ...contract import BadInput
from ...settings import Settings
from ..store.connection import open_store, store_exists, store_url
from ..store.errors import StoreFailed
from ..store.queries import (
    Group,
    GroupFilter,
    load_groups_page,
    load_score_history,
    load_transitions,
)
from .responses import encode_json
from .run_snapshot import RunSnapshot, load_run_snapshot

LOGGER = logging.getLogger("mqbg.serve")

ResponseCache = OrderedDict[str, bytes]


class ScoreCache:
    """The stored scores, as they were when they were last looked at.

    A run that comes later is taken over as a whole: an answer is of one run.
    """

    def __init__(self, settings: Settings) -> None:
        """Opens nothing yet; `refresh` does.

        Args:
            settings: [store] says where, [api] how many answers are kept.
        """
        self._url = store_url(settings.store)
        self._lock_timeout_seconds = settings.api.lock_timeout_seconds
        self._max_responses = settings.api.cached_answers
        self._snapshot: RunSnapshot | None = None
        self._responses: ResponseCache = OrderedDict()
        self._lock = threading.Lock()
        self.failure: str | None = None

    @property
    def snapshot(self) -> RunSnapshot | None:
        """The run that is told of; None before the first one."""
        return self._snapshot

    def refresh(self) -> bool:
        """Takes over the latest run; whether it is another one. A failure is kept and logged."""
        try:
            snapshot = self._load_snapshot()
        except (StoreFailed, BadInput) as error:
            if self.failure is None:
                LOGGER.warning("the store cannot be read, its last run stands: %s", error)
            self.failure = str(error)
            return False
        self.failure = None
        if snapshot is self._snapshot:
            return False
        with self._lock:
            self._snapshot, self._responses = snapshot, OrderedDict()
        return True

    def _load_snapshot(self) -> RunSnapshot | None:
        if not self._url or not store_exists(self._url):
            return None
        with open_store(
            self._url, lock_timeout_seconds=self._lock_timeout_seconds, read_only=True
        ) as store:
            return load_run_snapshot(store, self._snapshot)

    def group(self, group_id: str) -> bytes | None:
        """The answer about a group, as JSON; None where the latest run has no such group."""
        return self._cached_response(
            f"group {group_id}", lambda mirror: _group_response(mirror.group(group_id))
        )

    def history(self, group_id: str) -> bytes | None:
        """A group's scores and transitions of all runs; None where no run has it.

        Raises:
            StoreFailed: the store cannot be read.
        """
        return self._cached_response(
            f"history {group_id}", lambda _mirror: self._load_history(group_id)
        )

    def _load_history(self, group_id: str) -> dict[str, Any] | None:
        with (
            open_store(
                self._url, lock_timeout_seconds=self._lock_timeout_seconds, read_only=True
            ) as store,
            store.begin() as connection,
        ):
            scores = load_score_history(connection, group_id)
            transitions = load_transitions(connection, group_id)
        if not scores:
            return None
        return {"group_id": group_id, "scores": scores, "transitions": transitions}

    def page(
        self, group_filter: GroupFilter, sort: str, descending: bool, limit: int, offset: int
    ) -> bytes:
        """Some groups of the latest run, as JSON.

        Raises:
            BadInput: there is no such column to sort by.
        """
        if (snapshot := self._snapshot) is None:
            return encode_json({"as_of": None, "model_version": None, "total": 0, "groups": []})
        with snapshot.connect() as connection:
            page = load_groups_page(
                connection,
                snapshot.run.as_of,
                group_filter=group_filter,
                sort=sort,
                descending=descending,
                limit=limit,
                offset=offset,
            )
        return encode_json(
            {
                "as_of": snapshot.run.as_of,
                "model_version": snapshot.run.model_version,
                "total": page.total,
                "groups": page.groups,
            }
        )

    def _cached_response(
        self, key: str, load: Callable[[RunSnapshot], dict[str, Any] | None]
    ) -> bytes | None:
        """An answer of the run, from memory if it was asked for before."""
        with self._lock:
            snapshot, responses = self._snapshot, self._responses
            if key in responses:
                responses.move_to_end(key)
                return responses[key]
        if snapshot is None or (values := load(snapshot)) is None:
            return None
        response = encode_json(values)
        with self._lock:
            responses[key] = (
                response  # of the run that was asked: another one has answers of its own
            )
            while len(responses) > self._max_responses:
                responses.popitem(last=False)
        return response


def _group_response(group: Group | None) -> dict[str, Any] | None:
    return None if group is None else vars(group)
