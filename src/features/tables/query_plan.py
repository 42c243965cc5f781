"""What is computed at a cut-off: the queries of one source for one catalogue, in their order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import ibis.expr.types as ir
import pyarrow as pa

from ..declare.catalogue import Catalogue
from ..declare.expressions import AsOf
from ..declare.signals import Rows
from ..engines.python import PLAIN
from ..engines.queries import DUCKDB, Queries, group_ids
from ..time_rules.eligible_groups import eligible_groups
from .account_history import OUTCOMES
from .feature_source import FeatureSource
from .group_facts import group_facts
from .group_features import group_features
from .lookup import LookedUp, looked_up
from .member_signals import member_rows, of_people, people_at

FEW = 64  # groups; so many are looked up, more are scanned for

# Rules of DuckDB's optimizer that take longer than looking a few groups up.
IDLE_RULES = "common_subexpressions,statistics_propagation,column_lifetime"


@dataclass(frozen=True)
class Run:
    """The tables of one cut-off.

    Attributes:
        source: the prepared source.
        catalogue: the declarations.
        as_of: the cut-off, as expressions read it.
        cutoff: the same, as an instant.
        few: only some groups are looked at.
        lookup: they are so few that no engine is needed for them.
        queries: of this source and catalogue.
        groups: group_id, member_no, account_id, solution_id, created_at: those open.
        people: rows of `people_at`.
        tables: what the facts are made of.
    """

    source: FeatureSource
    catalogue: Catalogue
    as_of: AsOf
    cutoff: datetime
    few: bool
    lookup: bool
    queries: Queries
    groups: ir.Table
    people: ir.Table
    tables: Mapping[str, ir.Table]

    @cached_property
    def scanned(self) -> Mapping[Rows, ir.Table]:
        """What the signals read of `people`, by kind of row: of others there is nothing to add."""
        source, people = self.source, self.people
        scanned = {Rows.ACTIVITIES: source.described(of_people(source.narrow, people))}
        if any(signal.rows is Rows.CONTENTS for signal in self.catalogue.signals):
            scanned[Rows.CONTENTS] = of_people(source.contents_seen, people)
        return scanned

    @cached_property
    def facts(self) -> ir.Table:
        """Rows of `group_facts`, kept."""
        return self.queries.keep("facts", self._facts)

    @cached_property
    def members(self) -> ir.Table:
        """Rows of `member_rows`, kept."""
        return self.queries.keep("members", self._member_rows)

    @cached_property
    def looked_up(self) -> LookedUp:
        """What was looked up of a few groups, where no engine is needed for them."""
        return looked_up(
            self.catalogue, lambda: self.scanned, self.people, self._facts, self.cutoff, self.as_of,
            self.queries.fetch_few,
        )  # fmt: skip

    def fetch(self, label: str, build: Callable[[], ir.Table]) -> pa.Table:
        """The rows of a query on this run's tables; the label names what it asks."""
        return (self.queries.fetch_few if self.lookup else self.queries.fetch)(label, build)

    def features(self) -> pa.Table:
        """group_id and the catalogue's columns, in order of group_id."""
        if self.lookup:
            return self.looked_up.features()
        # Member rows that nobody asked for are not kept: they go straight into their groups.
        kept = self.members if "members" in self.__dict__ else None
        facts = self.facts

        def build() -> ir.Table:
            rows = self._member_rows() if kept is None else kept
            return group_features(rows, facts, self.catalogue).order_by("group_id")

        return self.queries.fetch("features" if kept is None else "features_of_members", build)

    def _facts(self) -> ir.Table:
        if not self.catalogue.reads_facts:
            return self.groups.select("group_id")
        return group_facts(
            self.tables, self.source.settings, self.catalogue.vocabulary, self.groups, self.as_of,
            few=self.few,
        )  # fmt: skip

    def _member_rows(self) -> ir.Table:
        return member_rows(self.scanned, self.people, self.catalogue.signals, self.as_of)


@contextmanager
def run(
    source: FeatureSource,
    catalogue: Catalogue,
    as_of: datetime,
    only: Sequence[str] | None = None,
) -> Iterator[Run]:
    """Everything known at a cut-off; what the engine keeps of it is gone at the end of the block.

    Args:
        source: the prepared source. It runs one cut-off at a time.
        catalogue: the declarations.
        as_of: the cut-off.
        only: group ids to look at; None for every eligible group.
    """
    few = only is not None
    # A run inside another one's block gets names of its own.
    prefix = f"at{len(source.runs)}_"
    shape = (source.queries.key, catalogue.vocabulary, catalogue.names, few, prefix)
    queries = Queries(source.backend, repr(shape), prefix)
    source.runs.append(as_of)
    quick = only is not None and len(only) <= FEW and source.backend.name in (DUCKDB, PLAIN)
    spared = quick and source.backend.name == DUCKDB
    try:
        if spared:
            source.backend.con.execute(f"SET disabled_optimizers = '{IDLE_RULES}'")
        asked = None if only is None else queries.hold("asked", group_ids(only))
        instant = queries.as_of(as_of)
        wanted = {signal.name for signal in catalogue.signals}
        tables = _tables(source, catalogue, wanted)
        groups = queries.keep("groups", lambda: _eligible(source, tables, instant, asked))
        people = queries.keep("people", lambda: people_at(tables, groups, instant, wanted, few=few))
        if any(signal.rows is Rows.CONTENTS for signal in catalogue.signals):
            source.contents_seen  # noqa: B018 - held from here on, as `tables` are
        yield Run(source, catalogue, instant, as_of, few, quick, queries, groups, people, tables)
    finally:
        if spared:
            source.backend.con.execute("RESET disabled_optimizers")
        queries.release()
        source.runs.pop()
        if source.runs:
            queries.as_of(source.runs[-1])  # the variable is one for the session


def _tables(
    source: FeatureSource, catalogue: Catalogue, wanted: Collection[str]
) -> dict[str, ir.Table]:
    """The tables that the queries of a catalogue read; the engine holds them from now on.

    Here and not where they are read, for a query whose text is known is not built again.
    """
    names = {"buying_groups", "members", "stage_events"}
    if "department" in wanted:
        names.add("contacts")
    if catalogue.reads_facts:
        names |= {"accounts", "verdicts", "answers", OUTCOMES}
    return {name: source.tables[name] for name in sorted(names)}


def _eligible(
    source: FeatureSource, given: Mapping[str, ir.Table], as_of: AsOf, asked: ir.Table | None
) -> ir.Table:
    tables = dict(given)
    if asked is not None:
        for name in ("buying_groups", "stage_events"):
            tables[name] = tables[name].semi_join(asked, "group_id")
    return eligible_groups(tables, source.settings, as_of)
