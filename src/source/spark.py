"""The same tables on Spark: read and checked by DuckDB, handed over as Parquet."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from ..contract import TABLES, BadInput
from .staging import Source

ENGINES = ("duckdb", "spark")
STAGING_VARIABLE = "MQBG_SPARK_STAGING"
"""Environment variable: a folder that this machine can write and every node of the cluster read."""

# What features need of a session, whatever the cluster's own defaults are.
SESSION_OPTIONS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "false",
    "spark.sql.parquet.inferTimestampNTZ.enabled": "true",
}
# A local session is for tables of this machine: no web page, no more partitions than cores need.
LOCAL_OPTIONS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": str(2 * (os.cpu_count() or 1)),
}
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_GLOB_CHARACTERS = re.compile(r"([{}\[\]*?\\])")  # what Spark would take for a pattern in a path
_LAUNCHER_PREFIX = re.compile(r"^.*?: line \d+: ")  # where in Spark's own launcher
_NOISE_PREFIXES = (
    "WARNING:",
    "Using Spark's",
    "Setting default log level",
    "To adjust logging",
    "at ",
)


@contextmanager
def on_engine(source: Source, engine: str) -> Iterator[Source]:
    """The tables of a checked source in the engine that is to scan them: duckdb or spark.

    Raises:
        BadInput: there is no such engine, it cannot be started, or it fails while it is used.
    """
    if engine not in ENGINES:
        raise BadInput(f"--engine: expected one of {', '.join(ENGINES)}, got {engine!r}")
    if engine == "duckdb":
        yield source
        return
    with on_spark(source) as spark_source:
        yield spark_source


@contextmanager
def on_spark(source: Source) -> Iterator[Source]:
    """The tables of a checked source on Spark.

    A session that runs already lends its cluster: ours beside it has settings and views of its
    own. Else one is started as `spark-submit`, the Spark defaults or `PYSPARK_SUBMIT_ARGS`
    configure it; where they name no master, a local one with as many threads as there are cores.
    What the JVM of a session that is started here writes to stderr is kept from the terminal.

    Args:
        source: opened and checked; its tables are copied once, as Parquet, into a temporary
            folder under `MQBG_SPARK_STAGING` (the system's own where that is not set). DuckDB
            writes it and Spark reads it, so it is a folder, also as `file:///folder`; a cluster
            needs one that all its nodes have mounted. Object stores and HDFS are refused.

    Raises:
        BadInput: Spark is not installed, no session can be started, the staging folder is not
            one, or Spark fails in the block.
    """
    import ibis

    with _staging_folder() as folder, _session() as session, _failures_as_bad_input(session):
        backend = ibis.pyspark.connect(session)
        tables = {}
        for name in TABLES:
            path = folder / f"{name}.parquet"
            source.tables[name].to_parquet(path)
            tables[name] = backend.read_parquet(_file_url(path), table_name=f"given_{name}")
        try:
            yield Source(backend, tables, {}, source.problems, source.name)
        finally:
            _release_cache(backend)


def _release_cache(backend: Any) -> None:
    """Lets go of what Ibis keeps: of a cluster that is not ours, and not when Python ends."""
    for name in list(backend._cache_name_to_entry):
        with suppress(Exception):  # of a session that is gone already
            backend._finalize_cached_table(name)


# ---------------------------------------------------------------- staging


@contextmanager
def _staging_folder() -> Iterator[Path]:
    parent = _staging_parent()
    with TemporaryDirectory(prefix="mqbg-spark-", dir=parent) as name:
        if parent is not None:  # who may read the share may read what we put there
            Path(name).chmod(parent.stat().st_mode & 0o777 | 0o700)
        yield Path(name)


def _staging_parent() -> Path | None:
    location = os.environ.get(STAGING_VARIABLE)
    if not location:
        return None
    # A file:///folder is a folder; file://machine/folder is on another machine.
    url = urlsplit(location) if location.startswith("file:") else None
    folder = Path(unquote(url.path) if url is not None and not url.netloc else location)
    if _SCHEME.match(str(folder)):
        raise BadInput(
            f"{STAGING_VARIABLE}: expected a folder, got {location!r}, which DuckDB cannot write; "
            "name a folder that this machine and every node of the cluster have mounted"
        )
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise BadInput(
            f"{STAGING_VARIABLE}: expected a folder that can be written, got {location!r}; "
            "make it, or name another that every node of the cluster can read"
        )
    return folder.resolve()


def _file_url(path: Path) -> str:
    """A file of this machine as Spark is given it, whatever its default file system is."""
    return "file://" + _GLOB_CHARACTERS.sub(r"\\\1", str(path))


# ---------------------------------------------------------------- the session


@contextmanager
def _session() -> Iterator[Any]:
    sql = _import_pyspark_sql()
    with _quiet_py4j_logs(), TemporaryFile() as log:
        running = None
        try:
            running = sql.SparkSession.getActiveSession()
            session = _start_session(sql, log) if running is None else running.newSession()
            for name, value in SESSION_OPTIONS.items():
                session.conf.set(name, value)
        except Exception as error:  # Py4J raises what the Java side throws, of any class
            raise BadInput(
                "engine spark: expected a Spark session, could not start one: "
                f"{_launcher_error(log) or _first_line(error)}; Spark needs Java 17 or 21 "
                "(JAVA_HOME) and, for a cluster, its master in the Spark defaults"
            ) from error
        try:
            yield session
        finally:
            if running is None:
                with suppress(*_spark_errors()):  # of a session that is gone already
                    session.stop()


@contextmanager
def _quiet_py4j_logs() -> Iterator[None]:
    """Py4J logs each broken connection with its traceback; we say what happened in a sentence."""
    loggers = [logging.getLogger(name) for name in (None, "py4j.clientserver", "py4j.java_gateway")]
    for logger in loggers:
        logger.addFilter(_is_not_py4j)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(_is_not_py4j)


def _is_not_py4j(record: logging.LogRecord) -> bool:
    return "py4j" not in Path(record.pathname).parts  # some of it goes to the root logger


def _import_pyspark_sql() -> Any:
    try:
        return import_module("pyspark.sql")
    except ImportError as error:
        raise BadInput(
            'engine spark: expected PySpark, which is not installed; run pip install "mqbg[spark]"'
        ) from error


def _start_session(sql: Any, log: IO[bytes]) -> Any:
    """A new session, in a new JVM unless this process has one."""
    pyspark = import_module("pyspark")
    if pyspark.SparkContext._gateway is None:
        launch = import_module("pyspark.java_gateway").launch_gateway
        gateway = launch(popen_kwargs={"stderr": log})
        pyspark.SparkContext._ensure_initialized(gateway=gateway)
    conf = pyspark.SparkConf()  # with the Spark defaults, now that a JVM has read them
    if conf.get("spark.app.name", "pyspark-shell") == "pyspark-shell":
        conf.setAppName("mqbg")
    local = conf.get("spark.master", "local[*]").startswith("local")
    for name, value in {**(LOCAL_OPTIONS if local else {}), **SESSION_OPTIONS}.items():
        conf.setIfMissing(name, value)
    session = sql.SparkSession.builder.config(conf=conf).getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


def _launcher_error(log: IO[bytes]) -> str:
    """The first line of a JVM's stderr that is neither chatter nor part of a stack trace."""
    log.seek(0)
    lines = (line.strip() for line in log.read().decode(errors="replace").splitlines())
    first_line = next((line for line in lines if line and not line.startswith(_NOISE_PREFIXES)), "")
    return _LAUNCHER_PREFIX.sub("", first_line)


# ---------------------------------------------------------------- failures


@contextmanager
def _failures_as_bad_input(session: Any) -> Iterator[None]:
    """Turns what Spark raises, while it works for us, into one sentence."""
    errors = import_module("pyspark.errors")
    try:
        yield
    except (BadInput, errors.AnalysisException):  # the latter: our query is wrong, not their Spark
        raise
    except Exception as error:
        first = _first_failure(error)
        if not isinstance(first, _spark_errors()) and not _is_stopped(session):
            raise
        raise BadInput(
            f"engine spark failed in the middle of its work: {_failure_reason(session, first)}"
            "; nothing was written: run the command again, and if that fails alike, ask who keeps "
            "the cluster, or use --engine duckdb"
        ) from first


def _failure_reason(session: Any, failure: BaseException) -> str:
    process = session.sparkContext._gateway.proc  # none where spark-submit started us
    if process is not None and (status := process.poll()) is not None:
        return f"its Java process ended with status {status}, perhaps for want of memory"
    return "its session was stopped" if _is_stopped(session) else _first_line(failure)


def _is_stopped(session: Any) -> bool:
    """Whether somebody stopped the context: PySpark then calls methods of None."""
    context = session.sparkContext._jsc
    with suppress(*_spark_errors()):
        return context is None or bool(context.sc().isStopped())
    return True  # nobody answers


def _first_failure(error: BaseException) -> BaseException:
    """What went wrong first: letting go of tables fails as well where Spark is gone."""
    while error.__context__ is not None and not error.__suppress_context__:
        error = error.__context__
    return error


def _spark_errors() -> tuple[type[Exception], ...]:
    """What PySpark raises: answers of the JVM, and that there is no JVM any more."""
    errors, protocol = import_module("pyspark.errors"), import_module("py4j.protocol")
    return errors.PySparkException, protocol.Py4JError, ConnectionError


def _first_line(error: BaseException) -> str:
    """The first line that says something: Py4J's own says which of its objects was called."""
    lines = [line.strip(": ") for line in str(error).splitlines() if line.strip()]
    informative = [line for line in lines if not line.startswith("An error occurred while calling")]
    return (informative or lines or [type(error).__name__])[0].rstrip(".;")
