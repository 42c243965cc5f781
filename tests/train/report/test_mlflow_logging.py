"""One training in a real MLflow store: one run, one bundle, one version."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mqbg.contract import BadInput
from mqbg.model.bundle_files import load_bundle
from mqbg.model.registry import (
    BUNDLE_FOLDER,
    FIRST,
    ChampionChange,
    champion_history,
    champion_version,
    connect_mlflow,
)
from mqbg.train.evaluate.signal import Signal
from mqbg.train.fit.trees import FOLDS
from mqbg.train.fit.tuning import TuningResult
from mqbg.train.report import run_folder
from mqbg.train.report.metrics import MAX_HEADLINE_METRICS, run_metrics
from mqbg.train.report.mlflow_logging import log_run_folder, read_run_file
from mqbg.train.report.run_folder import ARTIFACTS_FOLDER, RUN_FILE, write_run_folder

SECONDS = 321.5
MOVE = ChampionChange(FIRST, "佐藤", datetime(2024, 5, 1), "the first version")
TRIALS = pd.DataFrame(
    [
        {"trial": 0, "log_loss": 0.5, "trees": 50, "seconds": 1.0},
        {"trial": 1, "log_loss": 0.4, "trees": 25, "seconds": 2.0, "num_leaves": 9.0},
    ]
)


def kept(trained, folder):
    folder.mkdir()
    write_run_folder(trained, folder, "data/world", "0.1", SECONDS)
    return folder


@pytest.fixture(scope="module")
def folder(with_signal, tmp_path_factory):
    tuned = replace(with_signal, tuned=TuningResult({"num_leaves": 9}, 0.4, 0.5, TRIALS))
    return kept(tuned, tmp_path_factory.mktemp("run") / "kept")


@pytest.fixture(scope="module")
def once_logged(empty_mlflow, folder, tmp_path_factory):
    """(address, what was logged) of a store with one training."""
    place = tmp_path_factory.mktemp("logged")
    shutil.copy(empty_mlflow, place / "mlflow.db")
    address = f"sqlite:///{place / 'mlflow.db'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", address)
        shares = []
        logged = log_run_folder(folder, MOVE, lambda _label, share: shares.append(share))
    assert shares == sorted(shares)
    return address, logged


@pytest.fixture
def store(once_logged, monkeypatch):
    """(client, what was logged) of the store with one training."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", once_logged[0])
    return connect_mlflow().MlflowClient(), once_logged[1]


