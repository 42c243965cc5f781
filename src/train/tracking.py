"""A training in MLflow: one run, one bundle, one registered version. Only this module logs."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ..bundle import save
from ..registry import BUNDLE_FOLDER, CHAMPION, connect, has_champion
from ..settings import settings_tree
from . import figures as drawings
from .evaluation import POPULATIONS, best_baselines
from .probes import Finding
from .training import MODEL, Trained

FIGURES_FILE = "figures.csv"
SHOWN_BASELINES = 2  # in the plots; all of them are in the figures


@dataclass(frozen=True)
class Logged:
    """Where a training went."""

    run_id: str
    version: str
    champion: bool


def log_run(trained: Trained, data: str, package_version: str) -> Logged:
    """Logs a training and registers its bundle; the first version becomes champion.

    Args:
        trained: what `training.train` gave.
        data: name of the data source, for people.
        package_version: of mqbg.
    """
    mlflow = connect()
    name = trained.bundle.settings.model.registered_name
    client = mlflow.MlflowClient()
    if client.get_experiment_by_name(name) is None:
        client.create_experiment(name, **_local_artifacts(mlflow))
    mlflow.set_experiment(name)
    with mlflow.start_run() as run, tempfile.TemporaryDirectory() as scratch:
        mlflow.set_tags(
            {
                "data": data,
                "data_fingerprint": trained.bundle.training.fingerprint,
                "mqbg_version": package_version,
                "verdict": trained.verdict,
                "leak_findings": len(trained.findings),
            }
        )
        mlflow.log_params(parameters(trained))
        mlflow.log_metrics(
            {
                **metrics(trained.figures),
                **ablation_metrics(trained.ablation),
                "leak_findings": len(trained.findings),
            }
        )
        _log_files(mlflow, trained, Path(scratch))
        folder = Path(scratch) / BUNDLE_FOLDER
        folder.mkdir()
        save(trained.bundle, folder)
        # A loader module and plain files: no pickle anywhere, and nothing to run but the package.
        model = mlflow.pyfunc.log_model(
            name="bundle",
            loader_module="mqbg.bundle",
            data_path=str(folder),
            pip_requirements=[f"mqbg=={package_version}"],
        )
        version = _register(client, name, model, run.info.run_id)
    first = not has_champion(client, name)
    if first:
        client.set_registered_model_alias(name, CHAMPION, version)
    return Logged(run.info.run_id, version, first)


def _local_artifacts(mlflow: Any) -> dict[str, str]:
    """Artifacts beside a local store's file; a server keeps them where it likes."""
    scheme, _, path = str(mlflow.get_tracking_uri()).partition(":///")
    if scheme != "sqlite":
        return {}
    return {"artifact_location": (Path(path).parent / "artifacts").resolve().as_uri()}


def _register(client: Any, name: str, model: Any, run_id: str) -> str:
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    version = client.create_model_version(
        name, model.model_uri, run_id, model_id=model.model_id
    ).version
    return str(version)


def parameters(trained: Trained) -> dict[str, Any]:
    """What was chosen: LightGBM's parameters, settings, split, sizes."""
    tree = settings_tree(trained.bundle.settings)
    # Kinds and roles are long and are in settings.json; a parameter holds one value.
    named = ("target", "snapshots", "thresholds", "model", "explain", "probe")
    sections = {key: tree[key] for key in named}
    flat = {
        f"{section}.{key}": value
        for section, keys in sections.items()
        for key, value in keys.items()
    }
    split, training = trained.split, trained.bundle.training
    return {
        **{f"lightgbm.{key}": value for key, value in trained.fitted.parameters.items()},
        **flat,
        "trees": trained.fitted.rounds,
        "features": len(trained.bundle.catalogue.names),
        "train_from": f"{split.train[0]:%Y-%m-%d}",
        "train_to": f"{split.train[-1]:%Y-%m-%d}",
        "test_from": f"{split.test_from:%Y-%m-%d}",
        "test_to": f"{split.test[-1]:%Y-%m-%d}",
        "train_rows": training.rows,
        "train_conversions": training.conversions,
        "threshold": trained.bundle.threshold.readiness,
    }


