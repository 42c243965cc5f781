"""Bundles in the MLflow model registry: where they are kept, which is champion, and since when."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..contract import BadInput
from .bundle import Bundle
from .bundle_files import load_bundle
from .local_registry import BUNDLE_PATH, LATEST, find_local_version
from .moved_registry import SQLITE, adopt_artifacts

CHAMPION = "champion"
DEFAULT_TRACKING_DB = Path("mlruns") / "mlflow.db"
BUNDLE_FOLDER = "bundle"

FIRST, PROMOTE, ROLLBACK = "first", "promote", "rollback"
CHAMPION_TAG_PREFIX = "mqbg.champion."
"""One tag of the registered model for each change: .0001, .0002, ..."""

MAX_NAME_LENGTH, MAX_REASON_LENGTH = 200, 2000  # characters; MLflow's stores hold 5,000 in a tag
MAX_TAG_LENGTH = 5000


@dataclass(frozen=True)
class RegisteredBundle:
    """A bundle and the version it is registered under."""

    bundle: Bundle
    name: str
    version: str
    run_id: str


@dataclass(frozen=True)
class ChampionChange:
    """Why a version becomes champion.

    Attributes:
        action: `first`, `promote` or `rollback`.
        by: who moves it.
        at: when; naive means UTC.
        why: in the words of who moves it; may be empty.
        forced: the gate was against it.
        figures: what the gate measured; values that JSON holds.

    Raises:
        BadInput: a text is too long to be kept.
    """

    action: str
    by: str
    at: datetime
    why: str = ""
    forced: bool = False
    figures: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require_length("--by", self.by, MAX_NAME_LENGTH)
        _require_length("--why", self.why, MAX_REASON_LENGTH)


@dataclass(frozen=True)
class RecordedChange:
    """A move as in the registry: from `previous` (None: from nothing) to `version`."""

    number: int
    change: ChampionChange
    version: str
    previous: str | None


def _require_length(option: str, text: str, max_length: int) -> None:
    if len(text) > max_length:
        raise BadInput(
            f"{option}: expected at most {max_length:,} characters, got {len(text):,}; shorten it"
        )


def connect_mlflow() -> Any:
    """The mlflow module, pointed at `MLFLOW_TRACKING_URI` or at `mlruns/mlflow.db` here.

    Telemetry stays off unless the environment turns it on: a scoring job tells nobody that it ran.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # MLflow's own default waits for minutes before it says that nobody answers.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow  # takes seconds, which `mqbg check` should not pay

    for logger_name in ("mlflow", "alembic"):  # importing it sets levels of its own
        logging.getLogger(logger_name).setLevel(logging.WARNING)
    # What went wrong is ours to say, in a sentence: these two print it too, one with a traceback.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    chosen = os.environ.get("MLFLOW_TRACKING_URI")
    if not chosen:
        DEFAULT_TRACKING_DB.parent.mkdir(parents=True, exist_ok=True)
    adopt_artifacts(_tracking_uri())
    mlflow.set_tracking_uri(_tracking_uri())
    if not chosen:  # MLflow writes into the environment, where it would pass for a choice
        os.environ.pop("MLFLOW_TRACKING_URI", None)
    return mlflow


def _tracking_uri() -> str:
    # In full: MLflow keeps a store by its URI, and a process may change its folder.
    return os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}{DEFAULT_TRACKING_DB.absolute()}"


def _default_tracking_db_missing() -> bool:
    return not os.environ.get("MLFLOW_TRACKING_URI") and not DEFAULT_TRACKING_DB.exists()


def tracking_store_errors(mlflow: Any) -> tuple[type[Exception], ...]:
    """What MLflow raises when its store does not answer, is damaged, refuses or lost a file."""
    from sqlalchemy.exc import SQLAlchemyError

    return (mlflow.exceptions.MlflowException, SQLAlchemyError, OSError)


@contextmanager
def open_tracking_store() -> Iterator[tuple[Any, Any]]:
    """The mlflow module and a client; an error of the store becomes one sentence.

    Raises:
        BadInput: the store cannot be opened, or fails at what is asked of it.
    """
    mlflow = connect_mlflow()
    try:
        yield mlflow, mlflow.MlflowClient()
    except tracking_store_errors(mlflow) as error:
        raise BadInput(_no_response_message(mlflow, error)) from None


