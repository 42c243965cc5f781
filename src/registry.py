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
    # MLflow's own default waits for minutes before it says that nobody answers.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    import mlflow  # takes seconds, which `mqbg check` should not pay

    for noisy in ("mlflow", "alembic"):  # importing it sets levels of its own
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # we say ourselves who does not answer
    named = os.environ.get("MLFLOW_TRACKING_URI")
    if not named:
        DEFAULT_STORE.parent.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(named or f"sqlite:///{DEFAULT_STORE}")
    return mlflow


def require_store() -> None:
    """Asks a server one question, so that a long job does not end at a door that is shut.

    The default store is a file: it needs no question, and is not made before there is something
    to put into it.

    Raises:
        BadInput: the server does not answer.
    """
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        return
    mlflow = connect()
    try:
        mlflow.MlflowClient().search_experiments(max_results=1)
    except mlflow.exceptions.MlflowException as error:
        where = mlflow.get_tracking_uri()
        raise BadInput(
            f"MLflow: expected a store that answers at {where}, got: {_first_line(error)}; start "
            "it, or set MLFLOW_TRACKING_URI to another"
        ) from None


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0][:200]


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
        raise BadInput(_absent(name, version, _first_line(error))) from None
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


def has_champion(client: Any, name: str) -> bool:
    """Whether a registered model has a champion; an error of the store is no answer and flies."""
    return CHAMPION in client.get_registered_model(name).aliases


def _absent(name: str, version: str, what: str) -> str:
    return (
        f"model: expected a registered model {name!r} with a version {version!r}, but {what}; "
        "run `mqbg train` first, or set MLFLOW_TRACKING_URI to the store that has it"
    )
