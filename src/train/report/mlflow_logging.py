"""A training in MLflow: one run, one bundle, one registered version. Only this module logs."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from ...contract import BadInput
from ...model.bundle import CATEGORICAL
from ...model.pyfunc import OUTPUT_COLUMNS
from ...model.registry import (
    BUNDLE_FOLDER,
    ChampionChange,
    connect_mlflow,
    has_champion,
    set_champion,
)
from ...support.progress import Progress, no_progress
from .run_folder import ARTIFACTS_FOLDER, CARD_FILE, EXAMPLE_FILE, RUN_FILE, RUN_FORMAT

EXPERIMENT_KIND, CLASSIC_LEARNING = "mlflow.experimentKind", "custom_model_development"
"""By this tag MLflow's pages show runs and models first, and not traces of language models."""


@dataclass(frozen=True)
class LoggedRun:
    """Where a training went; it has no version where there was no signal."""

    name: str
    run_id: str
    version: str | None
    champion: bool


def log_run_folder(
    folder: Path, move: ChampionChange, progress: Progress = no_progress
) -> LoggedRun:
    """Logs a training and registers its bundle; the first version becomes champion.

    Without signal the run is logged, and no version is registered.

    Args:
        folder: what `run_folder.write_run_folder` wrote.
        move: who makes the first version champion, and why.
        progress: called with a label and the share done.

    Raises:
        BadInput: the folder holds no training.
    """
    run = read_run_file(folder)
    mlflow = connect_mlflow()
    client = mlflow.MlflowClient()
    name = run["name"]
    if client.get_experiment_by_name(name) is None:
        client.create_experiment(name, **_artifact_location(mlflow))
    experiment = mlflow.set_experiment(name)
    client.set_experiment_tag(experiment.experiment_id, EXPERIMENT_KIND, CLASSIC_LEARNING)
    run_id = _create_run(client, experiment.experiment_id, run, move.at)
    with mlflow.start_run(run_id=run_id):
        mlflow.set_tags({**run["tags"], "mlflow.note.content": _description(run)})
        mlflow.log_params(run["parameters"])
        mlflow.log_metrics(run["metrics"])
        progress("MLflow", 0.2)
        _log_dataset(mlflow, run)
        mlflow.log_artifacts(str(folder / ARTIFACTS_FOLDER))
        progress("MLflow", 0.4)
        _log_nested_runs(mlflow, client, run)
        progress("MLflow", 0.6)
        version = _register_version(mlflow, client, run, folder, run_id) if run["signal"] else None
    is_first = version is not None and not has_champion(client, name)
    if is_first and version is not None:
        set_champion(client, name, version, move)
    progress("MLflow", 1.0)
    return LoggedRun(name, run_id, version, is_first)


def _create_run(client: Any, experiment_id: str, run: Mapping[str, Any], now: datetime) -> str:
    """A run that began when the training did, so that MLflow shows how long all of it took."""
    began = now.replace(tzinfo=UTC).timestamp() - run.get("seconds", 0.0)
    created = client.create_run(
        experiment_id, start_time=int(began * 1000), run_name=run.get("run_name")
    )
    return str(created.info.run_id)


def read_run_file(folder: Path) -> dict[str, Any]:
    """What `run_folder.write_run_folder` wrote of a run.

    Raises:
        BadInput: the folder holds no training, or one of another release.
    """
    try:
        run: dict[str, Any] = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
        if run["format"] != RUN_FORMAT:
            raise BadInput(
                f"{folder}: expected a training of format {RUN_FORMAT}, got {run['format']}; log "
                f"it with mqbg {run['package_version']}, or train again"
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(
            f"{folder}: expected a training that `mqbg train` kept ({RUN_FILE}, "
            f"{ARTIFACTS_FOLDER}), could not read it: {type(error).__name__}: {error}; "
            "name the folder that it printed"
        ) from None
    return run


def _description(run: Mapping[str, Any]) -> str:
    """What MLflow shows beside a run; a tag holds no whole model card."""
    return f"{run['tags']['verdict']}\n\nThe model card is the artifact {CARD_FILE}."


def _artifact_location(mlflow: Any) -> dict[str, str]:
    """Artifacts beside a local store's file; a server keeps them where it likes."""
    scheme, _, path = str(mlflow.get_tracking_uri()).partition(":///")
    if scheme != "sqlite":
        return {}
    return {"artifact_location": (Path(path).parent / "artifacts").resolve().as_uri()}


def _log_dataset(mlflow: Any, run: Mapping[str, Any]) -> None:
    """The tables as MLflow's data set of the run, by name and fingerprint; no row leaves them."""
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    source = CodeDatasetSource({"mqbg.data": run["data"]})
    tables = MetaDataset(
        source, name=run["data"], digest=run["fingerprint"], schema=_schema(run["columns"])
    )
    # MLflow keeps one context for a data set of a run: a second one would be dropped in silence.
    mlflow.log_input(tables, context="training and testing")


def _schema(columns: Mapping[str, str]) -> Any:
    from mlflow.types import ColSpec, Schema

    kinds = {name: "string" if kind == CATEGORICAL else "double" for name, kind in columns.items()}
    return Schema([ColSpec(kind, name) for name, kind in kinds.items()])


def _log_nested_runs(mlflow: Any, client: Any, run: Mapping[str, Any]) -> None:
    """A nested run for each fold, with its loss tree by tree, and for each trial of the tuning."""
    from mlflow.entities import Metric

    for fold in run["folds"]:
        with mlflow.start_run(run_name=f"fold {fold['fold'] + 1}", nested=True) as child:
            mlflow.set_tag("part", "fold")
            mlflow.log_params({key: fold[key] for key in ("rows", "conversions")})
            losses = [
                Metric("held_out_log_loss", loss, 0, int(trees))
                for trees, loss in fold["log_loss"].items()
            ]
            client.log_batch(child.info.run_id, metrics=losses)
    measured_keys = ("trial", "log_loss", "trees", "seconds")
    for trial in run["trials"]:
        with mlflow.start_run(run_name=f"trial {trial['trial']}", nested=True):
            mlflow.set_tag("part", "trial")
            chosen = {key: value for key, value in trial.items() if key not in measured_keys}
            mlflow.log_params({key: value for key, value in chosen.items() if value is not None})
            mlflow.log_metrics(
                {key: trial[key] for key in measured_keys[1:] if trial[key] is not None}
            )


def _register_version(
    mlflow: Any, client: Any, run: Mapping[str, Any], folder: Path, run_id: str
) -> str:
    """A loader module and plain files: no pickle anywhere, and nothing to run but the package."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    name = run["name"]
    outputs = Schema([ColSpec("double", output) for output in OUTPUT_COLUMNS])
    example = pq.read_table(folder / EXAMPLE_FILE).to_pandas()
    with warnings.catch_warnings():
        # MLflow compares column names with the numbers 0, 1, ...; pandas warns of it.
        warnings.simplefilter("ignore")
        model = mlflow.pyfunc.log_model(
            name="bundle",
            loader_module="mqbg.model.pyfunc",
            data_path=str(folder / BUNDLE_FOLDER),
            pip_requirements=[f"mqbg=={run['package_version']}"],
            signature=ModelSignature(inputs=_schema(run["columns"]), outputs=outputs),
            input_example=example,
        )
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    registered = client.create_model_version(
        name, model.model_uri, run_id, model_id=model.model_id,
        tags={key: run["tags"][key] for key in ("data", "data_fingerprint", "mqbg_version")},
        description=_description(run),
    )  # fmt: skip
    return str(registered.version)
