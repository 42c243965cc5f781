"""Roles: who is there in each role of the template, how engaged, how lately."""

from __future__ import annotations

from ..expressions import column
from ..feature import Feature
from ..template import TemplateRole
from ..vocabulary import Vocabulary


def features(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """Features of the theme."""
    return tuple(feature for role in vocabulary.template.roles for feature in _role_features(role))


def _role_features(role: TemplateRole) -> tuple[Feature, ...]:
    subject = ("roles", role.name)
    return (
        Feature(
            f"members_{role.slug}", "roles", "members",
            "members in the role {subject}", "「{subject}」の人数",
            column(f"members_{role.slug}"), subject=subject,
        ),
        Feature(
            f"engagement_{role.slug}", "roles", "points",
            "engagement of the role {subject}", "「{subject}」のエンゲージメント",
            column(f"engagement_{role.slug}"), "up", subject=subject,
        ),
        Feature(
            f"strongest_{role.slug}", "roles", "points",
            "engagement of the strongest {subject}",
            "最も活発な「{subject}」のエンゲージメント", column(f"strongest_{role.slug}"), "up",
            subject=subject,
        ),
        Feature(
            f"days_since_{role.slug}", "roles", "days",
            "days since the last activity of the role {subject}",
            "「{subject}」の最後の活動からの日数", column(f"days_since_{role.slug}"), "down",
            subject=subject,
        ),
    )  # fmt: skip
