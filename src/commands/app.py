"""The commands. Each reads its arguments, calls one room, and says what to do next."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..contract import BadInput
from ..serve.store.errors import StoreFailed, disk_is_full
from ..settings import Settings
from ..support.terminal import ERRORS, log_to_stderr, progress_shown, results
from .delivery import push, run
from .options import (
    AsOf,
    Config,
    Data,
    Engine,
    Language,
    Quarantine,
    Since,
    Version,
    instant,
    settings_of,
)  # fmt: skip
from .server import serve
from .store import Replay, UseStore, forget, store_for, warn_if_rescored
from .training import probe, register, train
from .versions import compare, promote, rollback

if TYPE_CHECKING:
    from ..serve.job import Job

# Rooms are imported inside the commands: `mqbg --help` and `mqbg check` should not wait for
# LightGBM and MLflow.

app = typer.Typer(
    name="mqbg",
    help="Scores B2B buying groups: readiness, what each stakeholder adds, which groups qualify.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Entry point: bad input ends with one message and exit status 2, a full disk with 1."""
    # Threads of LightGBM that wait by spinning make a busy machine several times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    log_to_stderr()
    try:
        app()
    except BadInput as error:
        _end(str(error), 2)
    except StoreFailed as error:
        _end(str(error), 1)
    except OSError as error:
        if not disk_is_full(error):
            raise
        _end(
            "the disk is full; nothing half-written was left: make room and run the command again",
            1,
        )


def _end(sentence: str, status: int) -> None:
    ERRORS.print(sentence, style="red", markup=False, highlight=False, soft_wrap=True)
    sys.exit(status)


def _earlier(changed_since: str | None, as_of: list[datetime]) -> datetime | None:
    """The cut-off that `--changed-since` names.

    Raises:
        BadInput: it is not before the one cut-off asked for.
    """
    if changed_since is None:
        return None
    since = instant(changed_since)
    if len(as_of) != 1 or since > as_of[0]:
        raise BadInput(
            "--changed-since: expected one --as-of, at or after it, got "
            f"{', '.join(f'{at:%Y-%m-%d %H:%M:%S}' for at in as_of)} after {changed_since}; name "
            "the cut-off of the result that --out holds, and one later cut-off"
        )
    return since


@app.command()
def check(data: Data, quarantine: Quarantine = None, config: Config = None) -> None:
    """Check the tables against the contract: every problem in one report."""
    from ..source import check as check_source
    from ..source import checked_source, open_source, shown_name

    settings_of(config)
    with open_source(data, strict=False) as source:
        report = check_source(source)
    if report.problems and quarantine is None:
        raise BadInput(report.text(shown_name(data)))
    print(report.text(shown_name(data)))  # noqa: T201 - the report is the result
    if report.problems:
        with checked_source(data, quarantine=quarantine):
            pass


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(help="New or empty folder.")],
    groups: Annotated[int, typer.Option(help="Buying groups.")] = 3000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 7,
    config: Config = None,
) -> None:
    """Write a world whose truth is known: the contract's tables, and OUT/truth."""
    from ..simulate import simulate as simulate_world

    settings_of(config)
    with progress_shown() as progress:
        simulate_world(
            out, groups=groups, seed=seed, progress=lambda _step, done: progress("simulate", done)
        )


@app.command()
def features(
    data: Data,
    as_of: Annotated[list[str], typer.Option("--as-of", help="A cut-off; may be repeated.")],
    out: Annotated[Path, typer.Option(help="Parquet file.")],
    changed_since: Since = None,
    engine: Engine = "duckdb",
    quarantine: Quarantine = None,
    config: Config = None,
) -> None:
    """Write the feature table of every open group at each cut-off."""
    import pyarrow.parquet as pq

    from ..features.catalogue import catalogue
    from ..features.prepared import feature_source
    from ..features.table import feature_table, features_since, read_features
    from ..features.vocabulary import find_vocabulary, require_known_roles
    from ..source import checked_source, on_engine, shown_name
    from ..support.atomic_output import replaced_file

    settings = settings_of(config)
    instants = sorted({instant(text) for text in as_of})
    earlier = _earlier(changed_since, instants)
    before = None if earlier is None else read_features(out, earlier)
    with progress_shown() as progress, replaced_file(out) as aside:
        with (
            checked_source(data, quarantine=quarantine, threads=settings.model.threads) as source,
            on_engine(source, engine) as there,
        ):
            prepared = feature_source(there, settings)
            require_known_roles(prepared, instants[-1])
            vocabulary = find_vocabulary(prepared, instants[-1])
            words = catalogue(vocabulary)
            # Columns that mean something else than before can be carried over for nobody.
            if before and earlier and find_vocabulary(prepared, earlier) == vocabulary:
                table, _anew = features_since(prepared, words, instants[-1], earlier, before)
            else:
                table = feature_table(prepared, words, instants, progress=progress)
        if not table.num_rows:
            raise BadInput(
                f"features: expected groups that are open at {', '.join(as_of)}, found none in "
                f"{shown_name(data)}; choose a cut-off after the first group was created"
            )
        pq.write_table(table, aside, compression="zstd")


for command in (train, register, probe, compare, promote, rollback, forget, push, run, serve):
    app.command()(command)


