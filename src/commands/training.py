"""The commands that learn: train, register what a store lost, probe for leaks."""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import ExitStack
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from ..support.terminal import ERRORS, progress_shown, results
from .options import Config, Data, Quarantine, instant, settings_of

if TYPE_CHECKING:
    from datetime import datetime

    from ..settings import Settings
    from ..train.report.mlflow_logging import Logged
    from ..train.training import Trained

# Rooms are imported inside the commands: `mqbg --help` should not wait for LightGBM and MLflow.

KEPT = Path("mqbg-unlogged")
STUDIES = Path("mlruns") / "studies.db"
NO_SIGNAL = 3  # exit status


def train(
    data: Data,
    trials: Annotated[
        int, typer.Option(min=0, help="Tune with so many trials; the same again goes on.")
    ] = 0,
    test_from: Annotated[
        str | None, typer.Option(help="First instant of the test part; default: chosen.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write every figure here.")
    ] = None,
    quarantine: Quarantine = None,
    config: Config = None,
) -> None:
    """Fit, evaluate against the baselines, log to MLflow and register a version.

    Exit status 3: there is nothing to learn; nothing was registered.
    """
    from ..model.registry import require_tracking_store
    from ..source import shown_name
    from ..support.atomic_output import replaced_file
    from ..train.report.metrics import figures_tree
    from ..train.report.run_folder import write_run

    settings = settings_of(config)
    since = instant(test_from) if test_from else None
    with ExitStack() as opened:
        aside = opened.enter_context(replaced_file(json_file)) if json_file else None
        scratch = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        require_tracking_store()
        trained = _train(data, settings, since, quarantine, trials)
        write_run(trained, scratch, shown_name(data), installed_version("mqbg"))
        logged = _logged(scratch)
        if aside:
            tree = {**figures_tree(trained), "version": logged.version, "run_id": logged.run_id}
            aside.write_text(json.dumps(tree, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    _show(trained, logged)
    if not trained.judged.signal.found:
        raise typer.Exit(NO_SIGNAL)


def _train(
    data: str, settings: Settings, since: datetime | None, quarantine: Path | None, trials: int
) -> Trained:
    from ..features.tables.feature_source import prepare_source
    from ..source import checked_source
    from ..train.training import train as train_model

    with (
        progress_shown() as progress,
        checked_source(data, quarantine=quarantine, threads=settings.model.threads) as source,
    ):
        return train_model(
            prepare_source(source, settings),
            test_from=since,
            progress=progress,
            trials=trials,
            studies=STUDIES if trials else None,
        )


def _logged(folder: Path) -> Logged:
    """Logs a training; if MLflow goes away meanwhile, keeps the folder and says what to do."""
    from ..model.registry import FIRST, connect_mlflow, tracking_store_errors
    from ..train.report.mlflow_logging import log_folder
    from .versions import signed

    try:
        with progress_shown() as progress:
            return log_folder(folder, signed(FIRST, "the first version"), progress)
    except tracking_store_errors(connect_mlflow()) as error:
        _keep(folder, error)


def _keep(folder: Path, error: Exception) -> NoReturn:
    from ..train.report.mlflow_logging import read_run

    kept = KEPT / str(read_run(folder)["fingerprint"])
    if folder.resolve() != kept.resolve():
        if kept.exists():
            shutil.rmtree(kept)
        shutil.copytree(folder, kept)
    what = str(error).split("\n", 1)[0][:200].rstrip(". ")
    ERRORS.print(
        f"MLflow: expected the store to take the training, got: {what}; the training is kept in "
        f"{kept}. When the store answers again, log it with: mqbg register {kept}",
        style="red", markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
    raise typer.Exit(1)


def _show(trained: Trained, logged: Logged) -> None:
    from ..train.report.console import (
        ablation_table,
        comparison_table,
        directions_table,
        horizons_table,
        next_steps,
        weak_sentences,
    )

    console = results()
    console.print(comparison_table(trained))
    if len(trained.judged.horizons):
        console.print(horizons_table(trained))
    if trained.directions is not None:
        console.print(directions_table(trained.directions))
    if trained.ablation is not None:
        console.print(ablation_table(trained.ablation))
    for sentence in (*weak_sentences(trained), next_steps(trained, logged)):
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)


def register(
    folder: Annotated[Path, typer.Argument(help="What `mqbg train` kept when MLflow went away.")],
) -> None:
    """Log and register a training that was kept on disk because MLflow went away."""
    from ..model.registry import require_tracking_store
    from ..train.report.mlflow_logging import read_run

    read_run(folder)
    require_tracking_store()
    logged = _logged(folder)
    where = f"version {logged.version}" if logged.version else f"run {logged.run_id}"
    role = ", and is the champion" if logged.champion else ""
    # The result, for people.
    print(f"Logged as {where} of {logged.name}{role}. {folder} is no longer needed.")  # noqa: T201


def probe(
    data: Data,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write every finding here.")
    ] = None,
    quarantine: Quarantine = None,
    config: Config = None,
) -> None:
    """Look for leaks: what tells the outcome in a way that no score could use."""
    from ..features.tables.feature_source import prepare_source
    from ..source import checked_source
    from ..support.atomic_output import replaced_file
    from ..train.report.console import findings_table
    from ..train.report.metrics import findings_tree
    from ..train.training import probe as find_leaks

    settings = settings_of(config)
    with ExitStack() as outputs:
        aside = outputs.enter_context(replaced_file(json_file)) if json_file else None
        with (
            progress_shown() as progress,
            checked_source(data, quarantine=quarantine, threads=settings.model.threads) as source,
        ):
            findings = find_leaks(prepare_source(source, settings), progress)
        if aside:
            tree = {"findings": findings_tree(findings)}
            text = json.dumps(tree, indent=1, allow_nan=False, ensure_ascii=False)
            aside.write_text(text + "\n", encoding="utf-8")
    results().print(findings_table(findings) if findings else "no leak found")
