"""What later runs know of the queries of earlier ones."""

from __future__ import annotations

from datetime import datetime

import ibis
import pytest
from mqbg.features import feature_table
from mqbg.features.declare import catalogue as catalogue_module
from mqbg.features.declare.catalogue import build_catalogue
from mqbg.features.declare.vocabulary import find_vocabulary
from mqbg.features.engines import duckdb as duckdb_engine
from mqbg.features.engines.compiled_sql import load_columns, load_query, save_columns, save_query
from mqbg.features.engines.query_runner import CompiledCatalogues
from mqbg.support.disk_cache import CACHE_VARIABLE

AS_OF = datetime(2025, 6, 1)


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))


@pytest.fixture
def new_run(monkeypatch):
    """Forgets what this process knows, as a new one would not know it."""

    def forget() -> None:
        monkeypatch.setattr(duckdb_engine, "_compiled", CompiledCatalogues())

    forget()
    return forget


def test_a_query_and_its_columns_come_back_as_they_were():
    schema = ibis.schema({"a": "!int32", "b": "timestamp(6)", "c": "array<string>"})
    save_query("key", "SELECT 1", schema.to_pyarrow())
    assert load_query("key") == ("SELECT 1", schema.to_pyarrow())
    assert load_query("other") is None
    save_columns("key", schema)
    assert load_columns("key") == schema


@pytest.mark.slow
def test_a_second_run_compiles_no_query_and_gives_the_same_bits(
    open_tables, random_tables, new_run, monkeypatch
):
    rows = random_tables(3, AS_OF)

    def features(source, only=None):
        catalogue = build_catalogue(find_vocabulary(source, AS_OF))
        return feature_table(source, catalogue, [AS_OF], only=only)

    first_source = open_tables(rows)
    first, looked_up = features(first_source), features(first_source, ["g1", "g3"])
    new_run()
    source = open_tables(rows)

    def refuse(*_arguments):
        raise AssertionError("compiled again")

    monkeypatch.setattr(duckdb_engine, "save_query", refuse)
    monkeypatch.setattr(catalogue_module, "_columns_of_both_stages", refuse)
    assert features(source).equals(first)
    assert features(source, ["g1", "g3"]).equals(looked_up)
