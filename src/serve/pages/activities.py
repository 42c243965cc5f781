"""What the members of some groups did recently, and what was done to them, for the time line."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from ...features.declare.expressions import cutoff_literal as instant
from ...features.tables.feature_source import NO_ID, attribute_activities
from ...features.time_rules.activities_known_before import deduplicate, known_before, with_known_at
from ...source import Source
from ..batch.scoring import ScoreTables

TIMELINE_DAYS = 180

DatedActivity = tuple[datetime, str, str | None]
"""When, of which kind, and the content's title if it has one."""


def activities_by_member(
    scored: ScoreTables, group_ids: pa.Array, source: Source, as_of: datetime
) -> Mapping[str, Mapping[str, list[DatedActivity]]]:
    """Activities that count for groups, of the last `TIMELINE_DAYS` days before a cut-off.

    For whom an activity counts, which of its copies counts and since when it is known is decided
    by the same functions as for the features.

    Args:
        scored: says who is in which group.
        group_ids: group ids to look at.
        source: the tables.
        as_of: the cut-off.

    Returns:
        By group_id and contact_id, the earliest first. Activities that were logged on the group
        without a person have the contact `NO_ID`.
    """
    numbered = _numbered_members(scored, group_ids)
    if not numbered.num_rows:
        return {}
    members = ibis.memtable(numbered)
    people = members.filter(members.contact_id != NO_ID).select("contact_id").distinct()
    groups = members.select("group_id").distinct()
    activities = source.tables["activities"]
    start, end = instant(as_of - timedelta(days=TIMELINE_DAYS)), instant(as_of)
    recent = activities.filter(activities.occurred_at >= start, activities.occurred_at < end)
    activity_ids = ibis.union(
        recent.semi_join(people, "contact_id").select("activity_id"),
        recent.filter(recent.contact_id.isnull())
        .semi_join(groups, "group_id")
        .select("activity_id"),
    )
    # Copies of an activity may differ, so the one that counts is found among all of them.
    duplicates = activities.semi_join(activity_ids, "activity_id")
    deduplicated = deduplicate(known_before(with_known_at(duplicates), end))
    deduplicated = deduplicated.filter(deduplicated.occurred_at >= start)
    contents = source.tables["contents"].select("content_id", "title")
    titled = deduplicated.left_join(contents, "content_id").select(
        "contact_id", "group_id", "solution_id", "occurred_at", "kind", "title"
    )
    attributed = attribute_activities(titled, members).join(_member_keys(members), "member_no")
    return _by_member(attributed.select("owned_by", "contact", "occurred_at", "kind", "title"))


def _numbered_members(scored: ScoreTables, group_ids: pa.Array) -> pa.Table:
    """member_no, group_id, contact_id, solution_id of the members and of each group's base."""
    scores = scored.scores.filter(pc.is_in(scored.scores["group_id"], value_set=group_ids))
    groups = scores.select(["group_id", "solution_id"])
    base = groups.append_column("contact_id", pa.repeat(NO_ID, groups.num_rows))
    members = scored.stakeholders.select(["group_id", "contact_id"])
    people = members.join(groups, "group_id", join_type="inner")
    names = ["group_id", "contact_id", "solution_id"]
    both = pa.concat_tables([base.select(names), people.select(names)])
    return both.append_column("member_no", pa.array(range(both.num_rows), pa.int32()))


def _member_keys(members: ir.Table) -> ir.Table:
    return members.select("member_no", owned_by=members.group_id, contact=members.contact_id)


def _by_member(attributed: ir.Table) -> dict[str, dict[str, list[DatedActivity]]]:
    rows = attributed.order_by("occurred_at", "kind", "title").to_pyarrow()
    by_group: dict[str, dict[str, list[DatedActivity]]] = {}
    names = ("owned_by", "contact", "occurred_at", "kind", "title")
    columns = (rows[name].to_pylist() for name in names)
    for group_id, contact_id, occurred_at, kind, title in zip(*columns, strict=True):
        by_group.setdefault(group_id, {}).setdefault(contact_id, []).append(
            (occurred_at, kind, title)
        )
    return by_group
