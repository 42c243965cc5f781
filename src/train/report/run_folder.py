"""A training as a folder: the bundle, and everything that MLflow is to show of it.

Written before MLflow is asked for anything, so that a store that goes away costs nothing but time:
`tracking.log_folder` logs the folder now or later.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from ...model.bundle import CATEGORICAL, NUMERIC, save_bundle
from ...model.registry import BUNDLE_FOLDER
from ...settings import model_tree
from ..training import Trained
from .card_facts import card_facts
from .metrics import all_metrics, findings_tree, parameters, records, tags
from .mlflow_versions import FEATURES_FILE, FIGURES_FILE, ROWS_FILE
from .model_card import model_card
from .plots import plots

RUN_FILE, ARTIFACTS, EXAMPLE_FILE = "run.json", "artifacts", "example.parquet"
CARD_FILE = "model_card.md"
FORMAT = 1

TEST_COLUMNS = (
    "group_id", "account_id", "as_of", "converted", "seen", "completeness", "readiness",
)  # fmt: skip


def write_run(trained: Trained, folder: Path, data: str, package_version: str) -> None:
    """Writes a training into an existing, empty folder.

    A bundle without signal is not written: nothing shall be scored with it.

    Args:
        trained: what `training.train` gave.
        folder: to write into.
        data: name of the data source, for people.
        package_version: of mqbg.
    """
    artifacts = folder / ARTIFACTS
    artifacts.mkdir()
    signal = trained.judged.signal.found
    features = trained.bundle.catalogue.features
    tree = {
        "format": FORMAT,
        "name": trained.bundle.settings.model.registered_name,
        "package_version": package_version,
        "data": data,
        "fingerprint": trained.bundle.training.fingerprint,
        "signal": signal,
        "tags": tags(trained, data, package_version),
        "parameters": parameters(trained),
        "metrics": all_metrics(trained),
        "folds": _folds(trained),
        "trials": [] if trained.tuned is None else records(trained.tuned.trials),
        "columns": {f.name: CATEGORICAL if f.categorical else NUMERIC for f in features},
    }
    _write_json(tree, folder / RUN_FILE)
    _write_frames(trained, artifacts)
    _write_trees(trained, artifacts)
    card = model_card(card_facts(trained, data, package_version))
    (artifacts / CARD_FILE).write_text(card, encoding="utf-8")
    _write_plots(trained, artifacts)
    pq.write_table(trained.example, folder / EXAMPLE_FILE)
    if signal:
        (folder / BUNDLE_FOLDER).mkdir()
        save_bundle(trained.bundle, folder / BUNDLE_FOLDER)


def _folds(trained: Trained) -> list[dict[str, Any]]:
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


def _write_json(tree: Any, path: Path) -> None:
    text = json.dumps(tree, ensure_ascii=False, indent=1, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _write_frames(trained: Trained, folder: Path) -> None:
    judged = trained.judged
    frames = {
        FIGURES_FILE: judged.figures,
        "differences.csv": judged.differences,
        "segments.csv": judged.segments,
        "months.csv": judged.months,
        "thresholds.csv": judged.curve,
        "horizons.csv": judged.horizons,
    }
    for name, frame in frames.items():
        if len(frame):
            frame.to_csv(folder / name, index=False)
    judged.rows[list(TEST_COLUMNS)].to_parquet(folder / ROWS_FILE, index=False)


def _write_trees(trained: Trained, folder: Path) -> None:
    features = [
        {"name": f.name, "theme": f.theme, "unit": f.unit, "words": f.describe("en")}
        for f in trained.bundle.catalogue.features
    ]
    _write_json({"features": features}, folder / FEATURES_FILE)
    _write_json(model_tree(trained.bundle.settings), folder / "settings.json")
    _write_json({"findings": findings_tree(trained.findings)}, folder / "probes.json")
    if trained.ablation is not None:
        _write_json({"themes": records(trained.ablation)}, folder / "ablation.json")


def _write_plots(trained: Trained, folder: Path) -> None:
    if trained.judged.rows["converted"].nunique() < 2:
        return  # no curve of one class says anything
    (folder / "plots").mkdir()
    for name, (figure, data) in plots(trained).items():
        figure.savefig(folder / "plots" / f"{name}.png", dpi=120, bbox_inches="tight")
        data.to_csv(folder / "plots" / f"{name}.csv", index=False)
