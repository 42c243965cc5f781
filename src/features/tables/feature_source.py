"""A source made ready for features: each activity once, small numbers for ids, rows in clusters."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any

import ibis
import ibis.expr.types as ir

from ...contract import BUYING_JOBS
from ...settings import Settings
from ...source.observation import start_of_activities, start_of_groups
from ...source.staging import Source
from ..declare.fixed_point import to_fixed_point
from ..engines.open_query_runner import open_query_runner
from ..engines.query_runner import QueryRunner
from ..time_rules.activities_known_before import (
    deduplicate,
    kind_counts,
    kind_table,
    kinds_in,
    possible_duplicates,
    repeated_id_hashes,
    warn_of_unknown_kinds,
    with_known_at,
)
from .account_history import OUTCOMES, group_outcomes
from .contact_history import ENDINGS, group_endings

logger = logging.getLogger(__name__)
NO_CONTENT = 0  # what stands for the number of a content that there is not
NO_ID = ""  # what stands for the contact of a base row, and for the group of a free activity

# Tables that features read at every cut-off, and the columns by which their rows lie together.
MATERIALIZED_TABLES: Mapping[str, Sequence[str]] = {
    "accounts": ["account_id"],
    "contacts": ["contact_id"],
    "stage_events": ["group_id"],
    "verdicts": ["group_id"],
    "answers": ["group_id"],
    OUTCOMES: ["solution_id", "industry"],
    ENDINGS: ["ending_group"],
}


class MaterializedTables(Mapping[str, ir.Table]):
    """The contract's tables; the engine holds those of `MATERIALIZED_TABLES` once asked for.

    They do not depend on the cut-off, and few features may need few of them.
    """

    def __init__(
        self,
        tables: Mapping[str, ir.Table],
        derived: Mapping[str, Callable[[], ir.Table]],
        query_runner: QueryRunner,
    ) -> None:
        self._tables = dict(tables)
        self._derived = derived
        self._not_materialized = dict(MATERIALIZED_TABLES)
        self._query_runner = query_runner

    def __getitem__(self, name: str) -> ir.Table:
        if order := self._not_materialized.pop(name, None):
            self._tables[name] = self._query_runner.materialize(
                name, lambda: self._unordered(name).order_by(*order)
            )
        return self._tables[name]

    def _unordered(self, name: str) -> ir.Table:
        return self._derived[name]() if name in self._derived else self._tables[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._tables, **dict.fromkeys(self._derived)})

    def __len__(self) -> int:
        return len({*self._tables, *self._derived})


@dataclass(frozen=True)
class FeatureSource:
    """A source made ready for features.

    Attributes:
        backend: the engine.
        contract_tables: the contract's tables as they were opened.
        tables: the same, those that features read kept in the engine; `members` and
            `buying_groups` with member_no beside their columns (of a group: that of its base), and
            `outcomes` (see `group_outcomes`) and `group_endings`.
        activity_facts: member_no, kind_no, occurred_at, counts_from, content_no, minutes: one row
            for each activity and member for whom it counts while they are a member (see
            `attribute_activities`); rows of one member, and of one group, lie together.
        kinds: rows of `kind_table`.
        numbered_contents: content_id, content_no, job (place among the six buying jobs, or -1)
            and gated; number 0 is of activities without a content.
        settings: of the user.
        query_runner: that made them.
        open_cutoffs: cut-offs of the runs that are open, the outermost first (see `query_plan`).
    """

    backend: Any
    contract_tables: Mapping[str, ir.Table]
    tables: Mapping[str, ir.Table]
    activity_facts: ir.Table
    kinds: ir.Table
    numbered_contents: ir.Table
    settings: Settings
    query_runner: QueryRunner
    open_cutoffs: list[datetime] = field(default_factory=list)

    @cached_property
    def activities(self) -> ir.Table:
        """The columns of `activity_facts`, of the activity's kind and of its content.

        What a few kinds and contents say is looked up at each scan, which costs less than to hold
        it for every row, unless the engine shares columns.
        """
        if self.query_runner.shares_columns:
            return self.query_runner.materialize("described_activities", self._described_activities)
        return self._described_activities()

    def _described_activities(self) -> ir.Table:
        return self.with_kind_and_content(self.activity_facts)

    def with_kind_and_content(self, rows: ir.Table) -> ir.Table:
        """Some rows of `activity_facts` as `activities` has them."""
        return rows.join(self.kinds, "kind_no").join(self.contents, "content_no")

    @cached_property
    def contents(self) -> ir.Table:
        """content_no, job and gated of each content."""
        return self.numbered_contents.drop("content_id")

    @cached_property
    def contents_seen(self) -> ir.Table:
        """member_no, counts_from: each content that a member saw, from its first view."""
        return self.query_runner.materialize("contents_seen", lambda: _first_views(self.activities))


def prepare_source(source: Source, settings: Settings) -> FeatureSource:
    """Counts each activity once, numbers its kind and content, and says for whom it counts.

    What does not depend on the cut-off is done here, once. Rows of one member that lie together
    keep the sums of a member in the processor's cache, and let one group be looked up without a
    scan.
    """
    contract_tables = source.tables
    table_names = [
        (name, str(table.op().name), table.op().namespace)
        for name, table in contract_tables.items()
    ]
    since = settings.observation.since
    query_runner = open_query_runner(source.backend, repr((table_names, settings.target, since)))
    numbers = query_runner.materialize("numbers", lambda: member_numbers(contract_tables))
    tables = {
        **contract_tables,
        "members": query_runner.materialize(
            "members", lambda: _numbered_members(contract_tables, numbers)
        ),
        "buying_groups": query_runner.materialize(
            "buying_groups", lambda: _numbered_groups(contract_tables, numbers)
        ),
    }
    kinds = kinds_in(
        query_runner.fetch("kind_counts", lambda: kind_counts(contract_tables["activities"]))
    )
    warn_of_unknown_kinds(kinds, settings)
    kind_rows = query_runner.load_rows("kinds", kind_table(kinds, settings))
    numbered_contents = query_runner.materialize(
        "contents", lambda: _numbered_contents(contract_tables["contents"])
    )
    activity_facts = _activity_facts(
        contract_tables["activities"], kind_rows, numbered_contents, numbers, query_runner, since
    )
    query_runner.drop("numbers", "repeated_id_hashes", "duplicates")
    return FeatureSource(
        source.backend, contract_tables,
        MaterializedTables(
            tables,
            {
                OUTCOMES: lambda: group_outcomes(contract_tables, settings),
                ENDINGS: lambda: group_endings(contract_tables, settings.target),
            },
            query_runner,
        ),
        activity_facts, kind_rows, numbered_contents, settings, query_runner,
    )  # fmt: skip


def without_lone_activities(source: FeatureSource) -> FeatureSource:
    """The source whose settings say since when activities count, where some lie alone before.

    A model carries these settings, so that its scores leave out what its training left out.
    """
    settings = source.settings
    if settings.observation.since is not None:
        return source
    since = start_of_activities(source.contract_tables, start_of_groups(source.contract_tables))
    if since is None:
        return source
    logger.warning(
        "activities before %s lie alone, years before all others, and count for no feature; set "
        "[observation] since to say from when they count",
        f"{since:%Y-%m-%d}",
    )
    observation = replace(settings.observation, since=since)
    opened = Source(source.backend, source.contract_tables, {}, (), "")
    return prepare_source(opened, replace(settings, observation=observation))


def member_numbers(tables: Mapping[str, ir.Table]) -> ir.Table:
    """member_no, group_id, contact_id, solution_id: everybody who was ever in a group.

    A group's base row, which stands for its activities without a person, has the contact NOBODY,
    and comes first. Members of a group have numbers in a row.
    """
    groups = tables["buying_groups"]
    people = ibis.union(
        tables["members"].select("group_id", "contact_id").distinct(),
        groups.select("group_id", contact_id=ibis.literal(NO_ID)),
    )
    order = ibis.row_number().over(order_by=[people.group_id, people.contact_id])
    numbered = people.mutate(member_no=order.cast("int32"))
    return numbered.join(groups.select("group_id", "solution_id"), "group_id")


def _numbered_members(tables: Mapping[str, ir.Table], numbers: ir.Table) -> ir.Table:
    numbers = numbers.drop("solution_id")
    return tables["members"].join(numbers, ["group_id", "contact_id"]).order_by("member_no")


def _numbered_groups(tables: Mapping[str, ir.Table], numbers: ir.Table) -> ir.Table:
    base = numbers.filter(numbers.contact_id == NO_ID).select("group_id", "member_no")
    return tables["buying_groups"].join(base, "group_id").order_by("member_no")


def attribute_activities(activities: ir.Table, numbers: ir.Table) -> ir.Table:
    """For whom an activity counts: the one place that says so (design.md, rules of time).

    An activity with a group counts for that group alone; one without counts for every group of
    its contact if it has no solution or the group's; one without a contact for its group's base.

    Args:
        activities: contact_id, group_id, solution_id and more.
        numbers: rows of `member_numbers`.

    Returns:
        member_no and the other columns of `activities`, for each member once.
    """
    is_person = numbers.contact_id != NO_ID
    owners = numbers.select(
        "member_no",
        is_person=is_person,
        owner=is_person.ifelse(numbers.contact_id, numbers.group_id),
        scope="group_id",
        wanted="solution_id",
    )
    owned = activities.mutate(
        is_person=activities.contact_id.notnull(),
        owner=ibis.coalesce(activities.contact_id, activities.group_id),
    )
    joined = owned.join(owners, ["is_person", "owner"])
    fits = (joined.group_id == joined.scope) | (
        joined.group_id.isnull()
        & (joined.solution_id.isnull() | (joined.solution_id == joined.wanted))
    )
    ids = ("contact_id", "group_id", "solution_id", "is_person", "owner", "scope", "wanted")
    return joined.filter(fits).drop(*ids)


def _activity_facts(
    activities: ir.Table,
    kinds: ir.Table,
    contents: ir.Table,
    numbers: ir.Table,
    query_runner: QueryRunner,
    since: datetime | None,
) -> ir.Table:
    """Rows of `FeatureSource.activity_facts`."""

    def counted() -> ir.Table:
        rows = activities.drop("channel")
        return rows if since is None else rows.filter(rows.occurred_at >= since)

    repeated_hashes = query_runner.materialize(
        "repeated_id_hashes",
        lambda: repeated_id_hashes(counted(), by_sorting=query_runner.prefers_sorting),
    )
    # They are few: what else is to be known of them is made when they are found.
    duplicates = query_runner.materialize(
        "duplicates", lambda: with_known_at(possible_duplicates(counted(), repeated_hashes))
    )

    def build() -> ir.Table:
        rows = deduplicate(with_known_at(counted()), repeated_hashes, duplicates).join(
            kinds.select("kind", "kind_no"), "kind"
        )
        rows = rows.left_join(contents.select("content_id", "content_no"), "content_id")
        facts = rows.select(
            "contact_id", "group_id", "solution_id", "kind_no", "occurred_at", "counts_from",
            content_no=rows.content_no.fill_null(NO_CONTENT),
            minutes=to_fixed_point(rows.duration_seconds.fill_null(0.0).clip(lower=0.0) / 60.0),
        )  # fmt: skip
        return attribute_activities(facts, numbers).order_by("member_no")

    return query_runner.materialize("activities", build)


def _first_views(activities: ir.Table) -> ir.Table:
    seen = activities.filter(activities.inbound, activities.content_no > 0)
    first = seen.group_by("member_no", "content_no").agg(counts_from=seen.counts_from.min())
    return first.drop("content_no")


def number_contents(contents: ir.Table) -> ir.Table:
    """The table of contents with the number that stands for each in `activity_facts`."""
    number = ibis.row_number().over(order_by=contents.content_id) + NO_CONTENT + 1
    return contents.mutate(content_no=number.cast("int32"))


def _numbered_contents(contents: ir.Table) -> ir.Table:
    """content_id, content_no, job and gated of each content, and of none."""
    places = [(job, place) for place, job in enumerate(BUYING_JOBS)]
    contents = number_contents(contents)
    numbered = contents.select(
        "content_id",
        "content_no",
        job=contents.buying_job.cases(*places, else_=-1).cast("int8"),
        gated=contents.gated.fill_null(False),
    )
    # One row, in words that every engine knows: of no groups there is still one sum.
    none = contents.agg(rows=contents.count()).select(
        content_id=ibis.null("string"),
        content_no=ibis.literal(NO_CONTENT, "int32"),
        job=ibis.literal(-1, "int8"),
        gated=ibis.literal(False),
    )
    return ibis.union(numbered, none)
