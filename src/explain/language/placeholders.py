"""The sentences that a language has, and the placeholders that each may hold."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

SAMPLES: Mapping[str, tuple[object, ...]] = {
    # Texts.
    "name": ("Mori Aya",),
    "title": ("Director", None),
    "department": ("Sales", None),
    "company": ("Arrow K.K.", None),
    "contact_id": ("c1",),
    "person": ("Mori Aya, Director",),
    "role": ("decision maker",),
    "role_before": ("user",),
    "kind": ("web visit",),
    "theme": ("engagement",),
    "feature": ("activities in the last 7 days",),
    "value": ("12", "Software"),
    "counter": ("", "x"),
    "counted": (None, "12 activities in the last 7 days"),
    "heading": ("Arrow K.K.: Ledger",),
    "account": ("Arrow K.K.",),
    "solution": ("Ledger",),
    "status": ("nurture",),
    "status_before": ("recycled",),
    "changed": ("no change",),
    "why": ("chance and completeness reached their thresholds",),
    "step": ("Find one.",),
    "stage": ("opportunity",),
    "population": ("all accounts",),
    "column": ("role",),
    "nearest": (None, "user"),
    "version": ("2",),
    "version_before": ("1",),
    "from_day": ("May 1, 2024",),
    "to_day": ("May 31, 2024 09:30",),
    # Lists of texts.
    "kinds": (["web visit"], ["web visit", "form"], []),
    "roles": (["decision maker (1 of 2)"], ["decision maker (1 of 2)", "user (1)"]),
    "contents": (["Price list"], ["Price list", "Guide"]),
    "filled": (["user"], []),
    "missing": (["user", "buyer"], []),
    "people": (["Mori Aya", "Abe Jun"], ["Mori Aya"]),
    "names": (["“buyer”", "“judge” (nearest: user)"], ["“buyer”"]),
    # Numbers: points are score points, shares are of 1.
    "points": (3.25, -3.25, 0.0),
    "points_before": (40.25, 0.0),
    "points_after": (31.5,),
    "up": (True, False),
    "count": (1, 2, 0, 1234),
    "support": (20, 1234),
    "readiness": (0.25, 0.5),
    "low": (0.125,),
    "high": (0.75,),
    "threshold": (0.5,),
    "probability": (0.75, 1.0),
    "completeness": (0.5, 1.0),
    "completeness_threshold": (0.6,),
    "scale": (0.5,),
    "days": (90,),
    "members": (1, 3),
    "listed": (2000,),
    "groups": (2001,),
    "pages": (500,),
    "rows": (1000,),
    "conversions": (90,),
    "accounts": (200,),
    "more": (0, 3),
    "share": (0.25, 0.01),
    "now": (0.0, 0.05),
    "found": (3,),
    "expected": (120.5,),
    # Instants.
    "date": (datetime(2024, 5, 31, 9),),
    "as_of": (datetime(2024, 6, 1),),
    "since": (datetime(2024, 5, 1),),
}
"""What a placeholder may be, by its name, which means the same in every sentence."""

CONTACT = ("name", "title", "department", "company")
ACTION = ("role", "points", "support")
MEMBERSHIP_CHANGE = ("person", "role")

SENTENCES: Mapping[str, tuple[str, ...]] = {
    # People.
    "unknown_name": ("contact_id",),
    "person": CONTACT,
    "person_brief": CONTACT,
    # Why a group is above or below the average.
    "reason": ("theme", "up", "feature", "value", "counter", "counted"),
    # Steps that go with a higher score.
    "fill_role": ACTION,
    "engage_role": ACTION,
    "wake_member": (*ACTION, "person"),
    "protect_member": (*ACTION, "person"),
    # A stakeholder's summary.
    "member_points": ("person", "role", "points"),
    "member_active": ("date", "kind", "count"),
    "member_dormant": ("date", "kind"),
    "member_silent": (),
    "member_kinds": ("kinds",),
    "member_contents": ("contents",),
    "member_theme": ("theme", "points"),
    "member_single": (),
    "member_leaves": ("points",),
    "next_engage_role": ACTION,
    "next_wake_member": ACTION,
    "next_protect_member": ACTION,
    # A group's summary.
    "heading": ("account", "solution"),
    "dated_heading": ("heading", "as_of"),
    "heading_with_threshold": ("heading", "as_of", "threshold"),
    "not_measured": (),
    # What every page says first.
    "fit_refused": (),
    "fit_unknown": ("column", "share", "names", "more"),
    "fit_name": ("name", "nearest"),
    "fit_emptied": ("column", "now"),
    "fit_volume": ("kind", "expected", "found"),
    # A group's summary, continued.
    "group_readiness": ("readiness", "low", "high", "threshold", "status", "days"),
    "group_roles": ("completeness", "completeness_threshold", "filled", "missing"),
    "group_active": ("roles", "kinds"),
    "active_role": ("role", "count", "members"),
    "group_carried": ("people",),
    "group_not_carried": (),
    "group_silent": ("people",),
    "group_all_silent": (),
    "group_all_active": (),
    "group_single": ("person", "role", "points"),
    "group_step": ("step",),
    "group_no_step": (),
    "carrier": ("person", "role", "points"),
    "quiet": ("person", "role"),
    "more_carriers": ("count", "points"),
    "more_people": ("count",),
    # Pages and terminal.
    "base": (),
    "report_title": ("as_of",),
    "listed": ("listed", "groups"),
    "paged": ("pages",),
    "gauge": ("scale",),
    "others": ("count",),
    "figures_of": ("population", "rows", "conversions", "accounts"),
    "features_of": ("theme", "count"),
    "meaning": ("stage", "days"),
    "moved_since": ("since", "points_before", "points_after", "points"),
    "moves_since": ("since",),
    "activities_of_late": ("count", "days"),
    "changed_status": ("status",),
    "changed_role_filled": ("role",),
    "changed_role_lost": ("role",),
    "chance_in_words": ("readiness", "low", "high", "threshold"),
    "within_days": ("days",),
    "too_incomplete": ("completeness", "completeness_threshold"),
    "mostly_account": ("points",),
    "since_last_run": ("since", "points", "changed"),
    "since_qualified": ("since", "points"),
    "status_moved": ("date", "status_before", "status", "why"),
    "days_ago": ("date",),
    "suggested_by_title": ("title", "role", "probability"),
    "suggested_silent": ("date",),
    "of_last_run": ("as_of", "version", "groups"),
    "undelivered": ("step", "count"),
    # What changed since an earlier cut-off.
    "since_heading": ("account", "solution", "from_day", "to_day"),
    "since_moved": ("points_before", "points_after", "points"),
    "since_score": ("to_day",),
    "since_model": ("version", "version_before"),
    "since_decay": (),
    "since_joined": MEMBERSHIP_CHANGE,
    "since_left": MEMBERSHIP_CHANGE,
    "since_new_role": (*MEMBERSHIP_CHANGE, "role_before"),
    "since_returned": MEMBERSHIP_CHANGE,
    "since_gone_again": ("person",),
    "since_activity": MEMBERSHIP_CHANGE,
    "since_group_activity": (),
    "since_facts": (),
}
"""The placeholders of each sentence; a language need not use them all."""


def sample_values(sentence: str) -> list[dict[str, object]]:
    """Values to try a sentence with: every sample of every placeholder is in one of them."""
    names = SENTENCES[sentence]
    number = max((len(SAMPLES[name]) for name in names), default=1)
    return [
        {name: SAMPLES[name][min(index, len(SAMPLES[name]) - 1)] for name in names}
        for index in range(number)
    ]
