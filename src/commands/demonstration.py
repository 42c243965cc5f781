"""`mqbg demo`: a world, a model, scores and pages, in one go and in one folder."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from ..contract import BadInput
from ..explain.language import Language, languages, load_language
from ..features.tables.feature_source import FeatureSource, prepare_source
from ..features.time_rules.verdicts import verdicts_as_of
from ..model.data_fit import data_fit
from ..model.registry import FIRST, RegisteredBundle
from ..serve.batch.capacity_at_night import capacity_at_night
from ..serve.batch.names import read_names
from ..serve.batch.score_files import write_facts, write_score_tables
from ..serve.batch.score_history import ScoreHistory
from ..serve.batch.scoring import ScoreTables, score
from ..serve.batch.scoring_job import ScoringJob
from ..serve.pages import INDEX, training_record, write_report
from ..serve.pages.portfolio import PortfolioGroup, portfolio
from ..serve.store.connection import open_store
from ..serve.store.job_lock import hold_job_lock
from ..serve.store.load_history import load_history
from ..serve.store.save_run import save_run
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
PAGES = 200
"""Groups with a page of their own, in each language."""

MIN_GROUPS = 100
EARLIER_RUNS = 3
"""Weekly runs before the last one, so that there are trends, changes and states to see."""

CAPACITY_PER_WEEK = 3.0
"""Groups that the sales team of the demonstration can take: so few that the threshold binds."""


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
        other_pages: the first pages in further languages, with their names.
        store: URL of the store that holds the runs.
    """

    out: Path
    as_of: datetime
    trained: TrainingResult
    version: str
    readiest_rows: tuple[PortfolioGroup, ...]
    page: Path
    other_pages: tuple[tuple[str, Path], ...]
    store: str


def run_demonstration(
    out: Path, groups: int, settings: Settings, progress: Progress
) -> Demonstration:
    """Simulate, check, train, score some weeks, report; an earlier demonstration gives way.

    The model goes to a registry of its own, beside the data: made data has no place in a real one.

    Raises:
        BadInput: `out` holds something else, or there are too few groups.
    """
    if groups < MIN_GROUPS:
        raise BadInput(f"demo: expected at least {MIN_GROUPS} groups to learn from, got {groups}")
    _begin_folder(out)
    settings = demonstration_settings(settings)
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
        model = _register(out, trained, settings, progress)
        as_of, language = trained.split.test[-1], _summary_language(settings)
        store_url = f"sqlite:///{out / 'store.sqlite'}"
        runs = _weekly_runs(prepared, model, as_of, store_url, settings, progress)
        scored, names = runs.latest, read_names(runs.latest, source)
        facts = ScoringJob(prepared, model, language, progress).facts(
            as_of, data_fit(prepared, trained.bundle, as_of)
        )
        with new_folder(out / "scores") as temporary:
            write_score_tables(scored, temporary)
            write_facts(facts, temporary)
        others = [load_language(code) for code in languages() if code != language.code]
        page = write_report(
            scored,
            source,
            trained.bundle,
            out / "report",
            language=language,
            more_languages=others,
            figures=trained.evaluation.figures,
            before=runs.before,
            history=runs.history,
            facts=facts,
            settings=settings,
            pages=PAGES,
            record=training_record(model.name, model.version),
            progress=progress,
        )
        rows = portfolio(scored, names, language).listed_groups[:SHOWN_GROUPS]
    other_pages = tuple(
        (
            other.locale.get_language_name(other.code) or other.code,
            page.parent / f"lang-{other.code}" / INDEX,
        )
        for other in others
    )
    return Demonstration(out, as_of, trained, model.version, rows, page, other_pages, store_url)


def _begin_folder(out: Path) -> None:
    """An empty folder of ours, whose registry MLflow is to use from now on."""
    if not (out / MARKER_FILE).is_file():
        refuse_unless_empty(out)
    shutil.rmtree(out, ignore_errors=True)
    tracking = out / "mlruns" / "mlflow.db"
    tracking.parent.mkdir(parents=True)
    (out / MARKER_FILE).touch()
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{tracking}"


