"""The commands that score: all open groups, one group in words, the pages of a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..contract import BadInput
from ..support.terminal import progress_shown, results
from .options import (
    AsOf,
    ChangedSince,
    Config,
    Data,
    Engine,
    Force,
    JsonFile,
    Language,
    Quarantine,
    Version,
    parse_changed_since,
    parse_instant,
    read_settings,
    write_json,
)
from .store import (
    Replay,
    ScoredRun,
    UseStore,
    last_night,
    run_saved,
    store_for,
    warn_if_rescored,
)

if TYPE_CHECKING:
    from ..explain.language import Language as SpokenLanguage
    from ..serve.batch.score_history import ScoreHistory
    from ..serve.batch.scoring import ScoreTables
    from ..serve.batch.scoring_job import ScoringJob
    from ..settings import Settings


def score(
    data: Data,
    as_of: AsOf,
    out: Annotated[Path, typer.Option(help="Folder for scores, stakeholders and actions.")],
    version: Version = "champion",
    lang: Language = None,
    changed_since: ChangedSince = None,
    engine: Engine = "duckdb",
    quarantine: Quarantine = None,
    store: UseStore = True,
    replay: Replay = False,
    force: Force = False,
    json_file: JsonFile = None,
    config: Config = None,
) -> None:
    """Score every open group at a cut-off; write the tables and keep them in the store."""
    from ..serve.batch.incremental import require_matching_scores
    from ..serve.batch.score_files import (
        is_score_file,
        read_score_tables,
        write_facts,
        write_score_tables,
    )
    from ..support.atomic_output import replaced_folder

    settings, at = read_settings(config), parse_instant(as_of)
    earlier = parse_changed_since(changed_since, [at])
    previous = None if earlier is None else read_score_tables(out)
    with (
        replaced_folder(out, is_score_file) as temporary,
        open_scoring_job(data, version, lang, quarantine, settings, engine, force=force) as job,
        store_for(settings, at, use=store, replay=replay, skip_if_past=True) as opened_store,
    ):
        facts = job.facts(at, job.check_fit(at, "score"))
        if earlier is None or previous is None:
            scored = job.score(at)
        else:
            require_matching_scores(previous, earlier, job.model.version, str(out))
            scored = job.score_changed(at, earlier, previous)
        with run_saved(opened_store, scored, job, settings, at, replay=replay) as saved:
            write_score_tables(saved.scored, temporary)
            write_facts(facts, temporary)
    print(f"{scored.scores.num_rows:,} groups scored into {out}")  # noqa: T201 - the result
    write_json(
        json_file,
        {
            "as_of": at,
            "model_version": job.model.version,
            "groups": scored.scores.num_rows,
            "statuses": dict(Counter(saved.scored.scores["status"].to_pylist())),
            "changed_states": saved.changed_groups,
            "out": str(out),
            **{part: facts[part] for part in ("model", "data_fit")},
        },
    )
    if opened_store is not None:
        print(f"{_states_changed(saved)}; kept in {opened_store.redacted_url}")  # noqa: T201


def _states_changed(saved: ScoredRun) -> str:
    if saved.changed_groups == 1:
        return "1 changed its state"
    return f"{saved.changed_groups:,} changed their states"


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
    full: Annotated[
        bool, typer.Option("--full", help="Show every stakeholder, role and step as well.")
    ] = False,
    json_file: JsonFile = None,
    quarantine: Quarantine = None,
    config: Config = None,
) -> None:
    """Explain one group's score in a few lines: how likely, who, why, what next; `--full`: all."""
    from ..serve.batch.console_changes import change_report, require_earlier_cutoff
    from ..serve.batch.console_report import group_document, group_report

    at, earlier = parse_instant(as_of), None if since is None else parse_instant(since)
    settings = read_settings(config)
    require_earlier_cutoff(earlier, since_version, at)
    if earlier is not None and json_file is not None:
        raise BadInput(
            "--json: expected no --since beside it, got both; the file holds one score, so ask for "
            "each cut-off by itself"
        )
    with open_scoring_job(data, version, lang, quarantine, settings) as job:
        if earlier is None:
            job.require_open_group(group_id, at)
            decided = last_night(settings, [group_id], at, job.model.version)
            scored = job.score(at, group_ids=[group_id], decisions=decided)
            warn_if_rescored(settings, scored)
            people = job.contact_names(scored.stakeholders["contact_id"].to_pylist())
            parts = list(group_report(scored, people, job.bundle, job.language, full=full))
            write_json(json_file, group_document(scored))
        else:
            parts = list(change_report(job, group_id, earlier, at, since_version))
    console = results()
    for part in parts:
        console.print(part, highlight=False, soft_wrap=isinstance(part, str))


