"""One Spark for all tests of a test session, and worlds that many of them share."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import ibis
import pyarrow as pa
import pytest
from mqbg.contract import TABLES, schema
from mqbg.source import Source

Row = dict[str, Any]
OPTION = "MQBG_SPARK"
OWN_IDS = {"account_id", "contact_id", "group_id", "activity_id"}

# A short life is compiled once and quickly; the tests take half as long.
JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


def _missing() -> str | None:
    if os.environ.get(OPTION) != "1":
        return f"tests on Spark take minutes: set {OPTION}=1 to run them"
    if find_spec("pyspark") is None:
        return 'PySpark is not installed: pip install "mqbg[spark]"'
    java = os.environ.get("JAVA_HOME")
    if not (Path(java, "bin", "java").exists() if java else shutil.which("java")):
        return "Java is not installed: Spark needs 17 or 21"
    return None


# PySpark 4.0 hands its rows to pandas 3 in ways that pandas 4 will not take, and leaves sockets
# to the garbage collector. Neither is ours to mend.
NOT_OURS = (
    "ignore:The copy keyword is deprecated",
    "ignore:The 'future.infer_string' option is deprecated",
    "ignore:unclosed <socket:ResourceWarning",
)


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Skips, with a reason, what cannot run here or was not asked for."""
    reason = _missing()
    for item in items:
        if item.get_closest_marker("spark"):
            for ignored in NOT_OURS:
                item.add_marker(pytest.mark.filterwarnings(ignored))
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session", autouse=True)
def short_lived_java() -> Iterator[None]:
    """Sets the options of every JVM that a test starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_SUBMIT_OPTS", JAVA_OPTIONS)
        patch.setenv("PYSPARK_PYTHON", sys.executable)  # functions in Python run in this one
        yield


@pytest.fixture(scope="session")
def spark(tmp_path_factory, short_lived_java) -> Iterator[Any]:
    """A running session, beside which the program opens its own in a moment."""
    from pyspark.sql import SparkSession

    options = {
        "spark.master": "local[2]",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("warehouse")),
        "spark.sql.shuffle.partitions": "2",
        # Nobody's defaults: what the program needs it must say itself.
        "spark.sql.session.timeZone": "Asia/Tokyo",
        "spark.sql.ansi.enabled": "true",
    }
    builder = SparkSession.builder.appName("tests")
    for name, value in options.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def as_source() -> Callable[[Mapping[str, Sequence[Row]]], Source]:
    """`as_source(tables)`: rows that keep the contract, as DuckDB has them after the checks."""

    def source(tables: Mapping[str, Sequence[Row]]) -> Source:
        backend = ibis.duckdb.connect(threads=1)
        opened = {}
        for name in TABLES:
            columns = schema(name)
            rows = [{c: row.get(c) for c in columns.names} for row in tables.get(name, ())]
            opened[name] = backend.create_table(
                name, pa.Table.from_pylist(rows, columns.to_pyarrow())
            )
        return Source(backend, opened, {}, (), "test")

    return source


@pytest.fixture(scope="session")
def side_by_side() -> Callable[[Sequence[Mapping[str, Sequence[Row]]]], dict[str, list[Row]]]:
    """`side_by_side(worlds)`: one world in which each has accounts, people and groups of its own.

    A run of Spark costs the same for one small world as for ten. Ids of world 3 end in "/3".
    Solutions are those of the first.
    """

    def together(worlds: Sequence[Mapping[str, Sequence[Row]]]) -> dict[str, list[Row]]:
        rows: dict[str, list[Row]] = {name: [] for name in worlds[0]}
        for number, world in enumerate(worlds):
            for name in rows:
                rows[name] += [
                    {k: f"{v}/{number}" if k in OWN_IDS and v else v for k, v in row.items()}
                    for row in world[name]
                ]
        rows["solutions"] = list(worlds[0]["solutions"])
        return rows

    return together


@pytest.fixture(scope="session")
def of_time() -> ModuleType:
    """The edits, and the settings, of the tests of time on DuckDB."""
    path = Path(__file__).parents[1] / "features" / "time_rules" / "test_time.py"
    found = importlib.util.spec_from_file_location("edits_of_the_future", path)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module
