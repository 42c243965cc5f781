"""Roles: who is there in each role of the template, how engaged, how lately."""

from __future__ import annotations

from ..expressions import same
from ..feature import Feature
from ..template import TemplateRole
from ..vocabulary import Vocabulary


def features(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """Features of the theme."""
    return tuple(feature for role in vocabulary.template.roles for feature in _of(role))


def _of(role: TemplateRole) -> tuple[Feature, ...]:
    subject = ("roles", role.name)
    return (
        Feature(
            f"members_{role.slug}", "roles", "members",
            "members in the role {subject}", "「{subject}」の人数",
            same(f"members_{role.slug}"), subject=subject,
        ),
        Feature(
            f"engagement_{role.slug}", "roles", "points",
            "engagement of the role {subject}", "「{subject}」のエンゲージメント",
            same(f"engagement_{role.slug}"), "up", subject=subject,
        ),
        Feature(
            f"strongest_{role.slug}", "roles", "points",
            "engagement of the strongest {subject}",
            "最も活発な「{subject}」のエンゲージメント", same(f"strongest_{role.slug}"), "up",
            subject=subject,
        ),
        Feature(
            f"days_since_{role.slug}", "roles", "days",
            "days since the last activity of the role {subject}",
            "「{subject}」の最後の活動からの日数", same(f"days_since_{role.slug}"), "down",
            subject=subject,
        ),
    )  # fmt: skip
