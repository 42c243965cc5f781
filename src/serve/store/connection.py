"""Opening a store: where it is, what drives it, one transaction at a time."""

from __future__ import annotations

import logging
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from ...contract import BadInput
from ...settings import STORE_URL, StoreSettings
from .errors import StoreFailed, disk_is_full
from .migrate import is_current, migrate, require_current_version
from .schema import POSTGRESQL, SQLITE

logger = logging.getLogger(__name__)

DRIVERS = {POSTGRESQL: "postgresql+psycopg", "postgres": "postgresql+psycopg"}
DUCKDB = "duckdb"  # what stores were kept in before
OLD_FILE = "mqbg-store.duckdb"
LOCKED_MESSAGE = "database is locked"  # as SQLite says it
READING_OPTION = "mqbg_reading"
OLDEST_SQLITE = (3, 33, 0)  # that knows UPDATE ... FROM, which the outbox needs
PRAGMAS = (
    "page_size = 16384",  # bytes, of a new file: a night is written an eighth sooner than by 4096
    "foreign_keys = ON",
    "synchronous = FULL",  # what is committed is there after a power cut, too
    "cache_size = -65536",  # KiB: the keys of a night's rows
    "journal_size_limit = 67108864",  # bytes of the log that stay after a large night
)


@dataclass(frozen=True)
class Store:
    """A store of this version.

    Attributes:
        engine: of SQLAlchemy. With SQLite it keeps one connection, which threads take in turn.
        lock_timeout_seconds: how long to wait for a SQLite file that another process writes to.
        read_only: whether nothing may be written.
        commit_checks: called before each commit of what was written; they raise to undo it.
    """

    engine: sa.Engine
    lock_timeout_seconds: float = 30.0
    read_only: bool = False
    commit_checks: list[Callable[[], None]] = field(default_factory=list)

    @property
    def redacted_url(self) -> str:
        """The URL without its password."""
        return redact_url(self.engine.url)

    @property
    def database_file(self) -> Path | None:
        """The SQLite file; None for a server."""
        return database_file_of(self.engine.url)

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """One transaction: everything in it is kept at the end, or nothing on an error.

        Raises:
            StoreFailed: the database refused, went away, or has no room.
        """
        with self._transaction(reading=self.read_only) as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """One look at the store as it is now: it waits for no writer, and keeps none waiting.

        Raises:
            StoreFailed: the database refused, or went away.
        """
        with self._transaction(reading=True) as connection:
            yield connection

    @contextmanager
    def _transaction(self, *, reading: bool) -> Iterator[sa.Connection]:
        with (
            translate_errors(self.redacted_url),
            self.engine.connect() as connection,
            connection.execution_options(**{READING_OPTION: reading}).begin(),
        ):
            yield connection
            if not reading:
                for check in self.commit_checks:
                    check()


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
    engine = _create_engine(url, lock_timeout_seconds, read_only=read_only)
    store = Store(engine, lock_timeout_seconds, read_only)
    try:
        _bring_up_to_date(store)
        yield store
    finally:
        engine.dispose()


def _bring_up_to_date(store: Store) -> None:
    with store.reading() as connection:
        if store.read_only:
            require_current_version(connection, store.redacted_url)
            return
        if is_current(connection, store.redacted_url):
            return
    with store.begin() as connection:
        made = migrate(connection, store.redacted_url)
    if made and (file := store.database_file) is not None and file.with_name(OLD_FILE).is_file():
        logger.warning(
            "store %s: a new store begins here; the states and scores up to now are in %s beside "
            "it, which this version does not read: keep that file if you need its history",
            store.redacted_url, OLD_FILE,
        )  # fmt: skip


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
    """The SQLite file of a URL; None for a server."""
    return Path(url.database or "") if url.get_backend_name() == SQLITE else None


def redact_url(url: sa.URL) -> str:
    """A URL without its password: neither in its place nor among the parameters."""
    public_query = {key: value for key, value in url.query.items() if "pass" not in key.lower()}
    without_secrets = url.set(query=public_query)
    return (
        without_secrets.set(password=None).render_as_string()
        if without_secrets.password
        else str(without_secrets)
    )


