"""The commands that learn: train, register what a store lost, probe for leaks."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from ..contract import BadInput
from ..support.terminal import ERRORS, progress_shown, results
from .options import Config, Data, JsonFile, Quarantine, parse_instant, read_settings, write_json

if TYPE_CHECKING:
    from datetime import datetime

    from ..settings import Settings
    from ..train.report.mlflow_logging import LoggedRun
    from ..train.training import TrainingResult

# Rooms are imported inside the commands: `mqbg --help` should not wait for LightGBM and MLflow.

UNLOGGED_FOLDER = Path("mqbg-unlogged")
STUDIES_FILE = Path("mlruns") / "studies.db"
NO_SIGNAL = 3  # exit status


def train(
    data: Data,
    trials: Annotated[
        int, typer.Option(min=0, help="Tune with this many trials; the same again goes on.")
    ] = 0,
    test_from: Annotated[
        str | None, typer.Option(help="First instant of the test part; default: chosen.")
    ] = None,
    json_file: JsonFile = None,
    allow_rules: Annotated[
        bool,
        typer.Option("--allow-rules", help="Without conversions, register the rule score alone."),
    ] = False,
    quarantine: Quarantine = None,
    config: Config = None,
) -> None:
    """Fit, evaluate against the baselines, log to MLflow and register a version.

    Exit status 3: there is nothing to learn; nothing was registered.
    """
    from ..model.registry import require_tracking_store
    from ..source import display_name
    from ..support.atomic_output import replaced_file
    from ..train.report.metrics import training_json
    from ..train.report.run_folder import write_run_folder

    settings = read_settings(config)
    first_test_instant = parse_instant(test_from) if test_from else None
    with ExitStack() as outputs:
        temporary = outputs.enter_context(replaced_file(json_file)) if json_file else None
        scratch = Path(outputs.enter_context(tempfile.TemporaryDirectory()))
        require_tracking_store()
        began = time.monotonic()
        trained = _train_on_data(data, settings, first_test_instant, quarantine, trials)
        require_conversions(trained, allow_rules)
        write_run_folder(
            trained,
            scratch,
            display_name(data),
            installed_version("mqbg"),
            time.monotonic() - began,
        )
        logged = _log_or_keep(scratch)
        if temporary:
            document = {
                **training_json(trained),
                "version": logged.version,
                "run_id": logged.run_id,
            }
            temporary.write_text(
                json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8"
            )
    _print_training(trained, logged)
    if not trained.evaluation.signal.found:
        raise typer.Exit(NO_SIGNAL)


def require_conversions(trained: TrainingResult, allow_rules: bool) -> None:
    """Refuses to register what learned from no conversion, unless that is wanted.

    Raises:
        BadInput: no training snapshot converted.
    """
    summary = trained.bundle.training
    if not summary.conversions and not allow_rules:
        raise BadInput(
            f"train: expected conversions to learn from, found none among {summary.rows:,} "
            f"snapshots; nothing was registered. `mqbg check` says why that may be; --allow-rules "
            "registers the rule score alone, which is no measured chance"
        )


def _train_on_data(
    data: str,
    settings: Settings,
    first_test_instant: datetime | None,
    quarantine: Path | None,
    trials: int,
) -> TrainingResult:
    from ..features.tables.feature_source import prepare_source
    from ..source import checked_source
    from ..train.training import train as train_model

    with (
        progress_shown() as progress,
        checked_source(
            data, quarantine=quarantine, threads=settings.model.threads, settings=settings
        ) as source,
    ):
        return train_model(
            prepare_source(source, settings),
            test_from=first_test_instant,
            progress=progress,
            trials=trials,
            studies=STUDIES_FILE if trials else None,
        )


def _log_or_keep(folder: Path) -> LoggedRun:
    """Logs a training; if MLflow goes away meanwhile, keeps the folder and says what to do."""
    from ..model.registry import FIRST, connect_mlflow, tracking_store_errors
    from ..train.report.mlflow_logging import log_run_folder
    from .versions import new_move

    try:
        with progress_shown() as progress:
            return log_run_folder(folder, new_move(FIRST, "the first version"), progress)
    except tracking_store_errors(connect_mlflow()) as error:
        _keep_unlogged(folder, error)


def _keep_unlogged(folder: Path, error: Exception) -> NoReturn:
    from ..train.report.mlflow_logging import read_run_file

    destination = UNLOGGED_FOLDER / str(read_run_file(folder)["fingerprint"])
    if folder.resolve() != destination.resolve():
        if destination.exists():
            shutil.rmtree(destination)
        shutil.copytree(folder, destination)
    reason = str(error).split("\n", 1)[0][:200].rstrip(". ")
    ERRORS.print(
        f"MLflow: expected the store to take the training, got: {reason}; the training is kept in "
        f"{destination}. When the store answers again, log it with: mqbg register {destination}",
        style="red", markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
    raise typer.Exit(1)


def _print_training(trained: TrainingResult, logged: LoggedRun) -> None:
    from ..train.report.console import (
        ablation_table,
        comparison_table,
        horizons_table,
        monotone_table,
        next_steps,
        weak_segment_sentences,
    )

    console = results()
    console.print(comparison_table(trained))
    if len(trained.evaluation.horizons):
        console.print(horizons_table(trained))
    if trained.monotone_cost is not None:
        console.print(monotone_table(trained.monotone_cost))
    if trained.ablation is not None:
        console.print(ablation_table(trained.ablation))
    for sentence in (*weak_segment_sentences(trained), next_steps(trained, logged)):
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)


def register(
    folder: Annotated[Path, typer.Argument(help="What `mqbg train` kept when MLflow went away.")],
    json_file: JsonFile = None,
) -> None:
    """Log and register a training that was kept on disk because MLflow went away."""
    from ..model.registry import require_tracking_store
    from ..train.report.mlflow_logging import read_run_file

    read_run_file(folder)
    require_tracking_store()
    logged = _log_or_keep(folder)
    write_json(json_file, {**asdict(logged), "folder": str(folder)})
    where = f"version {logged.version}" if logged.version else f"run {logged.run_id}"
    role = ", and is the champion" if logged.champion else ""
    # The result, for people.
    print(f"Logged as {where} of {logged.name}{role}. {folder} is no longer needed.")  # noqa: T201


def probe(
    data: Data,
    json_file: JsonFile = None,
    quarantine: Quarantine = None,
    config: Config = None,
) -> None:
    """Look for leaks: what tells the outcome in a way that no score could use."""
    from ..features.tables.feature_source import prepare_source
    from ..source import checked_source
    from ..train.report.console import findings_table
    from ..train.report.metrics import findings_json
    from ..train.training import probe_leaks as find_leaks

    settings = read_settings(config)
    with (
        progress_shown() as progress,
        checked_source(
            data, quarantine=quarantine, threads=settings.model.threads, settings=settings
        ) as source,
    ):
        findings = find_leaks(prepare_source(source, settings), progress)
    write_json(json_file, {"findings": findings_json(findings)})
    results().print(findings_table(findings) if findings else "no leak found")
