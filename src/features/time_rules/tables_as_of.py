"""What was known at an earlier instant, as tables of the contract that features are computed from.

A cut-off asks what was known before it, and looks back from it. Here the two come apart: features
of `tables_as_of(tables, then)` at a later cut-off are what the group would have, had nothing come
since.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from ...settings import Settings
from ...source.staging import Source
from ...support.duckdb_sessions import open_session
from ..declare.expressions import AsOf, cutoff_literal
from ..engines.open_query_runner import open_query_runner
from ..tables.feature_source import FeatureSource, prepare_source
from ..tables.group_facts import leaver_counts
from .activities_known_before import kind_counts, kinds_in, known_before, with_known_at

# Tables whose rows are known from one instant on.
TIME_COLUMNS = {"stage_events": "occurred_at", "verdicts": "decided_at", "answers": "answered_at"}


def tables_as_of(tables: Mapping[str, ir.Table], until: datetime) -> dict[str, ir.Table]:
    """The contract's tables as they were known before an instant (design.md, rules of time).

    Features at `until` itself are the same as those of `tables`. Accounts, contacts and contents
    have no history: they are as they are.

    Args:
        tables: of the contract.
        until: the instant; only what was known before it is left. Of a member who left later the
            leaving is not known yet, and of a group that was created later the creation.
    """
    cutoff = cutoff_literal(until)
    groups, members = tables["buying_groups"], tables["members"]
    activities = known_before(with_known_at(tables["activities"]), cutoff)
    return {
        **tables,
        # The group itself stays, for members may point at it from before.
        "buying_groups": groups.mutate(created_at=_null_unless_before(groups.created_at, cutoff)),
        "members": members.filter(members.joined_at < cutoff).mutate(
            left_at=_null_unless_before(members.left_at, cutoff)
        ),
        "activities": activities.drop("known_at", "counts_from"),
        **{
            name: tables[name].filter(tables[name][time] < cutoff)
            for name, time in TIME_COLUMNS.items()
        },
    }


def _null_unless_before(time: ir.TimestampValue, cutoff: AsOf) -> ir.TimestampValue:
    return (time < cutoff).ifelse(time, ibis.null(time.type()))


def rows_of_group(tables: Mapping[str, ir.Table], group_id: str) -> dict[str, pa.Table]:
    """The contract's tables without the rows that the features of one group never read.

    Args:
        tables: of the contract.
        group_id: of a group.
    """
    members, activities = tables["members"], tables["activities"]
    contacts_of_group = members.filter(members.group_id == group_id).select("contact_id").distinct()
    shared_groups = members.semi_join(contacts_of_group, "contact_id").select("group_id").distinct()
    first_members = _first_members(members.semi_join(shared_groups, "group_id"))
    ids = contacts_of_group.to_pyarrow()["contact_id"].to_pylist()
    first_ids = first_members.select("contact_id").distinct().to_pyarrow()["contact_id"].to_pylist()
    activities_of_group = activities.filter(
        (activities.group_id == group_id) | activities.contact_id.isin(ids)
    )
    rows = {
        **tables,
        "contacts": tables["contacts"].filter(
            tables["contacts"].contact_id.isin([*ids, *first_ids])
        ),
        "members": ibis.union(
            members.filter(members.contact_id.isin(ids)),
            first_members.filter(~first_members.contact_id.isin(ids)),
        ),
        # A copy of an activity may name somebody else, and be the one that counts.
        "activities": activities.semi_join(
            activities_of_group.select("activity_id"), "activity_id"
        ),
        **{
            name: tables[name].filter(tables[name].group_id == group_id)
            for name in ("verdicts", "answers")
        },
    }
    return {name: rows.to_pyarrow() for name, rows in rows.items()}


def _first_members(members: ir.Table) -> ir.Table:
    """The rows of those who were the first in their group."""
    first = members.group_by("group_id").agg(first_at=members.joined_at.min())
    rows = members.join(first, "group_id")
    return rows.filter(rows.joined_at == rows.first_at).select(*members.columns)


@contextmanager
def in_memory_source(tables: Mapping[str, pa.Table], settings: Settings) -> Iterator[FeatureSource]:
    """Some tables of the contract as a prepared source, in a session of their own.

    Two prepared sources of one session would write over each other's tables.

    Args:
        tables: of the contract, few rows.
        settings: of the user; kinds that they do not know are named by the source of the tables.
    """
    backend = ibis.duckdb.from_connection(open_session(settings.model.threads))
    try:
        # As every query of a cut-off, these are compiled once: there is a source for each state.
        queries = open_query_runner(backend, "tables in memory", "given_")
        opened = {name: queries.load_rows(name, rows) for name, rows in tables.items()}
        kind_rows = queries.fetch("kind_counts", lambda: kind_counts(opened["activities"]))
        kinds = {kind: settings.activity_kind(kind) for kind in kinds_in(kind_rows)}
        known = replace(settings, kinds={**kinds, **settings.kinds})
        yield prepare_source(Source(backend, opened, {}, (), "memory"), known)
    finally:
        backend.disconnect()


def recent_leavers(members: ir.Table, as_of: datetime) -> frozenset[str]:
    """Contacts whom the fact `members_left_90d` counts of one group.

    Args:
        members: rows of one group.
        as_of: the cut-off.
    """
    by_contact = members.mutate(group_id=members.contact_id)
    return frozenset(
        leaver_counts(by_contact, cutoff_literal(as_of)).to_pyarrow()["left_group"].to_pylist()
    )
