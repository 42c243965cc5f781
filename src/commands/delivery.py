"""`mqbg push`, and `mqbg run`: the night's job."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..contract import BadInput
from ..support.terminal import ERRORS, progress_shown
from .options import (
    AsOf,
    Config,
    Data,
    Engine,
    Force,
    JsonFile,
    Language,
    Quarantine,
    Version,
    parse_instant,
    read_settings,
    write_json,
)
from .scoring import open_scoring_job
from .store import Replay, store_for

if TYPE_CHECKING:
    from stamina.instrumentation import RetryDetails

    from ..serve.batch.scoring import ScoreTables
    from ..serve.delivery.nightly_job import PushResult
    from ..serve.store.connection import Store
    from ..settings import Settings

LOGGER = logging.getLogger("mqbg.push")
MAX_LISTED_RECORDS = 20  # rejected records that are listed

TargetOption = Annotated[
    str, typer.Option("--to", help="hubspot, salesforce, dynamics, sql, webhook or jsonl.")
]
RejectedFile = Annotated[
    Path | None, typer.Option(help="Write records that are refused or dead here, as CSV.")
]


def push(
    scores: Annotated[Path, typer.Argument(help="The folder that `mqbg score` wrote.")],
    to: TargetOption,
    dry_run: Annotated[
        bool, typer.Option(help="Print what would change, field by field, and send nothing.")
    ] = False,
    prepare: Annotated[
        bool, typer.Option(help="First make the properties or columns that the target lacks.")
    ] = False,
    retry_dead: Annotated[
        bool, typer.Option(help="Also send records again that were refused too often.")
    ] = False,
    resend_all: Annotated[
        bool,
        typer.Option(help="Send every record, changed or not: the target points elsewhere now."),
    ] = False,
    allow_older: Annotated[
        bool, typer.Option(help="Push scores that are older than those that were sent.")
    ] = False,
    rejected: RejectedFile = None,
    json_file: JsonFile = None,
    config: Config = None,
) -> None:
    """Bring a CRM, a table, a webhook or a file to what the scores say; only changes are sent."""
    from ..serve.batch.score_files import read_score_tables
    from ..serve.delivery.nightly_job import push as push_to
    from ..serve.delivery.targets.open_target import require_target

    settings = read_settings(config)
    require_target(to)
    scored = read_score_tables(scores)
    if dry_run:
        fields, records = _show_differences(scored, to, settings)
        changes = {"target": to, "dry_run": True, "fields": fields, "records": records}
        write_json(json_file, changes)
        return
    with _open_store(settings) as store, progress_shown() as progress:
        if prepare:
            _prepare(to, settings)
        with _locked(store, f"push to {to}"):  # tells at once of another job
            if retry_dead:
                _requeue_dead(store, to)
        result = push_to(
            store, to, scored, settings, _now, progress,
            resend_all=resend_all, allow_older=allow_older,
        )  # fmt: skip
        _list_rejected(store, [result], rejected)
    write_json(json_file, {**_result_document(result), "dry_run": False})
    _finish([result])


def run(
    data: Data,
    as_of: AsOf,
    out: Annotated[Path, typer.Option(help="Folder for scores, stakeholders and actions.")],
    to: Annotated[
        list[str] | None,
        typer.Option("--to", help="A target, as of `mqbg push`; may be repeated."),
    ] = None,
    version: Version = "champion",
    lang: Language = None,
    engine: Engine = "duckdb",
    quarantine: Quarantine = None,
    replay: Replay = False,
    json_file: JsonFile = None,
    rejected: RejectedFile = None,
    force: Force = False,
    config: Config = None,
) -> None:
    """Do the night's job: score, keep, push to every target, tell sales.

    A job that was cut off is run again with the same --as-of: what was done is not done twice.
    """
    from ..serve.delivery.nightly_job import require_targets_configured, run_nightly_job

    with _summarized(json_file, as_of) as document:
        settings, at = read_settings(config), parse_instant(as_of)
        document["as_of"] = at.isoformat()
        require_targets_configured(to or [], settings)
        with store_for(settings, at, replay=replay) as store:
            if store is None:
                raise BadInput(_no_store_message("run"))
            scored, facts = _score_and_save(
                data, at, out, version, lang, engine, quarantine, settings, store, replay, force
            )
        document["groups"] = scored.scores.num_rows
        document |= {"model": facts["model"], "data_fit": facts["data_fit"]}
        print(f"{scored.scores.num_rows:,} groups scored into {out}")  # noqa: T201 - the result
        # Locked again for each target, once it has let us in: nobody waits for a login.
        with _open_store(settings) as store, progress_shown() as progress:
            results = run_nightly_job(
                store, scored, to or [], settings, _now, progress, allow_older=replay
            )
            document["pushed"] = [_result_document(result) for result in results]
            _list_rejected(store, results, rejected)
        _finish(results)


def _score_and_save(
    data: str,
    at: datetime,
    out: Path,
    version: str,
    lang: str | None,
    engine: str,
    quarantine: Path | None,
    settings: Settings,
    store: Store,
    replay: bool,
    force: bool,
) -> tuple[ScoreTables, dict[str, Any]]:
    """The scores of a night, in the folder and in the store, and what is to be said of them."""
    from ..features.time_rules.verdicts import verdicts_as_of
    from ..serve.batch.score_files import is_score_file, write_facts, write_score_tables
    from ..serve.store.save_run import save_run
    from ..support.atomic_output import replaced_folder

    with (
        replaced_folder(out, is_score_file) as temporary,
        open_scoring_job(data, version, lang, quarantine, settings, engine, force=force) as job,
    ):
        facts = job.facts(at, job.check_fit(at, "run"))
        scored, verdicts = job.score(at), verdicts_as_of(job.source, at)
        with save_run(
            store, scored, verdicts, settings, at, replay=replay, capacity=job.capacity()
        ) as saved:
            write_score_tables(saved.scored, temporary)
            write_facts(facts, temporary)
        return saved.scored, facts


def _now() -> datetime:
    """The time in UTC, as everywhere without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


