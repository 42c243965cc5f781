"""Contact history: how the other groups went in which the members were."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from ...tables.contact_history import SCOPES
from ..expressions import Expression, ratio
from ..feature import Feature
from ..fixed_point import to_fixed_point
from ..signals import log_rate
from ..vocabulary import Vocabulary

_SCOPE_WORDS = {
    "any": ("", ""),
    "first": (" that they were the first to join", "（最初に加わったもの）"),
    "account": (" of this account", "（この企業のもの）"),
    "role": (" in which they had the same role", "（同じ役割で加わったもの）"),
}


def features(_vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """Features of the theme.

    All are logarithms of a rate relative to that of all groups: 0 is average, or no history, 0.7
    twice as often. Counts would grow with the length of the history.
    """
    return tuple(feature for scope in SCOPES for feature in _scope_features(scope))


def _scope_features(scope: str) -> tuple[Feature, ...]:
    english, japanese = _SCOPE_WORDS[scope]
    subject = f"other groups{english} went on"
    subject_japanese = f"他グループ{japanese}の案件化"
    unit = "log of a ratio"
    return (
        Feature(
            f"contact_history_{scope}_mean", "contact history", unit,
            f"how often the members' {subject}, on average",
            f"メンバーが関わった{subject_japanese}の頻度（平均）",
            lambda t: ratio(t[f"history_{scope}_sum"], t.members).fill_null(0.0), "up",
        ),
        Feature(
            f"contact_history_{scope}_best", "contact history", unit,
            f"how often other groups{english} went on of the member with the best history",
            f"最も実績のあるメンバーの{subject_japanese}の頻度",
            lambda t: t[f"history_{scope}_best"].fill_null(0.0), "up",
        ),
        Feature(
            f"contact_history_{scope}_worst", "contact history", unit,
            f"how often other groups{english} went on of the member with the worst history",
            f"最も実績の少ないメンバーの{subject_japanese}の頻度",
            lambda t: t[f"history_{scope}_worst"].fill_null(0.0), "up",
        ),
        Feature(
            f"contact_history_{scope}_pooled", "contact history", unit,
            f"how often the members' {subject}, taken together",
            f"メンバー全員が関わった{subject_japanese}の頻度",
            _pooled(scope), "up",
        ),
    )  # fmt: skip


def _pooled(scope: str) -> Expression:
    def value(t: ir.Table) -> ir.Value:
        # Without a member there is no base rate and no history; the logarithm needs both above 0.
        base = ibis.coalesce(t.conversion_base_rate, 1.0)
        rate = log_rate(t[f"history_{scope}_conversions"], t[f"history_{scope}_exposure"], base)
        return to_fixed_point(rate)

    return value
