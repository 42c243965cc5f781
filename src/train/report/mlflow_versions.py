"""Trainings as MLflow keeps them: versions, runs without one, and what each says of itself."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ...contract import BadInput
from ...model.registry import all_versions, champion_version, find_version
from ..evaluate.comparison import POPULATIONS

MODEL_METHOD = "mqbg"  # the method of a run's figures that is the model itself
FIGURES_FILE, FEATURES_FILE, ROWS_FILE = "figures.csv", "features.json", "test_rows.parquet"
SNAPSHOT_KEYS = ["group_id", "as_of"]
TEST_ROW_COLUMNS = [*SNAPSHOT_KEYS, "account_id", "converted", "readiness"]
DEFAULT_LIMIT = 10


@dataclass(frozen=True)
class LoggedTraining:
    """One training in MLflow: a run, and the version that it is registered as.

    Attributes:
        run_id: of the run; it may have been deleted, then all but the version is empty.
        version: its number; None if the run was never registered.
        champion: whether it is the champion now.
        trained_at: when the run began, UTC.
        parameters: of the run.
        tags: of the run.
        figures: of the model on all accounts: per figure value, low, high, rows, conversions,
            accounts. Empty if the run has none.
        features: the names of those it reads.
    """

    run_id: str
    version: str | None
    champion: bool
    trained_at: datetime
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    figures: pd.DataFrame = field(default_factory=pd.DataFrame)
    features: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`version 3`, or `run 1a2b3c4d` where there is no version."""
        return f"run {self.run_id[:8]}" if self.version is None else f"version {self.version}"


def read_trainings(
    mlflow: Any,
    client: Any,
    name: str,
    chosen: Sequence[str] = (),
    *,
    limit: int | None = DEFAULT_LIMIT,
) -> list[LoggedTraining]:
    """Versions and runs without one, the latest training first.

    Args:
        mlflow: the module, connected.
        client: of MLflow.
        name: of the registered model, and of the experiment of its runs.
        chosen: versions to read; all, and the runs beside them, if none is named.
        limit: at most this many, if none is named; the champion always is among them. None: all.

    Raises:
        BadInput: a chosen version does not exist.
    """
    champion = champion_version(client, name)
    if chosen:
        named = {str(version.version): version for version in _find_versions(client, name, chosen)}
        records = [
            (version, _run_of_version(client, mlflow, version.run_id)) for version in named.values()
        ]
    else:
        records = _all_versions_and_runs(mlflow, client, name)
    records.sort(key=_started_at, reverse=True)
    if not chosen and limit is not None:
        shown = records[:limit]
        older_champion = [
            training
            for training in records[limit:]
            if training[0] and str(training[0].version) == champion
        ]
        records = [*shown[: limit - len(older_champion)], *older_champion]
    return [_read_training(mlflow, client, version, run, champion) for version, run in records]


def read_training(mlflow: Any, client: Any, name: str, version: str) -> LoggedTraining:
    """One version.

    Raises:
        BadInput: it does not exist.
    """
    return read_trainings(mlflow, client, name, [version])[0]


def _find_versions(client: Any, name: str, chosen: Sequence[str]) -> list[Any]:
    return [find_version(client, name, version) for version in chosen]


def _all_versions_and_runs(mlflow: Any, client: Any, name: str) -> list[tuple[Any, Any]]:
    runs = {run.info.run_id: run for run in _training_runs(client, name)}
    versions = all_versions(client, name)
    registered = {model_version.run_id for model_version in versions}
    records = [
        (
            model_version,
            runs.get(model_version.run_id) or _run_of_version(client, mlflow, model_version.run_id),
        )
        for model_version in versions
    ]
    return [*records, *((None, run) for key, run in runs.items() if key not in registered)]


def _training_runs(client: Any, name: str) -> list[Any]:
    """The runs of trainings that came to a verdict; folds and trials are their children."""
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        return []
    runs, token = [], None
    while True:
        page = client.search_runs(
            [experiment.experiment_id], "tags.verdict LIKE '%'", page_token=token
        )
        runs += [run for run in page if "mlflow.parentRunId" not in run.data.tags]
        token = page.token
        if not token:
            return runs


