"""Opening a store: where it is, what drives it, one transaction at a time."""

from __future__ import annotations

import atexit
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from ...contract import BadInput
from ...settings import STORE_URL, StoreSettings
from .errors import StoreFailed, disk_is_full
from .migrate import migrate, require_current_version
from .schema import DUCKDB, POSTGRESQL

DRIVERS = {POSTGRESQL: "postgresql+psycopg", "postgres": "postgresql+psycopg"}
LOCK_CONFLICT = re.compile(r"Conflicting lock is held in (?P<who>.*?\(PID \d+\))")
RETRY_INTERVAL_SECONDS = 0.1  # seconds between two attempts at a file that another process has open


@dataclass(frozen=True)
class Store:
    """A store of this version.

    Attributes:
        engine: of SQLAlchemy. A DuckDB file is open no longer than a connection lasts, so that
            other processes get at it.
        lock_timeout_seconds: how long to wait for a DuckDB file that another process has open.
        read_only: whether nothing may be written.
    """

    engine: sa.Engine
    lock_timeout_seconds: float = 30.0
    read_only: bool = False

    @property
    def redacted_url(self) -> str:
        """The URL without its password."""
        return redact_url(self.engine.url)

    @property
    def database_file(self) -> Path | None:
        """The DuckDB file; None for a server."""
        return database_file_of(self.engine.url)

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """One transaction: everything in it is kept at the end, or nothing on an error.

        Fetch a result whole before the next statement: DuckDB drops the rows that are left.

        Raises:
            StoreFailed: the database refused, went away, or has no room.
        """
        with (
            translate_errors(self.redacted_url),
            _connect_with_retries(self) as connection,
            connection.begin(),
        ):
            yield connection


@contextmanager
def open_store(
    url: str, *, lock_timeout_seconds: float = 30.0, read_only: bool = False
) -> Iterator[Store]:
    """Opens a store, and makes or upgrades its tables.

    Args:
        url: as `[store] url` has it.
        lock_timeout_seconds: see `StoreSettings`.
        read_only: never make nor upgrade; a store that is absent or older is refused.

    Raises:
        BadInput: the URL cannot be read, its driver is absent, or there is something else than
            a store of this version or an older one.
        StoreFailed: nobody answers, or the file cannot be opened.
    """
    engine = _create_engine(url, read_only=read_only)
    store = Store(engine, lock_timeout_seconds, read_only)
    try:
        with store.begin() as connection:
            (require_current_version if read_only else migrate)(connection, store.redacted_url)
        yield store
    finally:
        engine.dispose()


def store_url(settings: StoreSettings) -> str:
    """The URL of the store: the environment's if it is set there, else that of the settings."""
    return os.environ.get(STORE_URL, settings.url)


def store_exists(url: str) -> bool:
    """Whether there may be a store: a server's database is taken for one.

    Raises:
        BadInput: the URL cannot be read.
    """
    file = database_file_of(_parse_url(url))
    return file is None or file.is_file()


def database_file_of(url: sa.URL) -> Path | None:
    """The DuckDB file of a URL; None for a server."""
    return Path(url.database or "") if url.get_backend_name() == DUCKDB else None


def redact_url(url: sa.URL) -> str:
    """A URL without its password: neither in its place nor among the parameters."""
    public_query = {key: value for key, value in url.query.items() if "pass" not in key.lower()}
    without_secrets = url.set(query=public_query)
    return (
        without_secrets.set(password=None).render_as_string()
        if without_secrets.password
        else str(without_secrets)
    )


def _create_engine(url: str, *, read_only: bool) -> sa.Engine:
    parsed = _parse_url(url)
    options: dict[str, Any] = {"hide_parameters": True}  # of an error: they name people
    if parsed.get_backend_name() == DUCKDB:
        _unload_duckdb_engine_at_exit()
        return sa.create_engine(
            parsed, poolclass=NullPool, connect_args={"read_only": read_only}, **options
        )
    if find_spec("psycopg") is None:
        raise BadInput(
            "a store in PostgreSQL needs a driver that is not installed: run "
            'pip install "mqbg[postgres]"'
        )
    return sa.create_engine(parsed, pool_pre_ping=True, **options)


@cache
def _unload_duckdb_engine_at_exit() -> None:
    """Lets go of DuckDB before the process ends.

    duckdb-engine 0.17 names DuckDB's classes in its annotations, which outlive DuckDB 2.0 when
    SQLAlchemy is still loaded at the end; DuckDB then lists on stderr everything it calls leaked.
    """

    def let_go() -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == "duckdb_engine"]:
            vars(sys.modules[name]).clear()

    atexit.register(let_go)


def _parse_url(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except (ArgumentError, ValueError):
        parsed = None  # the text may hold a password, so no message repeats it
    if parsed is not None and parsed.drivername in DRIVERS:
        parsed = parsed.set(drivername=DRIVERS[parsed.drivername])
    known = {DUCKDB, *DRIVERS.values()}
    if parsed is None or parsed.drivername not in known or not parsed.database:
        raise BadInput(
            "[store] url: expected duckdb:///FILE or postgresql+psycopg://USER@HOST/DATABASE, got "
            f"{'something else' if parsed is None else redact_url(parsed)}; set it in mqbg.toml or "
            f"in the environment variable {STORE_URL}"
        )
    if parsed.drivername == DUCKDB:
        return _with_absolute_path(parsed)
    return parsed


def _with_absolute_path(url: sa.URL) -> sa.URL:
    """The URL with an absolute path, as the working folder may change."""
    path = Path(url.database or "").expanduser().absolute()
    if url.database == ":memory:" or path.is_dir() or not path.parent.is_dir():
        raise BadInput(
            f"[store] url: expected a file in a folder that is there, got {url.database}; "
            "make the folder or choose another file"
        )
    return url.set(database=str(path))


@contextmanager
def _connect_with_retries(store: Store) -> Iterator[sa.Connection]:
    deadline = time.monotonic() + store.lock_timeout_seconds
    while True:
        try:
            connection = store.engine.connect()
            break
        except (SQLAlchemyError, duckdb.Error) as error:
            if not LOCK_CONFLICT.search(str(error)) or time.monotonic() >= deadline:
                raise
        time.sleep(RETRY_INTERVAL_SECONDS)
    with connection:
        yield connection


@contextmanager
def translate_errors(redacted_url: str) -> Iterator[None]:
    """What drivers raise, as one sentence without parameters.

    Args:
        redacted_url: how to call the store.

    Raises:
        StoreFailed: in place of what SQLAlchemy, DuckDB or psycopg raise.
    """
    try:
        yield
    except (SQLAlchemyError, duckdb.Error, *_psycopg_errors()) as error:
        raise StoreFailed(_error_message(redacted_url, error)) from error


def _psycopg_errors() -> tuple[type[Exception], ...]:
    if find_spec("psycopg") is None:
        return ()
    import psycopg

    return (psycopg.Error,)


def _error_message(redacted_url: str, error: Exception) -> str:
    cause = str(getattr(error, "orig", None) or error)
    if disk_is_full(error):
        return (
            f"store {redacted_url}: the disk is full; nothing of this run was kept: make room "
            "and run "
            "the command again"
        )
    if holder := LOCK_CONFLICT.search(cause):
        return (
            f"store {redacted_url}: the file stayed open in another process, {holder['who']}; "
            "nothing was "
            "kept: end that process or run the command again"
        )
    first_line = next(
        (line.strip() for line in cause.splitlines() if line.strip()), "no reason given"
    )
    return (
        f"store {redacted_url}: the database said {first_line!r}; nothing of this run was "
        "kept: mend that and "
        "run the command again"
    )
