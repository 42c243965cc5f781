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
from .bundle import Bundle, load

CHAMPION = "champion"
LATEST = "latest"
DEFAULT_STORE = Path("mlruns") / "mlflow.db"
BUNDLE_FOLDER = "bundle"

FIRST, PROMOTE, ROLLBACK = "first", "promote", "rollback"
MOVE_TAG = "mqbg.champion."  # one tag of the registered model per move: .0001, .0002, ...
LONGEST_NAME, LONGEST_REASON = 200, 2000  # characters; MLflow's stores hold 5,000 in a tag
TAG_LENGTH = 5000


@dataclass(frozen=True)
class Registered:
    """A bundle and the version it is registered under."""

    bundle: Bundle
    name: str
    version: str
    run_id: str


@dataclass(frozen=True)
class Move:
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
        _require_short("--by", self.by, LONGEST_NAME)
        _require_short("--why", self.why, LONGEST_REASON)


@dataclass(frozen=True)
class Recorded:
    """A move as it stands in the registry: from `previous` (None: from nothing) to `version`."""

    number: int
    move: Move
    version: str
    previous: str | None


def _require_short(option: str, text: str, longest: int) -> None:
    if len(text) > longest:
        raise BadInput(
            f"{option}: expected at most {longest:,} characters, got {len(text):,}; shorten it"
        )


