"""The catalogue: every feature, declared once, read by training, batch, API, game and what-ifs.

Stage 2 has three steps, each declared here or in `terms`. A *term* is a number of one member row.
Terms are reduced over the rows of a group (sum, maximum, minimum), which is the only step where
members meet, so a coalition, a what-if and a whole group differ in nothing but the rows that are
reduced. A *feature* is an expression over the reduced terms and the facts of the group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import ibis
import ibis.expr.types as ir

from .expressions import Expression, ratio, same, total, whole
from .facts import CATEGORIES
from .signals import Signal, signals
from .template import Template, slugs
from .terms import JOINT_WEEKS, Term, terms

Theme = Literal[
    "engagement", "momentum", "coordination", "roles", "completeness", "journey", "fit",
    "history", "sales touch", "rule scores", "calendar",
]  # fmt: skip
PRIOR_RATE = 0.05  # what an account's rate is taken to be before it has a history ...
PRIOR_GROUPS = 20.0  # ... and the weight of that assumption, in groups


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of the feature table.

    Attributes:
        name: `<what>_<window>`.
        theme: the theme it belongs to in explanations.
        unit: of the value.
        english: the plain words, as a salesperson would say it; `{subject}` stands in them for
            the role or kind family that the data names.
        japanese: the same in Japanese.
        value: from the reduced terms and the facts.
        category: True for text categories, which the trees split by set.
        subject: what kind of name `{subject}` is ("roles" or "families"), and the name.
    """

    name: str
    theme: Theme
    unit: str
    english: str
    japanese: str
    value: Expression
    category: bool = False
    subject: tuple[str, str] | None = None

    def described(self, language: str, subject: str | None = None) -> str:
        """The plain words in a language.

        Args:
            language: "ja" or, for any other, English.
            subject: what to call the subject; by default as the data does.
        """
        text = self.japanese if language == "ja" else self.english
        return text.replace("{subject}", subject or self.subject[1]) if self.subject else text


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What the catalogue takes from the data: found once in training, kept in the bundle.

    Attributes:
        template: the role templates.
        families: inbound kind families with a column of their own, most frequent first.
    """

    template: Template
    families: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All declarations for one vocabulary."""

    vocabulary: Vocabulary
    signals: tuple[Signal, ...]
    terms: tuple[Term, ...]
    features: tuple[Feature, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the feature columns, in order."""
        return tuple(feature.name for feature in self.features)

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of the columns that hold text categories."""
        return tuple(feature.name for feature in self.features if feature.category)


def catalogue(vocabulary: Vocabulary) -> Catalogue:
    """The whole catalogue for a vocabulary."""
    return Catalogue(
        vocabulary,
        signals(vocabulary.families),
        terms(vocabulary.template, vocabulary.families),
        (
            *_engagement(vocabulary.families),
            *_momentum(),
            *_coordination(),
            *_roles(vocabulary.template),
            *_completeness(vocabulary.template),
            *_journey(),
            *_fit(),
            *_history(),
            *_sales_touch(),
            *_rule_scores(vocabulary.template),
            *_calendar(),
        ),
    )


def _engagement(families: Sequence[str]) -> tuple[Feature, ...]:
    per_window = [
        Feature(
            f"inbound_{days}d", "engagement", "activities",
            f"activities in the last {days} days", f"直近{days}日間の活動件数",
            same(f"inbound_{days}d"),
        )
        for days in (7, 30, 90)
    ]  # fmt: skip
    decaying = [
        Feature(
            f"engagement_{days}", "engagement", "points",
            f"engagement (half-life {days} days)", f"エンゲージメント（半減期{days}日）",
            same(f"engagement_{days}"),
        )
        for days in (7, 21, 60)
    ]  # fmt: skip
    return (
        *per_window,
        Feature(
            "inbound_ever", "engagement", "activities",
            "activities so far", "これまでの活動件数", same("inbound_ever"),
        ),
        *decaying,
        Feature(
            "engagement_mean", "engagement", "points per member",
            "engagement per member", "メンバー1人あたりのエンゲージメント",
            lambda t: ratio(t.engagement_21, t.members),
        ),
        Feature(
            "engagement_max", "engagement", "points",
            "engagement of the strongest member", "最も活発なメンバーのエンゲージメント",
            same("strongest"),
        ),
        *(
            Feature(
                f"high_intent_{days}d", "engagement", "activities",
                f"high-intent activities in the last {days} days",
                f"直近{days}日間の高関心活動（価格・事例など）", same(f"high_intent_{days}d"),
            )
            for days in (30, 90)
        ),
        Feature(
            "inbound_share_90d", "engagement", "share",
            "share of inbound activity in 90 days", "直近90日間の接触に占める相手発の割合",
            lambda t: ratio(t.inbound_90d, t.inbound_90d + t.outbound_90d),
        ),
        Feature(
            "logged_90d", "engagement", "activities",
            "activities logged on the group in 90 days", "直近90日間に案件へ記録された活動",
            same("logged_90d"),
        ),
        *_families(families),
    )  # fmt: skip


def _families(families: Sequence[str]) -> tuple[Feature, ...]:
    parts = slugs(families)
    return tuple(
        Feature(
            f"recent_{parts[family]}", "engagement", "activities",
            "recent activity of kind {subject}", "最近の「{subject}」の活動",
            same(f"family_{number}"), subject=("families", family),
        )
        for number, family in enumerate(families)
    )  # fmt: skip


def _momentum() -> tuple[Feature, ...]:
    return (
        Feature(
            "momentum_7d", "momentum", "ratio",
            "last week against the three weeks before", "直近1週間と前3週間の平均との比",
            lambda t: (t.inbound_7d + 1.0) / ((t.inbound_28d - t.inbound_7d) / 3.0 + 1.0),
        ),
        Feature(
            "momentum_30d", "momentum", "ratio",
            "last month against the two months before", "直近1か月と前2か月の平均との比",
            lambda t: (t.inbound_30d + 1.0) / ((t.inbound_90d - t.inbound_30d) / 2.0 + 1.0),
        ),
        Feature(
            "engagement_trend", "momentum", "ratio",
            "engagement of late against the longer run", "短期と長期のエンゲージメントの比",
            lambda t: ratio(t.engagement_7, t.engagement_60),
        ),
        Feature(
            "days_since_inbound", "momentum", "days",
            "days since the last activity", "最後の活動からの日数", same("days_since_inbound"),
        ),
        Feature(
            "days_since_high_intent", "momentum", "days",
            "days since the last high-intent activity", "最後の高関心活動からの日数",
            same("days_since_high_intent"),
        ),
        Feature(
            "newly_awake", "momentum", "members",
            "members who woke in the last 30 days", "直近30日間に動き始めた人数",
            same("newly_awake"),
        ),
    )  # fmt: skip


def _coordination() -> tuple[Feature, ...]:
    return (
        Feature("members", "coordination", "members", "members", "メンバー数", same("members")),
        Feature(
            "active_members_14d", "coordination", "members",
            "members active in 14 days", "直近14日間に活動した人数", same("active_members_14d"),
        ),
        Feature(
            "active_members_30d", "coordination", "members",
            "members active in 30 days", "直近30日間に活動した人数", same("active_members_30d"),
        ),
        Feature(
            "active_share_30d", "coordination", "share",
            "share of members active in 30 days", "直近30日間に活動した人の割合",
            lambda t: ratio(t.active_members_30d, t.members),
        ),
        Feature(
            "active_share_ever", "coordination", "share",
            "share of members who were ever active", "一度でも活動した人の割合",
            lambda t: ratio(t.active_members_ever, t.members),
        ),
        Feature(
            "joint_weeks_8w", "coordination", "weeks",
            "weeks of the last 8 with two or more active", "直近8週のうち2人以上が活動した週の数",
            lambda t: total(
                [whole(t[f"active_week_{week}"] >= 2) for week in range(JOINT_WEEKS)]
            ),
        ),
        Feature(
            "weeks_active_max", "coordination", "weeks",
            "active weeks of the most constant member", "最も継続的なメンバーの活動週数",
            same("weeks"),
        ),
        Feature(
            "concentration", "coordination", "share",
            "how far engagement rests on few people", "エンゲージメントの特定者への集中度",
            # Under a tenth of a point the square is mostly rounding: nothing worth a share.
            lambda t: (t.engagement_21 < 0.1).ifelse(
                ibis.null("float64"), ratio(t.square * 1024, t.engagement_21 * t.engagement_21)
            ),
        ),
    )  # fmt: skip


def _roles(template: Template) -> tuple[Feature, ...]:
    return tuple(
        feature
        for role in template.roles
        for feature in (
            Feature(
                f"members_{role.slug}", "roles", "members",
                "members in the role {subject}", "「{subject}」の人数",
                same(f"members_{role.slug}"), subject=("roles", role.name),
            ),
            Feature(
                f"engagement_{role.slug}", "roles", "points",
                "engagement of the role {subject}", "「{subject}」のエンゲージメント",
                same(f"engagement_{role.slug}"), subject=("roles", role.name),
            ),
            Feature(
                f"strongest_{role.slug}", "roles", "points",
                "engagement of the strongest {subject}",
                "最も活発な「{subject}」のエンゲージメント", same(f"strongest_{role.slug}"),
                subject=("roles", role.name),
            ),
        )
    )  # fmt: skip


def _filled(template: Template, prefix: str, weighted: bool) -> Expression:
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


def _completeness(template: Template) -> tuple[Feature, ...]:
    def missing(t: ir.Table) -> ir.Value:
        return total(
            [
                whole(t[f"members_{role.slug}"] < t[f"required_{role.slug}"])
                for role in template.roles
            ]
        )

    return (
        Feature(
            "completeness", "completeness", "share",
            "share of roles filled", "役割の充足率", _filled(template, "members", False),
        ),
        Feature(
            "weighted_completeness", "completeness", "share",
            "share of roles filled, by weight", "役割の充足率（重み付き）",
            _filled(template, "members", True),
        ),
        Feature(
            "engaged_completeness", "completeness", "share",
            "share of roles filled by active people", "活動中の人による役割の充足率",
            _filled(template, "engaged", False),
        ),
        Feature(
            "roles_missing", "completeness", "roles",
            "required roles missing", "不足している必須の役割の数", missing,
        ),
        Feature(
            "members_left_90d", "completeness", "members",
            "members who left in 90 days", "直近90日間に抜けた人数", same("members_left_90d"),
        ),
        Feature(
            "dependence", "completeness", "share",
            "share of the strongest member", "最も活発なメンバーへの依存度",
            lambda t: ratio(t.strongest, t.engagement_21),
        ),
    )  # fmt: skip


def _journey() -> tuple[Feature, ...]:
    return (
        Feature(
            "group_age_days", "journey", "days",
            "days since the group was formed", "グループ発足からの日数", same("group_age_days"),
        ),
        Feature(
            "stage_changes", "journey", "changes",
            "stage changes so far", "これまでの商談段階の変化", same("stage_changes"),
        ),
        Feature(
            "days_in_stage", "journey", "days",
            "days in the current stage", "現在の段階での日数", same("days_in_stage"),
        ),
        Feature(
            "verdicts_rejected", "journey", "verdicts",
            "times sales sent it back", "営業が差し戻した回数", same("verdicts_rejected"),
        ),
        Feature(
            "days_since_verdict", "journey", "days",
            "days since sales decided", "営業の判断からの日数", same("days_since_verdict"),
        ),
        Feature(
            "questions_answered", "journey", "questions",
            "questions answered to inside sales", "インサイドセールスの質問への回答数",
            same("questions_answered"),
        ),
        Feature(
            "days_since_answer", "journey", "days",
            "days since the last answer", "最後の回答からの日数", same("days_since_answer"),
        ),
    )  # fmt: skip


def _fit() -> tuple[Feature, ...]:
    words = {
        "solution": ("solution", "ソリューション"),
        "industry": ("industry", "業種"),
        "country": ("country", "国"),
        "tier": ("account tier", "アカウントの階層"),
    }
    return (
        *(
            Feature(name, "fit", "category", *words[name], same(name), category=True)
            for name in CATEGORIES
        ),
        Feature(
            "employees", "fit", "people", "employees", "従業員数",
            lambda t: t.employees.cast("float64"),
        ),
    )  # fmt: skip


def _history() -> tuple[Feature, ...]:
    # Rates, not counts: a count grows with the length of the history, so that a test after the
    # training would lie outside of everything the trees have seen.
    def rate(column: str) -> Expression:
        return lambda t: (t[column] + PRIOR_RATE * PRIOR_GROUPS) / (t.account_groups + PRIOR_GROUPS)

    return (
        Feature(
            "account_conversion_rate", "history", "share",
            "how often this account's other groups converted", "この企業の他グループの案件化率",
            rate("account_conversions"),
        ),
        Feature(
            "account_loss_rate", "history", "share",
            "how often this account's other groups were lost", "この企業の他グループの失注率",
            rate("account_losses"),
        ),
    )  # fmt: skip


def _sales_touch() -> tuple[Feature, ...]:
    return (
        *(
            Feature(
                f"outbound_{days}d", "sales touch", "activities",
                f"touches by us in {days} days", f"直近{days}日間のこちらからの接触",
                same(f"outbound_{days}d"),
            )
            for days in (30, 90)
        ),
        Feature(
            "days_since_outbound", "sales touch", "days",
            "days since our last touch", "こちらからの最後の接触からの日数",
            same("days_since_outbound"),
        ),
    )  # fmt: skip


def _rule_scores(template: Template) -> tuple[Feature, ...]:
    filled = _filled(template, "members", False)

    def engagement(t: ir.Table) -> ir.Value:
        return ibis.least(100.0, 10.0 * t.rule_engagement.sqrt())

    return (
        Feature(
            "rule_engagement", "rule scores", "points of 100",
            "rule score of engagement", "ルールによるエンゲージメント点", engagement,
        ),
        Feature(
            "points_75_25", "rule scores", "points of 100",
            "points, 75 % behaviour and 25 % attributes", "行動75%・属性25%の点数",
            lambda t: 0.75 * engagement(t) + 25.0 * filled(t),
        ),
    )  # fmt: skip


def _calendar() -> tuple[Feature, ...]:
    return (Feature("month", "calendar", "month", "month of the year", "月", same("month")),)
