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
from ...explain.changes.change_attribution import (
    ACTIVITY,
    MODEL,
    ChangeAttribution,
    ChangePart,
    attribute_change,
)
from ...explain.language import Language
from ...explain.shapley.valuation import with_compiled_trees
from ...model.bundle import Bundle
from ...model.registry import RegisteredBundle, load_registered_bundle
from .scoring_job import ScoringJob


def require_earlier_cutoff(since: datetime | None, version: str | None, as_of: datetime) -> None:
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


def change_report(
    job: ScoringJob, group_id: str, since: datetime, as_of: datetime, version: str | None = None
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
    account, solution = job.require_open_group(group_id, as_of)
    job.require_open_group(group_id, since, "--since")
    earlier_model = None if version is None else load_registered_bundle(job.model.name, version)
    if earlier_model is not None and earlier_model.version == job.model.version:
        earlier_model = None
    earlier_bundle = (
        None if earlier_model is None else _with_threads_of(earlier_model.bundle, job.bundle)
    )
    attribution = attribute_change(job.source, group_id, since, as_of, job.bundle, earlier_bundle)
    language = job.language
    days = {
        "from_day": _format_instant(since, language),
        "to_day": _format_instant(as_of, language),
    }
    heading = language.render("since_heading", account=account, solution=solution, **days)
    yield f"[bold]{escape(heading)}[/bold]"
    yield escape(
        language.render(
            "since_moved",
            points_before=attribution.points_before,
            points_after=attribution.points_after,
            points=attribution.points_after - attribution.points_before,
        )
    )
    yield ""
    yield _change_table(
        attribution,
        _contact_names(job, attribution),
        (earlier_model or job.model, job.model),
        language,
    )


def _with_threads_of(bundle: Bundle, current: Bundle) -> Bundle:
    """An older model on this machine's threads."""
    threads = replace(bundle.settings.model, threads=current.settings.model.threads)
    own_settings = replace(bundle.settings, model=threads)
    return with_compiled_trees(replace(bundle, settings=own_settings))


def _format_instant(instant: datetime, language: Language) -> str:
    day = language.formats.day(instant)
    return day if instant.time() == time() else f"{day} {instant:%H:%M}"


def _contact_names(job: ScoringJob, attribution: ChangeAttribution) -> dict[str, str]:
    ids = [row.contact_id for row in attribution.parts if row.contact_id is not None]
    contacts = job.source.contract_tables["contacts"]
    names = contacts.filter(contacts.contact_id.isin(ids)).select("contact_id", "full_name")
    return {
        row["contact_id"]: job.language.contact_name_with_honorific(
            row["full_name"], row["contact_id"]
        )
        for row in names.to_pyarrow().to_pylist()
    }


def _change_table(
    attribution: ChangeAttribution,
    names: Mapping[str, str],
    models: tuple[RegisteredBundle, RegisteredBundle],
    language: Language,
) -> Table:
    """The earlier score, each change and the later score, in log-odds and in points."""
    labels, formats = language.word_tables["labels"], language.formats
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(labels["since_change"])
    table.add_column(labels["contribution"], justify="right")
    table.add_column(labels["points"], justify="right")
    start = language.render("since_score", to_day=_format_instant(attribution.since, language))
    table.add_row(
        escape(start),
        f"{attribution.log_odds_before:+.3f}",
        formats.decimal(attribution.points_before),
    )
    table.add_section()
    for part in attribution.parts:
        if part.cause != MODEL or models[0].version != models[1].version:
            table.add_row(
                escape(_part_sentence(part, names, models, language)),
                # Of a part that rounds to zero the sign says nothing.
                f"{round(part.log_odds, 3) + 0.0:+.3f}"
                + (f" ±{part.standard_error:.3f}" if part.standard_error else ""),
                formats.signed(part.points),
            )
    table.add_section()
    end = language.render("since_score", to_day=_format_instant(attribution.as_of, language))
    table.add_row(
        escape(end), f"{attribution.log_odds_after:+.3f}", formats.decimal(attribution.points_after)
    )
    return table


def _part_sentence(
    part: ChangePart,
    names: Mapping[str, str],
    models: tuple[RegisteredBundle, RegisteredBundle],
    language: Language,
) -> str:
    if part.cause == MODEL:
        earlier, current = models
        return language.render(
            "since_model", version_before=earlier.version, version=current.version
        )
    if part.contact_id is None:
        return language.render(f"since_{part.cause}")
    if part.role is None:
        return language.render("since_gone_again", person=names[part.contact_id])
    values = {"person": names[part.contact_id], "role": language.word("roles", part.role)}
    if part.cause == ACTIVITY:
        return language.render("since_activity", **values)
    before_role = language.word("roles", part.earlier_role or part.role)
    return language.render(f"since_{part.membership_change}", **values, role_before=before_role)