def connect() -> Any:
    """The mlflow module, pointed at `MLFLOW_TRACKING_URI` or at `mlruns/mlflow.db` here.

    Telemetry stays off unless the environment turns it on: a scoring job tells nobody that it ran.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # MLflow's own default waits for minutes before it says that nobody answers.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow  # takes seconds, which `mqbg check` should not pay

    for noisy in ("mlflow", "alembic"):  # importing it sets levels of its own
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # What went wrong is ours to say, in a sentence: these two print it too, one with a traceback.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    named = os.environ.get("MLFLOW_TRACKING_URI")
    if not named:
        DEFAULT_STORE.parent.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(named or f"sqlite:///{DEFAULT_STORE}")
    return mlflow


def _default_store_is_absent() -> bool:
    return not os.environ.get("MLFLOW_TRACKING_URI") and not DEFAULT_STORE.exists()


def store_errors(mlflow: Any) -> tuple[type[Exception], ...]:
    """What MLflow raises when its store does not answer, is damaged, refuses or lost a file."""
    from sqlalchemy.exc import SQLAlchemyError

    return (mlflow.exceptions.MlflowException, SQLAlchemyError, OSError)


@contextmanager
def opened_store() -> Iterator[tuple[Any, Any]]:
    """The mlflow module and a client; an error of the store becomes one sentence.

    Raises:
        BadInput: the store cannot be opened, or fails at what is asked of it.
    """
    mlflow = connect()
    try:
        yield mlflow, mlflow.MlflowClient()
    except store_errors(mlflow) as error:
        raise BadInput(_unanswered(mlflow, error)) from None


@contextmanager
def existing_store() -> Iterator[tuple[Any, Any]]:
    """`opened_store`, for commands that only make sense after a training.

    Raises:
        BadInput: as `opened_store`, and if nothing was ever stored here.
    """
    if _default_store_is_absent():
        raise BadInput(
            f"MLflow: expected a store with trainings, but there is no {DEFAULT_STORE} in this "
            "folder; run `mqbg train` first, or set MLFLOW_TRACKING_URI to the store that has them"
        )
    with opened_store() as opened:
        yield opened


def require_store() -> None:
    """Asks the store one question, so that a long job does not end at a door that is shut.

    The default store is not made before there is something to put into it.

    Raises:
        BadInput: a server does not answer, or a file is not a store.
    """
    if _default_store_is_absent():
        return
    with opened_store() as (_mlflow, client):
        client.search_experiments(max_results=1)


def _unanswered(mlflow: Any, error: Exception) -> str:
    return (
        f"MLflow: expected a store that answers at {mlflow.get_tracking_uri()}, got: "
        f"{_first_line(error)}; start it, or set MLFLOW_TRACKING_URI to another"
    )


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0][:200].rstrip(". ")


def load_registered(name: str, version: str = CHAMPION) -> Registered:
    """A registered bundle.

    Args:
        name: of the registered model.
        version: a number, `latest`, or an alias such as `champion`.

    Raises:
        BadInput: there is no such model or version, or it cannot be read.
    """
    if _default_store_is_absent():
        raise BadInput(_absent(name, version, f"there is no {DEFAULT_STORE} in this folder"))
    with opened_store() as (mlflow, client):
        found = find_version(client, name, version)
        try:
            folder = mlflow.artifacts.download_artifacts(
                artifact_uri=f"models:/{name}/{found.version}"
            )
        except store_errors(mlflow) as error:
            raise BadInput(_absent(name, version, _first_line(error))) from None
    bundle = load(Path(folder) / "data" / BUNDLE_FOLDER)
    return Registered(bundle, name, str(found.version), found.run_id)


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
        return latest(client, name)
    try:
        if version.isdecimal():
            return client.get_model_version(name, version)
        return client.get_model_version_by_alias(name, version)
    except mlflow.exceptions.MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        raise BadInput(_absent(name, version, _first_line(error))) from None


def latest(client: Any, name: str) -> Any:
    """The version with the highest number.

    Raises:
        BadInput: the model has no version.
    """
    if versions := all_versions(client, name):
        return versions[0]
    raise BadInput(_absent(name, LATEST, "it has no version"))


def all_versions(client: Any, name: str) -> list[Any]:
    """MLflow's records of a model's versions, the highest number first; none if it is unknown."""
    found = client.search_model_versions(f"name = '{name}'")
    return sorted(found, key=lambda one: int(one.version), reverse=True)


def has_champion(client: Any, name: str) -> bool:
    """Whether a registered model has a champion; an error of the store is no answer and flies."""
    return champion_of(client, name) is not None


def champion_of(client: Any, name: str) -> str | None:
    """The number of the champion; None if the model has none, or if there is no such model."""
    if not (found := client.search_registered_models(f"name = '{name}'")):
        return None
    version = found[0].aliases.get(CHAMPION)
    return None if version is None else str(version)


def set_champion(client: Any, name: str, version: str, move: Move) -> Recorded:
    """Moves the alias `champion` to a version, and records the move.

    Args:
        client: of MLflow.
        name: of the registered model.
        version: number of one of its versions.
        move: why.

    Returns:
        The move, as `history` gives it from now on.
    """
    numbers = _move_tags(client, name)
    recorded = Recorded(max(numbers, default=0) + 1, move, version, champion_of(client, name))
    tag = f"{MOVE_TAG}{recorded.number:04d}"
    # The record goes first: a champion that nobody is named for would be worse than this order.
    client.set_registered_model_tag(name, tag, _text_of(recorded))
    try:
        client.set_registered_model_alias(name, CHAMPION, version)
    except Exception:
        with suppress(Exception):  # the first error is the one to show
            client.delete_registered_model_tag(name, tag)
        raise
    return recorded


def history(client: Any, name: str) -> tuple[Recorded, ...]:
    """Every move of the champion that was recorded, the oldest first.

    Raises:
        BadInput: somebody changed a record into what is none.
    """
    return tuple(_recorded(number, text) for number, text in _move_tags(client, name).items())


def champions_before(moves: Sequence[Recorded], champion: str | None) -> tuple[str, ...]:
    """The versions that a rollback goes back to, the nearest first.

    A promotion puts a version on top of those before, a rollback takes the top away. Moves that
    were made by hand in MLflow are in no record: they are seen where the next one starts.

    Args:
        moves: what `history` gave.
        champion: the version that is champion now, if there is one.
    """
    line: list[str] = []
    for recorded in moves:
        if recorded.move.action == ROLLBACK:
            while line and line[-1] != recorded.version:
                line.pop()
        elif recorded.previous is not None and line[-1:] != [recorded.previous]:
            line.append(recorded.previous)
        if line[-1:] != [recorded.version]:
            line.append(recorded.version)
    if line[-1:] == [champion]:
        line.pop()
    return tuple(reversed(line))


def _move_tags(client: Any, name: str) -> dict[int, str]:
    if not (found := client.search_registered_models(f"name = '{name}'")):
        return {}
    numbered = {
        int(key.removeprefix(MOVE_TAG)): text
        for key, text in found[0].tags.items()
        if key.startswith(MOVE_TAG) and key.removeprefix(MOVE_TAG).isdecimal()
    }
    return dict(sorted(numbered.items()))


def _text_of(recorded: Recorded) -> str:
    move = recorded.move
    tree = {
        "action": move.action,
        "by": move.by,
        "at": _utc(move.at).isoformat(timespec="seconds"),
        "why": move.why,
        "from": recorded.previous,
        "to": recorded.version,
        "forced": move.forced,
        "figures": move.figures,
    }
    text = json.dumps(tree, ensure_ascii=False, allow_nan=False)
    if len(text) <= TAG_LENGTH:
        return text
    # Who, when and why are what a record is for; the figures can be measured again.
    return json.dumps({**tree, "figures": {}}, ensure_ascii=False, allow_nan=False)


def _recorded(number: int, text: str) -> Recorded:
    try:
        tree = json.loads(text)
        move = Move(
            action=str(tree["action"]),
            by=str(tree["by"]),
            at=_utc(datetime.fromisoformat(tree["at"])),
            why=str(tree["why"]),
            forced=bool(tree["forced"]),
            figures=dict(tree["figures"]),
        )
        previous = tree["from"]
        return Recorded(number, move, str(tree["to"]), None if previous is None else str(previous))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(
            f"model: expected a move of the champion in its tag {MOVE_TAG}{number:04d}, could not "
            f"read it: {type(error).__name__}: {error}; delete that tag in MLflow"
        ) from error


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _absent(name: str, version: str, what: str) -> str:
    return (
        f"model: expected a registered model {name!r} with a version {version!r}, but {what}; "
        "run `mqbg train` first, or set MLFLOW_TRACKING_URI to the store that has it"
    )
