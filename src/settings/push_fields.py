"""What may be sent of a score, and what each target calls it."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import AfterValidator

from .field_types import Text, nearest

FieldNames = Mapping[Text, Text]
"""Fields by name, with the names that a target has for them."""

PUSH_FIELDS = (
    "group_id", "account_id", "solution_id", "as_of", "model_version", "readiness",
    "readiness_low", "readiness_high", "score", "log_odds", "base_log_odds", "completeness",
    "engaged_completeness", "engagement", "threshold", "completeness_threshold", "status", "rank",
    "missing_roles", "top_reasons", "single_point_of_failure", "expected_completeness", "summary",
    "next_step", "trend", "grade", "link",
)  # fmt: skip
"""What may be sent: the columns of the scores table and what is made of the others."""

_SHORT = (
    "score", "readiness", "completeness", "engagement", "status", "missing_roles", "top_reasons",
    "next_step", "model_version", "as_of",
)  # fmt: skip

MEMBER_FIELDS = (
    "role", "points", "summary", "contribution", "last_activity_at", "last_activity_kind",
    "activities_30d", "top_kinds", "if_leaves", "as_of",
)  # fmt: skip
"""What may be sent of a stakeholder; the first three are by default."""

# What each target calls the fields that it gets by default.
HUBSPOT = {name: f"mqbg_{name}" for name in _SHORT}
SALESFORCE = {name: f"MQBG_{name.title()}__c" for name in _SHORT}
SALESFORCE_MEMBER = {name: f"MQBG_{name.title()}__c" for name in MEMBER_FIELDS[:3]}
DYNAMICS = {"score": "msdyn_score", "grade": "msdyn_grade", "trend": "msdyn_scoretrend"}
# A feed keeps the columns it began with: a table of the user's own has no others.
_BY_REQUEST = ("link", "rank", "trend", "grade", "expected_completeness")
FEED = {name: name for name in PUSH_FIELDS if name not in _BY_REQUEST}


def merge_field_names(defaults: Mapping[str, str], overrides: Mapping[str, str]) -> dict[str, str]:
    """The names of fields at a target: the defaults, what the settings say over them, less ""."""
    return {
        name: target_name for name, target_name in {**defaults, **overrides}.items() if target_name
    }


def renamed_fields(
    defaults: Mapping[str, str], known: tuple[str, ...] = PUSH_FIELDS
) -> AfterValidator:
    """What the settings may say over the names of fields at a target."""

    def ruled(own: Mapping[str, str]) -> Mapping[str, str]:
        for name in own:
            if name not in known:
                near = nearest(name, known)
                raise ValueError(f"unknown field {name!r}; the nearest known one is {near!r}")
        names = list(merge_field_names(defaults, own).values())
        if not names:
            raise ValueError("leaves nothing to send; keep at least one field")
        if len(set(names)) < len(names):
            raise ValueError("must give every field a name of its own")
        return own

    return AfterValidator(ruled)
