"""The tables that `mqbg score` writes, column by column (design.md)."""

from __future__ import annotations

import pyarrow as pa

_TIME = pa.timestamp("us")
_TEXTS = pa.list_(pa.string())

SCORES = pa.schema(
    [
        ("group_id", pa.string()),
        ("account_id", pa.string()),
        ("solution_id", pa.string()),
        ("as_of", _TIME),
        ("model_version", pa.string()),
        ("readiness", pa.float64()),  # 0..1, calibrated
        ("readiness_low", pa.float64()),  # 80 %, see `Bundle.readiness_interval`
        ("readiness_high", pa.float64()),
        ("score", pa.int64()),  # 100 x readiness, rounded
        ("log_odds", pa.float64()),  # the trees' raw output
        ("base_log_odds", pa.float64()),  # with nobody in the group
        ("completeness", pa.float64()),  # 0..1
        ("engaged_completeness", pa.float64()),  # 0..1
        ("engagement", pa.float64()),  # 0..100, the rule score
        ("threshold", pa.float64()),  # of readiness
        ("completeness_threshold", pa.float64()),
        ("status", pa.string()),  # nurture, qualified, accepted, rejected, recycled
        ("rank", pa.int64()),  # 1 is the readiest
        ("missing_roles", _TEXTS),
        ("top_reasons", _TEXTS),
        ("single_point_of_failure", pa.string()),  # contact_id or null
        ("expected_completeness", pa.float64()),  # 0..1, uncertain roles by their probability
    ]
)

STAKEHOLDERS = pa.schema(
    [
        ("group_id", pa.string()),
        ("as_of", _TIME),
        ("contact_id", pa.string()),
        ("role", pa.string()),
        ("contribution", pa.float64()),  # log-odds; sums with the base to log_odds
        ("contribution_se", pa.float64()),  # 0 when exact
        ("points", pa.float64()),  # the same in score points
        ("last_activity_at", _TIME),
        ("last_activity_kind", pa.string()),
        ("activities_30d", pa.int64()),
        ("top_kinds", _TEXTS),
        ("if_leaves", pa.float64()),  # change of the score, in points
        ("summary", pa.string()),
    ]
)

ACTIONS = pa.schema(
    [
        ("group_id", pa.string()),
        ("as_of", _TIME),
        ("action", pa.string()),  # fill_role, engage_role, wake_member, protect_member
        ("role", pa.string()),
        ("contact_id", pa.string()),
        ("points", pa.float64()),  # expected gain in score points
        ("support", pa.int64()),  # training snapshots that were like it
        ("text", pa.string()),
    ]
)

HORIZONS = pa.schema(
    [
        ("group_id", pa.string()),
        ("as_of", _TIME),
        ("horizon_days", pa.int64()),  # the model's own, and those of [target] more_horizons_days
        ("readiness", pa.float64()),  # never less than that of a shorter horizon
    ]
)

THEMES = pa.schema(
    [
        ("group_id", pa.string()),
        ("as_of", _TIME),
        ("contact_id", pa.string()),
        ("theme", pa.string()),  # of the signals that carried the contribution
        ("contribution", pa.float64()),  # log-odds; sums over the themes to the member's
        ("points", pa.float64()),  # the same in score points
    ]
)

SUMMARIES = pa.schema(
    [
        ("group_id", pa.string()),
        ("as_of", _TIME),
        # In the language asked for: some lines, an empty one, and the details.
        ("summary", pa.string()),
        # Each of `top_reasons` as a fact of no language: `explain.reasons.Reason`.
        ("reason_facts", _TEXTS),
    ]
)

SCORE_SCHEMAS = {
    "scores": SCORES,
    "stakeholders": STAKEHOLDERS,
    "actions": ACTIONS,
    "horizons": HORIZONS,
    "themes": THEMES,
    "summaries": SUMMARIES,
}
