"""What the API tells of stored scores: the latest run, and the history of a group."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import sqlalchemy as sa

from ...contract import BadInput
from ...settings import Settings
from ..store.connection import Store, open_store, store_exists, store_url
from ..store.errors import StoreFailed
from ..store.queries import (
    BatchRun,
    Group,
    GroupFilter,
    compute_signature,
    load_group,
    load_groups_page,
    load_latest_run,
    load_score_history,
    load_transitions,
)
from .responses import encode_json

LOGGER = logging.getLogger("mqbg.serve")

ENTRY_OVERHEAD_BYTES = 200  # of Python, for each answer that is kept


class ResponseCache:
    """Answers that were given, the latest asked for, up to a number of bytes."""

    def __init__(self, max_bytes: int) -> None:
        """Holds nothing yet.

        Args:
            max_bytes: of answers and their keys; 0 keeps none.
        """
        self._max_bytes = max_bytes
        self._responses: OrderedDict[str, bytes] = OrderedDict()
        self.size = 0

    def get(self, key: str) -> bytes | None:
        """The answer that was kept; None where none is."""
        if key in self._responses:
            self._responses.move_to_end(key)
        return self._responses.get(key)

    def put(self, key: str, response: bytes) -> None:
        """Keeps an answer, and drops those that nobody has asked for the longest."""
        if key in self._responses:
            return
        self._responses[key] = response
        self.size += _entry_size(key, response)
        while self.size > self._max_bytes:
            self.size -= _entry_size(*self._responses.popitem(last=False))


def _entry_size(key: str, response: bytes) -> int:
    return len(key.encode("utf-8", "surrogatepass")) + len(response) + ENTRY_OVERHEAD_BYTES


class ScoreCache:
    """The stored scores, by a store that stays open, and answers that were asked for before.

    All answers are of the run that was the latest one when it was last looked for.
    """

    def __init__(self, settings: Settings) -> None:
        """Opens nothing yet; `refresh` does.

        Args:
            settings: [store] says where, [api] how many bytes of answers are kept.
        """
        self._url = store_url(settings.store)
        self._lock_timeout_seconds = settings.api.lock_timeout_seconds
        self._max_bytes = settings.api.cached_bytes
        self._store: Store | None = None
        self._open_stores = ExitStack()
        self._signature: tuple[object, ...] = ()
        self._responses = ResponseCache(self._max_bytes)
        self._lock, self._opening_lock = threading.Lock(), threading.Lock()
        self.run: BatchRun | None = None
        self.forgotten: object = None  # another value whenever somebody was forgotten
        self.failure: str | None = None

    def refresh(self) -> bool:
        """Takes over the latest run; whether it is another one. A failure is kept and logged."""
        try:
            run, signature = self._load_latest_run()
        except (StoreFailed, BadInput) as error:
            if self.failure is None:
                LOGGER.warning("the store cannot be read, its last run stays: %s", error)
            self.failure = str(error)
            return False
        self.failure = None
        if signature == self._signature:
            return False
        with self._lock:
            self.run, self._signature = run, signature
            self.forgotten = signature[-1] if signature else None
            self._responses = ResponseCache(self._max_bytes)
        return True

    def close(self) -> None:
        """Closes the store; whatever asks later opens it again."""
        self._open_stores.close()
        self._store = None

    def group(self, group_id: str) -> bytes | None:
        """The answer about a group, as JSON; None where the latest run has no such group.

        Raises:
            StoreFailed: the store cannot be read.
        """
        return self._cached_response(f"group {group_id}", lambda run: self._group(group_id, run))

    def history(self, group_id: str) -> bytes | None:
        """A group's scores and transitions of all runs; None where no run has it.

        Raises:
            StoreFailed: the store cannot be read.
        """
        return self._cached_response(
            f"history {group_id}", lambda _run: self._load_history(group_id)
        )

    def page(
        self, group_filter: GroupFilter, sort: str, descending: bool, limit: int, offset: int
    ) -> bytes:
        """Some groups of the latest run, as JSON.

        Raises:
            BadInput: there is no such column to sort by.
            StoreFailed: the store cannot be read.
        """
        if (run := self.run) is None:
            return encode_json({"as_of": None, "model_version": None, "total": 0, "groups": []})
        with self._reading() as connection:
            page = load_groups_page(
                connection, run.as_of, group_filter=group_filter, sort=sort, descending=descending,
                limit=limit, offset=offset,
            )  # fmt: skip
        return encode_json(
            {
                "as_of": run.as_of,
                "model_version": run.model_version,
                "total": page.total,
                "groups": page.groups,
            }
        )

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with self._opening_lock:
            if self._store is None:
                self._store = self._open_stores.enter_context(self._open_read_only())
        with self._store.reading() as connection:
            yield connection

    @contextmanager
    def _open_read_only(self) -> Iterator[Store]:
        timeout = self._lock_timeout_seconds
        try:
            with open_store(self._url, lock_timeout_seconds=timeout, read_only=True) as store:
                yield store
        except BadInput as error:  # of those who run the server, not of a request
            raise StoreFailed(str(error)) from None

    def _load_latest_run(self) -> tuple[BatchRun | None, tuple[object, ...]]:
        if not self._url or not store_exists(self._url):
            self.close()  # a file that was deleted: another one may come in its place
            return None, ()
        with self._reading() as connection:
            run = load_latest_run(connection)
            return run, () if run is None else compute_signature(connection, run)

    def _group(self, group_id: str, run: BatchRun) -> dict[str, Any] | None:
        with self._reading() as connection:
            group: Group | None = load_group(connection, group_id, run.as_of)
        return None if group is None else vars(group)

    def _load_history(self, group_id: str) -> dict[str, Any] | None:
        with self._reading() as connection:
            scores = load_score_history(connection, group_id)
            transitions = load_transitions(connection, group_id)
        if not scores:
            return None
        return {"group_id": group_id, "scores": scores, "transitions": transitions}

    def _cached_response(
        self, key: str, load: Callable[[BatchRun], dict[str, Any] | None]
    ) -> bytes | None:
        """An answer of the run, from memory if it was asked for before."""
        with self._lock:
            run, responses = self.run, self._responses
            if (kept := responses.get(key)) is not None:
                return kept
        if run is None or (values := load(run)) is None:
            return None
        response = encode_json(values)
        with self._lock:
            # Of the run that was asked: another one has answers of its own.
            responses.put(key, response)
        return response
