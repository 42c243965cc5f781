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

from ..declare.expressions import cutoff_literal, days_between
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
    interval = _Interval(since, as_of)
    tables = source.tables
    active_members = _by_activities(source, interval)
    members, groups = tables["members"], tables["buying_groups"]
    ids = ibis.union(
        members.semi_join(active_members, "member_no").select("group_id"),
        groups.semi_join(active_members, "member_no").select("group_id"),
        _by_members(members, interval),
        groups.filter(interval.new_or_older(groups.created_at)).select("group_id"),
        *(
            rows.filter(interval.new_or_older(rows[time])).select("group_id")
            for rows, time in (
                (tables["stage_events"], "occurred_at"),
                (tables["verdicts"], "decided_at"),
                (tables["answers"], "answered_at"),
            )
        ),
        _by_other_groups(tables, interval),
        distinct=True,
    )
    found = ids.to_pyarrow()["group_id"].combine_chunks()
    return found.take(pc.sort_indices(found))


class _Interval:
    """Two cut-offs of a day."""

    def __init__(self, since: datetime, as_of: datetime) -> None:
        self.since, self.as_of = cutoff_literal(since), cutoff_literal(as_of)
        # Engines and rules differ in parts of a second: a second more on both sides covers them.
        self._widened = cutoff_literal(since - SECOND), cutoff_literal(as_of + SECOND)

    def contains(self, instant: ir.TimestampValue) -> ir.BooleanValue:
        """In [since, as_of)."""
        return (instant >= self.since) & (instant < self.as_of)

    def new_or_older(self, instant: ir.TimestampValue) -> ir.BooleanValue:
        """New, or older by a whole day more than it was."""
        earlier, later = (days_between(instant, cutoff) for cutoff in self._widened)
        return (instant < self.as_of) & (self.contains(instant) | (earlier != later))


def _by_activities(source: FeatureSource, interval: _Interval) -> ir.Table:
    """Members, also former ones, and bases with an activity that is new or a day older."""
    rows = source.activities
    known = rows.filter(
        rows.counts_from < interval.as_of,
        interval.new_or_older(rows.occurred_at) | interval.new_or_older(rows.counts_from),
    )
    return known.select("member_no").distinct()


def _by_members(members: ir.Table, interval: _Interval) -> ir.Table:
    """Groups of members who came, left or grew a day older in it, and of those they came to."""
    joined_or_left = interval.contains(members.joined_at) | interval.contains(
        members.left_at
    ).fill_null(False)
    joined_or_left_or_older = interval.new_or_older(members.joined_at) | interval.new_or_older(
        members.left_at
    ).fill_null(False)
    shared = members.semi_join(members.filter(joined_or_left), "contact_id")
    return ibis.union(
        members.filter(joined_or_left_or_older).select("group_id"), shared.select("group_id")
    )


def _by_other_groups(tables: Mapping[str, ir.Table], interval: _Interval) -> ir.Table:
    """Groups whose account, or whose industry for that solution, has news."""
    groups, events = tables["buying_groups"], tables["stage_events"]
    groups_with_events = ibis.union(
        groups.filter(interval.contains(groups.created_at)).select("group_id"),
        events.filter(interval.contains(events.occurred_at)).select("group_id"),
        distinct=True,
    )
    with_industry = groups.left_join(
        tables["accounts"].select("industry", owner=tables["accounts"].account_id),
        [("account_id", "owner")],
    )
    affected = with_industry.semi_join(groups_with_events, "group_id")
    return ibis.union(
        with_industry.semi_join(affected, "account_id").select("group_id"),
        with_industry.semi_join(affected, ["solution_id", "industry"]).select("group_id"),
    )
