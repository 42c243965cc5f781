"""Completeness: which roles of the template are filled, by whom, since when."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from ..expressions import Expression, ratio, same, total, whole
from ..feature import Feature
from ..template import Template, TemplateRole
from ..vocabulary import Vocabulary


def features(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """Features of the theme."""
    template = vocabulary.template
    return (
        Feature(
            "completeness", "completeness", "share",
            "share of roles filled", "役割の充足率", filled(template, "members", False), "up",
        ),
        Feature(
            "weighted_completeness", "completeness", "share",
            "share of roles filled, by weight", "役割の充足率（重み付き）",
            filled(template, "members", True), "up",
        ),
        Feature(
            "engaged_completeness", "completeness", "share",
            "share of roles filled by active people", "活動中の人による役割の充足率",
            filled(template, "engaged", False), "up",
        ),
        Feature(
            "roles_missing", "completeness", "roles",
            "required roles missing", "不足している必須の役割の数", _missing(template), "down",
        ),
        Feature(
            "days_since_complete", "completeness", "days",
            "days since every required role was filled", "必須の役割がそろってからの日数",
            _days_since_complete(template),
        ),
        Feature(
            "members_left_90d", "completeness", "members",
            "members who left in 90 days", "直近90日間に抜けた人数",
            same("members_left_90d"), "down",
        ),
        Feature(
            "members_joined_90d", "completeness", "members",
            "members who joined in 90 days", "直近90日間に加わった人数",
            same("members_joined_90d"), "up",
        ),
        Feature(
            "dependence", "completeness", "share",
            "share of one person in the activity of 90 days", "直近90日間の活動の1人への依存度",
            lambda t: ratio(t.strongest_90d, t.inbound_90d), "down",
        ),
    )  # fmt: skip


def filled(template: Template, prefix: str, weighted: bool) -> Expression:
    """Mean over the template's required roles of min(1, members / required) (design.md)."""

    def value(t: ir.Table) -> ir.Value:
        parts, weights = [], []
        for role in template.roles:
            required = t[f"required_{role.slug}"]
            weight = t[f"weight_{role.slug}"] if weighted else ibis.literal(1.0)
            counts = (required > 0).ifelse(weight, 0.0)
            share = ibis.least(1.0, ratio(t[f"{prefix}_{role.slug}"], required))
            parts.append(counts * share.fill_null(0.0))
            weights.append(counts)
        return ratio(total(parts), total(weights)).fill_null(0.0)

    return value


def _missing(template: Template) -> Expression:
    return lambda t: total([whole(_lacks(t, role)) for role in template.roles])


def _lacks(t: ir.Table, role: TemplateRole) -> ir.BooleanValue:
    return t[f"members_{role.slug}"] < t[f"required_{role.slug}"]


def _days_since_complete(template: Template) -> Expression:
    """Days since the last required role was filled; null while one is missing.

    A role that needs one is filled since its longest member is there; one that needs several, by
    approximation, since its newest is.
    """

    def value(t: ir.Table) -> ir.Value:
        nothing = ibis.null("float64")
        days = []
        for role in template.roles:
            required = t[f"required_{role.slug}"]
            alone = (required <= 1).ifelse(t[f"longest_{role.slug}"], t[f"newest_{role.slug}"])
            filled_since = _lacks(t, role).ifelse(-1.0, alone.fill_null(-1.0))
            days.append((required > 0).ifelse(filled_since, nothing))
        if not days:
            return nothing
        last = ibis.least(*days)  # of the roles that are required
        return (last >= 0).ifelse(last, nothing)

    return value
