"""Rows of the score tables, in plain Python: what is said of each group and its members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...explain.language import Language
from ...explain.reasons import Reason
from ...explain.shapley.stakeholders import GroupStakeholders
from ...explain.summaries import MemberFacts, action_text, group_summary, member_summary
from ...features.declare.themes.completeness import EXPECTED_COMPLETENESS
from ...features.time_rules.verdicts import LatestVerdict
from ...model.bundle import Bundle
from ...model.thresholds import Thresholds
from .next_steps import next_steps
from .summary_inputs import SummaryInputs, action_facts, group_facts, member_facts, step_facts
from .thresholds_in_force import row_segments

Row = dict[str, Any]
"""A row as Arrow gives it back: numbers of Python itself, columns in the order of the table."""


@dataclass(frozen=True)
class ExplainedGroup:
    """A group's rows of the tables `stakeholders` and `actions`, and its one of `summaries`."""

    members: list[Row]
    actions: list[Row]
    summary: Row


def explain_group(
    group: GroupStakeholders,
    score: Row,
    reasons: Sequence[Reason],
    inputs: SummaryInputs,
    themes: Sequence[str],
    bundle: Bundle,
    language: Language,
) -> ExplainedGroup:
    """What is said of a group beside its score."""
    as_of, account = score["as_of"], inputs.accounts[score["account_id"]]
    members = member_facts(group, inputs, themes, account)
    actions = _action_rows(group, inputs, account, language, as_of)
    steps = next_steps(actions, score, bundle.settings.explain)
    facts = group_facts(
        score,
        members,
        step_facts(steps[0], inputs) if steps else None,
        account=account,
        solution=inputs.solutions[score["solution_id"]],
        horizon_days=bundle.settings.target.horizon_days,
        measured=bundle.measured,
    )
    return ExplainedGroup(
        _stakeholder_rows(group, members, language, as_of),
        actions,
        _summary_row(score, group_summary(facts, language), reasons),
    )


def _summary_row(score: Row, summary: str, reasons: Sequence[Reason]) -> Row:
    return {
        "group_id": score["group_id"],
        "as_of": score["as_of"],
        "summary": summary,
        "reason_facts": [reason.to_json() for reason in reasons],
    }


def score_rows(
    groups: pa.Table,
    features: pa.Table,
    matrix: NDArray[np.float64],
    stakeholders: Sequence[GroupStakeholders],
    reasons: Sequence[list[str]],
    verdicts: Mapping[str, LatestVerdict],
    bundle: Bundle,
    thresholds: Thresholds,
    as_of: datetime,
    model_version: str,
) -> list[Row]:
    """Rows of `SCORES`, one for each group.

    Args:
        groups: group_id, account_id and solution_id, by group_id, as all that follows.
        features: of the groups.
        matrix: the same as the trees read them, shape (groups, features).
        stakeholders: of each group.
        reasons: sentences, of each group.
        verdicts: those in force, by group_id.
        bundle: the model.
        thresholds: those in force.
        as_of: the cut-off.
        model_version: written into the rows.
    """
    log_odds = np.array([group.outcome.everyone for group in stakeholders])
    readiness = bundle.readiness(log_odds)
    low, high = bundle.readiness_interval(matrix, log_odds)
    completeness = features["completeness"].to_numpy()
    solution_ids = groups["solution_id"].to_pylist()
    segments = row_segments(features, solution_ids, thresholds)
    # A threshold that nobody reaches lies above every readiness.
    threshold = np.minimum(thresholds.readiness_thresholds(segments, as_of), 1.0)
    qualified = thresholds.qualifies(readiness, completeness, segments, as_of)
    expected = (
        EXPECTED_COMPLETENESS if EXPECTED_COMPLETENESS in features.column_names else "completeness"
    )
    count = len(stakeholders)
    by_column = {
        "group_id": [group.group.group_id for group in stakeholders],
        "account_id": groups["account_id"].to_pylist(),
        "solution_id": solution_ids,
        "as_of": [as_of] * count,
        "model_version": [model_version] * count,
        "readiness": readiness.tolist(),
        "readiness_low": low.tolist(),
        "readiness_high": high.tolist(),
        "score": [round(100 * one) for one in readiness.tolist()],
        "log_odds": log_odds.tolist(),
        "base_log_odds": [float(group.outcome.base) for group in stakeholders],
        "completeness": completeness.tolist(),
        "engaged_completeness": features["engaged_completeness"].to_pylist(),
        "engagement": features["rule_engagement"].to_pylist(),
        "threshold": threshold.tolist(),
        "completeness_threshold": [thresholds.completeness] * count,
        "status": [
            _status(verdicts.get(group.group.group_id), one)
            for group, one in zip(stakeholders, qualified.tolist(), strict=True)
        ],
        "rank": ranks(log_odds).tolist(),
        "missing_roles": [list(group.missing_roles) for group in stakeholders],
        "top_reasons": reasons,
        "single_point_of_failure": [
            None if group.single_point_index is None
            else group.group.contact_ids[group.single_point_index]
            for group in stakeholders
        ],
        "expected_completeness": features[expected].to_pylist(),
    }  # fmt: skip
    by_row = zip(*by_column.values(), strict=True)
    return [dict(zip(by_column, values, strict=True)) for values in by_row]


