"""What is computed at a cut-off: the queries of one source for one catalogue, in their order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import ibis.expr.types as ir
import pyarrow as pa

from ..declare.catalogue import Catalogue
from ..declare.expressions import AsOf
from ..declare.signals import InputRows
from ..engines.open_query_runner import open_query_runner
from ..engines.query_runner import QueryRunner, group_id_table
from ..time_rules.eligible_groups import eligible_groups
from .account_history import OUTCOMES
from .contact_history import ENDINGS
from .feature_source import FeatureSource
from .group_facts import group_facts
from .group_features import group_features
from .lookup import GroupLookup, look_up_groups
from .member_signals import member_rows, people_at, reads_contact_history, rows_of_people


@dataclass(frozen=True)
class QueryPlan:
    """The tables of one cut-off.

    Attributes:
        source: the prepared source.
        catalogue: the declarations.
        as_of_expression: the cut-off, as expressions read it.
        as_of: the same, as an instant.
        subset: only some groups are looked at.
        is_lookup: they are so few that no engine is needed for them.
        query_runner: of this source and catalogue.
        groups: group_id, member_no, account_id, solution_id, created_at: those open.
        people: rows of `people_at`.
        tables: what the facts are made of.
    """

    source: FeatureSource
    catalogue: Catalogue
    as_of_expression: AsOf
    as_of: datetime
    subset: bool
    is_lookup: bool
    query_runner: QueryRunner
    groups: ir.Table
    people: ir.Table
    tables: Mapping[str, ir.Table]

    @cached_property
    def input_tables(self) -> Mapping[InputRows, ir.Table]:
        """What the signals read of `people`, by kind of row: of others there is nothing to add."""
        source, people = self.source, self.people
        tables = {InputRows.ACTIVITIES: _activities_of(source, people)}
        if any(signal.input_rows is InputRows.CONTENTS for signal in self.catalogue.signals):
            tables[InputRows.CONTENTS] = rows_of_people(source.contents_seen, people)
        return tables

    @cached_property
    def facts(self) -> ir.Table:
        """Rows of `group_facts`, kept."""
        return self.query_runner.materialize("facts", self._facts_query)

    @cached_property
    def members(self) -> ir.Table:
        """Rows of `member_rows`, kept."""
        return self.query_runner.materialize("members", self._member_rows_query)

    @cached_property
    def lookup(self) -> GroupLookup:
        """What was looked up of a few groups, where no engine is needed for them."""
        return look_up_groups(
            self.catalogue, lambda: self.input_tables, self.people, self._facts_query,
            self.as_of, self.as_of_expression, self.query_runner,
        )  # fmt: skip

    def fetch(self, label: str, build: Callable[[], ir.Table]) -> pa.Table:
        """The rows of a query on this run's tables; the label names what it asks."""
        return (self.query_runner.fetch_small if self.is_lookup else self.query_runner.fetch)(
            label, build
        )

    def features(self) -> pa.Table:
        """group_id and the catalogue's columns, in order of group_id."""
        if self.is_lookup:
            return self.lookup.features()
        # Member rows that nobody asked for are not kept: they go straight into their groups.
        members = self.members if "members" in self.__dict__ else None
        facts = self.facts

        def build() -> ir.Table:
            rows = self._member_rows_query() if members is None else members
            return group_features(rows, facts, self.catalogue).order_by("group_id")

        return self.query_runner.fetch(
            "features" if members is None else "features_of_members", build
        )

    def _facts_query(self) -> ir.Table:
        if not self.catalogue.reads_facts:
            return self.groups.select("group_id")
        return group_facts(
            self.tables, self.source.settings, self.catalogue.vocabulary, self.groups,
            self.as_of_expression, subset=self.subset,
        )  # fmt: skip

    def _member_rows_query(self) -> ir.Table:
        return member_rows(
            self.input_tables, self.people, self.catalogue.signals, self.as_of_expression
        )


