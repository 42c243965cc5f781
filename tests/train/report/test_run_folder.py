"""A training as a folder: everything that MLflow is to show, before MLflow is asked."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from mqbg.model.bundle_files import load_bundle
from mqbg.settings import settings_from_values
from mqbg.train.evaluate.signal import Signal
from mqbg.train.fit.trees import FOLDS
from mqbg.train.fit.tuning import TuningResult
from mqbg.train.report import run_folder
from mqbg.train.report.metrics import headline_metrics, run_metrics, training_json
from mqbg.train.report.run_folder import (
    ARTIFACTS_FOLDER,
    CARD_FILE,
    EXAMPLE_FILE,
    RUN_FILE,
    write_run_folder,
)


def written(trained, folder):
    folder.mkdir()
    write_run_folder(trained, folder, "world", "0.1")
    return folder


@pytest.fixture(scope="module")
def folder(with_signal, tmp_path_factory):
    return written(with_signal, tmp_path_factory.mktemp("run") / "kept")


@pytest.fixture(scope="module")
def run(folder):
    return json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))


def without_signal(trained):
    nothing = Signal(False, "No signal: the interval of the AUC covers 0.5.")
    return replace(trained, evaluation=replace(trained.evaluation, signal=nothing))


def test_the_bundle_in_the_folder_is_the_trained_one(with_signal, folder):
    loaded = load_bundle(folder / "bundle")
    assert loaded.trees == with_signal.bundle.trees
    assert loaded.thresholds == with_signal.bundle.thresholds


def test_without_signal_no_bundle_is_written_and_no_threshold_is_told(
    with_signal, tmp_path, monkeypatch
):
    monkeypatch.setattr(run_folder, "draw_plots", lambda _trained: {})
    nothing = without_signal(with_signal)
    kept = written(nothing, tmp_path / "kept")
    assert not (kept / "bundle").exists()
    assert json.loads((kept / RUN_FILE).read_text())["signal"] is False
    assert training_json(nothing)["threshold"] is None
    assert "qualifies from" not in (kept / ARTIFACTS_FOLDER / CARD_FILE).read_text(encoding="utf-8")


def test_the_card_says_what_the_test_says(with_signal, folder):
    card = (folder / ARTIFACTS_FOLDER / CARD_FILE).read_text(encoding="utf-8")
    assert with_signal.evaluation.verdict in card
    assert "world" in card
    assert with_signal.bundle.training.fingerprint in card
    assert "qualifies from" in card


def test_the_artifacts_are_the_frames_of_the_judgement(with_signal, folder):
    for name, frame in (
        ("figures", with_signal.evaluation.figures),
        ("differences", with_signal.evaluation.differences),
        ("segments", with_signal.evaluation.segments),
        ("months", with_signal.evaluation.months),
        ("thresholds", with_signal.evaluation.threshold_curve),
    ):
        kept = pd.read_csv(folder / ARTIFACTS_FOLDER / f"{name}.csv")
        assert list(kept.columns) == list(frame.columns)
        assert len(kept) == len(frame)
    rows = pd.read_parquet(folder / ARTIFACTS_FOLDER / "test_rows.parquet")
    assert rows["readiness"].tolist() == with_signal.evaluation.rows["readiness"].tolist()


def test_every_plot_has_its_data_beside_it(folder):
    plots = folder / ARTIFACTS_FOLDER / "plots"
    pictures = {path.stem for path in plots.glob("*.png")}
    assert pictures == {path.stem for path in plots.glob("*.csv")}
    assert {"reliability", "gains", "decision", "thresholds", "shap_beeswarm"} <= pictures
    assert all(len(pd.read_csv(path)) for path in plots.glob("*.csv"))


def test_the_settings_of_the_folder_are_those_of_the_training(with_signal, folder):
    tree = json.loads((folder / ARTIFACTS_FOLDER / "settings.json").read_text())
    assert settings_from_values(tree, "settings.json") == with_signal.bundle.settings


def test_metrics_are_finite_numbers(with_signal, run):
    assert run["metrics"] == headline_metrics(run_metrics(with_signal))
    assert all(isinstance(value, float) and np.isfinite(value) for value in run["metrics"].values())
    assert {"roc_auc", "roc_auc_low", "log_loss", "ece", "threshold"} <= set(run["metrics"])


def test_every_fold_has_its_loss_tree_by_tree(with_signal, run):
    learning = with_signal.learned.fitted_trees.learning_curve
    assert [fold["fold"] for fold in run["folds"]] == list(range(FOLDS))
    for fold in run["folds"]:
        part = learning[learning["fold"] == fold["fold"]]
        assert list(fold["log_loss"].values()) == part["log_loss"].tolist()
        assert [int(trees) for trees in fold["log_loss"]] == part["trees"].tolist()


def test_the_example_is_a_few_rows_of_the_catalogue_and_names_no_group(with_signal, folder):
    example = pq.read_table(folder / EXAMPLE_FILE)
    assert example.column_names == list(with_signal.bundle.catalogue.feature_names)
    assert example.num_rows == 5


@pytest.mark.slow
def test_trials_are_kept_with_what_was_chosen(with_signal, tmp_path):
    trials = pd.DataFrame(
        [
            {"trial": 0, "log_loss": 0.5, "trees": 50, "seconds": 1.0},
            {"trial": 1, "log_loss": 0.4, "trees": 25, "seconds": 2.0, "num_leaves": 9.0},
        ]
    )
    tuned = replace(with_signal, tuned=TuningResult({"num_leaves": 9}, 0.4, 0.5, trials))
    run = json.loads((written(tuned, tmp_path / "kept") / RUN_FILE).read_text())
    assert [trial["num_leaves"] for trial in run["trials"]] == [None, 9.0]
    assert training_json(tuned)["tuning"]["preset_log_loss"] == 0.5


def test_figures_of_a_training_are_strict_json(with_signal):
    tree = json.loads(json.dumps(training_json(with_signal), allow_nan=False))
    assert tree["verdict"] == with_signal.evaluation.verdict
    assert tree["threshold"]["policy"] == "capacity"
    assert tree["sample"] is None


def test_a_training_of_one_class_is_written_without_curves(
    made_snapshots, whole_training, tmp_path
):
    trained = whole_training(made_snapshots(groups=30, target_rate=0.0))
    kept = written(trained, tmp_path / "kept")
    assert not (kept / ARTIFACTS_FOLDER / "plots").exists()
    assert load_bundle(kept / "bundle").trees == ""
    run = json.loads((kept / RUN_FILE).read_text())
    assert run["folds"] == []
    assert run["parameters"]["trees_share"] == 0.0
    assert "rule score" in (kept / ARTIFACTS_FOLDER / CARD_FILE).read_text(encoding="utf-8")
