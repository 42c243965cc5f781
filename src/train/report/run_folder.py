"""A training as a folder: the bundle, and everything that MLflow is to show of it.

Written before MLflow is asked for anything, so that a store that goes away costs nothing but time:
`mlflow_logging.log_run_folder` logs the folder now or later.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from ...model.bundle import CATEGORICAL, NUMERIC
from ...model.bundle_files import save_bundle
from ...model.registry import BUNDLE_FOLDER
from ...settings import model_settings_values
from ..training import TrainingResult
from .card_facts import card_facts
from .metrics import (
    findings_json,
    headline_metrics,
    json_records,
    run_metrics,
    run_name,
    run_parameters,
    run_tags,
)
from .mlflow_versions import FEATURES_FILE, FIGURES_FILE, ROWS_FILE
from .model_card import render_model_card
from .plot_fonts import fonts_for_names
from .plots import draw_plots

RUN_FILE, ARTIFACTS_FOLDER, EXAMPLE_FILE = "run.json", "artifacts", "example.parquet"
CARD_FILE, METRICS_FILE = "model_card.md", "metrics.csv"
RUN_FORMAT = 1

TEST_COLUMNS = (
    "group_id", "account_id", "as_of", "converted", "seen", "completeness", "readiness",
)  # fmt: skip


def write_run_folder(
    trained: TrainingResult,
    folder: Path,
    data: str,
    package_version: str,
    seconds: float = 0.0,
) -> None:
    """Writes a training into an existing, empty folder.

    A bundle without signal is not written: nothing shall be scored with it.

    Args:
        trained: what `training.train` gave.
        folder: to write into.
        data: name of the data source, for people.
        package_version: of mqbg.
        seconds: that the training took, from reading the tables on.
    """
    artifacts = folder / ARTIFACTS_FOLDER
    artifacts.mkdir()
    signal = trained.evaluation.signal.found
    features = trained.bundle.catalogue.features
    metrics = run_metrics(trained)
    run = {
        "format": RUN_FORMAT,
        "name": trained.bundle.settings.model.registered_name,
        "run_name": run_name(trained, data),
        "seconds": seconds,
        "package_version": package_version,
        "data": data,
        "fingerprint": trained.bundle.training.fingerprint,
        "signal": signal,
        "tags": run_tags(trained, data, package_version),
        "parameters": run_parameters(trained),
        "metrics": headline_metrics(metrics),
        "folds": _fold_losses(trained),
        "trials": [] if trained.tuned is None else json_records(trained.tuned.trials),
        "columns": {f.name: CATEGORICAL if f.categorical else NUMERIC for f in features},
    }
    _write_json(run, folder / RUN_FILE)
    _write_frames(trained, artifacts)
    every_metric = pd.DataFrame({"metric": list(metrics), "value": list(metrics.values())})
    every_metric.to_csv(artifacts / METRICS_FILE, index=False)
    _write_json_files(trained, artifacts)
    card = render_model_card(card_facts(trained, data, package_version))
    (artifacts / CARD_FILE).write_text(card, encoding="utf-8")
    _write_plots(trained, artifacts)
    pq.write_table(trained.input_example, folder / EXAMPLE_FILE)
    if signal:
        (folder / BUNDLE_FOLDER).mkdir()
        save_bundle(trained.bundle, folder / BUNDLE_FOLDER)


def _fold_losses(trained: TrainingResult) -> list[dict[str, Any]]:
    """Of each fold its sizes, and its held-out loss with as many trees as were kept."""
    fitted = trained.learned.fitted_trees
    if fitted is None:
        return []
    return [
        {
            "fold": int(str(fold)),
            "rows": int(part["rows"].iloc[0]),
            "conversions": int(part["conversions"].iloc[0]),
            "log_loss": {
                str(trees): loss
                for trees, loss in zip(part["trees"], part["log_loss"], strict=True)
            },
        }
        for fold, part in fitted.learning_curve.groupby("fold")
    ]


def _write_json(value: Any, path: Path) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _write_frames(trained: TrainingResult, folder: Path) -> None:
    evaluation = trained.evaluation
    frames = {
        FIGURES_FILE: evaluation.figures,
        "differences.csv": evaluation.differences,
        "segments.csv": evaluation.segments,
        "months.csv": evaluation.months,
        "thresholds.csv": evaluation.threshold_curve,
        "horizons.csv": evaluation.horizons,
    }
    for name, frame in frames.items():
        if len(frame):
            frame.to_csv(folder / name, index=False)
    evaluation.rows[list(TEST_COLUMNS)].to_parquet(folder / ROWS_FILE, index=False)


def _write_json_files(trained: TrainingResult, folder: Path) -> None:
    features = [
        {"name": f.name, "theme": f.theme, "unit": f.unit, "words": f.describe("en")}
        for f in trained.bundle.catalogue.features
    ]
    _write_json({"features": features}, folder / FEATURES_FILE)
    _write_json(model_settings_values(trained.bundle.settings), folder / "settings.json")
    _write_json({"findings": findings_json(trained.findings)}, folder / "probes.json")
    if trained.ablation is not None:
        _write_json({"themes": json_records(trained.ablation)}, folder / "ablation.json")


def _write_plots(trained: TrainingResult, folder: Path) -> None:
    if trained.evaluation.rows["converted"].nunique() < 2:
        return  # no curve of one class says anything
    (folder / "plots").mkdir()
    with fonts_for_names():
        for name, (figure, data) in draw_plots(trained).items():
            figure.savefig(folder / "plots" / f"{name}.png", dpi=120, bbox_inches="tight")
            data.to_csv(folder / "plots" / f"{name}.csv", index=False)
