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
    Recorded,
    all_versions,
    champion_of,
    existing_store,
    find_version,
    history,
    store_errors,
)

FRAMES = {
    "figures": "figures.csv",
    "reliability": "plots/reliability.csv",
    "lift": "plots/lift.csv",
    "thresholds": "thresholds.csv",
}
MAX_VERSIONS, MAX_MOVES = 20, 20


@dataclass(frozen=True, slots=True)
class Version:
    """A registered version of the model."""

    number: str
    registered_at: datetime
    champion: bool
    scored: bool


@dataclass(frozen=True)
class Record:
    """What is kept of a training; a frame that is not there is None.

    Attributes:
        figures: population, method, figure, value, low, high, rows, conversions, accounts.
        reliability: method, bin, predicted, observed, low, high, rows.
        lift: method, touched_per_snapshot, lift, recall.
        thresholds: readiness, and per_week, precision and recall each with `_low` and `_high`.
        versions: the latest first, the one that scored always among them.
        moves: of the champion, the latest first.
    """

    figures: pd.DataFrame | None = None
    reliability: pd.DataFrame | None = None
    lift: pd.DataFrame | None = None
    thresholds: pd.DataFrame | None = None
    versions: tuple[Version, ...] = ()
    moves: tuple[Recorded, ...] = ()


def training_record(name: str, version: str) -> Record | None:
    """What the registry says of a version; None where it cannot be read.

    A report is not worth less for a store of trainings that is away, so its errors end here; the
    model's page says that its figures are missing.

    Args:
        name: of the registered model.
        version: its number.
    """
    try:
        with existing_store() as (mlflow, client):
            run_id = find_version(client, name, version).run_id
            return Record(
                **{frame: _frame(mlflow, run_id, path) for frame, path in FRAMES.items()},
                versions=_versions(client, name, version),
                moves=tuple(reversed(history(client, name)))[:MAX_MOVES],
            )
    except BadInput:
        return None


def _frame(mlflow: Any, run_id: str, path: str) -> pd.DataFrame | None:
    # Logged by an older release, or deleted: the page does without.
    gone: tuple[type[Exception], ...] = (*store_errors(mlflow), ValueError)
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = mlflow.artifacts.download_artifacts(
                run_id=run_id, artifact_path=path, dst_path=folder
            )
            return pd.read_csv(Path(found))
        except gone:
            return None


def _versions(client: Any, name: str, scored: str) -> tuple[Version, ...]:
    champion = champion_of(client, name)
    records = all_versions(client, name)
    shown = [
        record
        for place, record in enumerate(records)
        if place < MAX_VERSIONS or str(record.version) in (champion, scored)
    ]
    return tuple(
        Version(
            str(record.version),
            datetime.fromtimestamp(record.creation_timestamp / 1000, UTC).replace(tzinfo=None),
            str(record.version) == champion,
            str(record.version) == scored,
        )
        for record in shown
    )
