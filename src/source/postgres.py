"""PostgreSQL: its tables as streams of Arrow batches, all of one read-only transaction.

The driver (ADBC) is loaded when a database URL is given and not before. A password stands in the
URL that the driver gets and nowhere else: every message says `display_name` instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import duckdb
import pyarrow as pa

from ..contract import BadInput
from .silence_watch import SilenceWatch, open_sockets

URL_EXAMPLE = "postgresql://user:password@host:5432/database"
_SCHEMES = ("postgresql://", "postgres://")  # libpq reads no others, and no capitals
_ANY_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/+")  # pathlib leaves one slash of two
_HOSTS = re.compile(r"((\[[^\]]*\]|[^:\[\],]*)(:\d*)?(,|$))*")
_ENCODED = re.compile(r"([^%]|%(?!00)[0-9A-Fa-f]{2})*", re.DOTALL)
_SECRET_NAME = re.compile(r"password|secret", re.IGNORECASE)
_MASK = "***"

# Seconds. A host that does not answer, or falls silent in the middle, is found out in about one
# minute and not in two hours. The URL's own parameters come later and win.
_URL_DEFAULTS = (
    "connect_timeout=20&keepalives_idle=30&keepalives_interval=10&keepalives_count=3"
    "&fallback_application_name=mqbg"
)
_SESSION_STATEMENTS = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "SET LOCAL client_encoding = 'UTF8'",  # Arrow holds nothing else, whatever the database does
    "SET LOCAL TimeZone = 'UTC'",  # a view that casts times gives the contract's
    "SET LOCAL lock_timeout = '60s'",  # of a table that somebody is changing
    "SET LOCAL statement_timeout = '2h'",  # of the whole of a table, as it is streamed
)
_RELATIONS_QUERY = """
    SELECT DISTINCT ON (c.relname) c.relname, n.nspname, c.oid::bigint
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname = ANY (current_schemas(false))
    ORDER BY c.relname, array_position(current_schemas(false), n.nspname)
"""
# A domain is read as the type below it; a type of the owner's own making has no name here.
_COLUMNS_QUERY = """
    WITH RECURSIVE plain (type, base) AS (
        SELECT oid, oid FROM pg_catalog.pg_type WHERE typtype <> 'd'
        UNION ALL
        SELECT t.oid, p.base FROM pg_catalog.pg_type t JOIN plain p ON t.typbasetype = p.type
        WHERE t.typtype = 'd'
    )
    SELECT a.attname,
        CASE WHEN t.typnamespace = 'pg_catalog'::regnamespace THEN t.typname ELSE '' END,
        has_column_privilege(a.attrelid, a.attnum, 'SELECT')
    FROM pg_catalog.pg_attribute a
    JOIN plain p ON p.type = a.atttypid JOIN pg_catalog.pg_type t ON t.oid = p.base
    WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum
