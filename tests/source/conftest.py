"""A PostgreSQL server of our own on loopback, where one is installed."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pytest

PASSWORD = "Geheim:ni@/%?&#=x"  # noqa: S105 - of a server that lives as long as the tests
STARTED_IN = 60  # seconds
_NUMBERS = count(1)


@dataclass(frozen=True)
class Database:
    """One database of the server."""

    url: str

    def run(self, *statements: str) -> None:
        from adbc_driver_postgresql import dbapi

        with dbapi.connect(self.url, autocommit=True) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def answer(self, query: str) -> Any:
        from adbc_driver_postgresql import dbapi

        with dbapi.connect(self.url, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchone()[0]

    def load(self, tables: Mapping[str, pa.Table]) -> Database:
        """Make the tables, each type as its nearest in PostgreSQL."""
        from adbc_driver_postgresql import dbapi

        with dbapi.connect(self.url) as connection, connection.cursor() as cursor:
            cursor.execute("SET client_encoding = 'UTF8'")  # Arrow's, whatever the database's
            for name, table in tables.items():
                cursor.adbc_ingest(name, table, mode="create")
            connection.commit()
        return self


@dataclass(frozen=True)
class Server:
    """A running server."""

    port: int
    process: subprocess.Popen[bytes]

    def url(self, database: str = "postgres", user: str = "owner", password: str = PASSWORD) -> str:
        return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def database(self, options: str = "") -> Database:
        name = f"db{next(_NUMBERS)}"
        Database(self.url()).run(f"CREATE DATABASE {name} {options}")
        return Database(self.url(name))


def _program(name: str) -> str | None:
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    newest_first = sorted(versions, key=lambda path: float(path.parent.name), reverse=True)
    found = [path / name for path in newest_first if (path / name).is_file()]
    return shutil.which(name) or (str(found[0]) if found else None)


def _unprivileged() -> dict[str, Any]:
    """Whom to run the server as: PostgreSQL refuses to be root."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get("postgres") or names["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def _running() -> Iterator[Server]:
    initdb, postgres = _program("initdb"), _program("postgres")
    if initdb is None or postgres is None:
        pytest.skip("PostgreSQL (initdb, postgres) is not installed")
    pytest.importorskip(
        "adbc_driver_postgresql", reason="the driver adbc-driver-postgresql is not installed"
    )
    who = _unprivileged()
    # Not below tmp_path: another user may not enter there.
    folder = Path(tempfile.mkdtemp(prefix="mqbg-postgres-"))
    try:
        secret = folder / "password"
        secret.write_text(PASSWORD)
        if who:
            for path in (folder, secret):
                os.chown(path, who["user"], who["group"])
        cluster = str(folder / "cluster")
        subprocess.run(
            [
                *(initdb, "-D", cluster, "-U", "owner", "-A", "scram-sha-256", "-E", "UTF8"),
                *("--locale=C", "--no-sync", f"--pwfile={secret}"),
            ],
            check=True,
            capture_output=True,
            cwd=folder,
            **who,
        )
        port = _free_port()
        options = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"]
        arguments = [word for option in options for word in ("-c", option)]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [postgres, "-D", cluster, "-p", str(port), *arguments],
                stdout=log,
                stderr=log,
                cwd=folder,
                **who,
            )
            try:
                _wait(process, port, folder / "log")
                yield Server(port, process)
            finally:
                process.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
                process.wait(STARTED_IN)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    from adbc_driver_postgresql import dbapi

    url = Server(port, process).url()
    until = time.monotonic() + STARTED_IN
    while True:
        try:
            dbapi.connect(url).close()
            return
        except dbapi.Error:
            if process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"PostgreSQL did not start: {log.read_text()}") from None
            time.sleep(0.1)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server of this test process."""
    with _running() as running:
        yield running


@pytest.fixture
def another_server() -> Iterator[Server]:
    """A server that a test may bring down."""
    with _running() as running:
        yield running


@pytest.fixture
def database(server) -> Database:
    """An empty database."""
    return server.database()


@pytest.fixture(scope="session")
def parquet_tables() -> Callable[[Path], dict[str, pa.Table]]:
    """`parquet_tables(folder)`: every table of a folder, by name."""
    import pyarrow.parquet as pq

    def read(folder: Path) -> dict[str, pa.Table]:
        return {path.stem: pq.read_table(path) for path in sorted(folder.glob("*.parquet"))}

    return read
