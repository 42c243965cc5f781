"""Coordination: how many of the group act, together or one by one."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from ..expressions import Expression, column, indicator, ratio, total
from ..feature import Feature
from ..fixed_point import to_fixed_point
from ..terms import FORTNIGHTS, JOINT_WEEKS
from ..vocabulary import Vocabulary


def features(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """Features of the theme."""
    return (*_member_counts(), *_joint_activity(vocabulary), *_engagement_distribution(vocabulary))


def _member_counts() -> tuple[Feature, ...]:
    return (
        Feature("members", "coordination", "members", "members", "メンバー数", column("members")),
        *(
            Feature(
                f"active_members_{days}d", "coordination", "members",
                f"members active in {days} days", f"直近{days}日間に活動した人数",
                column(f"active_members_{days}d"), "up",
            )
            for days in (14, 30)
        ),
        *(
            Feature(
                f"active_share_{days}d", "coordination", "share",
                f"share of members active in {days} days", f"直近{days}日間に活動した人の割合",
                _share_of_members(f"active_members_{days}d"), "up",
            )
            for days in (14, 30)
        ),
        Feature(
            "active_share_ever", "coordination", "share",
            "share of members who were ever active", "一度でも活動した人の割合",
            _share_of_members("active_members_ever"), "up",
        ),
    )  # fmt: skip


def _share_of_members(name: str) -> Expression:
    return lambda t: ratio(t[name], t.members)


def _joint_activity(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    departments = range(len(vocabulary.departments) + 1)
    return (
        Feature(
            "joint_weeks_8w", "coordination", "weeks",
            "weeks of the last 8 with two or more active", "直近8週のうち2人以上が活動した週の数",
            lambda t: total(
                [indicator(t[f"active_week_{week}"] >= 2) for week in range(JOINT_WEEKS)]
            ), "up",
        ),
        Feature(
            "weeks_active_max", "coordination", "weeks",
            "active weeks of the most constant member", "最も継続的なメンバーの活動週数",
            column("weeks"), "up",
        ),
        Feature(
            "departments_awake", "coordination", "departments",
            "departments active in 30 days", "直近30日間に動いた部署の数",
            lambda t: total([indicator(t[f"awake_in_department_{n}"] > 0) for n in departments]),
            "up",
        ),
        Feature(
            "in_step", "coordination", "fortnights",
            "fortnights of the last 6 with both {subject} active",
            "直近6回の2週間のうち「{subject}」がともに活動した回数",
            lambda t: total(
                [
                    indicator((t[f"in_step_0_{n}"] > 0) & (t[f"in_step_1_{n}"] > 0))
                    for n in range(FORTNIGHTS)
                ]
            ),
            "up", subject=("roles", " + ".join(vocabulary.settings.roles_in_step)),
        ),
    )  # fmt: skip


def _engagement_distribution(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    engagement = f"engagement_{vocabulary.settings.half_life_days}"

    def concentration(t: ir.Table) -> ir.Value:
        # Under a tenth of a point the square is mostly rounding: nothing worth a share.
        return (t[engagement] < 0.1).ifelse(
            ibis.null("float64"), ratio(t.square * 1024, t[engagement] * t[engagement])
        )

    def entropy(t: ir.Table) -> ir.Value:
        # ln E - (sum of e ln e) / E, over those with at least a point.
        floored = ibis.greatest(t.spread, 1.0)
        return (t.spread >= 1.0).ifelse(
            to_fixed_point(ibis.greatest(0.0, floored.ln() - t["product"] / floored)),
            ibis.null("float64"),
        )

    return (
        Feature(
            "concentration", "coordination", "share",
            "how far engagement rests on few people", "エンゲージメントの特定者への集中度",
            concentration, "down",
        ),
        Feature(
            "entropy", "coordination", "nats",
            "how evenly engagement is spread", "エンゲージメントの分散の均等さ", entropy, "up",
        ),
        Feature(
            "strongest_share", "coordination", "share",
            "share of the strongest member in engagement",
            "エンゲージメントに占める最も活発な人の割合",
            lambda t: ratio(t.strongest, t[engagement]), "down",
        ),
    )  # fmt: skip