@pytest.fixture
def fresh(empty_mlflow, tmp_path, monkeypatch):
    """A client of a store without a training."""
    shutil.copy(empty_mlflow, tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    return connect_mlflow().MlflowClient()


def children(store, part):
    client, logged = store
    run = client.get_run(logged.run_id)
    found = client.search_runs(
        [run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{logged.run_id}'"
    )
    ours = [child for child in found if child.data.tags["part"] == part]
    return sorted(ours, key=lambda child: child.info.run_name)


def test_the_first_version_is_champion_and_the_record_says_who_made_it(store):
    client, logged = store
    assert (logged.version, logged.champion) == ("1", True)
    assert champion_version(client, logged.name) == "1"
    [recorded] = champion_history(client, logged.name)
    assert (recorded.change.by, recorded.change.why) == ("佐藤", "the first version")


def test_the_run_holds_the_metrics_the_parameters_and_the_tags(store, folder):
    client, logged = store
    run, told = client.get_run(logged.run_id), read_run_file(folder)
    assert run.info.status == "FINISHED"
    assert set(run.data.metrics) == set(told["metrics"])
    assert run.data.metrics["roc_auc"] == told["metrics"]["roc_auc"]
    assert run.data.params == {key: str(value) for key, value in told["parameters"].items()}
    assert told["tags"].items() <= run.data.tags.items()


def test_the_run_is_found_by_data_and_day_and_began_when_the_training_did(store, with_signal):
    client, logged = store
    info = client.get_run(logged.run_id).info
    assert info.run_name == f"world {with_signal.bundle.training.last_as_of:%Y-%m-%d}"
    assert info.end_time - info.start_time >= SECONDS * 1000


def test_the_experiment_is_one_of_models_and_not_of_language_models(store):
    client, logged = store
    tags = client.get_experiment_by_name(logged.name).tags
    assert tags["mlflow.experimentKind"] == "custom_model_development"


def test_a_run_has_few_metrics_and_the_table_beside_it_has_all(store, folder, with_signal):
    client, logged = store
    shown = client.get_run(logged.run_id).data.metrics
    assert len(shown) <= MAX_HEADLINE_METRICS
    assert {"roc_auc", "roc_auc_low", "average_precision", "ece", "threshold"} <= set(shown)
    table = pd.read_csv(folder / ARTIFACTS_FOLDER / "metrics.csv").set_index("metric")["value"]
    everything = run_metrics(with_signal)
    assert dict(table) == pytest.approx(everything)
    assert shown.items() <= everything.items()


def test_every_fold_is_a_nested_run_with_its_loss_tree_by_tree(store, folder):
    client, _logged = store
    folds = children(store, "fold")
    assert [child.info.run_name for child in folds] == [f"fold {n + 1}" for n in range(FOLDS)]
    for child, fold in zip(folds, read_run_file(folder)["folds"], strict=True):
        told = client.get_metric_history(child.info.run_id, "held_out_log_loss")
        assert {str(one.step): one.value for one in told} == fold["log_loss"]


def test_every_trial_is_a_nested_run_with_what_it_chose(store):
    preset, other = children(store, "trial")
    assert preset.data.params == {}
    assert other.data.params == {"num_leaves": "9.0"}
    assert other.data.metrics == {"log_loss": 0.4, "trees": 25.0, "seconds": 2.0}


def test_the_tables_are_the_data_set_of_the_run(store, with_signal):
    client, logged = store
    [one] = client.get_run(logged.run_id).inputs.dataset_inputs
    assert [tag.value for tag in one.tags] == ["training and testing"]
    given = one.dataset
    assert (given.name, given.digest) == ("data/world", with_signal.bundle.training.fingerprint)
    columns = {one["name"] for one in json.loads(given.schema)["mlflow_colspec"]}
    assert columns == set(with_signal.bundle.catalogue.feature_names)


def test_the_card_and_the_figures_are_artifacts(store, folder):
    client, logged = store
    names = {artifact.path for artifact in client.list_artifacts(logged.run_id)}
    assert {path.name for path in (folder / ARTIFACTS_FOLDER).iterdir()} <= names
    assert {"model_card.md", "figures.csv", "test_rows.parquet", "plots"} <= names


def test_the_version_says_what_it_was_trained_on(store, with_signal):
    client, logged = store
    version = client.get_model_version(logged.name, "1")
    assert version.run_id == logged.run_id
    assert version.tags["data_fingerprint"] == with_signal.bundle.training.fingerprint
    assert with_signal.evaluation.verdict in version.description


def test_the_model_has_a_signature_and_an_example(store, with_signal):
    model = mlflow.models.get_model_info("models:/mqbg/1")
    names = [column.name for column in model.signature.inputs]
    assert names == list(with_signal.bundle.catalogue.feature_names)
    assert [column.name for column in model.signature.outputs] == ["log_odds", "readiness"]
    assert model.saved_input_example_info is not None


def test_mlflow_loads_the_model_and_gives_the_readiness_of_the_bundle(
    store, with_signal, made_snapshots
):
    features = made_snapshots(groups=20).features.select(with_signal.bundle.catalogue.feature_names)
    frame = features.to_pandas().astype(
        {f.name: float for f in with_signal.bundle.catalogue.features if not f.categorical}
    )
    served = mlflow.pyfunc.load_model("models:/mqbg/1").predict(frame)
    log_odds = with_signal.bundle.log_odds(features)
    np.testing.assert_array_equal(served["log_odds"], log_odds)
    np.testing.assert_array_equal(served["readiness"], with_signal.bundle.readiness(log_odds))


def test_no_pickle_is_stored_anywhere(store):
    client, logged = store
    source = client.get_model_version(logged.name, "1").source
    root = mlflow.artifacts.download_artifacts(artifact_uri=source)
    files = [path for path in Path(root).rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if path.suffix in (".pkl", ".pickle", ".joblib")]


def test_a_second_training_is_a_version_beside_the_champion(
    once_logged, folder, tmp_path, monkeypatch
):
    shutil.copy(once_logged[0].removeprefix("sqlite:///"), tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    second = log_run_folder(folder, MOVE)
    client = connect_mlflow().MlflowClient()
    assert (second.version, second.champion) == ("2", False)
    assert champion_version(client, second.name) == "1"
    assert len(champion_history(client, second.name)) == 1


def test_without_signal_the_run_is_logged_and_nothing_is_registered(
    fresh, with_signal, tmp_path, monkeypatch
):
    monkeypatch.setattr(run_folder, "draw_plots", lambda _trained: {})
    nothing = Signal(False, "No signal: the interval of the AUC covers 0.5.")
    judged = replace(with_signal.evaluation, signal=nothing)
    logged = log_run_folder(kept(replace(with_signal, evaluation=judged), tmp_path / "kept"), MOVE)
    assert (logged.version, logged.champion) == (None, False)
    assert fresh.get_run(logged.run_id).data.tags["signal"] == "none"
    assert not fresh.search_registered_models()


def test_what_is_logged_is_what_the_folder_holds(store, folder):
    _client, logged = store
    path = mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{logged.name}/1")
    assert load_bundle(Path(path) / "data" / BUNDLE_FOLDER) == load_bundle(folder / BUNDLE_FOLDER)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "a training that `mqbg train` kept"),
        ("{half", "could not read it"),
        ("[]", "could not read it"),
        ("{}", "could not read it"),
        ('{"format": 99, "package_version": "9.9"}', "log it with mqbg 9.9"),
    ],
    ids=["missing", "cut", "list", "empty", "newer"],
)
def test_a_folder_that_holds_no_training_is_refused(tmp_path, text, words):
    if text is not None:
        (tmp_path / RUN_FILE).write_text(text)
    with pytest.raises(BadInput) as caught:
        read_run_file(tmp_path)
    assert words in str(caught.value)
