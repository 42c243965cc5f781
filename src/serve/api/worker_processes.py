"""Processes that score, so that requests do not share one interpreter.

Each holds the model that the server sent it when it began, and an engine of its own. Another model
gets other processes: those before end what they have and go.
"""

from __future__ import annotations

import asyncio
import atexit
import gc
import logging
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from multiprocessing import get_context, parent_process
from multiprocessing.synchronize import Barrier
from typing import NoReturn, TypeVar

from ...contract import BadInput
from ...model.registry import RegisteredBundle
from ...settings import Settings
from ...support.garbage import search_seldom
from .body_parsing import require_few_values
from .group_tables import MAX_GROUPS
from .middleware import RemoteFailure, traceback_location
from .problem_details import HttpProblem
from .scorer import Scorer, list_answer, prepare_for_serving
from .split_body import split_body
from .workers import RETRY_SECONDS, THREADS_PER_REQUEST, WorkerPool, WorkerThreads

LOGGER = logging.getLogger("mqbg.serve")

MOST_BY_DEFAULT = 4
"""Processes where the settings name no number: each has the model and an engine in memory."""

STARTING_SECONDS = 300.0
"""For so long the first process waits until all have begun."""

SHARED_BYTES = 500_000
"""Length of a body from which on each process scores some of its groups."""

Answer = TypeVar("Answer")


def create_worker_pool(settings: Settings) -> WorkerPool:
    """Processes that score, or threads of this one where a single process is to do it.

    Args:
        settings: [api] processes, workers and waiting are read, and what `Scorer` reads.
    """
    processes = settings.api.processes or min(usable_processors(), MOST_BY_DEFAULT)
    return WorkerThreads(settings) if processes == 1 else WorkerProcesses(settings, processes)


def usable_processors() -> int:
    """Processors that this process may run on."""
    if sys.platform == "linux":  # a container or `taskset` may leave it some of the machine's
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class WorkerProcesses(WorkerPool):
    """Processes that score, replaced when one of them comes to an end.

    Attributes:
        pids: of those that began with the model adopted last.
    """

    def __init__(self, settings: Settings, processes: int) -> None:
        """Starts none before there is a model.

        Args:
            settings: [api] waiting is read, and what `Scorer` reads.
            processes: requests scored at the same time.
        """
        super().__init__(processes, settings.api.waiting)
        self.processes = processes
        self._settings = settings
        self.pids: frozenset[int] = frozenset()
        self._pool: ProcessPoolExecutor | None = None
        self._model: RegisteredBundle | None = None
        self._pool_lock = threading.Lock()  # held for a moment: the event loop takes it
        self._start_lock = threading.Lock()  # held while processes start

    def adopt(self, model: RegisteredBundle) -> None:
        """Starts processes with another model, and lets those before end what they have.

        Raises:
            BadInput: the processes cannot start; those before go on.
        """
        with self._start_lock:
            pool = self._start(model)
            with self._pool_lock:
                former, self._pool, self._model = self._pool, pool, model
            if former is not None:
                former.shutdown(wait=False)

    async def score_body(self, body: bytes) -> bytes:
        """Scores a body by the model that was adopted last; the answer is JSON.

        Raises:
            HttpProblem: as `Scorer.score_body`, and 503 where its process came to an end.
        """
        if len(body) >= SHARED_BYTES and (answer := await self._score_parts(body)) is not None:
            return answer
        ((answer,), _model) = await self._ask(_score_body, [body])
        return answer

    async def _score_parts(self, body: bytes) -> bytes | None:
        """The answer to a list of groups, of which each process scores some.

        Returns:
            None where the body cannot be cut, or is none that has an answer: then one process is
            to say what is wrong with it.

        Raises:
            HttpProblem: 422 for too many values, 503 where a process came to an end.
        """
        require_few_values(body, self._settings.api.max_values)
        parts = await asyncio.to_thread(split_body, body, self.processes)
        if len(parts) == 1:
            return None
        try:
            lists, model = await self._ask(_score_list, parts)
        except HttpProblem as problem:
            if problem.status == 422:
                return None
            raise
        answers = list(chain.from_iterable(lists))
        return list_answer(answers, model) if len(answers) <= MAX_GROUPS else None

    async def _ask(
        self, task: Callable[[bytes], Answer], bodies: Sequence[bytes]
    ) -> tuple[list[Answer], RegisteredBundle]:
        """What the processes make of each body, and the model by which they do.

        Raises:
            HttpProblem: of one of them, and 503 where one came to an end.
        """
        pool, submitted = self._pool, None
        try:
            submitted = self._submit(task, bodies)
        except BrokenProcessPool:  # one came to an end while it had nothing to do
            await self._replace(pool)
            pool = self._pool
        try:
            futures, model = submitted or self._submit(task, bodies)
            asked = [asyncio.wrap_future(future) for future in futures]
            answers = await asyncio.gather(*asked, return_exceptions=True)
            if failures := [one for one in answers if isinstance(one, BaseException)]:
                raise failures[0]
            return [one for one in answers if not isinstance(one, BaseException)], model
        except BrokenProcessPool:
            # The body itself may be the cause, so that it is for its sender to try again.
            await self._replace(pool)
            raise HttpProblem(
                503,
                "expected an answer of the process that scores, it came to an end; send the "
                "request again, and if it stays, tell the operator the request_id",
                {"Retry-After": str(RETRY_SECONDS)},
            ) from None

    def close(self) -> None:
        """Waits for what is under way, and ends the processes."""
        with self._start_lock:
            if self._pool is not None:
                self._pool.shutdown()

    def _submit(
        self, task: Callable[[bytes], Answer], bodies: Sequence[bytes]
    ) -> tuple[list[Future[Answer]], RegisteredBundle]:
        """Begins a task with each body, all by one model."""
        with self._pool_lock:
            if self._pool is None or self._model is None:
                raise RuntimeError("no model was adopted")
            return [self._pool.submit(task, body) for body in bodies], self._model

    async def _replace(self, broken: ProcessPoolExecutor | None) -> None:
        """Other processes in place of those of which one came to an end.

        Raises:
            HttpProblem: 503, they cannot start.
        """
        try:
            await asyncio.to_thread(self._restart, broken)
        except BadInput as error:
            LOGGER.error("%s", error)
            raise HttpProblem(
                503,
                "expected processes that score, they could not start; look at the server's log",
                {"Retry-After": str(RETRY_SECONDS)},
            ) from None

    def _restart(self, broken: ProcessPoolExecutor | None) -> None:
        with self._start_lock:
            if self._pool is not broken or self._model is None:
                return  # another request has seen to it
            LOGGER.error("a process that scores came to an end; others are started in its place")
            pool = self._start(self._model)
            with self._pool_lock:
                self._pool = pool
        if broken is not None:
            broken.shutdown(wait=False)

    def _start(self, model: RegisteredBundle) -> ProcessPoolExecutor:
        """Processes that can score at once.

        Raises:
            BadInput: one came to an end, or failed, before it could.
        """
        # Without what was made of it in this process: the others make it themselves.
        plain_bundle = replace(
            model.bundle, tree_engine=None, refit_engine=None, regression_engine=None
        )
        context = get_context("spawn")  # a fork would copy locks that other threads hold
        pool = ProcessPoolExecutor(
            self.processes,
            context,
            initializer=_begin,
            initargs=(
                self._settings,
                replace(model, bundle=plain_bundle),
                context.Barrier(self.processes, timeout=STARTING_SECONDS),
            ),
        )
        try:
            # Each has one of these tasks, as none ends its own before all have begun.
            ready = [pool.submit(_warm_up) for _ in range(self.processes)]
            wait(ready)
            self.pids = frozenset(future.result() for future in ready)
        except (BrokenProcessPool, OSError, pickle.PicklingError, RemoteFailure) as error:
            pool.shutdown(wait=False, cancel_futures=True)
            raise BadInput(
                f"serve: expected {self.processes} processes that score, they could not start: "
                f"{type(error).__name__}: {error}; give the machine more memory, or set [api] "
                "processes to fewer"
            ) from None
        return pool