"""
_TIME_TYPES = {
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMP WITH TIME ZONE",
    "date": "DATE",
}
_DUCKDB_TYPES = {
    "int2": "SMALLINT",
    "int4": "INTEGER",
    "int8": "BIGINT",
    "float4": "FLOAT",
    "float8": "DOUBLE",
    "bool": "BOOLEAN",
    "text": "VARCHAR",
    "varchar": "VARCHAR",
    **_TIME_TYPES,
}
_INSUFFICIENT_PRIVILEGE = "42501"  # SQLSTATE insufficient_privilege


# ---------------------------------------------------------------- URLs


def is_url(data: str | Path) -> bool:
    """Whether `data` names a PostgreSQL database."""
    return str(data).startswith(_SCHEMES)


def display_name(data: str | Path) -> str:
    """What to call a source in messages, logs and records: a URL without its secrets.

    The password becomes `***`, and so does any parameter that holds one. Where it cannot be told
    what is secret, the whole URL does. A path is returned as it is.
    """
    text = str(data)
    scheme = _ANY_SCHEME.match(text)
    if scheme is None:
        return text
    place, mark, query = text[scheme.end() :].partition("?")
    user, at, place = _split_user(place)
    if "@" in query or not (at or _HOSTS.fullmatch(_hosts_of(place))):
        return f"{scheme[0]}{_MASK}"
    name, colon, _ = user.partition(":")
    user = f"{name}{colon}{_MASK if colon else ''}"
    query = "&".join(_masked_parameter(parameter) for parameter in query.split("&"))
    return f"{scheme[0]}{user}{at}{place}{mark}{query}"


def _split_user(place: str) -> tuple[str, str, str]:
    user, at, rest = place.rpartition("@")
    return user, at, rest


def _hosts_of(place: str) -> str:
    return place.partition("/")[0]


def _masked_parameter(parameter: str) -> str:
    key, equals, _ = parameter.partition("=")
    return f"{key}{equals}{_MASK}" if equals and _SECRET_NAME.search(unquote(key)) else parameter


def _require_parsable(url: str) -> None:
    """Refuse what libpq would split elsewhere than its author: its message could show a secret."""
    rest = _ANY_SCHEME.sub("", url, count=1)
    user, at, place = _split_user(rest.partition("?")[0])
    parsable = (
        rest.count("@") == len(at)
        and "/" not in user
        and _HOSTS.fullmatch(_hosts_of(place))
        and _ENCODED.fullmatch(rest)
    )
    if not parsable:
        raise BadInput(
            f"expected a database URL such as {URL_EXAMPLE}, got {display_name(url)}, which "
            "cannot be read: write special characters of a user or password as %XX (@ is %40, "
            "/ is %2F, ? is %3F, % is %25)"
        )


def _with_defaults(url: str) -> str:
    place, _, query = url.partition("?")
    return f"{place}?{_URL_DEFAULTS}" + (f"&{query}" if query else "")


# ---------------------------------------------------------------- types


def select_expression(reference: str, type_name: str) -> str:
    """SQL for PostgreSQL that sends a column so that DuckDB can take it.

    A time beyond the years 1 to 9999, infinity among them, would overflow on the way: it becomes
    the first instant outside. A type that DuckDB has no like of becomes text.

    Args:
        reference: SQL that names the column.
        type_name: PostgreSQL's name of its type.
    """
    if type_name in _TIME_TYPES:
        return (
            f"CASE WHEN {reference} >= '10000-01-01' THEN '10000-01-01'"
            f" WHEN {reference} < '0001-01-01' THEN '0001-12-31 BC' ELSE {reference} END"
        )
    return reference if type_name in _DUCKDB_TYPES else f"{reference}::text"


def received_expression(reference: str, type_name: str) -> tuple[str, str]:
    """SQL for DuckDB that reads what `select_expression` sent, and its DuckDB type.

    Args:
        reference: SQL that names the column.
        type_name: PostgreSQL's name of its type.
    """
    duckdb_type = _DUCKDB_TYPES.get(type_name, "VARCHAR")
    if type_name not in _TIME_TYPES:
        return reference, duckdb_type
    value = (
        f"CASE WHEN {reference} >= '10000-01-01'::{duckdb_type} THEN 'infinity'::{duckdb_type}"
        f" WHEN {reference} < '0001-01-01'::{duckdb_type} THEN '-infinity'::{duckdb_type}"
        f" ELSE {reference} END"
    )
    return value, duckdb_type


# ---------------------------------------------------------------- the database


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or a view.

    Attributes:
        name: without its schema.
        schema: the first of the search path that has one of this name.
        oid: its number in the database.
    """

    name: str
    schema: str
    oid: int


