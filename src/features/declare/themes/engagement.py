"""Engagement: how much the group did, of which kind, and how that is shared out."""

from __future__ import annotations

from ..expressions import column, ratio
from ..feature import Feature
from ..template import slugs
from ..vocabulary import Vocabulary


def features(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """Features of the theme."""
    return (
        *_activity_counts(vocabulary),
        *_decayed_engagement(vocabulary),
        *_content_features(),
        *_family_features(vocabulary),
    )


def _activity_counts(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    windows = vocabulary.settings.windows_days
    return (
        *(
            Feature(
                f"inbound_{days}d", "engagement", "activities",
                f"activities in the last {days} days", f"直近{days}日間の活動件数",
                column(f"inbound_{days}d"), "up",
            )
            for days in windows
        ),
        Feature(
            "inbound_ever", "engagement", "activities",
            "activities so far", "これまでの活動件数", column("inbound_ever"), "up",
        ),
        Feature(
            "inbound_mean_30d", "engagement", "activities per member",
            "activities per member in 30 days", "直近30日間の1人あたりの活動件数",
            lambda t: ratio(t.inbound_30d, t.members), "up",
        ),
        Feature(
            "inbound_max_30d", "engagement", "activities",
            "activities of the busiest member in 30 days", "直近30日間で最も活発な人の活動件数",
            column("inbound_30d_max"), "up",
        ),
        *(
            Feature(
                f"high_intent_{days}d", "engagement", "activities",
                f"high-intent activities in the last {days} days",
                f"直近{days}日間の高関心活動（価格・事例など）",
                column(f"high_intent_{days}d"), "up",
            )
            for days in windows
        ),
        Feature(
            "high_intent_share_90d", "engagement", "share",
            "share of high-intent activity in 90 days", "直近90日間の活動に占める高関心活動の割合",
            lambda t: ratio(t.high_intent_90d, t.inbound_90d), "up",
        ),
        Feature(
            "high_intent_max_90d", "engagement", "activities",
            "high-intent activities of one member in 90 days",
            "直近90日間の1人での高関心活動の最多件数", column("high_intent_90d_max"), "up",
        ),
        Feature(
            "inbound_share_90d", "engagement", "share",
            "share of inbound activity in 90 days", "直近90日間の接触に占める相手発の割合",
            lambda t: ratio(t.inbound_90d, t.inbound_90d + t.outbound_90d), "up",
        ),
        Feature(
            "logged_90d", "engagement", "activities",
            "activities logged on the group in 90 days", "直近90日間に案件へ記録された活動",
            column("logged_90d"), "up",
        ),
    )  # fmt: skip


def _decayed_engagement(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    engagement = f"engagement_{vocabulary.settings.half_life_days}"
    return (
        *(
            Feature(
                f"engagement_{days}", "engagement", "points",
                f"engagement (half-life {days} days)", f"エンゲージメント（半減期{days}日）",
                column(f"engagement_{days}"), "up",
            )
            for days in vocabulary.settings.half_lives_days
        ),
        Feature(
            "engagement_mean", "engagement", "points per member",
            "engagement per member", "メンバー1人あたりのエンゲージメント",
            lambda t: ratio(t[engagement], t.members), "up",
        ),
        Feature(
            "engagement_max", "engagement", "points",
            "engagement of the strongest member", "最も活発なメンバーのエンゲージメント",
            column("strongest"), "up",
        ),
    )  # fmt: skip


def _content_features() -> tuple[Feature, ...]:
    return (
        Feature(
            "contents_seen", "engagement", "contents",
            "different contents seen, by each member", "各メンバーが見たコンテンツの種類の合計",
            column("contents_seen"), "up",
        ),
        Feature(
            "contents_per_member", "engagement", "contents per member",
            "different contents seen per member", "1人あたりの見たコンテンツの種類",
            lambda t: ratio(t.contents_seen, t.members), "up",
        ),
        Feature(
            "contents_new_30d", "engagement", "contents",
            "contents seen for the first time in 30 days", "直近30日間に初めて見たコンテンツ",
            column("contents_new_30d"), "up",
        ),
        Feature(
            "gated_90d", "engagement", "activities",
            "gated contents taken in 90 days", "直近90日間の登録制コンテンツの利用",
            column("gated_90d"), "up",
        ),
        Feature(
            "gated_share_90d", "engagement", "share",
            "share of gated contents in 90 days", "直近90日間の登録制コンテンツの割合",
            lambda t: ratio(t.gated_90d, t.contents_90d),
        ),
        Feature(
            "minutes_90d", "engagement", "minutes",
            "time spent in 90 days", "直近90日間の滞在時間", column("minutes_90d"), "up",
        ),
        Feature(
            "minutes_mean_90d", "engagement", "minutes per member",
            "time spent per member in 90 days", "直近90日間の1人あたりの滞在時間",
            lambda t: ratio(t.minutes_90d, t.members), "up",
        ),
        Feature(
            "minutes_max_90d", "engagement", "minutes",
            "time spent by one member in 90 days", "直近90日間の1人での最長滞在時間",
            column("minutes_90d_max"), "up",
        ),
    )  # fmt: skip


def _family_features(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    parts = slugs(vocabulary.families)
    return tuple(
        Feature(
            f"kind_{parts[family]}_{days}d", "engagement", "activities",
            f"activities of kind {{subject}} in {days} days",
            f"直近{days}日間の「{{subject}}」の活動",
            column(f"family_{number}_{days}d"), subject=("families", family),
        )
        for number, family in enumerate(vocabulary.families)
        for days in vocabulary.settings.windows_days
    )  # fmt: skip
