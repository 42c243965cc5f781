"""The roles that CRMs write at a deal's contact, in their own words, to ours."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

NOT_A_BUYER, NEGATIVE, OWN_SIDE = "not_a_buyer", "negative", "own_side"
NO_MEMBERS = (NOT_A_BUYER, OWN_SIDE)
BLOCKER = "blocker"

UNKNOWN = ""
"""A value that says that nothing is known: Other, その他."""

_STANDARD: Mapping[str, tuple[str, ...]] = {
    "user": ("Business User", "End User", "User", "ビジネスユーザー", "エンドユーザー", "利用者", "ユーザー", "利用部門", "現場担当"),
    "decision_maker": ("Decision Maker", "Executive Sponsor", "Executive Decision Maker", "Final Decision Maker", "Approver", "意思決定者", "決裁者",
        "決定権者", "最終決裁者", "決裁権者", "エグゼクティブスポンサー", "承認者", "キーマン", "Sponsor", "スポンサー", "Signatory"),
    "budget_holder": ("Economic Buyer", "Economic Decision Maker", "Budget Holder", "予算執行者", "予算決定権者", "予算責任者", "予算保有者", "予算権限者",
        "予算承認者", "経済的購買者", "Budget Owner", "Financial Buyer"),
    "technical_evaluator": ("Evaluator", "Technical Buyer", "Technical Evaluator", "Technical Decision Maker", "評価者", "テクニカルバイヤー", "技術評価者",
        "技術評価担当", "技術担当", "技術選定者", "Technical Contact", "IT Evaluator", "情シス担当", "Technical Influencer"),
    "champion": ("Influencer", "Champion", "Coach", "Advocate", "Internal Champion", "インフルエンサー", "推進者", "チャンピオン", "推進担当", "影響者", "協力者", "Initiator",
        "支援者", "Mobilizer", "Project Lead", "導入推進者", "起案者", "窓口", "窓口担当者", "Main Contact", "Primary Contact"),
    "procurement": ("Procurement", "Purchasing", "Purchaser", "Buyer", "購買担当", "購買担当者", "調達担当", "購買", "Legal & Compliance", "Legal and Compliance",
        "Legal", "法務", "法務担当", "Contract Manager", "Gatekeeper"),
    NEGATIVE: ("Blocker", "Detractor", "Opponent", "Competitor Champion", "Competitor's Champion", "Champion of competitor", "反対者", "ブロッカー", "抵抗勢力", "競合推進者",
        "競合のチャンピオン", "競合支持者", "妨害者", "Adversary", "Negative", "Anti-Champion", "Anti-Sponsor"),
    OWN_SIDE: ("Partner Rep", "Our Side", "Internal", "Account Executive", "Sales Engineer", "自社", "自社担当", "社内", "当社担当", "弊社担当", "Own Side", "Internal User",
        "Account Manager", "Account Owner", "営業担当（自社）", "自社営業"),
    NOT_A_BUYER: ("Not a Buyer", "Partner", "Consultant", "Reference", "Vendor", "Student", "Press", "Investor", "Former Employee", "No longer at company", "退職者", "取材", "学生",
        "パートナー", "代理店", "Reseller", "Referral", "Billing Contact", "請求先", "請求担当", "Bill To", "Ship To", "購買対象外", "対象外", "紹介者", "コンサルタント", "異動", "退職"),
    UNKNOWN: ("Other", "その他", "Unknown", "不明", "None", "なし", "未設定", "N/A", "-", "Contact", "関係者"),
}  # fmt: skip
# Words inside of custom values, the first that is found decides.
_WORDS: tuple[tuple[str, str], ...] = (
    (NEGATIVE, r"blocker|detract|opponent|adversar|against|反対|妨害|抵抗|competitor|競合|ブロッカ|否定|anti\b|アンチ|批判"),
    (OWN_SIDE, r"^our |\bours\b|internal (team|staff|user)|自社|当社|弊社|社内|own side|own team"),
    (NOT_A_BUYER, r"退職|former|no longer|異動|left (the )?company|billing|invoice|請求|ship ?to|reference|press|student|investor|partner|reseller|代理店|パートナ|vendor|ベンダ|対象外|not (a )?buyer|紹介|コンサル|consultant|取材"),
    (UNKNOWN, r"^(other|unknown|その他|不明|未定)"),
    ("budget_holder", r"economic|budget|financ|cfo|予算|財務|経理|稟議決裁"),
    ("technical_evaluator", r"technical|evaluat|tech\b|\bit\b|security|architect|engineer|技術|評価|情シス|システム|セキュリティ|選定|検証|infra"),
    ("procurement", r"procure|purchas|sourcing|legal|compliance|購買|調達|法務|コンプラ|contract|契約|資材"),
    ("decision_maker", r"decision|decider|sponsor|approv|sign|executive|決裁|決定|承認|役員|経営|キーマン|責任者|スポンサ|authori[sz]er|final|オーナー"),
    ("champion", r"champion|influenc|coach|advocat|mobili[sz]er|project (lead|manager|owner)|推進|チャンピオン|影響|起案|旗振|窓口|main contact|primary contact|initiator|promot|supporter|支援|リーダ|味方|主担当|プロジェクト"),
    ("user", r"user|利用|ユーザ|現場|使用|operator|担当"),
)  # fmt: skip


def normalise_value(value: str) -> str:
    """A value without case, width, blanks and underscores.

    >>> normalise_value("DECISION_MAKER") == normalise_value("Decision maker")
    True
    """
    return re.sub(r"[\s_\-・]+", "", unicodedata.normalize("NFKC", value).lower().replace("’", "'"))


_BY_VALUE = {normalise_value(one): role for role, values in _STANDARD.items() for one in values}


def role_of_value(value: str, given: Mapping[str, str]) -> str | None:
    """The role that a CRM's value says; "" where it says nothing; None where nobody knows.

    Args:
        value: as the CRM writes it; of several with `;` the first that is known.
        given: normalised values that the settings or people have decided; they win.
    """
    parts = [value, *value.split(";")] if ";" in value else [value]
    for part in parts:
        key = normalise_value(part)
        if key in given:
            return given[key]
        if key in _BY_VALUE:
            return _BY_VALUE[key]
    words = unicodedata.normalize("NFKC", value).lower().replace("_", " ")
    if re.fullmatch(r"[\d.]*", words):
        return None
    return next((role for role, pattern in _WORDS if re.search(pattern, words)), None)