@contextmanager
def open_scoring_job(
    data: str,
    version: str,
    lang: str | None,
    quarantine: Path | None,
    settings: Settings,
    engine: str = "duckdb",
    *,
    force: bool = False,
) -> Iterator[ScoringJob]:
    """A scoring job on `data`, with its progress on the terminal."""
    from ..serve.batch.scoring_job import scoring_job

    with (
        progress_shown() as progress,
        scoring_job(
            data,
            settings,
            progress=progress,
            version=version,
            language_code=lang,
            quarantine=quarantine,
            engine=engine,
            force=force,
        ) as job,
    ):
        yield job


def report(
    scores: Annotated[Path, typer.Argument(help="The folder that `mqbg score` wrote.")],
    data: Annotated[str, typer.Option(help="The tables the scores were made from.")],
    out: Annotated[Path, typer.Option(help="Folder for the pages.")],
    before: Annotated[
        Path | None,
        typer.Option(
            help="The folder of an earlier `mqbg score`, to show what changed; default: the "
            "store's run before."
        ),
    ] = None,
    lang: Annotated[
        list[str] | None,
        typer.Option(
            "--lang",
            help="Language of the pages; given again, further ones that a switch leads to. "
            "Default: the settings', and the others that come with mqbg.",
        ),
    ] = None,
    quarantine: Quarantine = None,
    store: Annotated[
        bool, typer.Option("--store/--no-store", help="Show history from the store.")
    ] = True,
    json_file: JsonFile = None,
    config: Config = None,
) -> None:
    """Write the scores as pages that open without a server, in any language."""
    from ..model.known_names import model_spellings
    from ..model.registry import load_registered_bundle
    from ..serve.batch.score_files import read_facts, read_score_tables
    from ..serve.batch.score_history import NO_HISTORY
    from ..serve.pages import training_record, write_report
    from ..source import checked_source

    settings = read_settings(config)
    page_languages = report_languages(lang, settings)
    scored, facts = read_score_tables(scores), read_facts(scores)
    if not scored.scores.num_rows:
        raise BadInput(f"report: expected scores in {scores}, found none; run `mqbg score` first")
    earlier = None if before is None else read_score_tables(before)
    stored, history = stored_history(settings, scored) if store else (None, NO_HISTORY)
    version = scored.scores["model_version"][0].as_py()
    name = settings.model.registered_name
    bundle = load_registered_bundle(name, version).bundle
    with (
        progress_shown() as progress,
        checked_source(
            data,
            quarantine=quarantine,
            threads=settings.model.threads,
            settings=settings.reading_for(bundle.settings),
            known=model_spellings(bundle),
        ) as source,
    ):
        page = write_report(
            scored,
            source,
            bundle,
            out,
            language=page_languages[0],
            more_languages=page_languages[1:],
            record=training_record(name, version),
            before=earlier or stored,
            history=history,
            facts=facts,
            settings=settings,
            progress=progress,
        )
    print(f"open {page}")  # noqa: T201 - the result
    languages = [one.code for one in page_languages]
    write_json(json_file, {"page": str(page), "languages": languages, "model_version": version})


def report_languages(codes: list[str] | None, settings: Settings) -> list[SpokenLanguage]:
    """The languages of a report, that of the pages first.

    Args:
        codes: those asked for; None for the settings' own and those that come with mqbg.
        settings: [explain] is read.
    """
    from ..explain.language import languages as known_languages
    from ..explain.language import load_language

    own = [settings.explain.language, *known_languages()]
    return [
        load_language(code, settings.explain.languages_folder)
        for code in dict.fromkeys(codes or own)
    ]


def stored_history(
    settings: Settings, scored: ScoreTables
) -> tuple[ScoreTables | None, ScoreHistory]:
    """The run before the scores, and the history up to them; nothing where the store lacks them.

    Args:
        settings: [store] is read.
        scored: of one cut-off.
    """
    from ..serve.batch.score_history import NO_HISTORY
    from ..serve.store.connection import open_store, store_exists, store_url
    from ..serve.store.load_history import holds_run, load_history, load_previous_cutoff
    from ..serve.store.load_run import load_run

    url = store_url(settings.store)
    if not url or not store_exists(url):
        return None, NO_HISTORY
    first = scored.scores.slice(0, 1).to_pylist()[0]
    as_of, version = first["as_of"], first["model_version"]
    timeout = settings.store.lock_timeout_seconds
    with (
        open_store(url, lock_timeout_seconds=timeout, read_only=True) as store,
        store.reading() as connection,
    ):
        if not holds_run(connection, as_of, version, scored.scores.num_rows):
            return None, NO_HISTORY
        previous = load_previous_cutoff(connection, as_of)
        earlier = None if previous is None else load_run(connection, previous)
        return earlier, load_history(connection, as_of)