def metrics(figures: pd.DataFrame) -> dict[str, float]:
    """Every figure with its interval: `roc_auc`, `roc_auc_low`, `logistic regression/roc_auc`.

    The model's figures on all accounts have plain names; a baseline's begin with its name, those
    on unseen accounts end with it. Figures that could not be measured are left out.
    """
    found = {}
    for row in figures.to_dict(orient="records"):
        method = "" if row["method"] == MODEL else str(row["method"]) + "/"
        where = "" if row["population"] == POPULATIONS[0] else " unseen accounts"
        for part in ("value", "low", "high"):
            suffix = "" if part == "value" else f"_{part}"
            if math.isfinite(row[part]):
                found[f"{method}{row['figure']}{suffix}{where}"] = float(row[part])
    return found


def ablation_metrics(ablation: pd.DataFrame | None) -> dict[str, float]:
    """`ablation.roles.roc_auc_gain`, its `_low` and `_high`, and so on; what is no number is out.

    A theme is named in letters that every MLflow store takes: `sales touch` is `sales_touch`.
    """
    if ablation is None:
        return {}
    return {
        f"ablation.{_metric_name(row['theme'])}.{figure}": float(value)
        for row in ablation.to_dict(orient="records")
        for figure, value in row.items()
        if figure not in ("theme", "features") and math.isfinite(value)
    }


def _metric_name(theme: str) -> str:
    return theme.replace(" ", "_").replace("+", "_and_")


def findings_tree(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """What the leak probes found, ready for JSON."""
    return [asdict(finding) for finding in findings]


def figures_tree(trained: Trained) -> dict[str, Any]:
    """Every figure and what is needed to read it, ready for JSON; what is not a number is null."""
    return {
        "verdict": trained.verdict,
        "parameters": parameters(trained),
        "data_fingerprint": trained.bundle.training.fingerprint,
        "figures": _records(trained.figures),
        "differences": _records(trained.differences),
        "ablation": None if trained.ablation is None else _records(trained.ablation),
        "probes": findings_tree(trained.findings),
        "threshold": {
            "policy": trained.bundle.threshold.policy,
            "readiness": trained.bundle.threshold.readiness,
            "completeness": trained.bundle.threshold.completeness,
            "expected_per_week": trained.bundle.threshold.expected_per_week,
        },
    }


def _records(frame: pd.DataFrame) -> list[Mapping[Any, Any]]:
    return [
        {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in row.items()
        }
        for row in frame.to_dict(orient="records")
    ]


def _log_files(mlflow: Any, trained: Trained, scratch: Path) -> None:
    features = [
        {"name": f.name, "theme": f.theme, "unit": f.unit, "words": f.described("en")}
        for f in trained.bundle.catalogue.features
    ]
    mlflow.log_dict({"features": features}, "features.json")
    mlflow.log_dict(settings_tree(trained.bundle.settings), "settings.json")
    mlflow.log_text(trained.figures.to_csv(index=False), FIGURES_FILE)
    mlflow.log_text(trained.differences.to_csv(index=False), "differences.csv")
    mlflow.log_dict({"findings": findings_tree(trained.findings)}, "probes.json")
    if trained.ablation is not None:
        mlflow.log_dict({"themes": _records(trained.ablation)}, "ablation.json")
    if trained.rows["converted"].nunique() < 2:
        return  # no curve of one class says anything
    for name, (figure, data) in _plots(trained).items():
        path = scratch / f"{name}.png"
        figure.savefig(path, dpi=120)
        mlflow.log_artifact(str(path), "plots")
        mlflow.log_text(data.to_csv(index=False), f"plots/{name}.csv")


def _plots(trained: Trained) -> dict[str, tuple[Figure, pd.DataFrame]]:
    """Each picture and what it draws: the model and the baselines that come nearest."""
    shown = [MODEL, *best_baselines(trained.figures, model=MODEL, count=SHOWN_BASELINES)]
    chosen = {name: trained.probabilities[name] for name in shown}
    rows, touched = trained.rows, trained.touched_per_snapshot
    return {
        "reliability": (
            drawings.reliability(rows, chosen, model=MODEL),
            drawings.reliability_data(rows, chosen),
        ),
        "lift": (
            drawings.lift(rows, chosen, touched_per_snapshot=touched, model=MODEL),
            drawings.lift_data(rows, chosen),
        ),
        "precision_recall": (
            drawings.precision_recall(rows, chosen, model=MODEL),
            drawings.precision_recall_data(rows, chosen),
        ),
    }
