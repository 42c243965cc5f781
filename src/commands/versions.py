"""The commands that compare versions and say which one is champion; the one place with a clock."""

from __future__ import annotations

import getpass
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..contract import BadInput
from ..settings import Settings
from ..support.terminal import ERRORS, progress_shown, results
from .options import Config, settings_of

if TYPE_CHECKING:
    from ..model.registry import ChampionChange, RecordedChange
    from ..train.report.promotion import Judgement

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
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write what is shown here, with every name.")
    ] = None,
    config: Config = None,
) -> None:
    """Show versions, and runs without one, side by side with paired differences."""
    from ..support.atomic_output import replaced_file

    settings = settings_of(config)
    tree, parts = (
        _history(settings.model.registered_name)
        if moves
        else _compared(settings, tuple(versions or ()), everything)
    )
    if json_file is not None:
        with replaced_file(json_file) as aside:
            text = json.dumps(tree, indent=1, allow_nan=False, ensure_ascii=False)
            aside.write_text(text + "\n", encoding="utf-8")
    console = results()
    for part in parts:
        is_text = isinstance(part, str)  # names of the data are in it: no markup
        console.print(part, markup=not is_text, highlight=False, soft_wrap=is_text)


def _history(name: str) -> tuple[dict[str, Any], list[Any]]:
    from ..model.registry import champion_history, open_existing_tracking_store
    from ..train.report.version_comparison import moves_table, tree_of_move

    with open_existing_tracking_store() as (_mlflow, client):
        found = champion_history(client, name)
    shown = moves_table(found) if found else f"No move of the champion of {name} is recorded."
    return {"history": [tree_of_move(one) for one in found]}, [shown]


def _compared(
    settings: Settings, chosen: tuple[str, ...], everything: bool
) -> tuple[dict[str, Any], list[Any]]:
    from ..model.registry import find_version, open_existing_tracking_store
    from ..train.report.mlflow_versions import SHOWN_AT_ONCE, read_trainings, reference_of
    from ..train.report.paired_differences import MIN_RESAMPLES, pairs_against
    from ..train.report.version_comparison import (
        differences_table,
        figures_table,
        notes,
        trainings_table,
        tree_of,
        tree_of_pair,
    )

    name, limit = settings.model.registered_name, None if everything else SHOWN_AT_ONCE
    with open_existing_tracking_store() as (mlflow, client), progress_shown() as progress:
        first = str(find_version(client, name, chosen[0]).version) if chosen else None
        trainings = read_trainings(mlflow, client, name, chosen, limit=limit)
        reference = reference_of(trainings, first)
        pairs = pairs_against(
            mlflow,
            client,
            [one for one in trainings if one is not reference],
            reference,
            resamples=max(settings.model.resamples, MIN_RESAMPLES),
            seed=settings.model.seed,
            progress=progress,
        )
    tree = {
        "against": reference.name,
        "trainings": [tree_of(one) for one in trainings],
        "differences": [tree_of_pair(one) for one in pairs],
    }
    tables = [trainings_table(trainings), figures_table(trainings), differences_table(pairs)]
    return tree, [*filter(None, tables), *notes(pairs)]


def promote(
    version: Annotated[str, typer.Argument(help="A number, or latest.")],
    force: Annotated[
        bool, typer.Option("--force", help="Also against the gate; the record says so.")
    ] = False,
    why: Why = "",
    by: By = None,
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

    settings = settings_of(config)
    name = settings.model.registered_name
    with open_existing_tracking_store() as (mlflow, client):
        number = str(find_version(client, name, version).version)
        champion = champion_version(client, name)
        if number == champion:
            print(f"Version {number} is the champion already.")  # noqa: T201 - the result
            return
        move = signed(PROMOTE, why, by)  # refuses a text that is too long before the work
        load_registered_bundle(name, number)  # one that cannot be read here can score nothing here
        judgement = _judged(mlflow, client, settings, number, champion)
        if not judgement.holds and not force:
            _refuse(judgement, champion)
        set_champion(client, name, number, _with_judgement(move, judgement))
    before = f", in place of version {champion}" if champion else ""
    forced = "" if judgement.holds else " The gate was against it, and the record says so."
    # The result, for people.
    print(f"{judgement.words}\nVersion {number} is the champion now{before}.{forced}")  # noqa: T201


def _judged(
    mlflow: Any, client: Any, settings: Settings, number: str, champion: str | None
) -> Judgement:
    from ..train.report.mlflow_versions import read_training
    from ..train.report.paired_differences import MIN_RESAMPLES, pairs_against
    from ..train.report.promotion import judge

    name = settings.model.registered_name
    challenger = read_training(mlflow, client, name, number)
    if champion is None:
        return judge(challenger, None)
    with progress_shown() as progress:
        [paired] = pairs_against(
            mlflow,
            client,
            [challenger],
            read_training(mlflow, client, name, champion),
            resamples=max(settings.model.resamples, MIN_RESAMPLES),
            seed=settings.model.seed,
            progress=progress,
        )
    return judge(challenger, paired)


def _refuse(judgement: Judgement, champion: str | None) -> None:
    stays = f"Version {champion} stays the champion" if champion else "There still is no champion"
    ERRORS.print(
        f"{judgement.words} {stays}; to promote it all the same, add --force and say --why.",
        style="red", markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
    raise typer.Exit(1)


def _with_judgement(move: ChampionChange, judgement: Judgement) -> ChampionChange:
    return replace(move, forced=not judgement.holds, figures=judgement.figures)


def rollback(why: Why = "", by: By = None, config: Config = None) -> None:
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

    name = settings_of(config).model.registered_name
    with open_existing_tracking_store() as (_mlflow, client):
        champion = champion_version(client, name)
        before = previous_champions(champion_history(client, name), champion)
        present = {str(found.version) for found in all_versions(client, name)}
        deleted = tuple(version for version in before if version not in present)
        back = [version for version in before if version in present and version != champion]
        if not back:
            raise BadInput(_nothing_before(name, champion, deleted))
        move = signed(ROLLBACK, why, by)
        load_registered_bundle(name, back[0])
        recorded = set_champion(client, name, back[0], move)
    skipped = tuple(v for v in before[: before.index(back[0])] if v in deleted)
    print(_rolled_back(recorded, skipped))  # noqa: T201 - the result


def _nothing_before(name: str, champion: str | None, deleted: tuple[str, ...]) -> str:
    now = f"version {champion}" if champion else "no version"
    gone = f" but {_versions(deleted)}, since deleted" if deleted else ""
    return (
        f"rollback: expected a champion of {name} before the present one, but {now} is the "
        f"champion and the record has none before it{gone}; choose one with `mqbg promote`"
    )


def _rolled_back(recorded: RecordedChange, skipped: tuple[str, ...]) -> str:
    past = f"Skipped {_versions(skipped)}, since deleted. " if skipped else ""
    place = f", in place of version {recorded.previous}" if recorded.previous else ""
    return f"{past}Version {recorded.version} is the champion again{place}."


def _versions(numbers: tuple[str, ...]) -> str:
    return f"version{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}"


def signed(action: str, why: str = "", by: str | None = None) -> ChampionChange:
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
