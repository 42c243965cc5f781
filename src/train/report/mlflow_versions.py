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

MODEL = "mqbg"  # the method of a run's figures that is the model itself
FIGURES_FILE, FEATURES_FILE, ROWS_FILE = "figures.csv", "features.json", "test_rows.parquet"
KEYS = ["group_id", "as_of"]
ROW_COLUMNS = [*KEYS, "account_id", "converted", "readiness"]
SHOWN_AT_ONCE = 10


@dataclass(frozen=True)
class Training:
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
    limit: int | None = SHOWN_AT_ONCE,
) -> list[Training]:
    """Versions and runs without one, the latest training first.

    Args:
        mlflow: the module, connected.
        client: of MLflow.
        name: of the registered model, and of the experiment of its runs.
        chosen: versions to read; all, and the runs beside them, if none is named.
        limit: at most so many, if none is named; the champion always is among them. None: all.

    Raises:
        BadInput: a chosen version does not exist.
    """
    champion = champion_version(client, name)
    if chosen:
        named = {str(found.version): found for found in _found(client, name, chosen)}
        records = [(found, _run(client, mlflow, found.run_id)) for found in named.values()]
    else:
        records = _all_records(mlflow, client, name)
    records.sort(key=_began, reverse=True)
    if not chosen and limit is not None:
        shown = records[:limit]
        late = [one for one in records[limit:] if one[0] and str(one[0].version) == champion]
        records = [*shown[: limit - len(late)], *late]
    return [_training(mlflow, client, found, run, champion) for found, run in records]


def read_training(mlflow: Any, client: Any, name: str, version: str) -> Training:
    """One version.

    Raises:
        BadInput: it does not exist.
    """
    return read_trainings(mlflow, client, name, [version])[0]


def _found(client: Any, name: str, chosen: Sequence[str]) -> list[Any]:
    return [find_version(client, name, version) for version in chosen]


def _all_records(mlflow: Any, client: Any, name: str) -> list[tuple[Any, Any]]:
    runs = {run.info.run_id: run for run in _runs(client, name)}
    versions = all_versions(client, name)
    registered = {found.run_id for found in versions}
    records = [
        (found, runs.get(found.run_id) or _run(client, mlflow, found.run_id)) for found in versions
    ]
    return [*records, *((None, run) for key, run in runs.items() if key not in registered)]


def _runs(client: Any, name: str) -> list[Any]:
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


def _run(client: Any, mlflow: Any, run_id: str | None) -> Any:
    """The run of a version; None where somebody has purged it, or registered a model without."""
    if not run_id:
        return None
    try:
        return client.get_run(run_id)
    except mlflow.exceptions.MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def _began(record: tuple[Any, Any]) -> tuple[int, int]:
    found, run = record
    number = 0 if found is None else int(found.version)
    return int(found.creation_timestamp if run is None else run.info.start_time), number


def _training(mlflow: Any, client: Any, found: Any, run: Any, champion: str | None) -> Training:
    version = None if found is None else str(found.version)
    run_id = str(found.run_id or "") if run is None else str(run.info.run_id)
    began = datetime.fromtimestamp(_began((found, run))[0] / 1000, UTC)
    is_champion = version is not None and version == champion
    if run is None:
        return Training(run_id, version, is_champion, began)
    return Training(
        run_id=run_id,
        version=version,
        champion=is_champion,
        trained_at=began,
        parameters=dict(run.data.params),
        tags=dict(run.data.tags),
        figures=_figures(_artifact(mlflow, client, run_id, FIGURES_FILE)),
        features=_features(_artifact(mlflow, client, run_id, FEATURES_FILE)),
    )


def _artifact(mlflow: Any, client: Any, run_id: str, name: str) -> bytes | None:
    if not any(entry.path == name for entry in client.list_artifacts(run_id)):
        return None
    with tempfile.TemporaryDirectory() as scratch:
        path = mlflow.artifacts.download_artifacts(
            run_id=run_id, artifact_path=name, dst_path=scratch
        )
        return Path(path).read_bytes()


def _figures(content: bytes | None) -> pd.DataFrame:
    """The model's figures on all accounts, by name; empty where the file is not what it was."""
    try:
        frame = pd.read_csv(pa.BufferReader(content or b""))
        ours = frame[frame["population"].eq(POPULATIONS[0]) & frame["method"].eq(MODEL)]
        kept = ["value", "low", "high", "rows", "conversions", "accounts"]
        return ours.set_index("figure")[kept].astype(float)
    except (KeyError, ValueError):
        return pd.DataFrame()


def _features(content: bytes | None) -> tuple[str, ...]:
    try:
        return tuple(str(one["name"]) for one in json.loads(content or b"")["features"])
    except (KeyError, TypeError, ValueError):
        return ()


def read_rows(mlflow: Any, client: Any, training: Training) -> pd.DataFrame | None:
    """The test rows of a training: group_id, as_of, account_id, converted, readiness.

    None if it has none that can be read: mqbg logs them since 0.2, and a file may be damaged.
    """
    if not training.run_id:
        return None
    content = _artifact(mlflow, client, training.run_id, ROWS_FILE)
    try:
        rows = pq.read_table(pa.BufferReader(content or b""), columns=ROW_COLUMNS).to_pandas()
        as_of = pd.to_datetime(rows["as_of"], utc=True).dt.tz_localize(None)
        rows = rows.assign(as_of=as_of.astype("datetime64[us]"))
        whole = (
            not rows.isna().any().any()
            and rows["converted"].dtype == np.bool_
            and rows["readiness"].between(0, 1).all()
            and not rows.duplicated(KEYS).any()
        )
    except (pa.ArrowException, KeyError, TypeError, ValueError):
        return None
    return rows if whole else None


def reference_of(trainings: Sequence[Training], first_named: str | None) -> Training:
    """What the others are held against: the first named, else the champion, else the latest.

    Raises:
        BadInput: there is no training.
    """
    if not trainings:
        raise BadInput("compare: expected trainings in MLflow, found none; run `mqbg train` first")
    wanted = [one for one in trainings if one.version == first_named and first_named is not None]
    return next(iter([*wanted, *(one for one in trainings if one.champion), trainings[0]]))
