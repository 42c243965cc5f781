"""Stage 1, member signals: one row per (group, contact) at a cut-off. This is the big scan.

A signal is declared as a value of one activity and the way values combine. The same reduction
combines activities of a contact, and then the scopes of that contact which count for a group
(activities of the group alone, of its solution, of no solution), so two levels suffice and the
activities are read once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import ibis
import ibis.expr.types as ir

from .activities import known_before
from .exact import exact
from .expressions import whole

WEEKS = 13  # weeks that `weeks_active` looks back, one bit each
POINTS_PER_KIND_AND_DAY = 20  # activities; the market leader's cap (field-notes.md)
SCOPE = ("contact_id", "group_id", "solution_id")


class Reduce(StrEnum):
    """How values combine; each is associative and commutative, so order never matters."""

    SUM = "sum"
    MAX = "max"
    MIN = "min"
    BITS = "bits"

    def over(self, values: ir.Column) -> ir.Scalar:
        """The reduction as an Ibis aggregate; nulls are left out."""
        return values.bit_or() if self is Reduce.BITS else getattr(values, self.value)()


@dataclass(frozen=True, slots=True)
class Signal:
    """One number about one member.

    Attributes:
        name: column name, `<what>_<window>`.
        value: of one activity, from its row (see `dated`) and the cut-off.
        reduce: how the values combine.
        empty: of a member without activities; None where there is nothing to say.
    """

    name: str
    value: Callable[[ir.Table, datetime], ir.Value]
    reduce: Reduce = Reduce.SUM
    empty: float | None = 0.0


def count_within(name: str, days: int, which: Callable[[ir.Table], ir.BooleanValue]) -> Signal:
    """Activities with `occurred_at` in [as_of - days, as_of)."""

    def value(rows: ir.Table, as_of: datetime) -> ir.Value:
        return whole(which(rows) & (rows.occurred_at >= as_of - timedelta(days=days)))

    return Signal(name, value)


def decayed(
    name: str,
    half_life_days: int,
    amount: Callable[[ir.Table], ir.NumericValue],
    which: Callable[[ir.Table], ir.BooleanValue],
) -> Signal:
    """Amounts that halve every `half_life_days`, by whole days of age."""

    def value(rows: ir.Table, _as_of: datetime) -> ir.Value:
        left = ibis.literal(0.5) ** (rows.age_days.cast("float64") / half_life_days)
        return which(rows).ifelse(exact(amount(rows) * left), 0.0)

    return Signal(name, value)


def days_since(name: str, which: Callable[[ir.Table], ir.BooleanValue]) -> Signal:
    """Whole days since the latest such activity; null where there was none."""

    def value(rows: ir.Table, _as_of: datetime) -> ir.Value:
        return which(rows).ifelse(rows.age_days.cast("float64"), ibis.null("float64"))

    return Signal(name, value, Reduce.MIN, empty=None)


def _inbound(rows: ir.Table) -> ir.BooleanValue:
    return rows.inbound


def _outbound(rows: ir.Table) -> ir.BooleanValue:
    return ~rows.inbound


def _high_intent(rows: ir.Table) -> ir.BooleanValue:
    return rows.inbound & rows.high_intent


def _weeks_active(rows: ir.Table, _as_of: datetime) -> ir.Value:
    week = (rows.age_days // 7).cast("int64")
    bit = ibis.literal(1, "int64") << ibis.least(week, WEEKS)
    return (rows.inbound & (week < WEEKS)).ifelse(bit, ibis.literal(0, "int64"))


def signals(families: Sequence[str]) -> tuple[Signal, ...]:
    """Every signal; `families` are the inbound kind families that get a column of their own."""
    return (
        *(count_within(f"inbound_{days}d", days, _inbound) for days in (7, 14, 28, 30, 90)),
        Signal("inbound_ever", lambda rows, _as_of: whole(rows.inbound)),
        *(count_within(f"high_intent_{days}d", days, _high_intent) for days in (30, 90)),
        *(count_within(f"outbound_{days}d", days, _outbound) for days in (30, 90)),
        *(
            decayed(f"engagement_{days}", days, lambda rows: rows.points, _inbound)
            for days in (7, 21, 60)
        ),
        days_since("days_since_inbound", _inbound),
        days_since("days_since_high_intent", _high_intent),
        days_since("days_since_outbound", _outbound),
        Signal("weeks_active", _weeks_active, Reduce.BITS),
        *(_family(family, number) for number, family in enumerate(families)),
    )


def _family(family: str, number: int) -> Signal:
    return decayed(
        f"family_{number}",
        21,
        lambda _rows: ibis.literal(1.0),
        lambda rows: rows.inbound & (rows.family == family),
    )


def member_rows(
    activities: ir.Table,
    members: ir.Table,
    groups: ir.Table,
    declared: Sequence[Signal],
    as_of: datetime,
) -> ir.Table:
    """Member signals of every current member of `groups`, and one base row per group.

    Args:
        activities: once each, with known_at and the settings of their kinds.
        members: the contract's table.
        groups: group_id, solution_id of the groups to look at.
        declared: the signals.
        as_of: the cut-off.

    Returns:
        group_id, contact_id, role, rule_points_30d, then one column a signal. The base row has
        neither contact nor role: it holds the activities logged on the group without a person,
        which count for the group and for no member.
    """
    scoped = _by_scope(activities, declared, as_of)
    current = current_members(members, as_of).join(groups, "group_id")
    base = groups.mutate(contact_id=ibis.null("string"), role=ibis.null("string"))
    people = current.select("group_id", "solution_id", "contact_id", "role")
    logged = _attach(base, scoped.filter(scoped.contact_id.isnull()), ["group_id"])
    columns = _signal_columns(declared)
    everyone = ibis.union(people, base.select(people.columns)).mutate(
        **{name: ibis.null(logged[name].type()) for name, _reduce, _empty in columns}
    )
    rows = ibis.union(everyone.drop("solution_id"), *attached(people, scoped), logged)
    together = rows.group_by("group_id", "contact_id", "role").agg(
        **{name: reduce.over(rows[name]) for name, reduce, _empty in columns}
    )
    return together.mutate(
        **{
            name: together[name].fill_null(ibis.literal(empty).cast(together[name].type()))
            for name, _reduce, empty in columns
            if empty is not None
        }
    )


def current_members(members: ir.Table, as_of: datetime) -> ir.Table:
    """Member rows that count: joined before the cut-off, not left before it (design.md)."""
    return members.filter(
        members.joined_at < as_of, members.left_at.isnull() | (members.left_at >= as_of)
    )


def attached(people: ir.Table, scoped: ir.Table) -> tuple[ir.Table, ir.Table, ir.Table]:
    """What counts for each membership: the one place that says so (design.md, rules of time).

    An activity with a group counts for that group alone; one without counts for every group of
    its contact if it has no solution or the group's.

    Args:
        people: group_id, solution_id, contact_id, role of the current members.
        scoped: rows with `SCOPE` and values.

    Returns:
        Three tables without common rows, to be united: group_id, contact_id, role and the values,
        for activities of the group, of the contact alone, and of the solution.
    """
    personal = scoped.filter(scoped.contact_id.notnull())
    free = personal.filter(personal.group_id.isnull())
    return (
        _attach(people, personal.filter(personal.group_id.notnull()), ["contact_id", "group_id"]),
        _attach(people, free.filter(free.solution_id.isnull()), ["contact_id"]),
        _attach(people, free.filter(free.solution_id.notnull()), ["contact_id", "solution_id"]),
    )


def _signal_columns(declared: Sequence[Signal]) -> list[tuple[str, Reduce, float | None]]:
    own = [(signal.name, signal.reduce, signal.empty) for signal in declared]
    return [("rule_points_30d", Reduce.SUM, 0.0), *own]


def _attach(people: ir.Table, scoped: ir.Table, keys: list[str]) -> ir.Table:
    joined = people.join(scoped.drop(*(c for c in SCOPE if c not in keys)), keys)
    values = [name for name in scoped.columns if name not in SCOPE]
    return joined.select("group_id", "contact_id", "role", *values)


def dated(activities: ir.Table, as_of: datetime) -> ir.Table:
    """Rows that count at `as_of`, with `age_days`, their age in whole days.

    Seconds are floored on both sides before they are subtracted: engines differ in whether an
    epoch has a fraction (perf-notes.md).
    """
    rows = known_before(activities, as_of)
    seconds = int((as_of - datetime(1970, 1, 1)).total_seconds()) - (
        rows.occurred_at.epoch_seconds().floor().cast("int64")
    )
    return rows.mutate(age_days=(seconds // 86_400).cast("int64"))


def _by_scope(activities: ir.Table, declared: Sequence[Signal], as_of: datetime) -> ir.Table:
    """What a membership may draw on: rows per contact and scope, to be reduced once more."""
    known = dated(activities, as_of)
    rows = known.select(*SCOPE, **{signal.name: signal.value(known, as_of) for signal in declared})
    scoped = rows.group_by(*SCOPE).agg(
        **{signal.name: signal.reduce.over(rows[signal.name]) for signal in declared}
    )
    capped = _rule_points(activities, as_of)
    nothing = {signal.name: ibis.null(scoped[signal.name].type()) for signal in declared}
    return ibis.union(
        scoped.mutate(rule_points_30d=ibis.null("float64")),
        capped.mutate(**nothing).select(*scoped.columns, "rule_points_30d"),
    )


def _rule_points(activities: ir.Table, as_of: datetime) -> ir.Table:
    """Points of the last 30 days, at most 20 activities per kind and day (field-notes.md)."""
    rows = known_before(activities, as_of)
    rows = rows.filter(rows.inbound, rows.occurred_at >= as_of - timedelta(days=30))
    daily = rows.group_by(*SCOPE, "kind", "points", day=rows.occurred_at.truncate("D")).agg(
        times=rows.count()
    )
    capped = ibis.least(daily.times, POINTS_PER_KIND_AND_DAY)
    return daily.select(*SCOPE, rule_points_30d=exact(daily.points * capped.cast("float64")))
