"""PostgreSQL that is stopped, locked, or has let go of us: every wait ends, and says the truth."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

psycopg = pytest.importorskip("psycopg")

from mqbg.serve.store import postgres  # noqa: E402 - needs psycopg
from mqbg.serve.store.connection import open_store  # noqa: E402
from mqbg.serve.store.errors import StoreFailed  # noqa: E402
from mqbg.serve.store.job_lock import hold_job_lock  # noqa: E402
from mqbg.serve.store.schema import meta  # noqa: E402


@contextmanager
def stopped(pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def pid_of(connection):
    return connection.scalar(sa.text("SELECT pg_backend_pid()"))


def note(connection, key):
    connection.execute(sa.insert(meta).values(key=key, value="x"))


def notes(store):
    with store.reading() as connection:
        return set(connection.execute(sa.select(meta.c.key)).scalars())


def test_a_server_that_is_stopped_lets_nobody_wait_for_ever(server, database, monkeypatch):
    monkeypatch.setattr(postgres, "CONNECT_SECONDS", 2)
    with (
        stopped(server.process.pid),
        pytest.raises(StoreFailed, match="timeout"),
        open_store(database.url),
    ):
        pytest.fail("it was opened")


def test_a_statement_that_is_never_answered_ends(database, monkeypatch):
    monkeypatch.setattr(postgres, "STATEMENT_SECONDS", 1.0)
    monkeypatch.setattr(postgres, "MARGIN_SECONDS", 0.5)
    with open_store(database.url) as store:
        with pytest.raises(StoreFailed, match=r"no answer within 1\.5 s"):
            ask_one_that_is_stopped(store)
        assert "lock" not in notes(store)  # and the store goes on


@pytest.mark.slow
def test_a_pooled_connection_that_is_never_answered_gives_way_to_another(database, monkeypatch):
    monkeypatch.setattr(postgres, "STATEMENT_SECONDS", 1.0)
    monkeypatch.setattr(postgres, "MARGIN_SECONDS", 0.5)
    with open_store(database.url) as store:
        with store.begin() as connection:
            pid = pid_of(connection)
        with stopped(pid):
            assert "lock" not in notes(store)


def ask_one_that_is_stopped(store):
    with store.begin() as connection, stopped(pid_of(connection)):
        connection.execute(sa.text("SELECT 1"))


def test_a_statement_that_takes_too_long_is_ended_by_the_server(database, monkeypatch):
    monkeypatch.setattr(postgres, "STATEMENT_SECONDS", 0.2)
    with (
        open_store(database.url) as store,
        pytest.raises(StoreFailed, match="statement timeout"),
        store.begin() as connection,
    ):
        connection.execute(sa.text("SELECT pg_sleep(60)"))


def test_a_table_that_another_holds_is_not_waited_for_for_ever(database):
    with (
        open_store(database.url) as store,
        open_store(database.url, lock_timeout_seconds=0.2) as other,
        store.begin() as connection,
    ):
        connection.execute(sa.text("LOCK TABLE meta IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(StoreFailed, match="lock timeout"):
            notes(other)


def test_a_lost_lock_stops_the_job_and_says_what_is_kept(database):
    with open_store(database.url) as store:
        with pytest.raises(StoreFailed, match="what was being written is not kept"):
            job_that_loses_its_lock(store, database)
        assert notes(store) >= {"before"}
        assert "after" not in notes(store)
        with hold_job_lock(store, "the next one"):
            pass


def job_that_loses_its_lock(store, database):
    with hold_job_lock(store, "a job"):
        with store.begin() as connection:
            note(connection, "before")
        database.run("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        with store.begin() as connection:
            note(connection, "after")


def test_limits_of_the_url_win(database):
    url = f"{database.url}?options=-c%20statement_timeout%3D5000"
    with postgres.connect(url, lock_seconds=3) as connection:
        shown = [connection.execute(f"SHOW {name}_timeout").fetchone()[0]
                 for name in ("statement", "lock")]  # fmt: skip
    assert shown == ["5s", "3s"]


def test_a_reason_shows_no_password():
    error = psycopg.OperationalError(
        "failed: postgresql://me:Geheim@host/x password='Geheim' refused\nsecond line"
    )
    assert postgres.shown_reason(error) == "failed: postgresql://***host/x password=*** refused"
