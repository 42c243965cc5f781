"""Stage 1, member rows: one per (group, contact) at a cut-off. This is the big scan."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence, Set

import ibis
import ibis.expr.types as ir

from ..declare.expressions import AsOf, days_before, days_between
from ..declare.signals import InputRows, Signal
from ..time_rules.activities_known_before import known_before
from .contact_history import BASE_RATE, ENDINGS, add_contact_history

POINTS_PER_KIND_AND_DAY = 20  # activities of a person; the market leader's cap (field-notes.md)
RULE_WINDOW_DAYS = 30
ROLE_SIGNALS = frozenset({"role_probability", "role_bits"})
"""Signals that read the probability of a member's role."""


def member_rows(
    input_tables: Mapping[InputRows, ir.Table],
    people: ir.Table,
    signals: Sequence[Signal],
    as_of: AsOf,
) -> ir.Table:
    """Member signals of every current member, and one base row per group.

    Args:
        input_tables: `activities` and `contents_seen` of the source, by what reads them.
        people: rows of `people_at`.
        signals: the signals.
        as_of: the cut-off.

    Returns:
        group_id, contact_id, role, then one column a signal. The base row has neither contact
        nor role: it holds the activities logged on the group without a person, which count for
        the group and for no member.
    """
    columns: dict[str, ir.Value] = {}
    rows = people
    for input_rows in InputRows:
        found = [signal for signal in signals if signal.input_rows is input_rows]
        if found and input_rows is not InputRows.MEMBERSHIP:
            rows = rows.left_join(
                _aggregate_signals(input_tables, input_rows, found, as_of), "member_no"
            ).drop("member_no_right")
    for signal in signals:
        of_membership = signal.input_rows is InputRows.MEMBERSHIP
        value = signal.value(rows, as_of) if of_membership else rows[signal.name]
        empty = None if signal.default is None else ibis.literal(signal.default).cast(signal.type)
        columns[signal.name] = value if empty is None else value.fill_null(empty)
    return rows.select("group_id", "contact_id", "role", **columns)


def _aggregate_signals(
    input_tables: Mapping[InputRows, ir.Table],
    input_rows: InputRows,
    signals: Sequence[Signal],
    as_of: AsOf,
) -> ir.Table:
    """member_no, and the signals of one kind of rows, of the members who have such rows."""
    rows = _READERS[input_rows](input_tables, as_of)
    values = rows.select("member_no", **{s.name: s.value(rows, as_of) for s in signals})
    return values.group_by("member_no").agg(
        **{signal.name: signal.aggregation.apply(values[signal.name]) for signal in signals}
    )


def current_members(members: ir.Table, as_of: AsOf) -> ir.Table:
    """Member rows that count: joined before the cut-off, not left before it (design.md)."""
    return members.filter(
        members.joined_at < as_of, members.left_at.isnull() | (members.left_at >= as_of)
    )


def people_at(
    tables: Mapping[str, ir.Table],
    groups: ir.Table,
    as_of: AsOf,
    signal_names: Set[str],
    horizon_days: int,
    *,
    subset: bool,
) -> ir.Table:
    """Everybody in `groups` at a cut-off, and one base row per group.

    Args:
        tables: of the prepared source.
        groups: group_id, member_no (of the base) of the groups to look at.
        as_of: the cut-off.
        signal_names: names of the signals that will be asked for.
        horizon_days: of the target, in which exposure is counted.
        subset: they are few, so that other members are better not counted.

    Returns:
        group_id, contact_id, role, member_no, joined_at (when the person joined the group, in
        whatever role), and as far as they are wanted probability (of the role), department
        and memberships (groups that the contact is a member of, this one included), and the
        columns of `contact_history`. The base row has nulls.
    """
    members = current_members(tables["members"], as_of)
    current = members.semi_join(groups, "group_id")
    of_role = ["probability"] if signal_names & ROLE_SIGNALS else []
    rows = current.select(
        "group_id", "contact_id", "role", "member_no", *of_role, row_joined_at=current.joined_at
    )
    rows = rows.left_join(_joined(tables["members"], groups, as_of), "member_no")
    rows = rows.select(
        "group_id", "contact_id", "role", "member_no", *of_role,
        joined_at=ibis.coalesce(rows.person_joined_at, rows.row_joined_at),
    )  # fmt: skip
    if "other_groups" in signal_names:
        known = members.semi_join(current, "contact_id") if subset else members
        counts = known.group_by(other=known.contact_id).agg(memberships=known.count())
        rows = rows.left_join(counts, [("contact_id", "other")]).drop("other")
    if "department" in signal_names:
        contacts = tables["contacts"]
        placed = contacts.select("department", owner=contacts.contact_id)
        rows = rows.left_join(placed, [("contact_id", "owner")]).drop("owner")
    if reads_contact_history(signal_names):
        known = tables["members"]
        known = known.semi_join(current, "contact_id") if subset else known
        rows = add_contact_history(rows, known, tables[ENDINGS], groups, as_of, horizon_days)
    keys = ("group_id", "member_no")
    nulls = {name: ibis.null(rows[name].type()) for name in rows.columns if name not in keys}
    return ibis.union(rows, groups.mutate(**nulls).select(rows.columns))