def _run_of_version(client: Any, mlflow: Any, run_id: str | None) -> Any:
    """The run of a version; None where somebody has purged it, or registered a model without."""
    if not run_id:
        return None
    try:
        return client.get_run(run_id)
    except mlflow.exceptions.MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def _started_at(record: tuple[Any, Any]) -> tuple[int, int]:
    model_version, run = record
    number = 0 if model_version is None else int(model_version.version)
    return int(model_version.creation_timestamp if run is None else run.info.start_time), number


def _read_training(
    mlflow: Any, client: Any, model_version: Any, run: Any, champion: str | None
) -> LoggedTraining:
    version = None if model_version is None else str(model_version.version)
    run_id = str(model_version.run_id or "") if run is None else str(run.info.run_id)
    started_at = datetime.fromtimestamp(_started_at((model_version, run))[0] / 1000, UTC)
    is_champion = version is not None and version == champion
    if run is None:
        return LoggedTraining(run_id, version, is_champion, started_at)
    return LoggedTraining(
        run_id=run_id,
        version=version,
        champion=is_champion,
        trained_at=started_at,
        parameters=dict(run.data.params),
        tags=dict(run.data.tags),
        figures=_parse_figures(_read_artifact(mlflow, client, run_id, FIGURES_FILE)),
        features=_parse_features(_read_artifact(mlflow, client, run_id, FEATURES_FILE)),
    )


def _read_artifact(mlflow: Any, client: Any, run_id: str, name: str) -> bytes | None:
    if not any(entry.path == name for entry in client.list_artifacts(run_id)):
        return None
    with tempfile.TemporaryDirectory() as scratch:
        path = mlflow.artifacts.download_artifacts(
            run_id=run_id, artifact_path=name, dst_path=scratch
        )
        return Path(path).read_bytes()


def _parse_figures(content: bytes | None) -> pd.DataFrame:
    """The model's figures on all accounts, by name; empty where the file is not what it was."""
    try:
        frame = pd.read_csv(pa.BufferReader(content or b""))
        ours = frame[frame["population"].eq(POPULATIONS[0]) & frame["method"].eq(MODEL_METHOD)]
        columns = ["value", "low", "high", "rows", "conversions", "accounts"]
        return ours.set_index("figure")[columns].astype(float)
    except (KeyError, ValueError):
        return pd.DataFrame()


def _parse_features(content: bytes | None) -> tuple[str, ...]:
    try:
        return tuple(str(feature["name"]) for feature in json.loads(content or b"")["features"])
    except (KeyError, TypeError, ValueError):
        return ()


def read_test_rows(mlflow: Any, client: Any, training: LoggedTraining) -> pd.DataFrame | None:
    """The test rows of a training: group_id, as_of, account_id, converted, readiness.

    None if it has none that can be read: mqbg logs them since 0.2, and a file may be damaged.
    """
    if not training.run_id:
        return None
    content = _read_artifact(mlflow, client, training.run_id, ROWS_FILE)
    try:
        rows = pq.read_table(pa.BufferReader(content or b""), columns=TEST_ROW_COLUMNS).to_pandas()
        as_of = pd.to_datetime(rows["as_of"], utc=True).dt.tz_localize(None)
        rows = rows.assign(as_of=as_of.astype("datetime64[us]"))
        is_valid = (
            not rows.isna().any().any()
            and rows["converted"].dtype == np.bool_
            and rows["readiness"].between(0, 1).all()
            and not rows.duplicated(SNAPSHOT_KEYS).any()
        )
    except (pa.ArrowException, KeyError, TypeError, ValueError):
        return None
    return rows if is_valid else None


def choose_reference(
    trainings: Sequence[LoggedTraining], first_named: str | None
) -> LoggedTraining:
    """What the others are held against: the first named, else the champion, else the latest.

    Raises:
        BadInput: there is no training.
    """
    if not trainings:
        raise BadInput("compare: expected trainings in MLflow, found none; run `mqbg train` first")
    named = [
        training
        for training in trainings
        if training.version == first_named and first_named is not None
    ]
    return next(
        iter([*named, *(training for training in trainings if training.champion), trainings[0]])
    )
