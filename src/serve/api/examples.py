"""Examples in the API's description: a small group, and what answers about it look like."""

from __future__ import annotations

from typing import Any

AS_OF = "2025-09-01T00:00:00Z"

REQUEST: dict[str, Any] = {
    "as_of": "2025-09-01",
    "language": "en",
    "account": {"account_id": "a1", "name": "Aoba Logistics", "employees": 420, "tier": "A"},
    "solution": {"solution_id": "s1", "name": "Fleet planning"},
    "buying_group": {
        "group_id": "g1",
        "account_id": "a1",
        "solution_id": "s1",
        "created_at": "2025-05-12T00:00:00Z",
    },
    "contacts": [
        {"contact_id": "c1", "account_id": "a1", "full_name": "Mai Ito", "title": "COO"},
        {"contact_id": "c2", "account_id": "a1", "full_name": "Ken Abe", "department": "IT"},
    ],
    "members": [
        {
            "group_id": "g1",
            "contact_id": "c1",
            "role": "decision_maker",
            "joined_at": "2025-05-12T00:00:00Z",
        },
        {
            "group_id": "g1",
            "contact_id": "c2",
            "role": "influencer",
            "joined_at": "2025-06-02T00:00:00Z",
        },
    ],
    "activities": [
        {
            "activity_id": "v1",
            "contact_id": "c1",
            "kind": "pricing_page_view",
            "occurred_at": "2025-08-20T02:10:00Z",
        },
        {
            "activity_id": "v2",
            "contact_id": "c2",
            "kind": "webinar_attended",
            "occurred_at": "2025-08-27T06:00:00Z",
            "content_id": "w1",
            "duration_seconds": 2400,
        },
    ],
    "contents": [
        {"content_id": "w1", "title": "Planning a mixed fleet", "buying_job": "validation"}
    ],
    "stage_events": [],
}

_SCORE: dict[str, Any] = {
    "group_id": "g1",
    "account_id": "a1",
    "solution_id": "s1",
    "as_of": AS_OF,
    "model_version": "7",
    "readiness": 0.183,
    "readiness_low": 0.162,
    "readiness_high": 0.201,
    "score": 18,
    "log_odds": -1.496,
    "base_log_odds": -2.944,
    "completeness": 0.5,
    "engaged_completeness": 0.5,
    "engagement": 37.5,
    "threshold": 0.15,
    "completeness_threshold": 0.5,
    "status": "qualified",
    "rank": 1,
    "missing_roles": ["budget_holder"],
    "top_reasons": ["2 members were active in the last 30 days"],
    "single_point_of_failure": None,
    "expected_completeness": 0.5,
}
_STAKEHOLDERS = [
    {
        "group_id": "g1",
        "as_of": AS_OF,
        "contact_id": contact_id,
        "role": role,
        "contribution": contribution,
        "contribution_se": 0.0,
        "points": points,
        "last_activity_at": last_activity_at,
        "last_activity_kind": kind,
        "activities_30d": 1,
        "top_kinds": [kind],
        "if_leaves": if_leaves,
        "summary": summary,
    }
    for contact_id, role, contribution, points, last_activity_at, kind, if_leaves, summary in (
        (
            "c1", "decision_maker", 0.868, 7.98, "2025-08-20T02:10:00Z", "pricing_page_view", -7.1,
            "Mai Ito looked at the pricing page.",
        ),
        (
            "c2", "influencer", 0.58, 5.33, "2025-08-27T06:00:00Z", "webinar_attended", -5.0,
            "Ken Abe attended a webinar.",
        ),
    )
]  # fmt: skip
_PARTS: dict[str, Any] = {
    "stakeholders": _STAKEHOLDERS,
    "actions": [
        {
            "group_id": "g1",
            "as_of": AS_OF,
            "action": "fill_role",
            "role": "budget_holder",
            "contact_id": None,
            "points": 4.2,
            "support": 61,
            "text": "Find a budget holder.",
        }
    ],
    "horizons": [{"group_id": "g1", "as_of": AS_OF, "horizon_days": 90, "readiness": 0.183}],
    "themes": [
        {
            "group_id": "g1",
            "as_of": AS_OF,
            "contact_id": contact_id,
            "theme": "recency",
            "contribution": contribution,
            "points": points,
        }
        for contact_id, contribution, points in (("c1", 0.868, 7.98), ("c2", 0.58, 5.33))
    ],
    "summary": "Aoba Logistics has a chance of 18.3 % to become an opportunity within 90 days.",
}
_TRANSITIONS = [
    {
        "group_id": "g1",
        "as_of": AS_OF,
        "from_status": "nurture",
        "to_status": "qualified",
        "reason": "reached",
        "score": 18,
        "readiness": 0.183,
        "threshold": 0.15,
        "completeness": 0.5,
        "completeness_threshold": 0.5,
        "model_version": "7",
        "alert": True,
    }
]

SCORE_RESPONSE = {
    "model": {"name": "mqbg", "version": "7"},
    "score": _SCORE,
    **_PARTS,
    "warnings": [
        "account: the column 'industri' is not read; the nearest one of the contract is 'industry'"
    ],
}
GROUPS_RESPONSE = {"as_of": AS_OF, "model_version": "7", "total": 1, "groups": [_SCORE]}
GROUP_RESPONSE = {"score": _SCORE, **_PARTS, "transitions": _TRANSITIONS}
HISTORY_RESPONSE = {"group_id": "g1", "scores": [_SCORE], "transitions": _TRANSITIONS}
MODEL_RESPONSE = {
    "name": "mqbg",
    "version": "7",
    "run_id": "3f1c",
    "target": "opportunity",
    "horizon_days": 90,
    "features": [{"name": "completeness", "theme": "completeness"}],
    "thresholds": {"policy": "capacity", "readiness": 0.15, "completeness": 0.5, "segment": None},
}
