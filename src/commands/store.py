"""What commands do with the store, and `mqbg forget`."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..contract import BadInput
from ..support.terminal import ERRORS
from .options import Config, JsonFile, read_settings, write_json

if TYPE_CHECKING:
    from ..serve.batch.night_decisions import NightDecision
    from ..serve.batch.scoring import ScoreTables
    from ..serve.batch.scoring_job import ScoringJob
    from ..serve.forget.outbox_rows import RemoteCopy
    from ..serve.forget.person import Person
    from ..serve.forget.staged_files import StagedFiles
    from ..serve.store.connection import Store
    from ..settings import Settings

logger = logging.getLogger(__name__)

LOG_ODDS_TOLERANCE = 1e-9

UseStore = Annotated[
    bool,
    typer.Option("--store/--no-store", help="Keep scores, states and history in the store."),
]
Replay = Annotated[
    bool,
    typer.Option(help="Drop the store's runs after --as-of first; score those days again then."),
]


@contextmanager
def store_for(
    settings: Settings,
    as_of: datetime,
    *,
    use: bool = True,
    replay: bool = False,
    skip_if_past: bool = False,
) -> Iterator[Store | None]:
    """The store, held for one job; None where there is none.

    Args:
        settings: [store] is read; the environment's URL wins.
        as_of: of the job.
        use: False for a job that keeps nothing.
        replay: the job may come before the store's latest run.
        skip_if_past: a job before the store's latest run keeps nothing, and a warning says so,
            instead of being refused.

    Raises:
        BadInput: it cannot be opened, another job holds it, or it has later runs.
        StoreFailed: it cannot be read.
    """
    if not use:
        yield None
        return
    from ..serve.store.connection import open_store, store_url
    from ..serve.store.job_lock import hold_job_lock
    from ..serve.store.save_run import require_chronological

    if not (url := store_url(settings.store)):
        yield None
        return
    timeout = settings.store.lock_timeout_seconds
    with (
        open_store(url, lock_timeout_seconds=timeout) as store,
        hold_job_lock(store, f"a job as of {as_of:%Y-%m-%d %H:%M}"),
    ):
        try:
            with store.begin() as connection:
                require_chronological(connection, as_of, replay=replay)
        except BadInput as error:
            if not skip_if_past:
                raise
            logger.warning("these scores go into the folder alone: %s", error)
            yield None
            return
        yield store


@dataclass(frozen=True)
class ScoredRun:
    """A run as it is written.

    Attributes:
        scored: with the status of each group, where there is a store.
        changed_groups: how many changed their state; None without a store.
    """

    scored: ScoreTables
    changed_groups: int | None


@contextmanager
def run_saved(
    store: Store | None,
    scored: ScoreTables,
    job: ScoringJob,
    settings: Settings,
    as_of: datetime,
    *,
    replay: bool,
) -> Iterator[ScoredRun]:
    """A run that the store keeps if what is done meanwhile succeeds; without one, as it is.

    Raises:
        BadInput, StoreFailed: as `save_run`.
    """
    if store is None:
        yield ScoredRun(scored, None)
        return
    from ..features.time_rules.verdicts import verdicts_as_of
    from ..serve.store.save_run import save_run

    verdicts, capacity = verdicts_as_of(job.source, as_of), job.capacity()
    with save_run(
        store, scored, verdicts, settings, as_of, replay=replay, capacity=capacity
    ) as saved:
        yield ScoredRun(saved.scored, len(saved.transitions))


def last_night(
    settings: Settings, group_ids: Sequence[str], as_of: datetime, model_version: str
) -> Mapping[str, NightDecision]:
    """What the store's last night at or before a cut-off decided of groups; empty without a store.

    Args:
        settings: [store] is read.
        group_ids: a few groups.
        as_of: the cut-off.
        model_version: that scores.
    """
    from ..serve.store.connection import open_store, store_exists, store_url
    from ..serve.store.load_decisions import load_decisions

    url = store_url(settings.store)
    if not url or not store_exists(url):
        return {}
    timeout = settings.store.lock_timeout_seconds
    with open_store(url, lock_timeout_seconds=timeout) as store, store.reading() as connection:
        return load_decisions(connection, group_ids, as_of, model_version)


def warn_if_rescored(settings: Settings, scored: ScoreTables) -> None:
    """Warns of groups that the store has with another score, at the same cut-off by the same model.

    A score depends on nothing but data, model and cut-off, so their data has changed: rows came
    late without saying so, or were edited.

    Args:
        settings: [store] is read.
        scored: a few groups.
    """
    from ..serve.store.connection import open_store, store_exists, store_url
    from ..serve.store.queries import load_group

    url = store_url(settings.store)
    if not url or not store_exists(url):
        return
    timeout = settings.store.lock_timeout_seconds
    with open_store(url, lock_timeout_seconds=timeout) as store, store.reading() as connection:
        for current in scored.scores.to_pylist():
            stored = load_group(connection, current["group_id"], current["as_of"])
            if stored is None or stored.score["model_version"] != current["model_version"]:
                continue
            if abs(stored.score["log_odds"] - current["log_odds"]) > LOG_ODDS_TOLERANCE:
                logger.warning(
                    "group %s was scored %s at this cut-off, and is %s now: the data has changed "
                    "since (rows that came late without recorded_at, or edits)",
                    current["group_id"], stored.score["score"], current["score"],
                )  # fmt: skip


def forget(
    contact_id: Annotated[str, typer.Argument(help="The person's id in the data.")],
    store: Annotated[
        str | None, typer.Option(help="URL of the store; default: that of the settings.")
    ] = None,
    scores: Annotated[
        Path | None, typer.Option(help="A folder that `mqbg score` wrote, to clear as well.")
    ] = None,
    pages: Annotated[
        Path | None, typer.Option(help="A folder that `mqbg report` wrote, to clear as well.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="The tables, which know the person's name and address.")
    ] = None,
    name: Annotated[
        list[str] | None, typer.Option(help="Another name or address; may be repeated.")
    ] = None,
    also: Annotated[
        list[Path] | None,
        typer.Option(
            help="Another file or folder that mqbg wrote: a CSV, a quarantine, the folder of an "
            "import; may be repeated. The file of \\[push.jsonl] is searched always."
        ),
    ] = None,
    json_file: JsonFile = None,
    config: Config = None,
) -> None:
    """Remove a person from the store, the outbox, tables, pages and files, and say what went.

    Everything is checked before anything changes. What targets and channels were sent is listed.
    """
    from ..serve.forget.score_files import require_pages, require_tables
    from ..serve.forget.staged_files import staged_files

    if not contact_id.strip():
        raise BadInput("forget: expected the contact_id of a person, got an empty text")
    settings = read_settings(config)
    person, in_data = _person(contact_id, data, name or [])
    others = [*(also or []), *_pushed_lines(settings)]
    if (pages is not None or others) and not person.names:
        raise BadInput(
            "forget: expected a name, as pages and pushed texts call people by their names; give "
            "the tables with --data, or the name with --name"
        )
    if scores is not None:
        require_tables(scores)
    if pages is not None:
        require_pages(pages)
    url = _url_of_store(settings, store)
    if url is None and scores is None and pages is None and not others:
        raise BadInput(
            "forget: expected something to clear, but there is no store here and no folder was "
            "given; name what holds the person with --store, --scores, --pages or --also"
        )
    with staged_files() as files:
        removed = _stage_files(person, scores, pages, others, files)
        in_store, copies = _forget_in_store(person, settings, url, files)
        files.commit()
    removed = in_store | removed
    document = {"contact_id": contact_id, "removed": removed, "sent": list(map(str, copies))}
    write_json(json_file, document)
    _print_removed(contact_id, removed, copies, data if in_data else None)


def _pushed_lines(settings: Settings) -> list[Path]:
    """The file that the target jsonl wrote, if there is one."""
    path = Path(settings.push.jsonl.path)
    return [path] if path.is_file() else []


def _stage_files(
    person: Person, scores: Path | None, pages: Path | None, others: list[Path], files: StagedFiles
) -> dict[str, Counter[str]]:
    from ..serve.forget.score_files import forget_in_pages, forget_in_tables
    from ..serve.forget.written_files import forget_in_files

    removed = {}
    if scores is not None:
        removed[f"tables {scores}"] = forget_in_tables(scores, person, files)
    if pages is not None:
        removed[f"pages {pages}"] = forget_in_pages(pages, person, files)
    for path in others:
        removed[f"files {path}"] = forget_in_files(path, person, files)
    return removed


def _person(contact_id: str, data: str | None, names: list[str]) -> tuple[Person, bool]:
    """The person, and whether the data still has them."""
    from ..serve.forget.person import Person
    from ..source import open_source

    if data is None:
        return Person(contact_id, tuple(names)), False
    with open_source(data, strict=False) as source:
        contacts = source.tables["contacts"]
        rows = contacts.filter(contacts.contact_id == contact_id)
        found = rows.select("full_name", "email").to_pyarrow().to_pylist()
    known = [text for row in found for text in (row["full_name"], row["email"]) if text]
    return Person(contact_id, tuple(dict.fromkeys([*known, *names]))), bool(found)


def _url_of_store(settings: Settings, store_option: str | None) -> str | None:
    """Where the store is; None where there is none."""
    from ..serve.store.connection import store_exists, store_url

    url = store_option if store_option is not None else store_url(settings.store)
    if not url or (store_option is None and not store_exists(url)):
        return None
    if not store_exists(url):
        raise BadInput(
            f"forget: expected a store at {store_option}, found none there; check --store"
        )
    return url


def _forget_in_store(
    person: Person, settings: Settings, url: str | None, files: StagedFiles
) -> tuple[dict[str, Counter[str]], tuple[RemoteCopy, ...]]:
    from ..serve.forget.store_rows import forget_in_store
    from ..serve.store.connection import open_store
    from ..serve.store.job_lock import hold_job_lock

    if url is None:
        return {}, ()
    timeout = settings.store.lock_timeout_seconds
    with open_store(url, lock_timeout_seconds=timeout) as store, hold_job_lock(store, "forget"):
        forgotten = forget_in_store(store, person, files)
        return {f"store {store.redacted_url}": forgotten.counts}, forgotten.copies


def _print_removed(
    contact_id: str,
    removed: Mapping[str, Counter[str]],
    copies: Sequence[RemoteCopy],
    data: str | None,
) -> None:
    for place, counts in removed.items():
        counts_text = ", ".join(f"{what} {count:,}" for what, count in sorted(counts.items()))
        print(f"{place}: {counts_text or 'nothing'}")  # noqa: T201 - the result
    for copy in copies:
        print(f"sent, and to be deleted there: {copy}")  # noqa: T201
    if not any(counts.total() for counts in removed.values()):
        _print_hint(f"no trace of contact {contact_id!r} was found; make sure that this is the id")
    if data is not None:
        _print_hint(
            f"the data still has contact {contact_id!r}: delete the person there too, or the next "
            "`mqbg score` brings them back"
        )


def _print_hint(text: str) -> None:
    ERRORS.print(text, markup=False, highlight=False, soft_wrap=True)
