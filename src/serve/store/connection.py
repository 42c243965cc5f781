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
from ...settings import STORE_URL
from ...settings import Store as Settings
from .errors import StoreFailed, disk_is_full
from .migrate import migrate, require_current
from .schema import DUCKDB, POSTGRESQL

DRIVERS = {POSTGRESQL: "postgresql+psycopg", "postgres": "postgresql+psycopg"}
HELD = re.compile(r"Conflicting lock is held in (?P<who>.*?\(PID \d+\))")
PAUSE = 0.1  # seconds between two attempts at a file that another process has open


@dataclass(frozen=True)
class Store:
    """A store of this version.

    Attributes:
        engine: of SQLAlchemy. A DuckDB file is open no longer than a connection lasts, so that
            other processes get at it.
        patience_seconds: how long to wait for a DuckDB file that another process has open.
        read_only: whether nothing may be written.
    """

    engine: sa.Engine
    patience_seconds: float = 30.0
    read_only: bool = False

    @property
    def shown(self) -> str:
        """The URL without its password."""
        return shown_url(self.engine.url)

    @property
    def file(self) -> Path | None:
        """The DuckDB file; None for a server."""
        return file_of(self.engine.url)

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """One transaction: everything in it is kept at the end, or nothing on an error.

        Fetch a result whole before the next statement: DuckDB drops the rows that are left.

        Raises:
            StoreFailed: the database refused, went away, or has no room.
        """
        with translated(self.shown), _connected(self) as connection, connection.begin():
            yield connection


@contextmanager
def opened(url: str, *, patience_seconds: float = 30.0, read_only: bool = False) -> Iterator[Store]:
    """Opens a store, and makes or upgrades its tables.

    Args:
        url: as `[store] url` has it.
        patience_seconds: see `Store`.
        read_only: never make nor upgrade; a store that is absent or older is refused.

    Raises:
        BadInput: the URL cannot be read, its driver is absent, or there is something else than
            a store of this version or an older one.
        StoreFailed: nobody answers, or the file cannot be opened.
    """
    engine = _engine(url, read_only=read_only)
    store = Store(engine, patience_seconds, read_only)
    try:
        with store.begin() as connection:
            (require_current if read_only else migrate)(connection, store.shown)
        yield store
    finally:
        engine.dispose()


def url_of(settings: Settings) -> str:
    """The URL of the store: the environment's if it is set there, else that of the settings."""
    return os.environ.get(STORE_URL, settings.url)


def exists(url: str) -> bool:
    """Whether there may be a store: a server's database is taken for one.

    Raises:
        BadInput: the URL cannot be read.
    """
    file = file_of(_parsed(url))
    return file is None or file.is_file()


def file_of(url: sa.URL) -> Path | None:
    """The DuckDB file of a URL; None for a server."""
    return Path(url.database or "") if url.get_backend_name() == DUCKDB else None


def shown_url(url: sa.URL) -> str:
    """A URL without its password: neither in its place nor among the parameters."""
    open_query = {key: value for key, value in url.query.items() if "pass" not in key.lower()}
    bare = url.set(query=open_query)
    return bare.set(password=None).render_as_string() if bare.password else str(bare)


def _engine(url: str, *, read_only: bool) -> sa.Engine:
    parsed = _parsed(url)
    options: dict[str, Any] = {"hide_parameters": True}  # of an error: they name people
    if parsed.get_backend_name() == DUCKDB:
        _quiet_at_exit()
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
def _quiet_at_exit() -> None:
    """Lets go of DuckDB before the process ends.

    duckdb-engine 0.17 names DuckDB's classes in its annotations, which outlive DuckDB 2.0 when
    SQLAlchemy is still loaded at the end; DuckDB then lists on stderr everything it calls leaked.
    """

    def let_go() -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == "duckdb_engine"]:
            vars(sys.modules[name]).clear()

    atexit.register(let_go)


def _parsed(url: str) -> sa.URL:
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
            f"{'something else' if parsed is None else shown_url(parsed)}; set it in mqbg.toml or "
            f"in the environment variable {STORE_URL}"
        )
    if parsed.drivername == DUCKDB:
        return _with_file(parsed)
    return parsed


def _with_file(url: sa.URL) -> sa.URL:
    """The URL with an absolute path, as the working folder may change."""
    path = Path(url.database or "").expanduser().absolute()
    if url.database == ":memory:" or path.is_dir() or not path.parent.is_dir():
        raise BadInput(
            f"[store] url: expected a file in a folder that is there, got {url.database}; "
            "make the folder or choose another file"
        )
    return url.set(database=str(path))


@contextmanager
def _connected(store: Store) -> Iterator[sa.Connection]:
    until = time.monotonic() + store.patience_seconds
    while True:
        try:
            connection = store.engine.connect()
            break
        except (SQLAlchemyError, duckdb.Error) as error:
            if not HELD.search(str(error)) or time.monotonic() >= until:
                raise
        time.sleep(PAUSE)
    with connection:
        yield connection


@contextmanager
def translated(shown: str) -> Iterator[None]:
    """What drivers raise, as one sentence without parameters.

    Args:
        shown: how to call the store.

    Raises:
        StoreFailed: in place of what SQLAlchemy, DuckDB or psycopg raise.
    """
    try:
        yield
    except (SQLAlchemyError, duckdb.Error, *_psycopg_errors()) as error:
        raise StoreFailed(_sentence(shown, error)) from error


def _psycopg_errors() -> tuple[type[Exception], ...]:
    if find_spec("psycopg") is None:
        return ()
    import psycopg

    return (psycopg.Error,)


def _sentence(shown: str, error: Exception) -> str:
    cause = str(getattr(error, "orig", None) or error)
    if disk_is_full(error):
        return (
            f"store {shown}: the disk is full; nothing of this run was kept: make room and run "
            "the command again"
        )
    if held := HELD.search(cause):
        return (
            f"store {shown}: the file stayed open in another process, {held['who']}; nothing was "
            "kept: end that process or run the command again"
        )
    first = next((line.strip() for line in cause.splitlines() if line.strip()), "no reason given")
    return (
        f"store {shown}: the database said {first!r}; nothing of this run was kept: mend that and "
        "run the command again"
    )