def _status(verdict: LatestVerdict | None, qualifies: bool) -> str:
    if verdict is not None:
        return verdict.verdict
    return "qualified" if qualifies else "nurture"


def horizon_rows(
    matrix: NDArray[np.float64], scores: Sequence[Row], bundle: Bundle, as_of: datetime
) -> list[Row]:
    """Readiness within every horizon, the model's own included; by group, the shortest first."""
    log_odds = np.array([row["log_odds"] for row in scores])
    by_horizon = bundle.readiness_by_horizon(matrix, log_odds)
    by_group = zip(scores, *(values.tolist() for values in by_horizon.values()), strict=True)
    return [
        {"group_id": row["group_id"], "as_of": as_of, "horizon_days": days, "readiness": readiness}
        for row, *values in by_group
        for days, readiness in zip(by_horizon, values, strict=True)
    ]


def ranks(log_odds: NDArray[np.float64]) -> NDArray[np.intp]:
    """1 for the readiest; groups are in order of group_id, which breaks ties."""
    ranks = np.empty(log_odds.size, dtype=np.intp)
    ranks[np.argsort(-log_odds, kind="stable")] = np.arange(1, log_odds.size + 1)
    return ranks


def _stakeholder_rows(
    stakeholders: GroupStakeholders,
    members: Sequence[MemberFacts],
    language: Language,
    as_of: datetime,
) -> list[Row]:
    outcome = stakeholders.outcome
    return [
        {
            "group_id": stakeholders.group.group_id,
            "as_of": as_of,
            "contact_id": member.contact.contact_id,
            "role": member.role,
            "contribution": contribution,
            "contribution_se": standard_error,
            "points": member.points,
            "last_activity_at": member.last_activity_at,
            "last_activity_kind": member.last_activity_kind,
            "activities_30d": member.activities_30d,
            "top_kinds": list(member.top_kinds),
            "if_leaves": member.if_leaves,
            "summary": member_summary(member, language),
        }
        for member, contribution, standard_error in zip(
            members, outcome.contribution.tolist(), outcome.standard_error.tolist(), strict=True
        )
    ]


def _action_rows(
    stakeholders: GroupStakeholders,
    inputs: SummaryInputs,
    account: str,
    language: Language,
    as_of: datetime,
) -> list[Row]:
    return [
        {
            "group_id": stakeholders.group.group_id,
            "as_of": as_of,
            "action": action.action,
            "role": action.role,
            "contact_id": None
            if action.member_index is None
            else stakeholders.group.contact_ids[action.member_index],
            "points": action.points,
            "support": action.support,
            "text": action_text(action_facts(action, stakeholders, inputs, account), language),
        }
        for action in stakeholders.actions
    ]
