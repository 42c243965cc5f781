"""What is read without MLflow is what MLflow says; a real registry is the oracle."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import mlflow
import pytest
from mqbg.model.local_registry import BUNDLE_PATH, find_local_version

NAME = "mqbg"


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """A registry with three versions, the first two with a folder of their own."""
    folder = tmp_path_factory.mktemp("registry")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
    client.create_registered_model(NAME)
    for number in (1, 2, 3):
        source = folder / f"model {number}"
        if number < 3:
            (source / BUNDLE_PATH).mkdir(parents=True)
        run = client.create_run(client.create_experiment(f"e{number}"))
        client.create_model_version(NAME, source.as_uri(), run_id=run.info.run_id)
    client.set_registered_model_alias(NAME, "champion", "1")
    return client, uri, folder


def test_an_alias_and_a_number_name_the_version_that_mlflow_names(registry):
    client, uri, folder = registry
    known = client.get_model_version_by_alias(NAME, "champion")
    for version in ("champion", "1"):
        found = find_local_version(uri, NAME, version)
        assert (found.version, found.run_id) == (str(known.version), known.run_id)
        assert found.folder == folder / "model 1" / BUNDLE_PATH


def test_a_promotion_is_seen_at_the_next_look(registry):
    client, uri, _folder = registry
    client.set_registered_model_alias(NAME, "challenger", "1")
    assert find_local_version(uri, NAME, "challenger").version == "1"
    client.set_registered_model_alias(NAME, "challenger", "2")
    assert find_local_version(uri, NAME, "challenger").version == "2"


@pytest.mark.parametrize("version", ["3", "latest", "9", "nobody"])
def test_what_is_not_on_the_disk_or_not_registered_is_left_to_mlflow(registry, version):
    _client, uri, _folder = registry
    assert find_local_version(uri, NAME, version) is None


def test_a_deleted_version_is_none(registry):
    client, uri, folder = registry
    source = folder / "model 2"
    run_id = client.get_model_version(NAME, "2").run_id
    made = client.create_model_version(NAME, source.as_uri(), run_id=run_id)
    assert find_local_version(uri, NAME, str(made.version)) is not None
    client.delete_model_version(NAME, made.version)
    assert find_local_version(uri, NAME, str(made.version)) is None


@pytest.mark.parametrize("uri", ["http://127.0.0.1:1", "postgresql://h/db", "sqlite:///no.db"])
def test_another_registry_is_left_to_mlflow(uri, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_local_version(uri, NAME, "champion") is None
    assert not list(tmp_path.iterdir())


def test_a_database_of_another_kind_is_left_to_mlflow(tmp_path):
    file = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(file)) as store:
        store.execute("CREATE TABLE model_versions (name TEXT)")
    assert find_local_version(f"sqlite:///{file}", NAME, "1") is None
    Path(file).write_bytes(b"no database at all")
    assert find_local_version(f"sqlite:///{file}", NAME, "1") is None
