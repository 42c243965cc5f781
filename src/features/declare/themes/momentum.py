"""Momentum: whether the group does more than it used to, and how lately."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from ..expressions import column, indicator, ratio, total
from ..feature import Feature
from ..terms import JOINT_WEEKS
from ..vocabulary import Vocabulary


def features(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """Features of the theme."""
    half_lives = vocabulary.settings.half_lives_days
    short, long = f"engagement_{half_lives[0]}", f"engagement_{half_lives[-1]}"
    return (
        Feature(
            "momentum_7d", "momentum", "ratio",
            "last week against the three weeks before", "直近1週間と前3週間の平均との比",
            lambda t: (t.inbound_7d + 1.0) / ((t.inbound_28d - t.inbound_7d) / 3.0 + 1.0), "up",
        ),
        Feature(
            "momentum_30d", "momentum", "ratio",
            "last month against the two months before", "直近1か月と前2か月の平均との比",
            lambda t: (t.inbound_30d + 1.0) / ((t.inbound_90d - t.inbound_30d) / 2.0 + 1.0), "up",
        ),
        Feature(
            "engagement_trend", "momentum", "ratio",
            "recent engagement against the longer run", "短期と長期のエンゲージメントの比",
            lambda t: ratio(t[short], t[long]), "up",
        ),
        Feature(
            "days_since_inbound", "momentum", "days",
            "days since the last activity", "最後の活動からの日数",
            column("days_since_inbound"), "down",
        ),
        Feature(
            "days_since_high_intent", "momentum", "days",
            "days since the last high-intent activity", "最後の高関心活動からの日数",
            column("days_since_high_intent"), "down",
        ),
        Feature(
            "days_since_meeting", "momentum", "days",
            "days since the last meeting", "最後の面談からの日数",
            column("days_since_meeting"), "down",
        ),
        Feature(
            "weeks_in_a_row", "momentum", "weeks",
            "active weeks in a row, up to now", "直近まで連続して活動のあった週の数",
            _consecutive_active_weeks, "up",
        ),
        Feature(
            "newly_awake", "momentum", "members",
            "members who woke in the last 30 days", "直近30日間に動き始めた人数",
            column("newly_awake"), "up",
        ),
        Feature(
            "newly_awake_share", "momentum", "share",
            "share of members who woke in the last 30 days", "直近30日間に動き始めた人の割合",
            lambda t: ratio(t.newly_awake, t.members), "up",
        ),
    )  # fmt: skip


def _consecutive_active_weeks(t: ir.Table) -> ir.Value:
    """Weeks before the cut-off without a gap, of the last `JOINT_WEEKS`."""
    active = [t[f"active_week_{week}"] > 0 for week in range(JOINT_WEEKS)]
    return total([indicator(ibis.and_(*active[: week + 1])) for week in range(JOINT_WEEKS)])
