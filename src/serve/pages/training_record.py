"""What the registry keeps of a version's training: figures, curves, and the versions beside it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from ...contract import BadInput
from ...model.registry import (
    RecordedChange,
    all_versions,
    champion_history,
    champion_version,
    find_version,
    open_existing_tracking_store,
    tracking_store_errors,
)

FRAME_FILES = {
    "figures": "figures.csv",
    "reliability": "plots/reliability.csv",
    "lift": "plots/lift.csv",
    "thresholds": "thresholds.csv",
}
MAX_VERSIONS, MAX_CHAMPION_CHANGES = 20, 20


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A registered version of the model."""

    number: str
    registered_at: datetime
    champion: bool
    scored: bool


@dataclass(frozen=True)
class TrainingRecord:
    """What is kept of a training; a frame that is not there is None.

    Attributes:
        figures: population, method, figure, value, low, high, rows, conversions, accounts.
        reliability: method, bin, predicted, observed, low, high, rows.
        lift: method, touched_per_snapshot, lift, recall.
        thresholds: readiness, and per_week, precision and recall each with `_low` and `_high`.
        versions: the latest first, the one that scored always among them.
        champion_changes: of the champion, the latest first.
    """

    figures: pd.DataFrame | None = None
    reliability: pd.DataFrame | None = None
    lift: pd.DataFrame | None = None
    thresholds: pd.DataFrame | None = None
    versions: tuple[ModelVersion, ...] = ()
    champion_changes: tuple[RecordedChange, ...] = ()


def training_record(name: str, version: str) -> TrainingRecord | None:
    """What the registry says of a version; None where it cannot be read.

    A report is not worth less for a store of trainings that is away, so its errors end here; the
    model's page says that its figures are missing.

    Args:
        name: of the registered model.
        version: its number.
    """
    try:
        with open_existing_tracking_store() as (mlflow, client):
            run_id = find_version(client, name, version).run_id
            return TrainingRecord(
                **{frame: _frame(mlflow, run_id, path) for frame, path in FRAME_FILES.items()},
                versions=_versions(client, name, version),
                champion_changes=tuple(reversed(champion_history(client, name)))[
                    :MAX_CHAMPION_CHANGES
                ],
            )
    except BadInput:
        return None


def _frame(mlflow: Any, run_id: str, path: str) -> pd.DataFrame | None:
    # Logged by an older release, or deleted: the page does without.
    missing_errors: tuple[type[Exception], ...] = (*tracking_store_errors(mlflow), ValueError)
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = mlflow.artifacts.download_artifacts(
                run_id=run_id, artifact_path=path, dst_path=folder
            )
            return pd.read_csv(Path(found))
        except missing_errors:
            return None


def _versions(client: Any, name: str, scored: str) -> tuple[ModelVersion, ...]:
    champion = champion_version(client, name)
    records = all_versions(client, name)
    shown = [
        record
        for index, record in enumerate(records)
        if index < MAX_VERSIONS or str(record.version) in (champion, scored)
    ]
    return tuple(
        ModelVersion(
            str(record.version),
            datetime.fromtimestamp(record.creation_timestamp / 1000, UTC).replace(tzinfo=None),
            str(record.version) == champion,
            str(record.version) == scored,
        )
        for record in shown
    )
