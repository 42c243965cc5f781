"""What every class that runs queries does alike: keep, fetch, let go, and compile once."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import ibis
import ibis.expr.operations as ops
import mqbg.features
import pyarrow as pa
import pytest
from mqbg.features.engines.arrow import ArrowEngine
from mqbg.features.engines.open_query_runner import open_query_runner
from mqbg.features.engines.python import PythonEngine
from mqbg.features.engines.query_runner import MAX_CACHED_CATALOGUES
from mqbg.support.disk_cache import CACHE_VARIABLE

AS_OF = datetime(2024, 6, 1)
ROWS = pa.table(
    {
        "key": ["a", "b", "c"],
        "at": pa.array([AS_OF - timedelta(days=days) for days in (9, 4, 1)], pa.timestamp("us")),
    }
)


def duckdb_backend():
    backend = ibis.duckdb.connect(threads=1)
    return backend, backend.create_table("given", ROWS)


def python_backend(engine=None):
    engine = engine or PythonEngine()
    engine.tables["given"] = engine.rows_of(ROWS)
    columns = ibis.Schema.from_pyarrow(ROWS.schema)
    return engine, ops.DatabaseTable("given", columns, engine).to_expr()


def arrow_backend():
    return python_backend(ArrowEngine())


@pytest.fixture(
    params=[duckdb_backend, python_backend, arrow_backend], ids=["duckdb", "python", "arrow"]
)
def opened(request):
    backend, given = request.param()
    yield backend, given
    if not isinstance(backend, PythonEngine):
        backend.disconnect()


def names_in(backend):
    """Tables that the engine holds for queries."""
    if isinstance(backend, PythonEngine):
        names = list(backend.tables)
    else:
        rows = backend.con.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        names = [name for (name,) in rows]
    return {name for name in names if name.startswith("mqbg")}


def keys(rows):
    return sorted(rows["key"].to_pylist())


def before(given, runner, as_of):
    instant = runner.set_as_of(as_of)
    return lambda: given.filter(given.at < instant)


def test_what_is_kept_is_read_by_later_queries(opened):
    backend, given = opened
    runner = open_query_runner(backend, "kept")
    kept = runner.materialize("old", before(given, runner, AS_OF - timedelta(days=3)))
    loaded = runner.load_rows("asked", pa.table({"key": ["b", "c"]}))
    for fetch in (runner.fetch, runner.fetch_small):
        assert keys(fetch(fetch.__name__, lambda: kept.semi_join(loaded, "key"))) == ["b"]


def test_rows_come_in_the_types_of_the_query(opened):
    backend, given = opened
    runner = open_query_runner(backend, "types")
    wanted = given.select("key", "at", one=ibis.literal(1, "int8")).schema().to_pyarrow()
    for fetch in (runner.fetch, runner.fetch_small):
        build = lambda: given.select("key", "at", one=ibis.literal(1, "int8"))  # noqa: E731
        assert fetch(fetch.__name__, build).schema == wanted


def test_a_compiled_query_reads_the_cutoff_of_its_run(opened):
    backend, given = opened
    built = []
    for days in (0, 3, 7):
        runner = open_query_runner(backend, "cut-off")
        build = before(given, runner, AS_OF - timedelta(days=days))
        rows = runner.fetch("past", lambda build=build: built.append(1) or build())
        assert keys(rows) == [key for key, age in zip("abc", (9, 4, 1), strict=True) if age > days]
    assert len(built) == 1


def test_after_enough_other_keys_a_query_is_built_again(opened, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, "")  # what is kept on disk is not built again
    backend, given = opened
    built = []

    def ask(key):
        open_query_runner(backend, key).fetch("all", lambda: built.append(key) or given)

    for number in range(MAX_CACHED_CATALOGUES):
        ask(f"key {number}")
    ask("key 0")
    ask("one more")
    ask("key 0")
    ask("key 1")
    assert [built.count(f"key {number}") for number in (0, 1)] == [1, 2]


@pytest.mark.parametrize("let_go", ["drop", "release"])
def test_nothing_is_left_of_a_run_that_let_go(opened, let_go):
    backend, given = opened
    runner = open_query_runner(backend, "gone", "at0_")
    runner.materialize("some", lambda: given)
    runner.load_rows("more", ROWS)
    assert names_in(backend) == {"mqbg_at0_some", "mqbg_at0_more"}
    runner.drop("some", "more") if let_go == "drop" else runner.release()
    assert names_in(backend) == set()


def test_two_runs_with_prefixes_of_their_own_do_not_meet(opened):
    backend, given = opened
    outer, inner = (open_query_runner(backend, "nested", prefix) for prefix in ("at0_", "at1_"))
    kept = outer.materialize("rows", lambda: given)
    inner.materialize("rows", lambda: given.filter(given.key == "a"))
    inner.release()
    assert keys(outer.fetch("read", lambda: kept)) == ["a", "b", "c"]


def test_duckdb_plans_with_all_its_rules_again_after_a_lookup():
    backend, _given = duckdb_backend()

    def skipped():
        query = "SELECT current_setting('disabled_optimizers')"
        return backend.con.execute(query).fetchall()

    before_it = skipped()
    with open_query_runner(backend, "rules").lookup():
        assert skipped() != before_it
    assert skipped() == before_it
    backend.disconnect()


def test_a_backend_that_no_class_is_for_is_refused_by_name():
    known = "duckdb or pyspark or python or arrow"
    with pytest.raises(ValueError, match=f"expected a backend {known}, got 'x'"):
        open_query_runner(SimpleNamespace(name="x"), "key")


def test_what_differs_between_engines_is_asked_in_their_classes_alone():
    folder = Path(mqbg.__file__).parent / "features"
    asking = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.py")
        if re.search(r"backend\.name|\b(DUCKDB|PYTHON|ARROW)\b", path.read_text(encoding="utf-8"))
    }
    assert asking == {
        "engines/open_query_runner.py", "engines/python/__init__.py", "engines/python/engine.py",
        "engines/arrow/__init__.py", "engines/arrow/engine.py",
    }  # fmt: skip
