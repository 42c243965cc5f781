"""The commands that compare versions and say which one is champion; the one place with a clock."""

from __future__ import annotations

import getpass
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..contract import BadInput
from ..support.terminal import ERRORS, progress_shown, results
from .options import Config, JsonFile, read_settings, write_json

if TYPE_CHECKING:
    from ..model.registry import ChampionChange, RecordedChange
    from ..settings import Settings
    from ..train.report.promotion import PromotionDecision

# Rooms are imported inside the commands: `mqbg --help` should not wait for MLflow.

Why = Annotated[str, typer.Option(help="The reason, for the record.")]
By = Annotated[str | None, typer.Option(help="Who, for the record; default: the user's name.")]


def compare(
    versions: Annotated[
        list[str] | None,
        typer.Argument(
            help="Numbers, latest or champion; default: the latest ten trainings. The first one "
            "named, else the champion, is what the others are held against."
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every training.")] = False,
    moves: Annotated[
        bool, typer.Option("--history", help="List how the champion moved, and nothing else.")
    ] = False,
    json_file: JsonFile = None,
    config: Config = None,
) -> None:
    """Show versions, and runs without one, side by side with paired differences."""
    settings = read_settings(config)
    document, parts = (
        _champion_history(settings.model.registered_name)
        if moves
        else _compare_versions(settings, tuple(versions or ()), everything)
    )
    write_json(json_file, document)
    console = results()
    for part in parts:
        is_text = isinstance(part, str)  # names of the data are in it: no markup
        console.print(part, markup=not is_text, highlight=False, soft_wrap=is_text)


def _champion_history(name: str) -> tuple[dict[str, Any], list[Any]]:
    from ..model.registry import champion_history, open_existing_tracking_store
    from ..train.report.version_comparison import move_json, moves_table

    with open_existing_tracking_store() as (_mlflow, client):
        recorded = champion_history(client, name)
    shown = moves_table(recorded) if recorded else f"No move of the champion of {name} is recorded."
    return {"history": [move_json(one) for one in recorded]}, [shown]


def _compare_versions(
    settings: Settings, chosen: tuple[str, ...], everything: bool
) -> tuple[dict[str, Any], list[Any]]:
    from ..model.registry import find_version, open_existing_tracking_store
    from ..train.report.mlflow_versions import DEFAULT_LIMIT, choose_reference, read_trainings
    from ..train.report.paired_differences import MIN_RESAMPLES, compare_with_reference
    from ..train.report.version_comparison import (
        comparison_json,
        comparison_notes,
        differences_table,
        figures_table,
        training_json,
        trainings_table,
    )

    name, limit = settings.model.registered_name, None if everything else DEFAULT_LIMIT
    with open_existing_tracking_store() as (mlflow, client), progress_shown() as progress:
        first = str(find_version(client, name, chosen[0]).version) if chosen else None
        trainings = read_trainings(mlflow, client, name, chosen, limit=limit)
        reference = choose_reference(trainings, first)
        pairs = compare_with_reference(
            mlflow,
            client,
            [one for one in trainings if one is not reference],
            reference,
            resamples=max(settings.model.resamples, MIN_RESAMPLES),
            seed=settings.model.seed,
            progress=progress,
        )
    document = {
        "against": reference.name,
        "trainings": [training_json(one) for one in trainings],
        "differences": [comparison_json(one) for one in pairs],
    }
    tables = [trainings_table(trainings), figures_table(trainings), differences_table(pairs)]
    return document, [*filter(None, tables), *comparison_notes(pairs)]


def promote(
    version: Annotated[str, typer.Argument(help="A number, or latest.")],
    force: Annotated[
        bool, typer.Option("--force", help="Also against the gate; the record says so.")
    ] = False,
    why: Why = "",
    by: By = None,
    json_file: JsonFile = None,
    config: Config = None,
) -> None:
    """Make a version the champion, unless it is worse than the one there is."""
    from ..model.registry import (
        PROMOTE,
        champion_version,
        find_version,
        load_registered_bundle,
        open_existing_tracking_store,
        set_champion,
    )

    settings = read_settings(config)
    name = settings.model.registered_name
    with open_existing_tracking_store() as (mlflow, client):
        number = str(find_version(client, name, version).version)
        champion = champion_version(client, name)
        document = {"version": number, "champion": number, "previous": champion, "promoted": True}
        if number == champion:
            write_json(json_file, {**document, "promoted": False, "forced": False, "reason": None})
            print(f"Version {number} is the champion already.")  # noqa: T201 - the result
            return
        move = new_move(PROMOTE, why, by)  # refuses a text that is too long before the work
        load_registered_bundle(name, number)  # one that cannot be read here can score nothing here
        decision = _decide_promotion(mlflow, client, settings, number, champion)
        document |= {"forced": not decision.allowed, "reason": decision.reason}
        if not decision.allowed and not force:
            refused = {"champion": champion, "promoted": False, "forced": False}
            write_json(json_file, {**document, **refused})
            _refuse(decision, champion)
        set_champion(client, name, number, _with_decision(move, decision))
    write_json(json_file, document)
    replaced = f", in place of version {champion}" if champion else ""
    forced = "" if decision.allowed else " The gate was against it, and the record says so."
    # The result, for people.
    print(f"{decision.reason}\nVersion {number} is the champion now{replaced}.{forced}")  # noqa: T201


def _decide_promotion(
    mlflow: Any, client: Any, settings: Settings, number: str, champion: str | None
) -> PromotionDecision:
    from ..train.report.mlflow_versions import read_training
    from ..train.report.paired_differences import MIN_RESAMPLES, compare_with_reference
    from ..train.report.promotion import decide_promotion

    name = settings.model.registered_name
    challenger = read_training(mlflow, client, name, number)
    if champion is None:
        return decide_promotion(challenger, None)
    with progress_shown() as progress:
        [paired] = compare_with_reference(
            mlflow,
            client,
            [challenger],
            read_training(mlflow, client, name, champion),
            resamples=max(settings.model.resamples, MIN_RESAMPLES),
            seed=settings.model.seed,
            progress=progress,
        )
    return decide_promotion(challenger, paired)


def _refuse(decision: PromotionDecision, champion: str | None) -> None:
    stays = f"Version {champion} stays the champion" if champion else "There still is no champion"
    ERRORS.print(
        f"{decision.reason} {stays}; to promote it all the same, add --force and say --why.",
        style="red", markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
    raise typer.Exit(1)


def _with_decision(move: ChampionChange, decision: PromotionDecision) -> ChampionChange:
    return replace(move, forced=not decision.allowed, figures=decision.figures)


def rollback(
    why: Why = "", by: By = None, json_file: JsonFile = None, config: Config = None
) -> None:
    """Make the champion before the champion again; once more goes one further back."""
    from ..model.registry import (
        ROLLBACK,
        all_versions,
        champion_history,
        champion_version,
        load_registered_bundle,
        open_existing_tracking_store,
        previous_champions,
        set_champion,
    )

    name = read_settings(config).model.registered_name
    with open_existing_tracking_store() as (_mlflow, client):
        champion = champion_version(client, name)
        previous = previous_champions(champion_history(client, name), champion)
        existing = {str(found.version) for found in all_versions(client, name)}
        deleted = tuple(version for version in previous if version not in existing)
        candidates = [
            version for version in previous if version in existing and version != champion
        ]
        if not candidates:
            raise BadInput(_no_previous_message(name, champion, deleted))
        move = new_move(ROLLBACK, why, by)
        load_registered_bundle(name, candidates[0])
        recorded = set_champion(client, name, candidates[0], move)
    skipped = tuple(v for v in previous[: previous.index(candidates[0])] if v in deleted)
    previous_champion = recorded.previous
    document = {"champion": recorded.version, "previous": previous_champion, "skipped": skipped}
    write_json(json_file, document)
    print(_rollback_message(recorded, skipped))  # noqa: T201 - the result


def _no_previous_message(name: str, champion: str | None, deleted: tuple[str, ...]) -> str:
    now = f"version {champion}" if champion else "no version"
    gone = f" but {_versions_text(deleted)}, since deleted" if deleted else ""
    return (
        f"rollback: expected a champion of {name} before the present one, but {now} is the "
        f"champion and the record has none before it{gone}; choose one with `mqbg promote`"
    )


def _rollback_message(recorded: RecordedChange, skipped: tuple[str, ...]) -> str:
    past = f"Skipped {_versions_text(skipped)}, since deleted. " if skipped else ""
    place = f", in place of version {recorded.previous}" if recorded.previous else ""
    return f"{past}Version {recorded.version} is the champion again{place}."


def _versions_text(numbers: tuple[str, ...]) -> str:
    return f"version{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}"


def new_move(action: str, why: str = "", by: str | None = None) -> ChampionChange:
    """A move of the champion, made now by the user of this process unless another is named.

    Args:
        action: `registry.FIRST`, `PROMOTE` or `ROLLBACK`.
        why: the reason.
        by: who.

    Raises:
        BadInput: a text is too long to be kept.
    """
    from ..model.registry import ChampionChange

    return ChampionChange(action, by or _user(), datetime.now(UTC), why)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may run under a number that has no name
        return "unknown"
