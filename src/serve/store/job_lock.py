"""One job at a time on a store; the second learns who holds it."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import sqlalchemy as sa
from filelock import FileLock, Timeout

from ...contract import BadInput
from .connection import Store, translate_errors
from .errors import StoreFailed
from .schema import meta

ADVISORY_LOCK_ID = 7_206_002  # advisory lock of PostgreSQL, one for each schema
LOCK_KEY = "lock"
POLL_SECONDS = 0.2  # between two tries to lock a server's store


_HOLDS_LOCK = sa.text(
    "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() "
    "AND classid = :lock_id AND granted"
).bindparams(lock_id=ADVISORY_LOCK_ID)


@contextmanager
def hold_job_lock(
    store: Store, job_description: str, *, wait_seconds: float = 0.0
) -> Iterator[None]:
    """Holds a store as long as a job lasts; a process that dies holds nothing any more.

    With SQLite a lock on a file beside the database, with PostgreSQL an advisory lock of a
    connection that stays open; the system frees both when their process ends. Who holds it is a
    row of the store.

    Args:
        store: not read-only.
        job_description: what the job does, for those who find the lock taken, such as "score as of
            2024-05-01".
        wait_seconds: how long to wait for another job to end.

    Raises:
        BadInput: another job holds it.
    """
    lock = _advisory_lock if store.database_file is None else _file_lock
    with lock(store, wait_seconds):
        with store.begin() as connection:
            _forget_holder(connection)
            connection.execute(
                sa.insert(meta).values(key=LOCK_KEY, value=_holder_json(job_description))
            )
        try:
            yield
        finally:
            # What stays of it where that fails says nothing: the lock itself is free.
            with suppress(StoreFailed), store.begin() as connection:
                _forget_holder(connection)


def _holder_json(job_description: str) -> str:
    return json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "doing": job_description})


def _forget_holder(connection: sa.Connection) -> None:
    connection.execute(sa.delete(meta).where(meta.c.key == LOCK_KEY))


@contextmanager
def _file_lock(store: Store, wait_seconds: float) -> Iterator[None]:
    lock = FileLock(f"{store.database_file}.lock", timeout=wait_seconds)
    try:
        lock.acquire()
    except Timeout:
        raise _already_locked(store) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _advisory_lock(store: Store, wait_seconds: float) -> Iterator[None]:
    schema_hash = sa.func.hashtext(sa.func.current_schema())
    autocommit_engine = store.engine.execution_options(isolation_level="AUTOCOMMIT")
    with translate_errors(store.redacted_url):
        connection = autocommit_engine.connect()
    with connection:
        with translate_errors(store.redacted_url):
            query = sa.select(sa.func.pg_try_advisory_lock(ADVISORY_LOCK_ID, schema_hash))
            deadline = time.monotonic() + wait_seconds
            while not (free := connection.scalar(query)) and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
        if not free:
            raise _already_locked(store)
        check = _lock_check(store, connection)
        store.commit_checks.append(check)
        try:
            yield
        finally:
            store.commit_checks.remove(check)
            # A connection that is gone holds nothing any more.
            with suppress(StoreFailed), translate_errors(store.redacted_url):
                connection.execute(
                    sa.select(sa.func.pg_advisory_unlock(ADVISORY_LOCK_ID, schema_hash))
                )


def _lock_check(store: Store, connection: sa.Connection) -> Callable[[], None]:
    """Makes sure that the lock is still ours: the server frees it when its connection breaks."""
    one_at_a_time = threading.Lock()

    def check() -> None:
        try:
            with one_at_a_time, translate_errors(store.redacted_url):
                held = connection.scalar(_HOLDS_LOCK)
        except StoreFailed:
            held = False
        if not held:
            raise StoreFailed(
                f"store {store.redacted_url}: the connection that holds the store for this job was "
                "lost, and another job may have begun; what was being written is not kept, what "
                "was kept before stays: run the command again, which goes on from there"
            )

    return check


def _already_locked(store: Store) -> BadInput:
    with store.reading() as connection:
        holder_json = connection.scalar(sa.select(meta.c.value).where(meta.c.key == LOCK_KEY))
    try:
        holder = json.loads(holder_json or "")
        holder_text = f"process {holder['pid']} on {holder['host']} ({holder['doing']})"
    except (ValueError, KeyError, TypeError):  # it has the lock, and has not yet said who it is
        holder_text = "another job that has just begun"
    return BadInput(
        f"store {store.redacted_url}: expected to be the only job, but {holder_text} holds it; "
        "wait until it is done, or end that process"
    )