@app.command()
def score(
    data: Data,
    as_of: AsOf,
    out: Annotated[Path, typer.Option(help="Folder for scores, stakeholders and actions.")],
    version: Version = "champion",
    lang: Language = None,
    changed_since: Since = None,
    engine: Engine = "duckdb",
    quarantine: Quarantine = None,
    store: UseStore = True,
    replay: Replay = False,
    config: Config = None,
) -> None:
    """Score every open group at a cut-off; write the tables and keep them in the store."""
    from ..serve.carry import require_same_run
    from ..serve.files import is_ours, read_scored, write_scored
    from ..serve.store.remembering import remembered_if
    from ..serve.verdicts import verdicts_known
    from ..support.atomic_output import replaced_folder

    settings, at = settings_of(config), instant(as_of)
    since = _earlier(changed_since, [at])
    before = None if since is None else read_scored(out)
    with (
        replaced_folder(out, is_ours) as aside,
        _job(data, version, lang, quarantine, settings, engine) as job,
        store_for(settings, at, use=store, replay=replay, past_is_left_out=True) as kept,
    ):
        if since is None or before is None:
            scored = job.score(at)
        else:
            require_same_run(before, since, job.model.version, str(out))
            scored = job.score_changed(at, since, before)
        verdicts = verdicts_known(job.source, at)
        with remembered_if(kept, scored, verdicts, settings, at, replay=replay) as told:
            write_scored(told.scored, aside)
    print(f"{scored.scores.num_rows:,} groups scored into {out}")  # noqa: T201 - the result
    if kept is not None:
        moves = len(told.transitions)
        changed = "1 changed its state" if moves == 1 else f"{moves:,} changed their states"
        print(f"{changed}; kept in {kept.shown}")  # noqa: T201


@app.command()
def explain(
    data: Data,
    group_id: Annotated[str, typer.Argument(help="The buying group.")],
    as_of: AsOf,
    since: Annotated[
        str | None,
        typer.Option(help="An earlier cut-off: say what changed between the two scores."),
    ] = None,
    since_version: Annotated[
        str | None,
        typer.Option(help="Model version that scored at --since; default: that of --version."),
    ] = None,
    version: Version = "champion",
    lang: Language = None,
    quarantine: Quarantine = None,
    config: Config = None,
) -> None:
    """Explain one group's score: who adds what, why, and what goes with a higher one."""
    from ..serve.sheet import group_sheet
    from ..serve.sheet_since import require_earlier, since_sheet

    at, earlier = instant(as_of), None if since is None else instant(since)
    settings = settings_of(config)
    require_earlier(earlier, since_version, at)
    with _job(data, version, lang, quarantine, settings) as job:
        if earlier is None:
            job.require_open(group_id, at)
            scored = job.score(at, only=[group_id])
            warn_if_rescored(settings, scored)
            people = job.names(scored.stakeholders["contact_id"].to_pylist())
            parts = list(group_sheet(scored, people, job.bundle, job.words))
        else:
            parts = list(since_sheet(job, group_id, earlier, at, since_version))
    console = results()
    for part in parts:
        console.print(part, highlight=False, soft_wrap=isinstance(part, str))


@contextmanager
def _job(
    data: str,
    version: str,
    lang: str | None,
    quarantine: Path | None,
    settings: Settings,
    engine: str = "duckdb",
) -> Iterator[Job]:
    from ..serve.job import scoring_job

    with (
        progress_shown() as progress,
        scoring_job(
            data,
            settings,
            progress=progress,
            version=version,
            language=lang,
            quarantine=quarantine,
            engine=engine,
        ) as job,
    ):
        yield job


@app.command()
def report(
    scores: Annotated[Path, typer.Argument(help="The folder that `mqbg score` wrote.")],
    data: Annotated[str, typer.Option(help="The tables the scores were made from.")],
    out: Annotated[Path, typer.Option(help="Folder for the pages.")],
    before: Annotated[
        Path | None,
        typer.Option(help="The folder of an earlier `mqbg score`, to show what changed."),
    ] = None,
    lang: Language = None,
    quarantine: Quarantine = None,
    config: Config = None,
) -> None:
    """Write the scores as pages that open without a server."""
    from ..explain.words import words
    from ..model.registry import load_registered
    from ..serve.files import read_scored
    from ..serve.pages import training_record, write_report
    from ..source import checked_source

    settings = settings_of(config)
    language = words(lang or settings.explain.language, settings.explain.languages_folder)
    scored = read_scored(scores)
    if not scored.scores.num_rows:
        raise BadInput(f"report: expected scores in {scores}, found none; run `mqbg score` first")
    version = scored.scores["model_version"][0].as_py()
    name = settings.model.registered_name
    bundle = load_registered(name, version).bundle
    with (
        progress_shown() as progress,
        checked_source(data, quarantine=quarantine, threads=settings.model.threads) as source,
    ):
        page = write_report(
            scored,
            source,
            bundle,
            out,
            words=language,
            record=training_record(name, version),
            before=None if before is None else read_scored(before),
            progress=progress,
        )
    print(f"open {page}")  # noqa: T201 - the result


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything it makes.")] = Path("demo"),
    groups: Annotated[int, typer.Option(help="Buying groups.")] = 2000,
    config: Config = None,
) -> None:
    """Simulate, check, train, score and report, in under two minutes."""
    from .demo import demonstrate, shown

    settings = settings_of(config)
    with progress_shown() as progress:
        demonstrated = demonstrate(out, groups, settings, progress)
    console = results()
    for part in shown(demonstrated, settings):
        console.print(part, highlight=False, soft_wrap=isinstance(part, str))