def _joined(members: ir.Table, groups: ir.Table, as_of: AsOf) -> ir.Table:
    """When each person last joined: a row of another role that goes on the same day is no joining.

    Returns:
        member_no and person_joined_at, of everybody who was ever in the groups.
    """
    own = members.semi_join(groups, "group_id")
    past = own.filter(own.joined_at < as_of)
    rows = past.select("member_no", "role", "joined_at", joined_day=past.joined_at.truncate("D"))
    left = past.filter(past.left_at.notnull())
    ended = left.select(
        ended_member=left.member_no, ended_role=left.role, ended_day=left.left_at.truncate("D")
    )
    met = rows.join(ended, [("member_no", "ended_member"), ("joined_day", "ended_day")])
    met = met.select("member_no", "role", "joined_at", "ended_role")
    changed = met.filter(met.role != met.ended_role)
    changed = changed.select(changed_member=changed.member_no, changed_at=changed.joined_at)
    joinings = rows.anti_join(
        changed, [("member_no", "changed_member"), ("joined_at", "changed_at")]
    ).select("member_no", "joined_at")
    return joinings.group_by("member_no").agg(person_joined_at=joinings.joined_at.max())


def reads_contact_history(signal_names: Collection[str]) -> bool:
    """Whether some of the signals are of the members' other groups."""
    return BASE_RATE in signal_names or any(name.startswith("history_") for name in signal_names)


def rows_of_people(rows: ir.Table, people: ir.Table) -> ir.Table:
    """The rows of some people; those of a few are looked up without a scan."""
    return rows.semi_join(people, "member_no")


def with_age_days(rows: ir.Table, as_of: AsOf) -> ir.Table:
    """Adds `age_days`, the age of an activity in whole days."""
    return rows.mutate(age_days=days_between(rows.occurred_at, as_of))


def _activities(input_tables: Mapping[InputRows, ir.Table], as_of: AsOf) -> ir.Table:
    return with_age_days(known_before(input_tables[InputRows.ACTIVITIES], as_of), as_of)


def _contents(input_tables: Mapping[InputRows, ir.Table], as_of: AsOf) -> ir.Table:
    return known_before(input_tables[InputRows.CONTENTS], as_of)


def _days(input_tables: Mapping[InputRows, ir.Table], as_of: AsOf) -> ir.Table:
    """One row per member, kind and day of the last 30; `times` is 20 at most (field-notes.md)."""
    known = known_before(input_tables[InputRows.ACTIVITIES], as_of)
    rows = known.filter(known.inbound, known.occurred_at >= days_before(as_of, RULE_WINDOW_DAYS))
    daily = rows.group_by("member_no", "kind", "points", day=rows.occurred_at.truncate("D")).agg(
        times=rows.count()
    )
    return daily.mutate(times=ibis.least(daily.times, POINTS_PER_KIND_AND_DAY))


def row_reader(input_rows: InputRows) -> Callable[[Mapping[InputRows, ir.Table], AsOf], ir.Table]:
    """What reads the rows of a kind that count at a cut-off, from the tables that are scanned."""
    return _READERS[input_rows]


_READERS = {InputRows.ACTIVITIES: _activities, InputRows.DAYS: _days, InputRows.CONTENTS: _contents}
