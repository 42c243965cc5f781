"""Terms: numbers of one member row, and how they combine over the rows of a group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from .exact import exact
from .expressions import Expression, ratio, same, total, whole
from .signals import WEEKS, Reduce
from .template import Template

JOINT_WEEKS = 8  # weeks of which each member is asked whether they were active


@dataclass(frozen=True, slots=True)
class Term:
    """One number of one member row, and how it combines over the rows of a group.

    Attributes:
        name: of the column.
        value: from a member row joined with its group's `required_` and `weight_` columns.
        reduce: SUM, MAX or MIN.
        empty: what a group without such rows has; None for nothing to say.
    """

    name: str
    value: Expression
    reduce: Reduce = Reduce.SUM
    empty: float | None = 0.0


SUMMED = (
    "inbound_7d", "inbound_28d", "inbound_30d", "inbound_90d", "inbound_ever", "high_intent_30d",
    "high_intent_90d", "outbound_30d", "outbound_90d", "engagement_7", "engagement_21",
    "engagement_60",
)  # fmt: skip
LATEST = ("days_since_inbound", "days_since_high_intent", "days_since_outbound")


def _is_member(row: ir.Table) -> ir.BooleanValue:
    return row.contact_id.notnull()


def _members_where(condition: Callable[[ir.Table], ir.BooleanValue]) -> Expression:
    return lambda row: whole(_is_member(row) & condition(row))


def terms(template: Template, families: Sequence[str]) -> tuple[Term, ...]:
    """Every term, for the roles of a template and the kind families with a column."""
    return (
        Term("members", lambda row: whole(_is_member(row))),
        *(Term(name, same(name)) for name in SUMMED),
        *(Term(name, same(name), Reduce.MIN, empty=None) for name in LATEST),
        *(
            Term(f"family_{number}", same(f"family_{number}"))
            for number, _family in enumerate(families)
        ),
        Term("logged_90d", lambda row: _is_member(row).ifelse(0.0, row.inbound_90d)),
        Term("active_members_14d", _members_where(lambda row: row.inbound_14d > 0)),
        Term("active_members_30d", _members_where(lambda row: row.inbound_30d > 0)),
        Term("active_members_ever", _members_where(lambda row: row.inbound_ever > 0)),
        Term(
            "newly_awake",
            _members_where(lambda r: (r.inbound_30d > 0) & (r.inbound_90d == r.inbound_30d)),
        ),
        Term("strongest", _member_value("engagement_21"), Reduce.MAX),
        Term("square", lambda row: exact(row.engagement_21 * row.engagement_21 / 1024)),
        *(
            Term(f"active_week_{week}", _members_where(_active_in_week(week)))
            for week in range(JOINT_WEEKS)
        ),
        Term("weeks", _weeks_count, Reduce.MAX),
        *(term for role in template.roles for term in _role_terms(role.slug, role.name)),
        Term("rule_engagement", _rule_engagement(template)),
    )


def _member_value(name: str) -> Expression:
    return lambda row: _is_member(row).ifelse(row[name], 0.0)


def _active_in_week(week: int) -> Callable[[ir.Table], ir.BooleanValue]:
    return lambda row: (row.weeks_active & ibis.literal(1 << week, "int64")) > 0


def _weeks_count(row: ir.Table) -> ir.Value:
    bits = [whole(_active_in_week(week)(row)) for week in range(WEEKS)]
    return _is_member(row).ifelse(total(bits), 0.0)


def _role_terms(slug: str, name: str) -> tuple[Term, ...]:
    def has_role(row: ir.Table) -> ir.BooleanValue:
        return row.role == name

    return (
        Term(f"members_{slug}", _members_where(has_role)),
        Term(f"engaged_{slug}", _members_where(lambda row: has_role(row) & (row.inbound_30d > 0))),
        Term(
            f"engagement_{slug}",
            lambda row: has_role(row).fill_null(False).ifelse(row.engagement_21, 0.0),
        ),
        Term(
            f"strongest_{slug}",
            lambda row: has_role(row).fill_null(False).ifelse(row.engagement_21, 0.0),
            Reduce.MAX,
        ),
    )


def _rule_engagement(template: Template) -> Expression:
    """The market leader's rule: person engagement x the role's share of the weights.

    Person engagement is the square root of capped points, as there; ours is scaled by a constant
    (400 points of 30 days make 100), not over everybody, so that a score moves only with its own
    group (field-notes.md).
    """

    def value(row: ir.Table) -> ir.Value:
        person = ibis.least(100.0, 5.0 * ibis.greatest(0.0, row.rule_points_30d).sqrt())
        weights = total([row[f"weight_{role.slug}"] for role in template.roles])
        own = total(
            [
                (row.role == role.name).fill_null(False).ifelse(row[f"weight_{role.slug}"], 0.0)
                for role in template.roles
            ]
        )
        return exact(ratio(person * own, weights).fill_null(0.0))

    return value
