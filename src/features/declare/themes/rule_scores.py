"""Rule scores: what others compute by rule, as features and as baselines (field-notes.md)."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from ..expressions import Expression, column, ratio, total
from ..feature import Feature
from ..template import Template
from ..vocabulary import Vocabulary
from .completeness import role_completeness

BEHAVIOUR_WEIGHT, ATTRIBUTE_WEIGHT = 0.75, 0.25


def features(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """Features of the theme."""
    engagement = rule_engagement(vocabulary.template)
    completeness = role_completeness(vocabulary.template, "members", False)
    return (
        Feature(
            "rule_engagement", "rule scores", "points of 100",
            "rule score of engagement", "ルールによるエンゲージメント点", engagement, "up",
        ),
        Feature(
            "points_75_25", "rule scores", "points of 100",
            "points, 75 % behaviour and 25 % attributes", "行動75%・属性25%の点数",
            lambda t: (
                BEHAVIOUR_WEIGHT * engagement(t) + ATTRIBUTE_WEIGHT * 100.0 * completeness(t)
            ), "up",
        ),
        Feature(
            "rule_linear", "rule scores", "points",
            "points that fade by half a month", "1か月ごとに半分ずつ直線的に減る点数",
            column("linear_points"), "up",
        ),
        Feature(
            "rule_linear_mean", "rule scores", "points per member",
            "points that fade by half a month, per member",
            "1か月ごとに半分ずつ直線的に減る点数（1人あたり）",
            lambda t: ratio(t.linear_points, t.members), "up",
        ),
    )  # fmt: skip


def rule_engagement(template: Template) -> Expression:
    """The market leader's group engagement: person engagement x the role's share of the weights.

    Summed over members, then a square root, rescaled to 0..100; 0 without weights.
    """

    def value(t: ir.Table) -> ir.Value:
        weights = [t[f"weight_{role.slug}"] for role in template.roles]
        weighted = [
            t[f"rule_{role.slug}"] * weight
            for role, weight in zip(template.roles, weights, strict=True)
        ]
        mean = ratio(total(weighted), total(weights)).fill_null(0.0)
        return ibis.least(100.0, 10.0 * mean.sqrt())

    return value