@contextmanager
def open_existing_tracking_store() -> Iterator[tuple[Any, Any]]:
    """`open_tracking_store`, for commands that only make sense after a training.

    Raises:
        BadInput: as `open_tracking_store`, and if nothing was ever stored here.
    """
    if _default_tracking_db_missing():
        raise BadInput(
            f"MLflow: expected a store with trainings, but there is no {DEFAULT_TRACKING_DB} in "
            "this folder; run `mqbg train` first, or set MLFLOW_TRACKING_URI to the store that "
            "has them"
        )
    with open_tracking_store() as connection:
        yield connection


def require_tracking_store() -> None:
    """Asks the store one question, so that a long job does not end at a door that is shut.

    The default store is not made before there is something to put into it.

    Raises:
        BadInput: a server does not answer, or a file is not a store.
    """
    if _default_tracking_db_missing():
        return
    with open_tracking_store() as (_mlflow, client):
        client.search_experiments(max_results=1)


def _no_response_message(mlflow: Any, error: Exception) -> str:
    return (
        f"MLflow: expected a store that answers at {mlflow.get_tracking_uri()}, got: "
        f"{_first_text_line(error)}; start it, or set MLFLOW_TRACKING_URI to another"
    )


def _first_text_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0][:200].rstrip(". ")


def load_registered_bundle(name: str, version: str = CHAMPION) -> RegisteredBundle:
    """A registered bundle.

    Args:
        name: of the registered model.
        version: a number, `latest`, or an alias such as `champion`.

    Raises:
        BadInput: there is no such model or version, or it cannot be read.
    """
    if _default_tracking_db_missing():
        raise BadInput(
            _not_found_message(name, version, f"there is no {DEFAULT_TRACKING_DB} in this folder")
        )
    registry_uri = os.environ.get("MLFLOW_REGISTRY_URI") or _tracking_uri()
    if local := find_local_version(registry_uri, name, version):
        return RegisteredBundle(load_bundle(local.folder), name, local.version, local.run_id)
    with open_tracking_store() as (mlflow, client):
        found = find_version(client, name, version)
        try:
            folder = mlflow.artifacts.download_artifacts(
                artifact_uri=f"models:/{name}/{found.version}"
            )
        except tracking_store_errors(mlflow) as error:
            raise BadInput(_not_found_message(name, version, _first_text_line(error))) from None
    bundle = load_bundle(Path(folder) / BUNDLE_PATH)
    return RegisteredBundle(bundle, name, str(found.version), found.run_id)


def find_version(client: Any, name: str, version: str) -> Any:
    """MLflow's record of a version.

    Args:
        client: of MLflow.
        name: of the registered model.
        version: a number, `latest`, or an alias such as `champion`.

    Raises:
        BadInput: there is no such model or version.
    """
    import mlflow

    if version == LATEST:
        return latest_version(client, name)
    try:
        if version.isdecimal():
            return client.get_model_version(name, version)
        return client.get_model_version_by_alias(name, version)
    except mlflow.exceptions.MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        raise BadInput(_not_found_message(name, version, _first_text_line(error))) from None


def latest_version(client: Any, name: str) -> Any:
    """The version with the highest number.

    Raises:
        BadInput: the model has no version.
    """
    if versions := all_versions(client, name):
        return versions[0]
    raise BadInput(_not_found_message(name, LATEST, "it has no version"))


def all_versions(client: Any, name: str) -> list[Any]:
    """MLflow's records of a model's versions, the highest number first; none if it is unknown."""
    found = client.search_model_versions(f"name = '{name}'")
    return sorted(found, key=lambda one: int(one.version), reverse=True)


def has_champion(client: Any, name: str) -> bool:
    """Whether a registered model has a champion; an error of the store is no answer and flies."""
    return champion_version(client, name) is not None


def champion_version(client: Any, name: str) -> str | None:
    """The number of the champion; None if the model has none, or if there is no such model."""
    if not (found := client.search_registered_models(f"name = '{name}'")):
        return None
    version = found[0].aliases.get(CHAMPION)
    return None if version is None else str(version)


