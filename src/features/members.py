"""Stage 1, member rows: one per (group, contact) at a cut-off. This is the big scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ibis
import ibis.expr.types as ir

from .activities import known_before
from .expressions import AsOf, days_before, days_between
from .prepared import NOBODY
from .signals import Rows, Signal

SCOPE = ("contact_no", "group_no", "solution_no")
POINTS_PER_KIND_AND_DAY = 20  # activities; the market leader's cap (field-notes.md)
RULE_DAYS = 30
KEYS = ("group_id", "group_no", "contact_no", "solution_no")


def member_rows(
    scanned: Mapping[Rows, ir.Table],
    people: ir.Table,
    declared: Sequence[Signal],
    as_of: AsOf,
) -> ir.Table:
    """Member signals of every current member, and one base row per group.

    Args:
        scanned: `activities` and `contents_seen` of the source, by what reads them.
        people: rows of `people_at`.
        declared: the signals.
        as_of: the cut-off.

    Returns:
        group_id, contact_id, role, then one column a signal. The base row has neither contact
        nor role: it holds the activities logged on the group without a person, which count for
        the group and for no member.
    """
    own = [signal for signal in declared if signal.rows is Rows.MEMBERSHIP]
    acted = [signal for signal in declared if signal.rows is not Rows.MEMBERSHIP]
    values = {signal.name: signal.value(people, as_of) for signal in own}
    if not acted:
        return _filled(people.select("group_id", "contact_id", "role", **values), declared)
    rows = attached(people, by_scope(scanned, acted, as_of))
    sums = rows.group_by("group_no", "contact_no").agg(
        **{signal.name: signal.reduce.over(rows[signal.name]) for signal in acted}
    )
    everyone = people.mutate(**values).left_join(sums, ["group_no", "contact_no"])
    return _filled(everyone, declared)


def _filled(rows: ir.Table, declared: Sequence[Signal]) -> ir.Table:
    return rows.select(
        "group_id",
        "contact_id",
        "role",
        **{
            signal.name: rows[signal.name]
            if signal.empty is None
            else rows[signal.name].fill_null(ibis.literal(signal.empty).cast(signal.type))
            for signal in declared
        },
    )


def current_members(members: ir.Table, as_of: AsOf) -> ir.Table:
    """Member rows that count: joined before the cut-off, not left before it (design.md)."""
    return members.filter(
        members.joined_at < as_of, members.left_at.isnull() | (members.left_at >= as_of)
    )


def people_at(
    tables: Mapping[str, ir.Table], groups: ir.Table, as_of: AsOf, *, few: bool
) -> ir.Table:
    """Everybody in `groups` at a cut-off, and one base row per group.

    Args:
        tables: of the prepared source.
        groups: group_id, group_no, solution_no of the groups to look at.
        as_of: the cut-off.
        few: they are few, so that other members are better not counted.

    Returns:
        group_id, contact_id, role, group_no, contact_no, solution_no, joined_at, department,
        memberships (groups that the contact is a member of, this one included). The base row has
        the number of nobody and null for the rest.
    """
    of_groups = groups.select("group_no", "solution_no")
    members = current_members(tables["members"], as_of)
    asked = members.semi_join(of_groups, "group_no")
    known = members.semi_join(asked, "contact_no") if few else members
    counts = known.group_by("contact_no").agg(memberships=known.count())
    departments = tables["contacts"].select("contact_no", "department")
    current = (
        members.join(of_groups, "group_no")
        .left_join(counts, "contact_no")
        .drop("contact_no_right")
        .left_join(departments, "contact_no")
    )
    columns = ["group_id", "contact_id", "role", "group_no", "contact_no", "solution_no",
               "joined_at", "department", "memberships"]  # fmt: skip
    nothing = {name: ibis.null(current[name].type()) for name in columns if name not in KEYS}
    base = groups.mutate(**nothing, contact_no=ibis.literal(NOBODY, "int32"))
    return ibis.union(current.select(columns), base.select(columns))


def attached(people: ir.Table, scoped: ir.Table) -> ir.Table:
    """What counts for each membership: the one place that says so (design.md, rules of time).

    An activity with a group counts for that group alone; one without counts for every group of
    its contact if it has no solution or the group's.

    Args:
        people: group_no, solution_no, contact_no of the members (nobody's are those of the base).
        scoped: rows with `SCOPE` and values.

    Returns:
        group_no, contact_no and the values.
    """
    values = [name for name in scoped.columns if name not in SCOPE]
    keys = people.select("group_no", "contact_no", wanted=people.solution_no)
    own = scoped.filter(scoped.group_no != NOBODY).drop("solution_no")
    free = scoped.filter(scoped.group_no == NOBODY, scoped.contact_no != NOBODY).drop("group_no")
    everywhere = keys.join(free, "contact_no")
    fits = (everywhere.solution_no == NOBODY) | (everywhere.solution_no == everywhere.wanted)
    columns = ["group_no", "contact_no", *values]
    return ibis.union(
        keys.join(own, ["group_no", "contact_no"]).select(columns),
        everywhere.filter(fits).select(columns),
    )


def of_people(rows: ir.Table, people: ir.Table) -> ir.Table:
    """Rows that may count for some of the people, for looking a few groups up without a scan."""
    base = people.filter(people.contact_no == NOBODY)
    others = people.filter(people.contact_no != NOBODY)
    return ibis.union(
        rows.semi_join(others, "contact_no"), rows.semi_join(base, ["contact_no", "group_no"])
    )


def by_scope(scanned: Mapping[Rows, ir.Table], declared: Sequence[Signal], as_of: AsOf) -> ir.Table:
    """What a membership may draw on: `SCOPE`, then one column a signal, to be reduced once more."""
    parts = []
    for kind in Rows:
        found = [signal for signal in declared if signal.rows is kind]
        if found:
            rows = _READERS[kind](scanned, as_of)
            values = rows.select(*SCOPE, **{s.name: s.value(rows, as_of) for s in found})
            reduced = values.group_by(*SCOPE).agg(
                **{signal.name: signal.reduce.over(values[signal.name]) for signal in found}
            )
            others = {s.name: ibis.null(s.type) for s in declared if s.rows is not kind}
            parts.append(
                reduced.mutate(**others).select(*SCOPE, *(signal.name for signal in declared))
            )
    return parts[0] if len(parts) == 1 else ibis.union(*parts)


def dated(rows: ir.Table, as_of: AsOf) -> ir.Table:
    """Adds `age_days`, the age of an activity in whole days."""
    return rows.mutate(age_days=days_between(rows.occurred_at, as_of))


def _activities(scanned: Mapping[Rows, ir.Table], as_of: AsOf) -> ir.Table:
    return dated(known_before(scanned[Rows.ACTIVITIES], as_of), as_of)


def _contents(scanned: Mapping[Rows, ir.Table], as_of: AsOf) -> ir.Table:
    return known_before(scanned[Rows.CONTENTS], as_of)


def _days(scanned: Mapping[Rows, ir.Table], as_of: AsOf) -> ir.Table:
    """One row per scope, kind and day of the last 30; `times` is 20 at most (field-notes.md)."""
    known = known_before(scanned[Rows.ACTIVITIES], as_of)
    rows = known.filter(known.inbound, known.occurred_at >= days_before(as_of, RULE_DAYS))
    daily = rows.group_by(*SCOPE, "kind", "points", day=rows.occurred_at.truncate("D")).agg(
        times=rows.count()
    )
    return daily.mutate(times=ibis.least(daily.times, POINTS_PER_KIND_AND_DAY))


_READERS = {Rows.ACTIVITIES: _activities, Rows.DAYS: _days, Rows.CONTENTS: _contents}
