"""Where a store is, and what is said when it is not."""

from __future__ import annotations

import subprocess
import sys

import pytest
import sqlalchemy as sa
from mqbg.contract import BadInput
from mqbg.serve.store.connection import open_store, redact_url, store_exists, store_url
from mqbg.serve.store.errors import StoreFailed
from mqbg.settings import StoreSettings


def open_once(url, **options):
    with open_store(url, **options):
        pass


@pytest.mark.parametrize(
    "url", ["", "store.duckdb", "mysql://user@host/db", "duckdb://", "postgresql://host", "::"]
)
def test_a_url_that_cannot_be_read_is_refused(url):
    with pytest.raises(BadInput, match="expected duckdb:///FILE or postgresql"):
        open_once(url)


@pytest.mark.parametrize("file", ["absent/store.duckdb", ".", ":memory:"])
def test_a_file_that_cannot_be_is_refused(tmp_path, monkeypatch, file):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match="expected a file in a folder that is there"):
        open_once(f"duckdb:///{file}")


def test_a_file_is_relative_to_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with open_store("duckdb:///mine.duckdb") as store:
        assert store.database_file == tmp_path / "mine.duckdb"
    assert store_exists("duckdb:///mine.duckdb")
    assert not store_exists("duckdb:///other.duckdb")


def test_something_else_than_a_database_is_one_sentence(tmp_path):
    path = tmp_path / "text.duckdb"
    path.write_text("a letter " * 1000)
    with pytest.raises(StoreFailed, match=r"store duckdb:.*the database said"):
        open_once(f"duckdb:///{path}")
    assert path.read_text() == "a letter " * 1000


def test_the_environment_wins_over_the_settings(monkeypatch):
    monkeypatch.delenv("MQBG_STORE_URL", raising=False)
    assert store_url(StoreSettings("duckdb:///a")) == "duckdb:///a"
    monkeypatch.setenv("MQBG_STORE_URL", "duckdb:///b")
    assert store_url(StoreSettings("duckdb:///a")) == "duckdb:///b"


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
import sys, time, duckdb
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
time.sleep(float(sys.argv[2]))
connection.close()
"""


def holding(path, seconds):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(path), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_a_file_that_another_process_has_open_is_waited_for(tmp_path):
    with holding(tmp_path / "store.duckdb", 1) as process:
        open_once(f"duckdb:///{tmp_path / 'store.duckdb'}", lock_timeout_seconds=20)
        assert process.wait(10) == 0


def test_after_the_patience_the_message_names_the_process(tmp_path):
    with holding(tmp_path / "store.duckdb", 60) as process:
        with pytest.raises(StoreFailed, match=rf"open in another process, .*PID {process.pid}"):
            open_once(f"duckdb:///{tmp_path / 'store.duckdb'}", lock_timeout_seconds=0.3)
        process.kill()


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