def set_champion(client: Any, name: str, version: str, change: ChampionChange) -> RecordedChange:
    """Moves the alias `champion` to a version, and records the move.

    Args:
        client: of MLflow.
        name: of the registered model.
        version: number of one of its versions.
        change: why.

    Returns:
        The move, as `champion_history` gives it from now on.
    """
    tags = _change_tags(client, name)
    recorded = RecordedChange(
        max(tags, default=0) + 1, change, version, champion_version(client, name)
    )
    tag = f"{CHAMPION_TAG_PREFIX}{recorded.number:04d}"
    # The record goes first: a champion that nobody is named for would be worse than this order.
    client.set_registered_model_tag(name, tag, _encode_change(recorded))
    try:
        client.set_registered_model_alias(name, CHAMPION, version)
    except Exception:
        with suppress(Exception):  # the first error is the one to show
            client.delete_registered_model_tag(name, tag)
        raise
    return recorded


def champion_history(client: Any, name: str) -> tuple[RecordedChange, ...]:
    """Every move of the champion that was recorded, the oldest first.

    Raises:
        BadInput: somebody changed a record into what is none.
    """
    return tuple(
        _decode_change(number, text) for number, text in _change_tags(client, name).items()
    )


def previous_champions(changes: Sequence[RecordedChange], champion: str | None) -> tuple[str, ...]:
    """The versions that a rollback goes back to, the nearest first.

    A promotion puts a version on top of those before, a rollback takes the top away. Moves that
    were made by hand in MLflow are in no record: they are seen where the next one starts.

    Args:
        changes: what `champion_history` gave.
        champion: the version that is champion now, if there is one.
    """
    stack: list[str] = []
    for recorded in changes:
        if recorded.change.action == ROLLBACK:
            while stack and stack[-1] != recorded.version:
                stack.pop()
        elif recorded.previous is not None and stack[-1:] != [recorded.previous]:
            stack.append(recorded.previous)
        if stack[-1:] != [recorded.version]:
            stack.append(recorded.version)
    if stack[-1:] == [champion]:
        stack.pop()
    return tuple(reversed(stack))


def _change_tags(client: Any, name: str) -> dict[int, str]:
    if not (found := client.search_registered_models(f"name = '{name}'")):
        return {}
    numbered = {
        int(key.removeprefix(CHAMPION_TAG_PREFIX)): text
        for key, text in found[0].tags.items()
        if key.startswith(CHAMPION_TAG_PREFIX) and key.removeprefix(CHAMPION_TAG_PREFIX).isdecimal()
    }
    return dict(sorted(numbered.items()))


def _encode_change(recorded: RecordedChange) -> str:
    change = recorded.change
    fields = {
        "action": change.action,
        "by": change.by,
        "at": _to_utc(change.at).isoformat(timespec="seconds"),
        "why": change.why,
        "from": recorded.previous,
        "to": recorded.version,
        "forced": change.forced,
        "figures": change.figures,
    }
    text = json.dumps(fields, ensure_ascii=False, allow_nan=False)
    if len(text) <= MAX_TAG_LENGTH:
        return text
    # Who, when and why are what a record is for; the figures can be measured again.
    return json.dumps({**fields, "figures": {}}, ensure_ascii=False, allow_nan=False)


def _decode_change(number: int, text: str) -> RecordedChange:
    try:
        fields = json.loads(text)
        change = ChampionChange(
            action=str(fields["action"]),
            by=str(fields["by"]),
            at=_to_utc(datetime.fromisoformat(fields["at"])),
            why=str(fields["why"]),
            forced=bool(fields["forced"]),
            figures=dict(fields["figures"]),
        )
        previous = fields["from"]
        return RecordedChange(
            number, change, str(fields["to"]), None if previous is None else str(previous)
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(
            f"model: expected a move of the champion in its tag {CHAMPION_TAG_PREFIX}{number:04d}, "
            f"could not read it: {type(error).__name__}: {error}; delete that tag in MLflow"
        ) from error


def _to_utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _not_found_message(name: str, version: str, cause: str) -> str:
    return (
        f"model: expected a registered model {name!r} with a version {version!r}, but {cause}; "
        "run `mqbg train` first, or set MLFLOW_TRACKING_URI to the store that has it"
    )