@contextmanager
def _open_store(settings: Settings) -> Iterator[Store]:
    """The store that holds the outbox.

    Raises:
        BadInput: there is none.
    """
    from ..serve.store.connection import open_store, store_url

    _log_retries()
    url = store_url(settings.store)
    if not url:
        raise BadInput(_no_store_message("push"))
    with open_store(url, lock_timeout_seconds=settings.store.lock_timeout_seconds) as store:
        yield store


@contextmanager
def _locked(store: Store, job: str) -> Iterator[None]:
    from ..serve.store.job_lock import hold_job_lock

    with hold_job_lock(store, job):
        yield


def _no_store_message(command: str) -> str:
    return (
        f"{command}: expected a store, which remembers what was sent, but [store] url is empty; "
        "set it to a file or a database"
    )


def _log_retries() -> None:
    """Tells of retries on stderr, in our own words.

    stamina's own way is structlog, which writes to stdout, where results go.
    """
    import stamina.instrumentation

    def log_retry(details: RetryDetails) -> None:
        LOGGER.info("trying again in %.1f s: %s", details.wait_for, details.caused_by)

    stamina.instrumentation.set_on_retry_hooks([log_retry])


def _show_differences(scored: ScoreTables, to: str, settings: Settings) -> tuple[int, int]:
    """Prints every change; how many fields and records it concerns."""
    from ..serve.delivery.nightly_job import load_push_inputs
    from ..serve.delivery.outbox.differences import find_differences
    from ..serve.delivery.targets.open_target import RECORD_BUILDERS
    from ..serve.store.connection import open_store, store_exists, store_url

    url = store_url(settings.store)
    fields, records = 0, set()

    def show(connection: Any) -> None:
        nonlocal fields
        desired = RECORD_BUILDERS[to](load_push_inputs(connection, scored), settings)
        for difference in find_differences(connection, to, desired):
            fields += 1
            records.add((difference.kind, difference.object_id))
            old = (
                "nothing"
                if difference.old is None
                else json.dumps(difference.old, ensure_ascii=False)
            )
            new = json.dumps(difference.new, ensure_ascii=False)
            changed = f"{difference.kind} {difference.object_id} {difference.field_name}"
            print(f"{changed}: {old} -> {new}")  # noqa: T201

    if url and store_exists(url):
        timeout = settings.store.lock_timeout_seconds
        with open_store(url, lock_timeout_seconds=timeout) as store, store.reading() as connection:
            show(connection)
    else:
        show(None)
    print(f"{fields:,} fields of {len(records):,} records would change at {to}")  # noqa: T201
    return fields, len(records)


