"""One job at a time on a store; the second learns who holds it."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from ...contract import BadInput
from .connection import Store, translate_errors
from .schema import meta

ADVISORY_LOCK_ID = 7_206_002  # advisory lock of PostgreSQL, one for each schema
LOCK_KEY = "lock"


@contextmanager
def hold_job_lock(store: Store, job_description: str) -> Iterator[None]:
    """Holds a store as long as a job lasts; a process that dies holds nothing any more.

    On DuckDB a lock on a file beside the database, on PostgreSQL an advisory lock of a connection
    that stays open; so no lock is ever left behind.

    Args:
        store: not read-only.
        job_description: what the job does, for those who find the lock taken, such as "score as of
            2024-05-01".

    Raises:
        BadInput: another job holds it.
    """
    lock = (
        _advisory_lock(store, _holder_json(job_description))
        if store.database_file is None
        else _file_lock(store, _holder_json(job_description))
    )
    with lock:
        yield


def _holder_json(job_description: str) -> str:
    return json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "doing": job_description})


@contextmanager
def _file_lock(store: Store, holder_json: str) -> Iterator[None]:
    path = Path(f"{store.database_file}.lock")
    # Opened without emptying it: its text is that of the holder.
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise _already_locked(store, file.read()) from None
        file.truncate(0)
        file.write(holder_json)
        file.flush()
        # The file stays: were it deleted, two jobs could each lock a file of this name.
        yield
        file.truncate(0)


@contextmanager
def _advisory_lock(store: Store, holder_json: str) -> Iterator[None]:
    schema_hash = sa.func.hashtext(sa.func.current_schema())
    autocommit_engine = store.engine.execution_options(isolation_level="AUTOCOMMIT")
    with translate_errors(store.redacted_url):
        connection = autocommit_engine.connect()
    with connection:
        with translate_errors(store.redacted_url):
            if not connection.scalar(
                sa.select(sa.func.pg_try_advisory_lock(ADVISORY_LOCK_ID, schema_hash))
            ):
                current_holder_json = connection.scalar(
                    sa.select(meta.c.value).where(meta.c.key == LOCK_KEY)
                )
                raise _already_locked(store, current_holder_json or "")
            connection.execute(sa.delete(meta).where(meta.c.key == LOCK_KEY))
            connection.execute(sa.insert(meta).values(key=LOCK_KEY, value=holder_json))
        try:
            yield
        finally:
            with translate_errors(store.redacted_url):
                connection.execute(sa.delete(meta).where(meta.c.key == LOCK_KEY))
                connection.execute(
                    sa.select(sa.func.pg_advisory_unlock(ADVISORY_LOCK_ID, schema_hash))
                )


def _already_locked(store: Store, holder_json: str) -> BadInput:
    try:
        holder = json.loads(holder_json)
        holder_text = f"process {holder['pid']} on {holder['host']} ({holder['doing']})"
    except (ValueError, KeyError, TypeError):  # it has the lock, and has not yet said who it is
        holder_text = "another job that has just begun"
    return BadInput(
        f"store {store.redacted_url}: expected to be the only job, but {holder_text} holds "
        "it; wait until it is "
        "done, or end that process"
    )
