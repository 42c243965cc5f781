"""`mqbg demo`: a world, a model, scores and pages, in one go and in one folder."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import version as installed_version
from pathlib import Path

from rich import box
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from ..contract import BadInput
from ..explain.language import Language, load_language
from ..features.tables.feature_source import prepare_source
from ..model.registry import FIRST
from ..serve.batch.names import read_names
from ..serve.batch.score_files import write_score_tables
from ..serve.batch.scoring import score
from ..serve.pages import training_record, write_report
from ..serve.pages.portfolio import PortfolioGroup, portfolio
from ..settings import ActivityKind, Settings
from ..simulate import simulate
from ..simulate.parameters import PORTAL_KIND
from ..source import checked_source
from ..support.atomic_output import new_folder, refuse_unless_empty
from ..support.progress import Progress
from ..train.report.console import comparison_table
from ..train.report.mlflow_logging import log_run_folder
from ..train.report.run_folder import write_run_folder
from ..train.training import TrainingResult, train
from .versions import new_move

MARKER_FILE = ".mqbg-demo"  # tells a folder of ours from a project that happens to look like it
SHOWN_GROUPS = 10
MIN_GROUPS = 100


@dataclass(frozen=True)
class Demonstration:
    """What the demonstration made.

    Attributes:
        out: the folder.
        as_of: the cut-off of the scores.
        trained: the model and its figures.
        version: its version in the registry of the demonstration.
        readiest_rows: the readiest groups.
        page: the first page of the report.
    """

    out: Path
    as_of: datetime
    trained: TrainingResult
    version: str
    readiest_rows: tuple[PortfolioGroup, ...]
    page: Path


def run_demonstration(
    out: Path, groups: int, settings: Settings, progress: Progress
) -> Demonstration:
    """Simulate, check, train, score, report; an earlier demonstration in `out` gives way.

    The model goes to a registry of its own, beside the data: made data has no place in a real one.

    Raises:
        BadInput: `out` holds something else, or there are too few groups.
    """
    if groups < MIN_GROUPS:
        raise BadInput(f"demo: expected at least {MIN_GROUPS} groups to learn from, got {groups}")
    if not (out / MARKER_FILE).is_file():
        refuse_unless_empty(out)
    shutil.rmtree(out, ignore_errors=True)
    # The world's own kind has settings as any other would: nothing is to be warned of.
    settings = replace(settings, kinds={PORTAL_KIND: ActivityKind(), **settings.kinds})
    store = out / "mlruns" / "mlflow.db"
    store.parent.mkdir(parents=True)
    (out / MARKER_FILE).touch()
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{store}"
    simulate(
        out / "data",
        groups=groups,
        seed=settings.model.seed,
        progress=lambda _step, done: progress("simulate", done),
    )
    progress("check", 0.0)
    with checked_source(out / "data", threads=settings.model.threads, settings=settings) as source:
        progress("check", 1.0)
        prepared = prepare_source(source, settings)
        trained = train(prepared, test_from=None, progress=progress)
        if not trained.evaluation.signal.found:
            raise BadInput(f"demo: {trained.evaluation.verdict} Take more --groups")
        with new_folder(out / "run") as temporary:
            write_run_folder(trained, temporary, str(out / "data"), installed_version("mqbg"))
        logged = log_run_folder(out / "run", new_move(FIRST, "the demonstration"), progress)
        as_of, language = trained.split.test[-1], _summary_language(settings)
        scored = score(
            prepared,
            trained.bundle,
            as_of,
            model_version=str(logged.version),
            language=language,
            progress=progress,
        )
        with new_folder(out / "scores") as temporary:
            write_score_tables(scored, temporary)
        page = write_report(
            scored,
            source,
            trained.bundle,
            out / "report",
            language=language,
            figures=trained.evaluation.figures,
            record=training_record(settings.model.registered_name, str(logged.version)),
            progress=progress,
        )
        rows = portfolio(scored, read_names(scored, source), language).listed_groups[:SHOWN_GROUPS]
    return Demonstration(out, as_of, trained, str(logged.version), rows, page)


def demonstration_output(
    demonstrated: Demonstration, settings: Settings
) -> Iterator[RenderableType]:
    """What the command prints: the comparison, the ten readiest groups, what to open next."""
    yield comparison_table(demonstrated.trained)
    yield demonstrated.trained.evaluation.verdict
    yield readiest_table(demonstrated.readiest_rows, _summary_language(settings))
    out, first = demonstrated.out, demonstrated.readiest_rows[0].score["group_id"]
    store = os.environ["MLFLOW_TRACKING_URI"]
    yield (
        "[bold]What to open next[/bold]\n"
        f"  {demonstrated.page}   every group, its stakeholders and why\n"
        f"  {out}/scores/scores.parquet   the same as tables\n"
        f"  MLFLOW_TRACKING_URI={store} {_command_path('mqbg')} explain {out}/data {first} "
        f"--as-of {demonstrated.as_of:%Y-%m-%d}\n"
        f"  {_command_path('mlflow')} ui --backend-store-uri {store}   figures, plots, versions"
    )


def _summary_language(settings: Settings) -> Language:
    return load_language(settings.explain.language, settings.explain.languages_folder)


def _command_path(name: str) -> str:
    """How to call a command of this environment: by its name if the path has it."""
    own = Path(sys.executable).parent / name
    if shutil.which(name) == str(own):
        return name
    return str(own.relative_to(Path.cwd())) if own.is_relative_to(Path.cwd()) else str(own)


def readiest_table(rows: Sequence[PortfolioGroup], language: Language) -> Table:
    """The readiest groups, each with its strongest stakeholder."""
    table = Table(title="The ten readiest groups", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("account", overflow="fold")
    table.add_column("solution")
    table.add_column("readiness", justify="right")
    table.add_column("completeness", justify="right")
    table.add_column("status")
    table.add_column("strongest stakeholder", overflow="fold")
    table.add_column("missing roles")
    for row in rows:
        table.add_row(
            escape(row.account),
            escape(row.solution),
            f"{row.score['readiness']:.0%}",
            f"{row.score['completeness']:.0%}",
            language.word("status", row.score["status"]),
            escape(row.strongest_member[0]) if row.strongest_member else "",
            escape(language.list_roles(row.score["missing_roles"])),
        )
    return table