def _prepare(to: str, settings: Settings) -> None:
    from ..serve.delivery.targets.open_target import open_target
    from ..serve.delivery.targets.target import TargetUnavailable

    try:
        with open_target(to, settings, unix_clock=lambda: 0.0) as target:
            for name in target.prepare():
                LOGGER.info("made %s", name)
    except TargetUnavailable as reason:
        _print_hint(str(reason))
        raise typer.Exit(1) from None


def _requeue_dead(store: Store, to: str) -> None:
    from ..serve.delivery.outbox.outbox import retry_dead

    with store.begin() as connection:
        requeued = retry_dead(connection, to)
    LOGGER.info("%d dead records are sent again", requeued)


def _list_rejected(store: Store, results: Sequence[PushResult], path: Path | None) -> None:
    from ..serve.delivery.outbox.outbox import load_refused_records
    from ..support.csv_export import write_csv

    if path is None:
        return
    names = ("target", "kind", "object_id", "state", "attempts", "last_error")
    rows = []
    with store.begin() as connection:
        for result in results:
            rows += [
                {"target": result.target, **row}
                for row in load_refused_records(connection, result.target)
            ]
    write_csv(path, names, [[row[name] for name in names] for row in rows])


@contextmanager
def _summarized(path: Path | None, as_of: str) -> Iterator[dict[str, Any]]:
    """What a run did, written however it ends: with its exit status, and why where it failed."""
    document: dict[str, Any] = {
        "as_of": as_of, "status": 0, "error": None, "groups": None, "pushed": [],
        "model": None, "data_fit": None,
    }  # fmt: skip
    try:
        yield document
    except typer.Exit as ended:
        document["status"] = ended.exit_code
        raise
    except BaseException as error:
        document["status"] = 2 if isinstance(error, BadInput) else 1
        document["error"] = str(error) or type(error).__name__
        raise
    finally:
        write_json(path, document)


def _result_document(result: PushResult) -> dict[str, Any]:
    return {
        "target": result.target,
        "changed": result.changed,
        "accepted": result.delivered.accepted,
        "rejected": len(result.delivered.rejected),
        "left": result.delivered.unsent,
        "dead": result.dead,
        "stopped": result.delivered.stop_reason,
    }


def _finish(results: Sequence[PushResult]) -> None:
    """Says what became of each push; exit status 1 if anything was rejected or left."""
    for result in results:
        _print_result(result)
    if any(result.failed for result in results):
        raise typer.Exit(1)


def _print_result(result: PushResult) -> None:
    delivery = result.delivered
    parts = [f"{result.changed:,} changed", f"{delivery.accepted:,} accepted"]
    parts.append(f"{len(delivery.rejected):,} rejected")
    if delivery.unsent:
        parts.append(f"{delivery.unsent:,} left for the next run")
    if result.dead:
        parts.append(f"{result.dead:,} dead")
    # stdout may be the lines of the target jsonl.
    _print_hint(f"{result.target}: {', '.join(parts)}")
    for object_id, reason in delivery.rejected[:MAX_LISTED_RECORDS]:
        _print_hint(f"  {object_id}: {reason}")
    if len(delivery.rejected) > MAX_LISTED_RECORDS:
        more = len(delivery.rejected) - MAX_LISTED_RECORDS
        _print_hint(f"  and {more:,} more; --rejected FILE writes them all")
    if delivery.stop_reason:
        _print_hint(delivery.stop_reason)
    if result.dead:
        for object_id, reason in result.dead_records:
            _print_hint(f"  dead: {object_id}: {reason}")
        if result.dead > len(result.dead_records):
            _print_hint(f"  and {result.dead - len(result.dead_records):,} more dead")
        _print_hint(
            "dead records wait for `mqbg push --retry-dead`, or until what they say changes"
        )


def _print_hint(text: str) -> None:
    ERRORS.print(text, markup=False, highlight=False, soft_wrap=True)
