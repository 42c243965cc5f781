"""What each column of the tables that `mqbg score` writes means; the reference reads it."""

from __future__ import annotations

from collections.abc import Mapping

_GROUP = "the buying group"
_AS_OF = "the cut-off: only what was known before it counts"
_CONTACT = "the member"
_LOG_ODDS = "in log-odds"

COLUMN_MEANINGS: Mapping[str, Mapping[str, str]] = {
    "scores": {
        "group_id": _GROUP,
        "account_id": "its account",
        "solution_id": "the solution that it is about",
        "as_of": _AS_OF,
        "model_version": "the version of the registered model that scored",
        "readiness": "calibrated probability, 0 to 1, that the group converts within the horizon",
        "readiness_low": "lower end of the 80 % interval of this group's readiness had the model "
        "learned from other accounts",
        "readiness_high": "its upper end; the readiness lies inside",
        "score": "100 times the readiness, rounded",
        "log_odds": "the model's raw score before calibration; ranks groups as readiness does",
        "base_log_odds": "the raw score of the account with nobody in the group",
        "completeness": "mean over the template's roles of min(1, members / required), 0 to 1",
        "engaged_completeness": "the same with members alone who did something in the last 30 days",
        "engagement": "the rule score: points of activities, 0 to 100; no part of the readiness",
        "threshold": "the readiness from which the group qualifies",
        "completeness_threshold": "the completeness that it needs beside that",
        "status": "`nurture`, `qualified`, `accepted`, `rejected` or `recycled`",
        "rank": "1 is the readiest group of the run",
        "missing_roles": "roles of the template that nobody fills",
        "top_reasons": "what speaks for the group, in words, the strongest first",
        "single_point_of_failure": "the member without whom most of the readiness is lost; null "
        "where there is none",
        "expected_completeness": "the completeness to be expected where members have their role by "
        "a probability; equal to it where every role that the model learned from was certain",
    },
    "stakeholders": {
        "group_id": _GROUP,
        "as_of": _AS_OF,
        "contact_id": _CONTACT,
        "role": "the member's role in this group",
        "contribution": f"Shapley value of the member, {_LOG_ODDS}",
        "contribution_se": "its standard error; 0 where every coalition was computed",
        "points": "the contribution in score points",
        "last_activity_at": "the member's latest activity before the cut-off",
        "last_activity_kind": "its kind",
        "activities_30d": "activities in the 30 days before the cut-off",
        "top_kinds": "the member's most frequent kinds, the most frequent first",
        "if_leaves": "change of the score, in points, without this member",
        "summary": "the member in one sentence",
    },
    "actions": {
        "group_id": _GROUP,
        "as_of": _AS_OF,
        "action": "`fill_role`, `engage_role`, `wake_member` or `protect_member`",
        "role": "the role that it is about, where it is about one",
        "contact_id": "the member that it is about, where it is about one",
        "points": "expected gain in score points: an association, not a promise",
        "support": "how many training snapshots were like it",
        "text": "the step in words",
    },
    "horizons": {
        "group_id": _GROUP,
        "as_of": _AS_OF,
        "horizon_days": "the model's own horizon, and those of `[target] more_horizons_days`",
        "readiness": "probability of conversion within it; never less than within a shorter one",
    },
    "themes": {
        "group_id": _GROUP,
        "as_of": _AS_OF,
        "contact_id": _CONTACT,
        "theme": "of the signals that carried the member's contribution",
        "contribution": f"the theme's part of it, {_LOG_ODDS}; the parts sum to the contribution",
        "points": "the same in score points",
    },
    "summaries": {
        "group_id": _GROUP,
        "as_of": _AS_OF,
        "summary": "the group in some lines, ready to be sent: a short form, then details",
        "reason_facts": "the reasons as facts, from which pages write them in any language",
    },
}
"""Meaning by table and column: of every column of `SCORE_SCHEMAS`, and of no other."""