def _create_engine(url: str, lock_timeout_seconds: float, *, read_only: bool) -> sa.Engine:
    parsed = _parse_url(url)
    options: dict[str, Any] = {"hide_parameters": True}  # of an error: they name people
    if (file := database_file_of(parsed)) is not None:
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            oldest = ".".join(map(str, OLDEST_SQLITE))
            raise BadInput(
                f"a store in SQLite needs its version {oldest} or newer, and this Python has "
                f"{sqlite3.sqlite_version}; update Python, or keep the store in PostgreSQL"
            )
        engine = sa.create_engine(
            parsed,
            creator=lambda: _connect_sqlite(file, lock_timeout_seconds, read_only=read_only),
            poolclass=QueuePool,
            pool_size=1,
            max_overflow=0,
            **options,
        )
        sa.event.listen(engine, "begin", _begin_transaction)
        return engine
    if find_spec("psycopg") is None:
        raise BadInput(
            "a store in PostgreSQL needs a driver that is not installed: run "
            'pip install "mqbg[postgres]"'
        )
    engine = sa.create_engine(parsed, pool_pre_ping=True, **options)
    sa.event.listen(engine, "do_connect", _connect_postgres(lock_timeout_seconds, read_only))
    return engine


def _connect_postgres(lock_timeout_seconds: float, read_only: bool) -> Callable[..., Any]:
    """What connects in place of SQLAlchemy, with time limits."""
    from .postgres import READ_SECONDS, STATEMENT_SECONDS, connect

    def do_connect(_dialect: Any, _record: Any, arguments: list[Any], named: dict[str, Any]) -> Any:
        return connect(
            *(arguments or [""]),
            lock_seconds=lock_timeout_seconds,
            statement_seconds=READ_SECONDS if read_only else STATEMENT_SECONDS,
            **named,
        )

    return do_connect


def _connect_sqlite(
    file: Path, lock_timeout_seconds: float, *, read_only: bool
) -> sqlite3.Connection:
    """A connection to a file.

    Readers see the last state that was committed, and neither wait for a writer nor keep one
    waiting (write-ahead logging).
    """
    mode = "rw" if read_only else "rwc"  # not "ro": the last one to close clears the log away
    connection = sqlite3.connect(
        f"file:{quote(str(file))}?mode={mode}",
        uri=True,
        timeout=lock_timeout_seconds,
        isolation_level=None,  # transactions begin in `_begin_transaction`
        check_same_thread=False,  # the pool gives it to one thread at a time
    )
    try:
        for pragma in (*PRAGMAS, "query_only = ON" if read_only else "journal_mode = WAL"):
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def _begin_transaction(connection: sa.Connection) -> None:
    # A writer takes its turn at once: one that read first could find that what it read is old.
    reading = connection.get_execution_options().get(READING_OPTION, False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _parse_url(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except (ArgumentError, ValueError):
        parsed = None  # the text may hold a password, so no message repeats it
    if parsed is not None and parsed.drivername == DUCKDB:
        raise BadInput(
            "[store] url: expected sqlite:///FILE or a PostgreSQL database, got "
            f"{redact_url(parsed)}, and stores are no longer kept in DuckDB; set "
            "sqlite:///mqbg-store.sqlite, where states and history begin again"
        )
    if parsed is not None and parsed.drivername in DRIVERS:
        parsed = parsed.set(drivername=DRIVERS[parsed.drivername])
    known = {SQLITE, *DRIVERS.values()}
    if parsed is None or parsed.drivername not in known or not parsed.database:
        raise BadInput(
            "[store] url: expected sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE, got "
            f"{'something else' if parsed is None else redact_url(parsed)}; set it in mqbg.toml or "
            f"in the environment variable {STORE_URL}"
        )
    if parsed.drivername == SQLITE:
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
def translate_errors(redacted_url: str) -> Iterator[None]:
    """What drivers raise, as one sentence without parameters.

    Args:
        redacted_url: how to call the store.

    Raises:
        StoreFailed: in place of what SQLAlchemy, SQLite or psycopg raise.
    """
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise StoreFailed(_error_message(redacted_url, error)) from error
    except Exception as error:
        # What COPY raises is psycopg's own; who has no store there does not import it.
        psycopg = sys.modules.get("psycopg")
        if psycopg is None or not isinstance(error, psycopg.Error):
            raise
        raise StoreFailed(_error_message(redacted_url, error)) from error


def _error_message(redacted_url: str, error: Exception) -> str:
    cause = str(getattr(error, "orig", None) or error)
    if disk_is_full(error):
        return (
            f"store {redacted_url}: the disk is full; nothing of this run was kept: make room and "
            "run the command again"
        )
    if LOCKED_MESSAGE in cause:
        return (
            f"store {redacted_url}: another process wrote to the file for longer than [store] "
            "lock_timeout_seconds; nothing was kept: run the command again when it is done"
        )
    first_line = next(
        (line.strip() for line in cause.splitlines() if line.strip()), "no reason given"
    )
    return (
        f"store {redacted_url}: the database said {first_line!r}; nothing of this run was kept: "
        "fix that and run the command again"
    )
