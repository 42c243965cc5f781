"""Which groups may have another row than at an earlier cut-off of the same day.

Ages count in whole days from each row's own instant, so a row moves a feature when it becomes
known and then once in 24 hours; windows, decay and "days since" all move at those instants. What is
asked here is therefore whether a group has any row that became known, or any whole day that
passed, between two cut-offs. The calendar moves every group at midnight (UTC).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from ..declare.expressions import at, days_between
from ..tables.feature_source import FeatureSource

SECOND = timedelta(seconds=1)


def changed_groups(source: FeatureSource, since: datetime, as_of: datetime) -> pa.Array | None:
    """Ids of the groups whose features may differ between two cut-offs; None means all.

    A group that is not named has the same features at both, if every row that came to the tables
    in between is known since the first (rule of time: `recorded_at`, else `occurred_at`) and
    accounts, contacts and contents, which have no history, stayed as they were.

    Args:
        source: the tables as they are for the later cut-off.
        since: the earlier cut-off.
        as_of: the later cut-off.
    """
    if since.date() != as_of.date():
        return None
    span = _Span(since, as_of)
    tables = source.tables
    acted = _by_activities(source, span)
    members, groups = tables["members"], tables["buying_groups"]
    ids = ibis.union(
        members.semi_join(acted, "member_no").select("group_id"),
        groups.semi_join(acted, "member_no").select("group_id"),
        _by_members(members, span),
        groups.filter(span.moved(groups.created_at)).select("group_id"),
        *(
            rows.filter(span.moved(rows[time])).select("group_id")
            for rows, time in (
                (tables["stage_events"], "occurred_at"),
                (tables["verdicts"], "decided_at"),
                (tables["answers"], "answered_at"),
            )
        ),
        _by_other_groups(tables, span),
        distinct=True,
    )
    found = ids.to_pyarrow()["group_id"].combine_chunks()
    return found.take(pc.sort_indices(found))


class _Span:
    """Two cut-offs of a day."""

    def __init__(self, since: datetime, as_of: datetime) -> None:
        self.since, self.as_of = at(since), at(as_of)
        # Engines and rules differ in parts of a second: a second more on both sides covers them.
        self._wide = at(since - SECOND), at(as_of + SECOND)

    def new(self, instant: ir.TimestampValue) -> ir.BooleanValue:
        """In [since, as_of)."""
        return (instant >= self.since) & (instant < self.as_of)

    def moved(self, instant: ir.TimestampValue) -> ir.BooleanValue:
        """New, or older by a whole day more than it was."""
        earlier, later = (days_between(instant, cutoff) for cutoff in self._wide)
        return (instant < self.as_of) & (self.new(instant) | (earlier != later))


def _by_activities(source: FeatureSource, span: _Span) -> ir.Table:
    """Members, also former ones, and bases with an activity that is new or a day older."""
    rows = source.activities
    known = rows.filter(
        rows.counts_from < span.as_of, span.moved(rows.occurred_at) | span.moved(rows.counts_from)
    )
    return known.select("member_no").distinct()


def _by_members(members: ir.Table, span: _Span) -> ir.Table:
    """Groups of members who came, left or grew a day older in it, and of those they came to."""
    turned = span.new(members.joined_at) | span.new(members.left_at).fill_null(False)
    aged = span.moved(members.joined_at) | span.moved(members.left_at).fill_null(False)
    shared = members.semi_join(members.filter(turned), "contact_id")
    return ibis.union(members.filter(aged).select("group_id"), shared.select("group_id"))


def _by_other_groups(tables: Mapping[str, ir.Table], span: _Span) -> ir.Table:
    """Groups whose account, or whose industry for that solution, has news."""
    groups, events = tables["buying_groups"], tables["stage_events"]
    news = ibis.union(
        groups.filter(span.new(groups.created_at)).select("group_id"),
        events.filter(span.new(events.occurred_at)).select("group_id"),
        distinct=True,
    )
    placed = groups.left_join(
        tables["accounts"].select("industry", owner=tables["accounts"].account_id),
        [("account_id", "owner")],
    )
    there = placed.semi_join(news, "group_id")
    return ibis.union(
        placed.semi_join(there, "account_id").select("group_id"),
        placed.semi_join(there, ["solution_id", "industry"]).select("group_id"),
    )
