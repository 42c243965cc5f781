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
from .connection import Store, translated
from .schema import meta

JOB = 7_206_002  # advisory lock of PostgreSQL, one for each schema
KEY = "lock"


@contextmanager
def locked(store: Store, doing: str) -> Iterator[None]:
    """Holds a store as long as a job lasts; a process that dies holds nothing any more.

    On DuckDB a lock on a file beside the database, on PostgreSQL an advisory lock of a connection
    that stays open; so no lock is ever left behind.

    Args:
        store: not read-only.
        doing: what the job does, for those who find the lock taken, such as "score as of
            2024-05-01".

    Raises:
        BadInput: another job holds it.
    """
    held = _on_server(store, _told(doing)) if store.file is None else _on_file(store, _told(doing))
    with held:
        yield


def _told(doing: str) -> str:
    return json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "doing": doing})


@contextmanager
def _on_file(store: Store, told: str) -> Iterator[None]:
    path = Path(f"{store.file}.lock")
    # Opened without emptying it: its text is that of the holder.
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise _taken(store, file.read()) from None
        file.truncate(0)
        file.write(told)
        file.flush()
        # The file stays: were it deleted, two jobs could each lock a file of this name.
        yield
        file.truncate(0)


@contextmanager
def _on_server(store: Store, told: str) -> Iterator[None]:
    name = sa.func.hashtext(sa.func.current_schema())
    apart = store.engine.execution_options(isolation_level="AUTOCOMMIT")
    with translated(store.shown):
        connection = apart.connect()
    with connection:
        with translated(store.shown):
            if not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(JOB, name))):
                told_by_holder = connection.scalar(sa.select(meta.c.value).where(meta.c.key == KEY))
                raise _taken(store, told_by_holder or "")
            connection.execute(sa.delete(meta).where(meta.c.key == KEY))
            connection.execute(sa.insert(meta).values(key=KEY, value=told))
        try:
            yield
        finally:
            with translated(store.shown):
                connection.execute(sa.delete(meta).where(meta.c.key == KEY))
                connection.execute(sa.select(sa.func.pg_advisory_unlock(JOB, name)))


def _taken(store: Store, told: str) -> BadInput:
    try:
        holder = json.loads(told)
        who = f"process {holder['pid']} on {holder['host']} ({holder['doing']})"
    except (ValueError, KeyError, TypeError):  # it has the lock, and has not yet said who it is
        who = "another job that has just begun"
    return BadInput(
        f"store {store.shown}: expected to be the only job, but {who} holds it; wait until it is "
        "done, or end that process"
    )
