"""Where a store is, and what is said when it is not."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from datetime import datetime

import pytest
import sqlalchemy as sa
from mqbg.contract import BadInput
from mqbg.serve.store import schema
from mqbg.serve.store.connection import open_store, redact_url, store_exists, store_url
from mqbg.serve.store.errors import StoreFailed
from mqbg.settings import StoreSettings


def open_once(url, **options):
    with open_store(url, **options):
        pass


@pytest.mark.parametrize(
    "url", ["", "store.sqlite", "mysql://user@host/db", "sqlite://", "postgresql://host", "::"]
)
def test_a_url_that_cannot_be_read_is_refused(url):
    with pytest.raises(BadInput, match="expected sqlite:///FILE or postgresql"):
        open_once(url)


@pytest.mark.parametrize("file", ["absent/store.sqlite", ".", ":memory:"])
def test_a_file_that_cannot_be_is_refused(tmp_path, monkeypatch, file):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match="expected a file in a folder that is there"):
        open_once(f"sqlite:///{file}")


def test_a_file_is_relative_to_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with open_store("sqlite:///mine.sqlite") as store:
        assert store.database_file == tmp_path / "mine.sqlite"
    assert store_exists("sqlite:///mine.sqlite")
    assert not store_exists("sqlite:///other.sqlite")


def test_something_else_than_a_database_is_one_sentence(tmp_path):
    path = tmp_path / "text.sqlite"
    path.write_text("a letter " * 1000)
    with pytest.raises(StoreFailed, match=r"store sqlite:.*the database said"):
        open_once(f"sqlite:///{path}")
    assert path.read_text() == "a letter " * 1000


def test_the_environment_wins_over_the_settings(monkeypatch):
    monkeypatch.delenv("MQBG_STORE_URL", raising=False)
    assert store_url(StoreSettings("sqlite:///a")) == "sqlite:///a"
    monkeypatch.setenv("MQBG_STORE_URL", "sqlite:///b")
    assert store_url(StoreSettings("sqlite:///a")) == "sqlite:///b"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://owner:hush%40hush@127.0.0.1:1/none",
        "postgresql+psycopg://owner@127.0.0.1:1/none?password=hush%40hush&sslpassword=hush",
        "postgres://:hush@127.0.0.1:1/none",
    ],
)
def test_nobody_reads_the_password(url):
    with pytest.raises(StoreFailed) as caught, open_store(url):
        pass
    assert "hush" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)
    assert "hush" not in redact_url(sa.make_url(url))


def test_what_drivers_raise_is_one_sentence_without_values(store):
    with pytest.raises(StoreFailed) as caught, store.begin() as connection:
        connection.execute(sa.text("SELECT :name FROM nowhere"), {"name": "佐藤花子"})
    assert "nowhere" in str(caught.value)
    assert "佐藤" not in str(caught.value)


HOLDS = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
connection.execute("INSERT INTO meta VALUES ('theirs', 'x')")
print("held", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
print("done", flush=True)
"""


@pytest.fixture
def writer(tmp_path):
    """(store, process): another process writes to the store, in a transaction that goes on."""
    with open_store(f"sqlite:///{tmp_path / 'store.sqlite'}", lock_timeout_seconds=20) as store:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDS, str(store.database_file)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout.readline() == "held\n"
        yield store, process
        process.kill()
        process.communicate()


def keys(connection):
    return list(connection.scalars(sa.text("SELECT key FROM meta")))


def test_a_writer_waits_for_another_one(writer):
    store, process = writer
    ending = threading.Timer(0.3, process.stdin.write, ["end\n"])
    process.stdin.reconfigure(line_buffering=True)
    ending.start()
    with store.begin() as connection:
        assert keys(connection) == ["theirs"]
    ending.join()


def test_after_the_time_out_a_writer_is_told_why(writer):
    store, _ = writer
    with (
        open_store(str(store.engine.url), lock_timeout_seconds=0.1) as mine,
        pytest.raises(StoreFailed, match=r"longer than \[store\] lock_timeout_seconds; nothing"),
        mine.begin(),
    ):
        pass


@pytest.mark.parametrize("read_only", [True, False])
def test_a_reader_neither_waits_for_a_long_transaction_nor_stops_it(writer, read_only):
    store, process = writer
    with open_store(str(store.engine.url), lock_timeout_seconds=0, read_only=read_only) as mine:
        with mine.reading() as connection:
            assert keys(connection) == []
            process.stdin.write("end\n")
            process.stdin.flush()
            assert process.stdout.readline() == "done\n"  # with the reader's look going on
            assert keys(connection) == []
        with mine.reading() as connection:
            assert keys(connection) == ["theirs"]


def test_a_reader_cannot_write(tmp_path):
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    open_once(url)
    with (
        open_store(url, read_only=True) as store,
        pytest.raises(StoreFailed, match="readonly"),
        store.begin() as connection,
    ):
        connection.execute(sa.text("DELETE FROM meta"))


def test_a_read_only_store_that_is_absent_is_not_made(tmp_path):
    with pytest.raises(StoreFailed, match="unable to open"):
        open_once(f"sqlite:///{tmp_path / 'store.sqlite'}", read_only=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("url", ["duckdb:///mqbg-store.duckdb", "duckdb://"])
def test_a_store_in_duckdb_is_refused_with_what_to_do(url):
    with pytest.raises(
        BadInput, match=r"no longer kept in DuckDB; set sqlite:///mqbg-store\.sqlite"
    ):
        open_once(url)


def test_a_new_store_beside_an_old_one_says_that_history_begins_again(tmp_path, caplog):
    (tmp_path / "mqbg-store.duckdb").write_bytes(b"old")
    for _ in range(2):
        open_once(f"sqlite:///{tmp_path / 'mqbg-store.sqlite'}")
    (warning,) = caplog.records
    assert "a new store begins here" in warning.getMessage()
    assert "mqbg-store.duckdb" in warning.getMessage()
    assert (tmp_path / "mqbg-store.duckdb").read_bytes() == b"old"


def test_a_python_with_an_old_sqlite_is_told_so(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 26, 0))
    with pytest.raises(BadInput, match=r"needs its version 3\.33\.0 or newer"):
        open_once(f"sqlite:///{tmp_path / 'store.sqlite'}")


def test_a_row_that_belongs_to_no_run_is_refused(store):
    states = sa.insert(schema.states).values(
        group_id="g", as_of=datetime(2024, 6, 1), status="x", since=datetime(2024, 6, 1)
    )
    with pytest.raises(StoreFailed, match=r"(?i)foreign key"), store.begin() as connection:
        connection.execute(states)


DIES = """
import os, signal, sys
import sqlalchemy as sa
from mqbg.serve.store.connection import open_store
with open_store(sys.argv[1]) as store:
    for key in ("kept", "lost"):
        with store.begin() as connection:
            connection.execute(sa.text("INSERT INTO meta VALUES (:key, 'x')"), {"key": key})
            if key == "lost":
                os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_that_is_killed_in_a_transaction_leaves_the_store_as_it_was(url):
    done = subprocess.run([sys.executable, "-c", DIES, url], check=False)
    assert done.returncode == -9
    with open_store(url) as store, store.begin() as connection:
        assert list(connection.scalars(sa.text("SELECT key FROM meta"))) == ["kept"]
