"""Sales touch: what was done to the group, so that hot and already worked differ."""

from __future__ import annotations

from ..expressions import column, ratio
from ..feature import Feature
from ..vocabulary import Vocabulary


def features(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """Features of the theme."""
    return (
        *(
            Feature(
                f"outbound_{days}d", "sales touch", "activities",
                f"touches by us in {days} days", f"直近{days}日間のこちらからの接触",
                column(f"outbound_{days}d"),
            )
            for days in vocabulary.settings.windows_days
        ),
        Feature(
            "outbound_mean_30d", "sales touch", "activities per member",
            "touches by us per member in 30 days", "直近30日間の1人あたりのこちらからの接触",
            lambda t: ratio(t.outbound_30d, t.members),
        ),
        Feature(
            "days_since_outbound", "sales touch", "days",
            "days since our last touch", "こちらからの最後の接触からの日数",
            column("days_since_outbound"),
        ),
        Feature(
            "touched_members_30d", "sales touch", "members",
            "members touched by us in 30 days", "直近30日間にこちらから接触した人数",
            column("touched_members_30d"),
        ),
        Feature(
            "touched_share_30d", "sales touch", "share",
            "share of members touched by us in 30 days",
            "直近30日間にこちらから接触した人の割合",
            lambda t: ratio(t.touched_members_30d, t.members),
        ),
        *_response_features(),
    )  # fmt: skip


def _response_features() -> tuple[Feature, ...]:
    return (
        Feature(
            "weeks_touched", "sales touch", "weeks",
            "weeks with a touch by us, added up over members",
            "こちらから接触した週の数（メンバーの合計）", column("weeks_touched"),
        ),
        Feature(
            "weeks_touched_mean", "sales touch", "weeks per member",
            "weeks with a touch by us, per member", "こちらから接触した週の数（1人あたり）",
            lambda t: ratio(t.weeks_touched, t.members),
        ),
        Feature(
            "touches_answered_share", "sales touch", "share",
            "share of touched weeks that they answered", "接触した週のうち反応のあった割合",
            lambda t: ratio(t.weeks_answered, t.weeks_touched), "up",
        ),
    )  # fmt: skip
