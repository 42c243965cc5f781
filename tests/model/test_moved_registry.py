"""A store that was moved or copied with its artifacts; MLflow itself is the oracle."""

from __future__ import annotations

import shutil
from pathlib import Path

import mlflow
import pytest
from mqbg.model.local_registry import BUNDLE_PATH, find_local_version
from mqbg.model.moved_registry import adopt_artifacts

NAME = "mqbg"


def uri_of(folder):
    return f"sqlite:///{folder / 'mlflow.db'}"


def client_of(folder):
    return mlflow.MlflowClient(tracking_uri=uri_of(folder), registry_uri=uri_of(folder))


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A store as `mqbg train` leaves it: one run, one version, artifacts beside the file."""
    folder = tmp_path_factory.mktemp("first") / "mlruns"
    folder.mkdir()
    client = client_of(folder)
    experiment = client.create_experiment(NAME, (folder / "artifacts").as_uri())
    run = client.create_run(experiment)
    client.log_text(run.info.run_id, "the card", "card.md")
    source = folder / "artifacts" / "models" / "m-1" / "artifacts"
    (source / BUNDLE_PATH).mkdir(parents=True)
    client.create_registered_model(NAME)
    client.create_model_version(NAME, source.as_uri(), run_id=run.info.run_id)
    return folder, run.info.run_id


@pytest.fixture
def copied(original, tmp_path):
    folder = tmp_path / "second" / "mlruns"
    shutil.copytree(original[0], folder)
    return folder


def test_a_bundle_is_found_beside_its_file_wherever_that_is(original, copied):
    for folder in (original[0], copied):
        found = find_local_version(uri_of(folder), NAME, "1")
        assert found.folder == folder / "artifacts" / "models" / "m-1" / "artifacts" / BUNDLE_PATH


def test_a_bundle_that_did_not_come_along_is_found_where_it_is_recorded(original, tmp_path):
    shutil.copy(original[0] / "mlflow.db", tmp_path)
    found = find_local_version(uri_of(tmp_path), NAME, "1")
    assert found.folder.is_relative_to(original[0])


def test_a_copy_reads_and_writes_beside_itself_alone(original, copied):
    before = {path: path.stat().st_mtime_ns for path in original[0].rglob("*")}
    adopt_artifacts(uri_of(copied))
    client = client_of(copied)
    assert client.get_run(original[1]).info.artifact_uri.startswith(copied.as_uri())
    run = client.create_run(client.get_experiment_by_name(NAME).experiment_id)
    client.log_text(run.info.run_id, "another", "card.md")
    assert list((copied / "artifacts").rglob(f"{run.info.run_id}/artifacts/card.md"))
    assert {path: path.stat().st_mtime_ns for path in original[0].rglob("*")} == before


def test_the_file_alone_writes_beside_itself_and_still_reads_the_original(original, tmp_path):
    shutil.copy(original[0] / "mlflow.db", tmp_path)
    adopt_artifacts(uri_of(tmp_path))
    client = client_of(tmp_path)
    experiment = client.get_experiment_by_name(NAME)
    assert experiment.artifact_location == (tmp_path / "artifacts").as_uri()
    assert client.get_run(original[1]).info.artifact_uri.startswith(original[0].as_uri())


@pytest.mark.slow
def test_a_store_at_its_place_and_a_place_that_was_chosen_stay(original, tmp_path):
    bytes_before = (original[0] / "mlflow.db").read_bytes()
    adopt_artifacts(uri_of(original[0]))
    assert (original[0] / "mlflow.db").read_bytes() == bytes_before
    chosen = tmp_path / "large disk" / "artifacts"
    chosen.mkdir(parents=True)
    client = client_of(tmp_path)
    client.create_experiment("chosen", chosen.as_uri())
    adopt_artifacts(uri_of(tmp_path))
    assert client.get_experiment_by_name("chosen").artifact_location == chosen.as_uri()


def test_what_is_no_store_of_mlflow_is_left_alone(tmp_path):
    (tmp_path / "mlflow.db").write_bytes(b"something else")
    for uri in (uri_of(tmp_path), uri_of(tmp_path / "none"), "https://mlflow.example"):
        adopt_artifacts(uri)
    assert Path(tmp_path / "mlflow.db").read_bytes() == b"something else"
