"""The feature table: prepared tables of one source, and the rows of any cut-off."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from ..settings import Settings
from ..source.opening import Source
from .activities import (
    kinds_in,
    known_before,
    once,
    warn_of_unknown_kinds,
    with_kind_settings,
    with_known_at,
)
from .catalogue import Catalogue, Vocabulary
from .facts import group_facts
from .groups import group_features
from .signals import member_rows
from .snapshots import eligible_groups
from .template import resolve_template

MAX_FAMILIES = 24


@dataclass(frozen=True)
class FeatureSource:
    """A source made ready for features: activities counted once, with their kinds' settings."""

    backend: Any
    tables: Mapping[str, ir.Table]
    activities: ir.Table
    settings: Settings


@dataclass(frozen=True)
class Moment:
    """Everything known at one cut-off, held in the engine.

    Attributes:
        as_of: the cut-off.
        groups: group_id, account_id, solution_id, created_at of the eligible groups.
        members: the member rows of stage 1.
        facts: one row per group.
    """

    as_of: datetime
    groups: ir.Table
    members: ir.Table
    facts: ir.Table


def feature_source(source: Source, settings: Settings) -> FeatureSource:
    """Counts each activity once and looks up its kind, for all cut-offs together."""
    activities = source.tables["activities"]
    kinds = kinds_in(activities)
    warn_of_unknown_kinds(kinds, settings)
    counted = with_kind_settings(once(with_known_at(activities)), kinds, settings)
    narrow = counted.select(
        "contact_id", "group_id", "solution_id", "kind", "occurred_at", "known_at",
        "points", "inbound", "high_intent", "family",
    )  # fmt: skip
    prepared = source.backend.create_table("mqbg_activities", narrow, temp=True, overwrite=True)
    return FeatureSource(source.backend, source.tables, prepared, settings)


def find_vocabulary(source: FeatureSource, before: datetime) -> Vocabulary:
    """Roles and kind families known before an instant; nothing later shapes a column."""
    known = known_before(source.activities, before)
    inbound = known.filter(known.inbound)
    counts = inbound.group_by("family").agg(rows=inbound.count()).to_pyarrow().to_pylist()
    counts.sort(key=lambda row: (-row["rows"], row["family"]))
    return Vocabulary(
        resolve_template(source.settings, source.tables["members"], before),
        tuple(row["family"] for row in counts[:MAX_FAMILIES]),
    )


@contextmanager
def moment(
    source: FeatureSource,
    catalogue: Catalogue,
    as_of: datetime,
    only: Sequence[str] | None = None,
) -> Iterator[Moment]:
    """Runs stage 1 and the facts at a cut-off, and keeps them until the end of the block.

    Args:
        source: the prepared source.
        catalogue: the declarations.
        as_of: the cut-off.
        only: group ids to look at; None for every eligible group.
    """
    backend = source.backend
    groups = eligible_groups(source.tables, source.settings, as_of)
    if only is not None:
        groups = groups.filter(groups.group_id.isin(list(only)))
    names: list[str] = []

    def keep(label: str, expression: ir.Table) -> ir.Table:
        name = f"mqbg_{label}_{next(_numbers)}"
        names.append(name)
        return backend.create_table(name, expression, temp=True)

    try:
        groups = keep("groups", groups)
        rows = member_rows(
            source.activities,
            source.tables["members"],
            groups.select("group_id", "solution_id"),
            catalogue.signals,
            as_of,
        )
        facts = group_facts(
            source.tables, source.settings, catalogue.vocabulary.template, groups, as_of
        )
        yield Moment(as_of, groups, keep("members", rows), keep("facts", facts))
    finally:
        for name in names:
            backend.drop_table(name, force=True)


_numbers = count()


def feature_table(
    source: FeatureSource,
    catalogue: Catalogue,
    as_ofs: Sequence[datetime],
    *,
    only: Sequence[str] | None = None,
    progress: Callable[[str, float], None] = lambda _label, _share: None,
) -> pa.Table:
    """Features of every eligible group at each cut-off, sorted by as_of and group_id.

    Returns:
        group_id, as_of, then the catalogue's columns.
    """
    parts = []
    for number, as_of in enumerate(as_ofs):
        progress("features", number / len(as_ofs))
        with moment(source, catalogue, as_of, only) as at:
            table = group_features(at.members, at.facts, catalogue)
            dated = table.mutate(as_of=ibis.literal(as_of, "timestamp(6)")).order_by("group_id")
            parts.append(dated.select("group_id", "as_of", *catalogue.names).to_pyarrow())
    progress("features", 1.0)
    return pa.concat_tables(parts)
