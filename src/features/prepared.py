"""A source made ready for features: each activity once, small numbers for ids, rows in clusters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import ibis
import ibis.expr.types as ir

from ..contract import BUYING_JOBS
from ..settings import Settings
from ..source.opening import Source
from .account_facts import group_outcomes
from .activities import (
    kind_table,
    kinds_in,
    once,
    possible_copies,
    shared_hashes,
    warn_of_unknown_kinds,
    with_known_at,
)
from .engine import Queries
from .exact import exact

NOBODY = ""  # what stands for the contact of a base row, and for the group of a free activity

# Tables that features read at every cut-off, and the column by which their rows lie together.
KEPT: Mapping[str, str] = {
    "accounts": "account_id",
    "contacts": "contact_id",
    "stage_events": "group_id",
    "verdicts": "group_id",
    "answers": "group_id",
}


@dataclass(frozen=True)
class FeatureSource:
    """A source made ready for features.

    Attributes:
        backend: the engine.
        tables: the contract's tables, those that features read kept in the engine; `members` and
            `buying_groups` with member_no beside their columns (of a group: that of its base).
        activities: member_no, kind, family, points, inbound, high_intent, occurred_at,
            counts_from, content_no, job (place among the six buying jobs, or -1), gated, minutes:
            one row for each activity and member for whom it counts while they are a member (see
            `attached`); rows of one member, and of one group, lie together.
        settings: of the user.
        queries: that made them.
        runs: cut-offs of the runs that are open, the outermost first (see `plan`).
    """

    backend: Any
    tables: Mapping[str, ir.Table]
    activities: ir.Table
    settings: Settings
    queries: Queries
    runs: list[datetime] = field(default_factory=list)

    @cached_property
    def contents_seen(self) -> ir.Table:
        """member_no, counts_from: each content that a member saw, from its first view."""
        return self.queries.keep("contents_seen", lambda: _first_views(self.activities))


def feature_source(source: Source, settings: Settings) -> FeatureSource:
    """Counts each activity once, looks up its kind and content, and says for whom it counts.

    What does not depend on the cut-off is done here, once. Rows of one member that lie together
    keep the sums of a member in the processor's cache, and let one group be looked up without a
    scan.
    """
    given = source.tables
    named = [(name, str(table.op().name), table.op().namespace) for name, table in given.items()]
    queries = Queries(source.backend, repr((named, settings.target)))
    numbers = queries.keep("numbers", lambda: member_numbers(given))
    tables = dict(given)
    for name, order in KEPT.items():
        tables[name] = queries.keep(name, lambda: given[name].order_by(order))  # noqa: B023 - called at once
    tables["members"] = queries.keep("members", lambda: _numbered_members(given, numbers))
    tables["buying_groups"] = queries.keep(
        "buying_groups", lambda: _numbered_groups(given, numbers)
    )
    # They do not depend on the cut-off, and are many: an account's peers are looked up in them.
    tables["outcomes"] = queries.keep(
        "outcomes",
        lambda: group_outcomes(given, settings).order_by("solution_id", "industry"),
    )
    activities = _activities(given, settings, numbers, queries)
    queries.drop("numbers", "shared_hashes", "copies", "kinds", "contents")
    return FeatureSource(source.backend, tables, activities, settings, queries)


def member_numbers(tables: Mapping[str, ir.Table]) -> ir.Table:
    """member_no, group_id, contact_id, solution_id: everybody who was ever in a group.

    A group's base row, which stands for its activities without a person, has the contact NOBODY,
    and comes first. Members of a group have numbers in a row.
    """
    groups = tables["buying_groups"]
    people = ibis.union(
        tables["members"].select("group_id", "contact_id").distinct(),
        groups.select("group_id", contact_id=ibis.literal(NOBODY)),
    )
    order = ibis.row_number().over(order_by=[people.group_id, people.contact_id])
    numbered = people.mutate(member_no=order.cast("int32"))
    return numbered.join(groups.select("group_id", "solution_id"), "group_id")


def _numbered_members(tables: Mapping[str, ir.Table], numbers: ir.Table) -> ir.Table:
    numbers = numbers.drop("solution_id")
    return tables["members"].join(numbers, ["group_id", "contact_id"]).order_by("member_no")


def _numbered_groups(tables: Mapping[str, ir.Table], numbers: ir.Table) -> ir.Table:
    base = numbers.filter(numbers.contact_id == NOBODY).select("group_id", "member_no")
    return tables["buying_groups"].join(base, "group_id").order_by("member_no")


def attached(activities: ir.Table, numbers: ir.Table) -> ir.Table:
    """For whom an activity counts: the one place that says so (design.md, rules of time).

    An activity with a group counts for that group alone; one without counts for every group of
    its contact if it has no solution or the group's; one without a contact for its group's base.

    Args:
        activities: contact_id, group_id, solution_id and more.
        numbers: rows of `member_numbers`.

    Returns:
        member_no and the other columns of `activities`, for each member once.
    """
    people = numbers.filter(numbers.contact_id != NOBODY)
    ways = ibis.union(
        numbers.select("member_no", "contact_id", scope="group_id", wanted="solution_id"),
        people.select(
            "member_no", "contact_id", wanted="solution_id", scope=ibis.literal(NOBODY)
        ).select("member_no", "contact_id", "scope", "wanted"),
    )
    scoped = activities.mutate(
        contact_id=activities.contact_id.fill_null(NOBODY),
        scope=activities.group_id.fill_null(NOBODY),
    )
    joined = scoped.join(ways, ["contact_id", "scope"])
    fits = (
        joined.group_id.notnull()
        | joined.solution_id.isnull()
        | (joined.solution_id == joined.wanted)
    )
    ids = ("contact_id", "group_id", "solution_id", "scope", "wanted")
    return joined.filter(fits).drop(*ids)


def _activities(
    tables: Mapping[str, ir.Table], settings: Settings, numbers: ir.Table, queries: Queries
) -> ir.Table:
    """Rows of `FeatureSource.activities`. They are sorted while they are narrow."""
    given = tables["activities"].drop("channel")
    kinds = kinds_in(given)
    warn_of_unknown_kinds(kinds, settings)
    of_kind = queries.hold("kinds", kind_table(kinds, settings))
    of_content = queries.keep("contents", lambda: _contents(tables["contents"]))
    known = with_known_at(given)
    shared = queries.keep("shared_hashes", lambda: shared_hashes(known))
    copies = queries.keep("copies", lambda: possible_copies(known, shared))

    def build() -> ir.Table:
        rows = once(known, shared, copies)
        rows = rows.join(of_kind.select("kind", "kind_no"), "kind")
        rows = rows.left_join(of_content.select("content_id", "content_no"), "content_id")
        minutes = exact(rows.duration_seconds.fill_null(0.0).clip(lower=0.0) / 60.0)
        narrow = rows.select(
            "contact_id", "group_id", "solution_id", "kind_no", "occurred_at", "counts_from",
            content_no=rows.content_no.fill_null(0), minutes=minutes,
        )  # fmt: skip
        clustered = attached(narrow, numbers).order_by("member_no").join(of_kind, "kind_no")
        wide = clustered.left_join(of_content.drop("content_id"), "content_no")
        return wide.select(
            "member_no", "kind", "family", "points", "inbound", "high_intent", "occurred_at",
            "counts_from", "content_no", "minutes",
            job=wide.job.fill_null(ibis.literal(-1, "int8")), gated=wide.gated.fill_null(False),
        )  # fmt: skip

    return queries.keep("activities", build)


def _first_views(activities: ir.Table) -> ir.Table:
    seen = activities.filter(activities.inbound, activities.content_no > 0)
    first = seen.group_by("member_no", "content_no").agg(counts_from=seen.counts_from.min())
    return first.drop("content_no")


def _contents(contents: ir.Table) -> ir.Table:
    places = [(job, place) for place, job in enumerate(BUYING_JOBS)]
    number = ibis.row_number().over(order_by=contents.content_id) + 1
    return contents.select(
        "content_id",
        content_no=number.cast("int32"),
        job=contents.buying_job.cases(*places, else_=-1).cast("int8"),
        gated=contents.gated.fill_null(False),
    )
