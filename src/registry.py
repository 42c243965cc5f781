"""Bundles in the MLflow model registry: the one place that knows where they are kept."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .bundle import Bundle, load
from .contract import BadInput

CHAMPION = "champion"
LATEST = "latest"
DEFAULT_STORE = Path("mlruns") / "mlflow.db"
BUNDLE_FOLDER = "bundle"


@dataclass(frozen=True)
class Registered:
    """A bundle and the version it is registered under."""

    bundle: Bundle
    name: str
    version: str
    run_id: str


def connect() -> Any:
    """The mlflow module, pointed at `MLFLOW_TRACKING_URI` or at `mlruns/mlflow.db` here.

    Telemetry stays off unless the environment turns it on: a scoring job tells nobody that it ran.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow  # takes seconds, which `mqbg check` should not pay

    for noisy in ("mlflow", "alembic"):  # importing it sets levels of its own
        logging.getLogger(noisy).setLevel(logging.WARNING)
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        DEFAULT_STORE.parent.mkdir(parents=True, exist_ok=True)
        mlflow.set_tracking_uri(f"sqlite:///{DEFAULT_STORE}")
    return mlflow


def load_registered(name: str, version: str = CHAMPION) -> Registered:
    """A registered bundle.

    Args:
        name: of the registered model.
        version: a number, `latest`, or an alias such as `champion`.

    Raises:
        BadInput: there is no such model or version, or it cannot be read.
    """
    if not os.environ.get("MLFLOW_TRACKING_URI") and not DEFAULT_STORE.exists():
        raise BadInput(_absent(name, version, f"there is no {DEFAULT_STORE} in this folder"))
    mlflow = connect()
    client = mlflow.MlflowClient()
    try:
        found = _find(client, name, version)
        folder = mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{name}/{found.version}")
    except mlflow.exceptions.MlflowException as error:
        raise BadInput(_absent(name, version, str(error).split("\n", 1)[0])) from None
    bundle = load(Path(folder) / "data" / BUNDLE_FOLDER)
    return Registered(bundle, name, str(found.version), found.run_id)


def _find(client: Any, name: str, version: str) -> Any:
    if version.isdecimal():
        return client.get_model_version(name, version)
    if version == LATEST:
        return latest(client, name)
    return client.get_model_version_by_alias(name, version)


def latest(client: Any, name: str) -> Any:
    """The version with the highest number.

    Raises:
        BadInput: the model has no version.
    """
    versions = client.search_model_versions(f"name = '{name}'")
    if not versions:
        raise BadInput(_absent(name, LATEST, "it has no version"))
    return max(versions, key=lambda one: int(one.version))


def champion_version(client: Any, mlflow: Any, name: str) -> str | None:
    """Number of the champion, None where there is none."""
    try:
        return str(client.get_model_version_by_alias(name, CHAMPION).version)
    except mlflow.exceptions.MlflowException:
        return None


def _absent(name: str, version: str, what: str) -> str:
    return (
        f"model: expected a registered model {name!r} with a version {version!r}, but {what}; "
        "run `mqbg train` first, or set MLFLOW_TRACKING_URI to the store that has it"
    )
