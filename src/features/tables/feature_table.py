"""The feature table: the rows of any cut-off of a prepared source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import product

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...support.progress import no_progress
from ..declare.catalogue import Catalogue
from ..declare.expressions import AsOf
from ..time_rules.changed_groups import changed_groups
from .feature_source import FeatureSource
from .group_features import member_terms
from .query_plan import QueryPlan, open_query_plan
from .term_rows import TermRows, features_of_terms

GROUPS_PER_BATCH = 8192  # whose terms are in memory together
MAX_CELLS_PER_BATCH = 10_000_000  # groups times signals, whose sums are in memory at the same time


@dataclass(frozen=True)
class Snapshot:
    """Everything known at one cut-off, held in the engine.

    Attributes:
        as_of: the cut-off.
        groups: group_id, account_id, solution_id, created_at of the eligible groups.
        people: who is in them (see `people_at`).
    """

    as_of: datetime
    groups: ir.Table
    people: ir.Table
    _plan: QueryPlan
    _local_tables: Mapping[str, ir.Table]

    @property
    def as_of_expression(self) -> AsOf:
        """The cut-off as expressions on what this moment holds read it."""
        return self._plan.as_of_expression

    @property
    def members(self) -> ir.Table:
        """The member rows of stage 1."""
        return self._local_tables["members"] if self._local_tables else self._plan.members

    @property
    def facts(self) -> ir.Table:
        """One row per group."""
        return self._local_tables["facts"] if self._local_tables else self._plan.facts

    def fetch(self, label: str, build: Callable[[], ir.Table]) -> pa.Table:
        """The rows of a query that is the same at every cut-off but for the rows it reads.

        A table that the engine is to keep for it must be kept by then: where the query's text is
        known, it is not built.

        Args:
            label: of the query; the same label, the same query.
            build: makes it of this moment's tables.
        """
        return build().to_pyarrow() if self._local_tables else self._plan.fetch(label, build)

    @cached_property
    def group_rows(self) -> pa.Table:
        """The rows of `groups`, by group_id."""
        return self.fetch("groups_in_order", lambda: self.groups.order_by("group_id"))

    def fact_rows(self) -> pa.Table:
        """The rows of `facts`, by group_id."""
        if self._plan.is_lookup:
            return self._plan.lookup.facts
        facts = self.facts  # kept here, for a query whose text is known is not built again
        return self.fetch("facts_in_order", lambda: facts.order_by("group_id"))

    def term_batches(self) -> Iterator[TermRows]:
        """Terms of the member rows, of some thousand groups at a time, by group_id.

        Those of a single batch are kept, for features are made of them as well as games.
        """
        ids = self.group_rows["group_id"].to_pylist()
        if self._plan.is_lookup or len(ids) <= GROUPS_PER_BATCH:
            yield self.term_rows
            return
        members = self.members
        for start in range(0, len(ids), GROUPS_PER_BATCH):
            batch = ids[start : start + GROUPS_PER_BATCH]
            # Ids rise, so that two comparisons name a portion.
            part = members.filter(members.group_id.between(batch[0], batch[-1]))
            yield self._term_rows(self._ordered_terms(part).to_pyarrow())

    @cached_property
    def term_rows(self) -> TermRows:
        """Terms of all member rows."""
        if self._plan.is_lookup:
            return self._plan.lookup.term_rows
        members = self.members
        return self._term_rows(self.fetch("terms_in_order", lambda: self._ordered_terms(members)))

    def _term_rows(self, rows: pa.Table) -> TermRows:
        terms = self._plan.catalogue.terms
        values = np.empty((rows.num_rows, len(terms)))
        for place, term in enumerate(terms):
            values[:, place] = rows[f"term_{term.name}"].to_numpy()
        return TermRows.of(rows, values)

    def _ordered_terms(self, members: ir.Table) -> ir.Table:
        terms = member_terms(members, self._plan.catalogue)
        return terms.order_by("group_id", ibis.asc("contact_id", nulls_first=True))

    def features(self, *, before_games: bool = False) -> pa.Table:
        """group_id and the catalogue's columns, in order of group_id.

        To plan them takes an engine half a second: those of a single batch numpy has sooner.

        Args:
            before_games: games follow, so that member rows are kept from here on.
        """
        if self._plan.is_lookup:
            return self._plan.features()
        if self.group_rows.num_rows > GROUPS_PER_BATCH:
            if before_games:
                self.members  # noqa: B018 - asked for, it is kept
            return self._plan.features()
        catalogue, rows = self._plan.catalogue, self.term_rows
        terms = {term.name: rows.values[:, place] for place, term in enumerate(catalogue.terms)}
        return features_of_terms(catalogue, self.fact_rows(), rows.group_ids, terms)


@contextmanager
def open_snapshot(
    source: FeatureSource,
    catalogue: Catalogue,
    as_of: datetime,
    only: Sequence[str] | None = None,
) -> Iterator[Snapshot]:
    """Everything known at a cut-off, kept until the end of the block.

    Args:
        source: the prepared source.
        catalogue: the declarations.
        as_of: the cut-off.
        only: group ids to look at; None for every eligible group.
    """
    with open_query_plan(source, catalogue, as_of, only) as plan:
        if plan.query_runner.runs_in_process:
            snapshot = Snapshot(as_of, plan.groups, plan.people, plan, {})
            try:
                yield snapshot
            finally:
                vars(snapshot).pop("term_rows", None)  # 100 MB of 8,192 groups
            return
        # The big scan stays where it ran; games and what-ifs ask many small questions, here.
        backend = ibis.duckdb.connect()
        try:
            local_tables = {
                name: backend.create_table(name, getattr(plan, name).to_pyarrow())
                for name in ("groups", "members", "facts")
            }
            yield Snapshot(as_of, local_tables["groups"], plan.people, plan, local_tables)
        finally:
            backend.disconnect()


def feature_table(
    source: FeatureSource,
    catalogue: Catalogue,
    as_ofs: Sequence[datetime],
    *,
    only: Sequence[str] | None = None,
    progress: Callable[[str, float], None] = no_progress,
) -> pa.Table:
    """Features of every eligible group at each cut-off, sorted by as_of and group_id.

    Returns:
        group_id, as_of, then the catalogue's columns.
    """
    parts = []
    batches = _group_batches(source, len(catalogue.signals)) if only is None else [only]
    for number, (as_of, batch) in enumerate(product(as_ofs, batches)):
        progress("features", number / (len(as_ofs) * len(batches)))
        with open_query_plan(source, catalogue, as_of, batch) as plan:
            table = plan.features()
        parts.append(table.add_column(1, "as_of", _as_of_column(as_of, table.num_rows)))
    progress("features", 1.0)
    return pa.concat_tables(parts)


def _group_batches(source: FeatureSource, signals: int) -> Sequence[Sequence[str] | None]:
    """Groups to compute together: all, or this many at a time that their sums fit into memory."""
    if not source.query_runner.bounds_memory:
        return [None]
    groups = source.tables["buying_groups"]
    batch_size = max(1, MAX_CELLS_PER_BATCH // max(1, signals))
    if groups.count().to_pyarrow().as_py() <= batch_size:
        return [None]
    ids = groups.order_by("group_id").group_id.to_pyarrow().to_pylist()
    return [ids[start : start + batch_size] for start in range(0, len(ids), batch_size)]


def update_feature_table(
    source: FeatureSource,
    catalogue: Catalogue,
    as_of: datetime,
    since: datetime,
    earlier: pa.Table,
) -> tuple[pa.Table, int]:
    """The feature table at a cut-off, made from that of an earlier one.

    Args:
        source: the prepared source.
        catalogue: the declarations; those of `earlier`.
        as_of: the cut-off.
        since: the earlier cut-off.
        earlier: the feature table at it; groups without a change since then keep their row.

    Returns:
        The table, equal to that of `feature_table`, and how many groups were computed again.
    """
    changed = changed_groups(source, since, as_of)
    if changed is None:
        table = feature_table(source, catalogue, [as_of])
        return table, table.num_rows
    recomputed = feature_table(source, catalogue, [as_of], only=changed.to_pylist())
    unchanged = earlier.filter(pc.invert(pc.is_in(earlier["group_id"], value_set=changed)))
    place = unchanged.schema.get_field_index("as_of")
    unchanged = unchanged.set_column(place, "as_of", _as_of_column(as_of, unchanged.num_rows))
    combined = pa.concat_tables(
        [recomputed, unchanged.select(recomputed.column_names).cast(recomputed.schema)]
    )
    return combined.sort_by("group_id"), recomputed.num_rows


def _as_of_column(as_of: datetime, rows: int) -> pa.Array:
    return pa.repeat(pa.scalar(as_of, pa.timestamp("us")), rows)
