"""Completeness: which roles of the template are filled, by whom, since when."""

from __future__ import annotations

from collections.abc import Callable

import ibis
import ibis.expr.types as ir

from ..expressions import Expression, column, indicator, ratio, total
from ..feature import Feature
from ..fixed_point import to_fixed_point
from ..template import Template, TemplateRole
from ..vocabulary import Vocabulary

EXPECTED_COMPLETENESS = "expected_completeness"

RoleShare = Callable[[ir.Table, TemplateRole], ir.Value]
"""How far one role is filled, 0 to 1, from the reduced terms and the facts."""


def features(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """Features of the theme."""
    template = vocabulary.template
    return (
        Feature(
            "completeness", "completeness", "share",
            "share of roles filled", "役割の充足率",
            role_completeness(template, "members", False), "up",
        ),
        Feature(
            "weighted_completeness", "completeness", "share",
            "share of roles filled, by weight", "役割の充足率（重み付き）",
            role_completeness(template, "members", True), "up",
        ),
        Feature(
            "engaged_completeness", "completeness", "share",
            "share of roles filled by active people", "活動中の人による役割の充足率",
            role_completeness(template, "engaged", False), "up",
        ),
        *_expected_completeness(vocabulary),
        Feature(
            "roles_missing", "completeness", "roles",
            "required roles missing", "不足している必須の役割の数",
            _roles_missing(template), "down",
        ),
        Feature(
            "days_since_complete", "completeness", "days",
            "days since every required role was filled", "必須の役割がそろってからの日数",
            _days_since_complete(template),
        ),
        Feature(
            "members_left_90d", "completeness", "members",
            "members who left in 90 days", "直近90日間に抜けた人数",
            column("members_left_90d"), "down",
        ),
        Feature(
            "members_joined_90d", "completeness", "members",
            "members who joined in 90 days", "直近90日間に加わった人数",
            column("members_joined_90d"), "up",
        ),
        Feature(
            "dependence", "completeness", "share",
            "share of one person in the activity of 90 days", "直近90日間の活動の1人への依存度",
            lambda t: ratio(t.strongest_90d, t.inbound_90d), "down",
        ),
    )  # fmt: skip


def _expected_completeness(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """The expectation, where the data has roles that are uncertain; else it is no other number."""
    if not vocabulary.uncertain_roles:
        return ()
    return (
        Feature(
            EXPECTED_COMPLETENESS, "completeness", "share",
            "share of roles filled, uncertain roles by their probability",
            "役割の充足率（不確かな役割は確率で数える）",
            _mean_over_roles(vocabulary.template, _expected_share(vocabulary.template), False),
            "up",
        ),
    )  # fmt: skip


def _expected_share(template: Template) -> RoleShare:
    """The expectation of min(1, members / required) where each member's role is uncertain.

    Of a role that needs one: the chance that somebody has it. Of one that needs several: the
    expected members over those required, which is the expectation unless there may be too many.
    Where all are certain it is the share itself.
    """
    several = {role.slug for role in template.roles if _may_need_several(role)}

    def share(t: ir.Table, role: TemplateRole) -> ir.Value:
        somebody = 1.0 - to_fixed_point(ibis.literal(0.5) ** t[f"role_bits_{role.slug}"])
        if role.slug not in several:
            return somebody
        required = t[f"required_{role.slug}"]
        counted = ibis.least(1.0, ratio(t[f"expected_{role.slug}"], required))
        return (required > 1).ifelse(counted, somebody)

    return share


def _may_need_several(role: TemplateRole) -> bool:
    lines = (role.default, *role.solutions.values())
    return any(line is not None and line.required > 1 for line in lines)


def role_completeness(template: Template, prefix: str, weighted: bool) -> Expression:
    """Mean over the template's required roles of min(1, members / required) (design.md)."""

    def share(t: ir.Table, role: TemplateRole) -> ir.Value:
        return ibis.least(1.0, ratio(t[f"{prefix}_{role.slug}"], t[f"required_{role.slug}"]))

    return _mean_over_roles(template, share, weighted)


def _mean_over_roles(template: Template, share: RoleShare, weighted: bool) -> Expression:
    """Mean of a share over the template's required roles."""

    def value(t: ir.Table) -> ir.Value:
        parts, weights = [], []
        for role in template.roles:
            weight = t[f"weight_{role.slug}"] if weighted else ibis.literal(1.0)
            role_weight = (t[f"required_{role.slug}"] > 0).ifelse(weight, 0.0)
            parts.append(role_weight * share(t, role).fill_null(0.0))
            weights.append(role_weight)
        return ratio(total(parts), total(weights)).fill_null(0.0)

    return value


def _roles_missing(template: Template) -> Expression:
    return lambda t: total([indicator(_is_short_of(t, role)) for role in template.roles])


def _is_short_of(t: ir.Table, role: TemplateRole) -> ir.BooleanValue:
    return t[f"members_{role.slug}"] < t[f"required_{role.slug}"]


def _days_since_complete(template: Template) -> Expression:
    """Days since the last required role was filled; null while one is missing.

    A role that needs one is filled since its longest member is there; one that needs several, by
    approximation, since its newest is.
    """

    def value(t: ir.Table) -> ir.Value:
        null = ibis.null("float64")
        days = []
        for role in template.roles:
            required = t[f"required_{role.slug}"]
            filled_days = (required <= 1).ifelse(
                t[f"longest_{role.slug}"], t[f"newest_{role.slug}"]
            )
            days_filled = _is_short_of(t, role).ifelse(-1.0, filled_days.fill_null(-1.0))
            days.append((required > 0).ifelse(days_filled, null))
        if not days:
            return null
        last = ibis.least(*days)  # of the roles that are required
        return (last >= 0).ifelse(last, null)

    return value