_held: tuple[Scorer, RegisteredBundle] | None = None
"""In a process that scores: its engine and its model."""

_all_began: Barrier | None = None
"""In a process that scores: where it waits for the others."""


def _begin(settings: Settings, model: RegisteredBundle, all_began: Barrier) -> None:
    """What a process that scores does before its first task."""
    global _held, _all_began
    _all_began = all_began
    # Ctrl-C and the end of a terminal reach every process of the server: the one that answers ends
    # the others once they have no request under way.
    for name in ("SIGINT", "SIGHUP"):
        if (number := getattr(signal, name, None)) is not None:  # not every system has both
            signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_server, daemon=True).start()
    # At its end nothing is left to save, and DuckDB complains of all that `_warm_up` has frozen.
    atexit.register(os._exit, 0)
    # They would name kinds of activities that a body holds; what is sent stays out of the log.
    logging.getLogger("mqbg.features").setLevel(logging.ERROR)
    _held = Scorer(settings), prepare_for_serving(model, THREADS_PER_REQUEST)


def _end_with_server() -> NoReturn:
    """Ends this process when the server is gone, even where it was killed and could not say so."""
    if (server := parent_process()) is not None:
        server.join()
    os._exit(1)


def _warm_up() -> int:
    """Makes what is made once, and waits until all processes do.

    Returns:
        The number of the process.

    Raises:
        RemoteFailure: an error that nobody expected.
    """
    with _prepared() as (scorer, model):
        if _all_began is not None:
            _all_began.wait()
        scorer.warm_up(model)
    # What is there by now stays: a search for garbage that looks through it costs a tenth.
    gc.collect()
    gc.freeze()
    search_seldom()
    return os.getpid()


def _score_body(body: bytes) -> bytes:
    """Scores a body in a process that `_begin` prepared.

    Raises:
        HttpProblem: as `Scorer.score_body`.
        RemoteFailure: an error that nobody expected.
    """
    with _prepared() as (scorer, model):
        return scorer.score_body(body, model)


def _score_list(body: bytes) -> list[bytes]:
    """Scores the groups of a list in a process that `_begin` prepared.

    Raises:
        HttpProblem: as `Scorer.score_list`.
        RemoteFailure: an error that nobody expected.
    """
    with _prepared() as (scorer, model):
        return scorer.score_list(body, model)


@contextmanager
def _prepared() -> Iterator[tuple[Scorer, RegisteredBundle]]:
    """What `_begin` prepared.

    Raises:
        RemoteFailure: in place of an error that nobody expected: its text may hold what was sent,
            and stays here.
    """
    if _held is None:
        raise RuntimeError("the process was not prepared")
    try:
        yield _held
    except HttpProblem:
        raise
    except Exception as error:
        raise RemoteFailure(type(error).__name__, traceback_location(error)) from None