def _activities_of(source: FeatureSource, people: ir.Table) -> ir.Table:
    """The rows of `source.activities` of some people, before anything is looked up for others."""
    if source.query_runner.shares_columns:
        return rows_of_people(source.activities, people)
    return source.with_kind_and_content(rows_of_people(source.activity_facts, people))


@contextmanager
def open_query_plan(
    source: FeatureSource,
    catalogue: Catalogue,
    as_of: datetime,
    only: Sequence[str] | None = None,
) -> Iterator[QueryPlan]:
    """Everything known at a cut-off; what the engine keeps of it is gone at the end of the block.

    Args:
        source: the prepared source. It runs one cut-off at a time.
        catalogue: the declarations.
        as_of: the cut-off.
        only: group ids to look at; None for every eligible group.
    """
    subset = only is not None
    # A run inside another one's block gets names of its own.
    prefix = f"at{len(source.open_cutoffs)}_"
    cache_key = (
        source.query_runner.cache_key,
        catalogue.vocabulary,
        catalogue.feature_names,
        subset,
        prefix,
    )
    query_runner = open_query_runner(source.backend, repr(cache_key), prefix)
    is_lookup = only is not None and len(only) <= query_runner.max_looked_up
    source.open_cutoffs.append(as_of)
    try:
        with query_runner.lookup() if is_lookup else nullcontext():
            yield _build_query_plan(source, catalogue, as_of, only, query_runner, is_lookup)
    finally:
        query_runner.release()
        source.open_cutoffs.pop()
        if source.open_cutoffs:
            query_runner.set_as_of(source.open_cutoffs[-1])  # the variable is one for the session


def _build_query_plan(
    source: FeatureSource,
    catalogue: Catalogue,
    as_of: datetime,
    only: Sequence[str] | None,
    query_runner: QueryRunner,
    is_lookup: bool,
) -> QueryPlan:
    subset = only is not None
    requested = None if only is None else query_runner.load_rows("requested", group_id_table(only))
    as_of_expression = query_runner.set_as_of(as_of)
    signal_names = {signal.name for signal in catalogue.signals}
    tables = _materialized_tables(source, catalogue, signal_names)
    groups = query_runner.materialize(
        "groups", lambda: _eligible_groups_query(source, tables, as_of_expression, requested)
    )
    people = query_runner.materialize(
        "people",
        lambda: people_at(
            tables,
            groups,
            as_of_expression,
            signal_names,
            source.settings.target.horizon_days,
            subset=subset,
        ),
    )
    if source.query_runner.shares_columns:
        source.activities  # noqa: B018 - held from here on, as `tables` are
    if any(signal.input_rows is InputRows.CONTENTS for signal in catalogue.signals):
        source.contents_seen  # noqa: B018
    return QueryPlan(
        source, catalogue, as_of_expression, as_of, subset, is_lookup, query_runner, groups,
        people, tables,
    )  # fmt: skip


def _materialized_tables(
    source: FeatureSource, catalogue: Catalogue, signal_names: Collection[str]
) -> dict[str, ir.Table]:
    """The tables that the queries of a catalogue read; the engine holds them from now on.

    Here and not where they are read, for a query whose text is known is not built again.
    """
    names = {"buying_groups", "members", "stage_events"}
    if "department" in signal_names:
        names.add("contacts")
    if reads_contact_history(signal_names):
        names.add(ENDINGS)
    if catalogue.reads_facts:
        names |= {"accounts", "verdicts", "answers", OUTCOMES}
    return {name: source.tables[name] for name in sorted(names)}


def _eligible_groups_query(
    source: FeatureSource,
    all_tables: Mapping[str, ir.Table],
    as_of: AsOf,
    requested: ir.Table | None,
) -> ir.Table:
    tables = dict(all_tables)
    if requested is not None:
        for name in ("buying_groups", "stage_events"):
            tables[name] = tables[name].semi_join(requested, "group_id")
    return eligible_groups(tables, source.settings, as_of)
