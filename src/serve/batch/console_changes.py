"""What changed between two scores of one group, on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, time

from rich import box
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from ...contract import BadInput
from ...explain.changes.change_attribution import ACTIVITY, MODEL, Change, Changes, changes
from ...explain.language import Words
from ...explain.shapley.valuation import with_compiled_trees
from ...model.bundle import Bundle
from ...model.registry import Registered, load_registered
from .scoring_job import Job


def require_earlier(since: datetime | None, version: str | None, as_of: datetime) -> None:
    """Makes sure that the options of a comparison go together.

    Args:
        since: of `--since`.
        version: of `--since-version`.
        as_of: the cut-off.

    Raises:
        BadInput: the earlier cut-off is not earlier, or a version is named without one.
    """
    if since is None and version is not None:
        raise BadInput(
            f"--since-version: expected --since beside it, got {version!r} alone; name the earlier "
            "cut-off, too"
        )
    if since is not None and since >= as_of:
        raise BadInput(
            f"--since: expected a cut-off before --as-of {as_of:%Y-%m-%d %H:%M}, got "
            f"{since:%Y-%m-%d %H:%M}; name the earlier one of the two"
        )


def since_sheet(
    job: Job, group_id: str, since: datetime, as_of: datetime, version: str | None = None
) -> Iterator[RenderableType]:
    """What `mqbg explain --since` prints: the two scores, and what lies between them.

    Args:
        job: an open job.
        group_id: of the group.
        since: the earlier cut-off.
        as_of: the later one.
        version: of the model that scored at `since`; None for the job's own.

    Raises:
        BadInput: the group is not open at one of the cut-offs, or there is no such version.
    """
    account, solution = job.require_open(group_id, as_of)
    job.require_open(group_id, since, "--since")
    before = None if version is None else load_registered(job.model.name, version)
    if before is not None and before.version == job.model.version:
        before = None
    old = None if before is None else _ready(before.bundle, job.bundle)
    found = changes(job.source, group_id, since, as_of, job.bundle, old)
    words = job.words
    days = {"from_day": _day(since, words), "to_day": _day(as_of, words)}
    heading = words.say("since_heading", account=account, solution=solution, **days)
    yield f"[bold]{escape(heading)}[/bold]"
    yield escape(
        words.say(
            "since_moved",
            points_before=found.points_before,
            points_after=found.points_after,
            points=found.points_after - found.points_before,
        )
    )
    yield ""
    yield _sum(found, _people(job, found), (before or job.model, job.model), words)


def _ready(bundle: Bundle, like: Bundle) -> Bundle:
    """An older model on this machine's threads."""
    threads = replace(bundle.settings.model, threads=like.settings.model.threads)
    own = replace(bundle.settings, model=threads)
    return with_compiled_trees(replace(bundle, settings=own))


def _day(instant: datetime, words: Words) -> str:
    day = words.formats.day(instant)
    return day if instant.time() == time() else f"{day} {instant:%H:%M}"


def _people(job: Job, found: Changes) -> dict[str, str]:
    ids = [row.contact_id for row in found.rows if row.contact_id is not None]
    contacts = job.source.contract_tables["contacts"]
    named = contacts.filter(contacts.contact_id.isin(ids)).select("contact_id", "full_name")
    return {
        row["contact_id"]: job.words.addressed(row["full_name"], row["contact_id"])
        for row in named.to_pyarrow().to_pylist()
    }


def _sum(
    found: Changes,
    people: Mapping[str, str],
    models: tuple[Registered, Registered],
    words: Words,
) -> Table:
    """The earlier score, each change and the later score, in log-odds and in points."""
    label, write = words.words["labels"], words.formats
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(label["since_change"])
    table.add_column(label["contribution"], justify="right")
    table.add_column(label["points"], justify="right")
    start = words.say("since_score", to_day=_day(found.since, words))
    table.add_row(escape(start), f"{found.before:+.3f}", write.decimal(found.points_before))
    table.add_section()
    for row in found.rows:
        if row.cause != MODEL or models[0].version != models[1].version:
            table.add_row(
                escape(_told(row, people, models, words)),
                # Of a part that rounds to zero the sign says nothing.
                f"{round(row.log_odds, 3) + 0.0:+.3f}"
                + (f" ±{row.error:.3f}" if row.error else ""),
                write.signed(row.points),
            )
    table.add_section()
    end = words.say("since_score", to_day=_day(found.as_of, words))
    table.add_row(escape(end), f"{found.after:+.3f}", write.decimal(found.points_after))
    return table


def _told(
    row: Change, people: Mapping[str, str], models: tuple[Registered, Registered], words: Words
) -> str:
    if row.cause == MODEL:
        before, now = models
        return words.say("since_model", version_before=before.version, version=now.version)
    if row.contact_id is None:
        return words.say(f"since_{row.cause}")
    if row.role is None:
        return words.say("since_gone_again", person=people[row.contact_id])
    values = {"person": people[row.contact_id], "role": words.word("roles", row.role)}
    if row.cause == ACTIVITY:
        return words.say("since_activity", **values)
    before_role = words.word("roles", row.role_before or row.role)
    return words.say(f"since_{row.turn}", **values, role_before=before_role)
