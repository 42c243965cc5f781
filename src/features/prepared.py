"""A source made ready for features: each activity once, small numbers for ids, rows in clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

NOBODY = 0  # number of no contact, no group, no solution; real ones begin at 1
DANGLING = -1  # of an id that its table does not have: it counts for nobody

# Tables that features read at every cut-off: the column by which their rows lie together, and
# the ids whose numbers they get.
KEPT: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "accounts": ("account_id", ()),
    "contacts": ("contact_no", ("contact",)),
    "buying_groups": ("group_no", ("group", "solution")),
    "members": ("group_no", ("group", "contact")),
    "stage_events": ("group_id", ()),
    "verdicts": ("group_id", ()),
    "answers": ("group_id", ()),
}


@dataclass(frozen=True)
class FeatureSource:
    """A source made ready for features.

    Attributes:
        backend: the engine.
        tables: the contract's tables, those that features read kept in the engine; `members` has
            contact_no and group_no, `contacts` contact_no, `buying_groups` group_no and
            solution_no beside the contract's columns.
        activities: contact_no, group_no, solution_no, kind, family, points, inbound, high_intent,
            occurred_at, counts_from, content_no, job (place among the six buying jobs, or -1),
            gated, minutes; rows of one contact lie together.
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
        """contact_no, group_no, solution_no, counts_from: each content once, from its first view.

        A content that one contact saw for two groups, or for a group and for none, is there twice.
        """
        return self.queries.keep("contents_seen", lambda: _first_views(self.activities))


def feature_source(source: Source, settings: Settings) -> FeatureSource:
    """Counts each activity once, looks up its kind and content, and numbers the ids.

    Numbers instead of ids make the scan several times faster (perf-notes.md), and rows of one
    contact that lie together keep the sums of a contact in the processor's cache, and let one
    group be looked up without a scan.
    """
    given = source.tables
    named = [(name, str(table.op().name), table.op().namespace) for name, table in given.items()]
    queries = Queries(source.backend, repr((named, settings.target)))
    numbers = _Numbers(
        queries.keep("contact_numbers", lambda: _contact_numbers(given)),
        queries.keep("group_numbers", lambda: _numbered(given, "buying_groups", "group")),
        queries.keep("solution_numbers", lambda: _numbered(given, "solutions", "solution")),
    )
    tables = dict(given)
    for name, (order, wanted) in KEPT.items():
        tables[name] = queries.keep(name, lambda: numbers.of(given[name], wanted).order_by(order))  # noqa: B023 - called at once
    # They do not depend on the cut-off, and are many: an account's peers are looked up in them.
    tables["outcomes"] = queries.keep(
        "outcomes",
        lambda: group_outcomes(given, settings).order_by("solution_id", "industry"),
    )
    activities = _activities(given, settings, numbers, queries)
    return FeatureSource(source.backend, tables, activities, settings, queries)


def _activities(
    tables: Mapping[str, ir.Table], settings: Settings, numbers: _Numbers, queries: Queries
) -> ir.Table:
    """Rows of `FeatureSource.activities`. They are sorted while they are narrow."""
    given = tables["activities"]
    kinds = kinds_in(given)
    warn_of_unknown_kinds(kinds, settings)
    of_kind = queries.hold("kinds", kind_table(kinds, settings))
    of_content = queries.keep("contents", lambda: _contents(tables["contents"]))
    known = with_known_at(given)
    shared = queries.keep("shared_hashes", lambda: shared_hashes(known))
    copies = queries.keep("copies", lambda: possible_copies(known, shared))

    def build() -> ir.Table:
        rows = numbers.of(once(known, shared, copies), ("contact", "group", "solution"))
        rows = rows.join(of_kind.select("kind", "kind_no"), "kind")
        rows = _with_number(rows, of_content.select("content_id", "content_no"))
        minutes = exact(rows.duration_seconds.fill_null(0.0).clip(lower=0.0) / 60.0)
        narrow = rows.select(
            "contact_no", "group_no", "solution_no", "kind_no", "content_no", "occurred_at",
            "counts_from", minutes=minutes,
        )  # fmt: skip
        clustered = narrow.order_by("contact_no", "group_no").join(of_kind, "kind_no")
        wide = clustered.left_join(of_content.drop("content_id"), "content_no")
        return wide.select(
            "contact_no", "group_no", "solution_no", "kind", "family", "points", "inbound",
            "high_intent", "occurred_at", "counts_from", "content_no", "minutes",
            job=wide.job.fill_null(ibis.literal(-1, "int8")), gated=wide.gated.fill_null(False),
        )  # fmt: skip

    return queries.keep("activities", build)


def _first_views(activities: ir.Table) -> ir.Table:
    seen = activities.filter(activities.inbound, activities.content_no > NOBODY)
    first = seen.group_by("contact_no", "group_no", "solution_no", "content_no").agg(
        counts_from=seen.counts_from.min()
    )
    return first.drop("content_no")


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Tables of an id and its number."""

    contact: ir.Table
    group: ir.Table
    solution: ir.Table

    def of(self, rows: ir.Table, wanted: Sequence[str]) -> ir.Table:
        """Adds the numbers of the ids named."""
        for what in wanted:
            rows = _with_number(rows, getattr(self, what))
        return rows


def _numbered(tables: Mapping[str, ir.Table], table: str, what: str) -> ir.Table:
    """Each id with a number from 1, in order of the ids."""
    ids = tables[table][f"{what}_id"]
    order = ibis.row_number().over(order_by=ids) + 1
    return tables[table].select(f"{what}_id", **{f"{what}_no": order.cast("int32")})


def _contact_numbers(tables: Mapping[str, ir.Table]) -> ir.Table:
    """Contacts in order of the first of their groups, so that a group's members lie together."""
    members = tables["members"]
    first = members.group_by("contact_id").agg(first_group=members.group_id.min())
    people = tables["contacts"].select("contact_id").left_join(first, "contact_id")
    order = ibis.row_number().over(order_by=[people.first_group, people.contact_id])
    return people.select("contact_id", contact_no=(order + 1).cast("int32"))


def _with_number(rows: ir.Table, numbers: ir.Table) -> ir.Table:
    """Adds the number of an id; `NOBODY` where the id is null."""
    key, number = numbers.columns
    joined = rows.left_join(numbers, key).drop(f"{key}_right")
    otherwise = joined[key].isnull().ifelse(NOBODY, DANGLING).cast("int32")
    return joined.mutate(**{number: joined[number].fill_null(otherwise)})


def _contents(contents: ir.Table) -> ir.Table:
    places = [(job, place) for place, job in enumerate(BUYING_JOBS)]
    number = ibis.row_number().over(order_by=contents.content_id) + 1
    return contents.select(
        "content_id",
        content_no=number.cast("int32"),
        job=contents.buying_job.cases(*places, else_=-1).cast("int8"),
        gated=contents.gated.fill_null(False),
    )
