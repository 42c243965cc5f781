"""What commands do with the store, and `mqbg forget`."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..contract import BadInput
from ..support.terminal import ERRORS
from .options import Config, JsonFile, read_settings, write_json

if TYPE_CHECKING:
    from ..serve.batch.scoring import ScoreTables
    from ..serve.forget.person import Person
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
    from ..serve.store.connection import open_store, store_url
    from ..serve.store.job_lock import hold_job_lock
    from ..serve.store.save_run import require_chronological

    url = store_url(settings.store)
    if not use or not url:
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
    json_file: JsonFile = None,
    config: Config = None,
) -> None:
    """Remove a person from the store, the outbox, tables and pages, and say what went."""
    from ..serve.forget.score_files import forget_in_pages, forget_in_tables

    if not contact_id.strip():
        raise BadInput("forget: expected the contact_id of a person, got an empty text")
    person, in_data = _person(contact_id, data, name or [])
    if pages is not None and not person.names:
        raise BadInput(
            "forget: expected a name, as pages call people by their names; give the tables with "
            "--data, or the name with --name"
        )
    removed = _forget_in_store(person, read_settings(config), store)
    if scores is not None:
        removed[f"tables {scores}"] = forget_in_tables(scores, person)
    if pages is not None:
        removed[f"pages {pages}"] = forget_in_pages(pages, person)
    if not removed:
        raise BadInput(
            "forget: expected something to clear, but there is no store here and no folder was "
            "given; name what holds the person with --store, --scores or --pages"
        )
    write_json(json_file, {"contact_id": contact_id, "removed": removed})
    _print_removed(contact_id, removed, data if in_data else None)


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


def _forget_in_store(
    person: Person, settings: Settings, store_option: str | None
) -> dict[str, Counter[str]]:
    from ..serve.forget.store_rows import forget_in_store
    from ..serve.store.connection import open_store, store_exists, store_url
    from ..serve.store.job_lock import hold_job_lock

    url = store_option if store_option is not None else store_url(settings.store)
    if not url or (store_option is None and not store_exists(url)):
        return {}
    if not store_exists(url):
        raise BadInput(
            f"forget: expected a store at {store_option}, found none there; check --store"
        )
    timeout = settings.store.lock_timeout_seconds
    with open_store(url, lock_timeout_seconds=timeout) as store, hold_job_lock(store, "forget"):
        return {f"store {store.redacted_url}": forget_in_store(store, person)}


def _print_removed(contact_id: str, removed: Mapping[str, Counter[str]], data: str | None) -> None:
    for place, counts in removed.items():
        counts_text = ", ".join(f"{what} {count:,}" for what, count in sorted(counts.items()))
        print(f"{place}: {counts_text or 'nothing'}")  # noqa: T201 - the result
    if not any(counts.total() for counts in removed.values()):
        _print_hint(f"no trace of contact {contact_id!r} was found; make sure that this is the id")
    elif any(what.startswith(("tables", "pages")) for what in removed):
        _print_hint(
            "what is left does not add up to the scores any more; the next `mqbg score` and "
            "`mqbg report` make tables and pages again, without the person"
        )
    if data is not None:
        _print_hint(
            f"the data still has contact {contact_id!r}: delete the person there too, or the next "
            "`mqbg score` brings them back"
        )


def _print_hint(text: str) -> None:
    ERRORS.print(text, markup=False, highlight=False, soft_wrap=True)