def _register(
    out: Path, trained: TrainingResult, settings: Settings, progress: Progress
) -> RegisteredBundle:
    """Registers what was trained as the first champion."""
    with new_folder(out / "run") as temporary:
        write_run_folder(trained, temporary, str(out / "data"), installed_version("mqbg"))
    logged = log_run_folder(out / "run", new_move(FIRST, "the demonstration"), progress)
    return RegisteredBundle(
        trained.bundle, settings.model.registered_name, str(logged.version), logged.run_id or ""
    )


@dataclass(frozen=True)
class _WeeklyRuns:
    """The latest run, the one before, and the history of all."""

    latest: ScoreTables
    before: ScoreTables
    history: ScoreHistory


def _weekly_runs(
    source: FeatureSource,
    model: RegisteredBundle,
    as_of: datetime,
    store_url: str,
    settings: Settings,
    progress: Progress,
) -> _WeeklyRuns:
    """Scores some weeks in order, as the nightly job would, and keeps them in a store."""
    bundle, language, runs = model.bundle, _summary_language(settings), []
    capacity = capacity_at_night(source, bundle)
    with open_store(store_url) as store, hold_job_lock(store, "the demonstration"):
        for week in range(EARLIER_RUNS, -1, -1):
            at = as_of - timedelta(weeks=week)
            scored = score(
                source,
                bundle,
                at,
                model_version=model.version,
                language=language,
                progress=progress,
            ).tables()
            with save_run(
                store, scored, verdicts_as_of(source, at), settings, at, capacity=capacity
            ) as saved:
                runs.append(saved.scored)
        with store.reading() as connection:
            history = load_history(connection, as_of)
    return _WeeklyRuns(runs[-1], runs[-2], history)


def demonstration_settings(settings: Settings) -> Settings:
    """The settings of the demonstration: those given, or a sales team that few groups fit into.

    What takes long and no page of the report shows, the refits without each theme, is left out.
    The world's own kind has settings as any other would, so that nothing is warned of.
    """
    kinds = {PORTAL_KIND: ActivityKind(), **settings.kinds}
    if settings != Settings():
        return replace(settings, kinds=kinds)
    return replace(
        settings,
        kinds=kinds,
        thresholds=replace(settings.thresholds, capacity_per_week=CAPACITY_PER_WEEK),
        model=replace(settings.model, ablation=False),
    )


def demonstration_document(demonstrated: Demonstration) -> dict[str, Any]:
    """What `--json` writes: where everything is, and the groups to work on first."""
    return {
        "out": str(demonstrated.out),
        "as_of": demonstrated.as_of,
        "version": demonstrated.version,
        "verdict": demonstrated.trained.evaluation.verdict,
        "readiest": [row.score["group_id"] for row in demonstrated.readiest_rows],
        "page": str(demonstrated.page),
        "other_pages": {name: str(page) for name, page in demonstrated.other_pages},
        "scores": str(demonstrated.out / "scores"),
        "store": demonstrated.store,
        "tracking_uri": os.environ["MLFLOW_TRACKING_URI"],
    }


def demonstration_output(
    demonstrated: Demonstration, settings: Settings
) -> Iterator[RenderableType]:
    """What the command prints: the comparison, ten groups to work on first, what to open next."""
    yield comparison_table(demonstrated.trained)
    yield demonstrated.trained.evaluation.verdict
    yield readiest_table(demonstrated.readiest_rows, _summary_language(settings))
    out, first = demonstrated.out, demonstrated.readiest_rows[0].score["group_id"]
    store = os.environ["MLFLOW_TRACKING_URI"]
    others = "".join(
        f"  {page}   the same in another language: {name}\n"
        for name, page in demonstrated.other_pages
    )
    yield (
        "[bold]What to open next[/bold]\n"
        f"  {demonstrated.page}   every group, its stakeholders and why\n"
        f"{others}"
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
    """The groups to work on first, each with its strongest stakeholder."""
    table = Table(title="The ten groups to work on first", box=box.SIMPLE_HEAD, pad_edge=False)
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
