"""Queries whose text an earlier run compiled."""

from __future__ import annotations

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mqbg.source import check_source, open_source
from mqbg.source.compiled_queries import fetch_count, fetch_rows
from mqbg.support.disk_cache import CACHE_VARIABLE


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))


@pytest.fixture
def backend():
    backend = ibis.duckdb.connect()
    backend.create_table("numbers", pa.table({"n": [1, 2, None], "name": ["a", "b", "c"]}))
    return backend


def refuse():
    raise AssertionError("built again")


def test_a_query_that_was_asked_before_is_not_built_again(backend):
    first = fetch_rows(backend, "all", lambda: backend.table("numbers"))
    assert first == [{"n": 1, "name": "a"}, {"n": 2, "name": "b"}, {"n": None, "name": "c"}]
    assert fetch_rows(backend, "all", refuse) == first


def test_a_count_is_another_query_than_its_rows(backend):
    assert fetch_count(backend, "all", lambda: backend.table("numbers")) == 3
    assert len(fetch_rows(backend, "all", lambda: backend.table("numbers"))) == 3
    assert fetch_count(backend, "all", refuse) == 3


@pytest.mark.slow
def test_a_second_check_reports_what_the_first_did(
    simulated, parquet_tables, tmp_path, monkeypatch
):
    """Also of data that breaks rules, which the first run did not."""
    sound, broken = simulated(200, 13), tmp_path / "broken"
    broken.mkdir()
    for name, table in parquet_tables(sound).items():
        if name == "members":
            table = table.set_column(1, "contact_id", pa.array(["nobody"] * table.num_rows))
        pq.write_table(table, broken / f"{name}.parquet")

    def report(folder):
        with open_source(folder, strict=False) as source:
            return check_source(source)

    first, of_broken = report(sound), report(broken)
    monkeypatch.setenv(CACHE_VARIABLE, "")
    assert report(broken) == of_broken
    assert of_broken.problems
    assert report(sound) == first
    assert not first.problems


def test_queries_of_tables_with_other_columns_have_other_keys(simulated, parquet_tables, tmp_path):
    (tmp_path / "few").mkdir()
    for name, table in parquet_tables(simulated(200, 13)).items():
        if name == "members":
            table = table.drop_columns(["probability"])
        pq.write_table(table, tmp_path / "few" / f"{name}.parquet")
    with (
        open_source(simulated(200, 13)) as whole,
        open_source(tmp_path / "few") as few,
    ):
        assert whole.staged["members"].shape != few.staged["members"].shape
        assert whole.staged["accounts"].shape == few.staged["accounts"].shape
        assert not check_source(whole).problems
        assert not check_source(few).problems