@dataclass(frozen=True, slots=True)
class Database:
    """A connection inside one transaction: whatever is read through it was true at one instant.

    Attributes:
        display_name: the URL without its secrets.
    """

    display_name: str
    _connection: Any = field(repr=False)
    _error: type[Exception] = field(repr=False)
    _watch: SilenceWatch = field(repr=False)

    def relations(self) -> dict[str, Relation]:
        """Tables and views of the search path by name.

        Raises:
            BadInput: the database went away.
        """
        rows = self._fetch(_RELATIONS_QUERY, "its list of tables")
        return {name: Relation(name, schema, oid) for name, schema, oid in rows}

    def columns(self, relation: Relation) -> dict[str, tuple[str, bool]]:
        """By name: PostgreSQL's name of the type, and whether we may read the column.

        Raises:
            BadInput: the database went away.
        """
        rows = self._fetch(
            _COLUMNS_QUERY.format(oid=relation.oid), f"the columns of {relation.name}"
        )
        return {name: (type_name, readable) for name, type_name, readable in rows}

    @contextmanager
    def register_stream(self, backend: Any, select: str, *, name: str, what: str) -> Iterator[None]:
        """Let DuckDB see the rows of a query as a view, to be read once while this lasts.

        Args:
            backend: Ibis DuckDB backend.
            select: SQL for PostgreSQL.
            name: of the view.
            what: the table that is read, for messages.

        Raises:
            BadInput: the database went away, or refused the query.
        """
        with self._connection.cursor() as cursor:
            try:
                with self._watch.watching():
                    cursor.execute(select)
                    batches = cursor.fetch_record_batch()
                stream = _ErrorKeepingReader(batches, self._watch)
            except self._error as error:
                raise self._failure(what, error) from None
            backend.con.register(name, stream.reader())
            try:
                yield
            except duckdb.Error:
                if stream.error is None:
                    raise
                raise self._failure(what, stream.error) from None
            finally:
                backend.con.unregister(name)

    def begin_snapshot(self) -> None:
        """Fix the transaction's kind and the session's settings, before anything is read.

        Raises:
            BadInput: the database went away.
        """
        try:
            with self._watch.watching(), self._connection.cursor() as cursor:
                for statement in _SESSION_STATEMENTS:
                    cursor.execute(statement)
        except self._error as error:
            raise self._failure("its settings", error) from None

    def _fetch(self, select: str, subject: str) -> list[tuple[Any, ...]]:
        try:
            with self._watch.watching(), self._connection.cursor() as cursor:
                cursor.execute(select)
                return list(cursor.fetchall())
        except (self._error, OSError) as error:
            raise self._failure(subject, error) from None

    def _failure(self, subject: str, error: Exception) -> BadInput:
        advice = "run the command again, and if that fails alike, ask who keeps the database"
        if getattr(error, "sqlstate", None) == _INSUFFICIENT_PRIVILEGE:
            advice = "let the URL's user read it (GRANT SELECT)"
        reason = self._watch.silence or _failure_reason(error)
        return BadInput(
            f"{self.display_name} failed while {subject} was being read: "
            f"{reason}; nothing was written: {advice}"
        )


class _ErrorKeepingReader:
    """The batches of a reader, and what ended them: DuckDB passes on no more than a text."""

    def __init__(self, source: Any, watch: SilenceWatch) -> None:
        self._source = source
        self._watch = watch
        self.error: Exception | None = None

    def reader(self) -> Any:
        return pa.RecordBatchReader.from_batches(self._source.schema, self._batches())

    def _batches(self) -> Iterator[pa.RecordBatch]:
        try:
            while (batch := self._next_batch()) is not None:
                yield batch
        except Exception as error:
            self.error = error
            raise

    def _next_batch(self) -> pa.RecordBatch | None:
        with self._watch.watching():
            return next(self._source, None)


@contextmanager
def open_database(url: str) -> Iterator[Database]:
    """The database at `url`, in one read-only transaction of a single snapshot.

    Args:
        url: as libpq reads it, `postgresql://user:password@host:port/database?parameters`.

    Raises:
        BadInput: the URL cannot be read, the driver is not installed, or nobody answers.
    """
    _require_parsable(url)
    driver, shown = _load_driver(), display_name(url)
    before = open_sockets()
    try:
        connection = driver.connect(_with_defaults(url))
    except driver.Error as error:
        raise BadInput(
            f"cannot connect to {shown}: {_last_attempt(error)}; check host, port, database, user "
            "and password"
        ) from None
    try:
        watch = SilenceWatch(open_sockets() - before, lambda: _answers(driver, url))
        database = Database(shown, connection, driver.Error, watch)
        database.begin_snapshot()
        yield database
    finally:
        with suppress(driver.Error):  # of a connection that is gone already
            connection.close()


def _answers(driver: Any, url: str) -> bool:
    """Whether the server takes another connection, or says why it does not."""
    try:
        driver.connect(_with_defaults(url)).close()
    except driver.Error as error:
        return "FATAL" in str(error)
    return True


def _load_driver() -> Any:
    try:
        return import_module("adbc_driver_postgresql.dbapi")
    except ImportError as error:
        raise BadInput(
            "reading a PostgreSQL database needs a driver that is not installed: run "
            'pip install "mqbg[postgres]"'
        ) from error


def _failure_reason(error: Exception) -> str:
    """What PostgreSQL or libpq said, without the names of the layers it came through."""
    return _without_prefixes(str(error).strip().split("\n", 1)[0])


def _last_attempt(error: Exception) -> str:
    """Why the last address of a host did not do: "localhost" has two, one often without a server.

    Advice is below each attempt, indented.
    """
    lines = [line for line in str(error).strip().split("\n") if not line[:1].isspace()]
    return _without_prefixes(lines[-1])


def _without_prefixes(line: str) -> str:
    plain = re.sub(r"^(?:[A-Z_]+: )?\[libpq\] (?:Failed to connect: )?", "", line)
    return re.sub(r"^.*?(?:ERROR|FATAL|PANIC): +", "", plain).rstrip(":")
