"""Batch scoring: every open group at a cut-off, with its stakeholders and actions (design.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...contract import BadInput
from ...explain.language import Language
from ...explain.reasons import (
    Reason,
    features_by_name,
    reason_sentences,
    strongest_reasons,
)
from ...explain.shapley.stakeholders import NO_OTHER_IDS, GroupStakeholders, group_stakeholders
from ...explain.shapley.theme_attribution import catalogue_themes
from ...explain.summaries import MemberFacts, action_text, group_summary, member_summary
from ...features.declare.themes.completeness import EXPECTED_COMPLETENESS
from ...features.tables.feature_source import FeatureSource
from ...features.tables.feature_table import open_snapshot
from ...features.time_rules.verdicts import LatestVerdict, latest_verdicts
from ...model.bundle import Bundle
from ...model.thresholds import Thresholds
from ...support.progress import Progress, no_progress
from .next_steps import next_steps, without_steps_taken
from .night_decisions import NOTHING_DECIDED, NightDecision
from .score_tables import ACTIONS, HORIZONS, SCORES, STAKEHOLDERS, SUMMARIES
from .summary_inputs import (
    SummaryInputs,
    action_facts,
    group_facts,
    member_facts,
    read_summary_inputs,
    step_facts,
)
from .theme_contributions import theme_contributions
from .thresholds_in_force import row_segments, thresholds_in_force

Row = dict[str, Any]


@dataclass(frozen=True)
class ScoreTables:
    """The tables that `mqbg score` writes (design.md); `tables` has their schemas."""

    scores: pa.Table
    stakeholders: pa.Table
    actions: pa.Table
    horizons: pa.Table
    themes: pa.Table
    summaries: pa.Table


def score(
    source: FeatureSource,
    bundle: Bundle,
    as_of: datetime,
    *,
    model_version: str,
    language: Language,
    group_ids: Sequence[str] | None = None,
    decisions: Mapping[str, NightDecision] = NOTHING_DECIDED,
    stream_ids: Mapping[str, str] = NO_OTHER_IDS,
    progress: Progress = no_progress,
) -> ScoreTables:
    """Scores the groups that are open at a cut-off.

    Args:
        source: prepared with the bundle's settings.
        bundle: the model.
        as_of: the cut-off.
        model_version: written into the table.
        language: language of summaries, reasons and actions.
        group_ids: group ids to score; None for all. `rank` is among those scored.
        decisions: what the last night decided of groups, by group_id: threshold and status of
            these are as they were, unless sales gave a verdict since; those of others by
            `thresholds_in_force`.
        stream_ids: see `group_stakeholders`.
        progress: called with a label and the share done.

    Raises:
        BadInput: no group is open at the cut-off.
    """
    thresholds = bundle.thresholds
    if group_ids is None or not set(group_ids) <= set(decisions):
        thresholds = thresholds_in_force(source, bundle, as_of, progress)
    with open_snapshot(source, bundle.catalogue, as_of, group_ids) as snapshot:
        features = snapshot.features()
        if not features.num_rows:
            raise BadInput(_no_open_groups(source, as_of))
        groups = snapshot.group_rows
        inputs = read_summary_inputs(source, snapshot, bundle.settings.explain.contacted_days)
        stakeholders = [
            without_steps_taken(one, inputs.contacted)
            for one in group_stakeholders(snapshot, bundle, progress, stream_ids)
        ]
    matrix = bundle.feature_matrix(features)
    missing_roles = [group.missing_roles for group in stakeholders]
    reasons = strongest_reasons(bundle, features, missing_roles, matrix)
    verdicts = latest_verdicts(source, as_of)
    scores = _score_rows(
        groups, features, matrix, stakeholders,
        [reason_sentences(one, features_by_name(bundle), language) for one in reasons],
        verdicts, bundle, thresholds, as_of, model_version,
    )  # fmt: skip
    for row in scores:
        if decided := decisions.get(row["group_id"]):
            row.update(decided.columns(verdicts.get(row["group_id"])))
    themes = catalogue_themes(bundle.catalogue)
    explained = [
        _explain_group(group, row, of_group, inputs, themes, bundle, language)
        for group, row, of_group in zip(stakeholders, scores, reasons, strict=True)
    ]
    members = list(chain.from_iterable(group.members for group in explained))
    actions = list(chain.from_iterable(group.actions for group in explained))
    return ScoreTables(
        pa.Table.from_pylist(scores, SCORES),
        pa.Table.from_pylist(members, STAKEHOLDERS),
        pa.Table.from_pylist(actions, ACTIONS),
        _horizon_table(matrix, scores, bundle, as_of),
        theme_contributions(stakeholders, themes, as_of),
        pa.Table.from_pylist([group.summary for group in explained], SUMMARIES),
    )


@dataclass(frozen=True)
class _ExplainedGroup:
    """A group's rows of the tables `stakeholders` and `actions`, and its one of `summaries`."""

    members: list[Row]
    actions: list[Row]
    summary: Row


def _explain_group(
    group: GroupStakeholders,
    score: Row,
    reasons: Sequence[Reason],
    inputs: SummaryInputs,
    themes: Sequence[str],
    bundle: Bundle,
    language: Language,
) -> _ExplainedGroup:
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
    return _ExplainedGroup(
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


def _no_open_groups(source: FeatureSource, as_of: datetime) -> str:
    groups = source.tables["buying_groups"]
    rows = source.query_runner.fetch(
        "first_created", lambda: groups.agg(at=groups.created_at.min())
    )
    first = rows["at"][0].as_py()
    return (
        f"score: expected groups that are open at {as_of:%Y-%m-%d %H:%M}, found none; the first "
        f"group was created at {first:%Y-%m-%d %H:%M}; choose an --as-of at which groups are open"
    )


def _score_rows(
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
    log_odds = np.array([group.outcome.everyone for group in stakeholders])
    readiness = bundle.readiness(log_odds)
    low, high = bundle.readiness_interval(matrix, log_odds)
    completeness = features["completeness"].to_numpy()
    segments = row_segments(features, groups["solution_id"].to_pylist(), thresholds)
    readiness_threshold = thresholds.readiness_thresholds(segments, as_of)
    qualified = thresholds.qualifies(readiness, completeness, segments, as_of)
    rank = ranks(log_odds)
    engaged, engagement = features["engaged_completeness"], features["rule_engagement"]
    expected = features[
        EXPECTED_COMPLETENESS if EXPECTED_COMPLETENESS in features.column_names else "completeness"
    ]
    return [
        {
            "group_id": group.group.group_id,
            "account_id": account_id,
            "solution_id": solution_id,
            "as_of": as_of,
            "model_version": model_version,
            "readiness": readiness[i],
            "readiness_low": low[i],
            "readiness_high": high[i],
            "score": round(100 * readiness[i]),
            "log_odds": log_odds[i],
            "base_log_odds": group.outcome.base,
            "completeness": completeness[i],
            "engaged_completeness": engaged[i].as_py(),
            "engagement": engagement[i].as_py(),
            # A threshold that nobody reaches lies above every readiness.
            "threshold": min(readiness_threshold[i], 1.0),
            "completeness_threshold": thresholds.completeness,
            "status": _status(verdicts.get(group.group.group_id), bool(qualified[i])),
            "rank": rank[i],
            "missing_roles": group.missing_roles,
            "top_reasons": reasons[i],
            "single_point_of_failure": (
                None
                if group.single_point_index is None
                else group.group.contact_ids[group.single_point_index]
            ),
            "expected_completeness": expected[i].as_py(),
        }
        for i, (group, account_id, solution_id) in enumerate(
            zip(
                stakeholders,
                groups["account_id"].to_pylist(),
                groups["solution_id"].to_pylist(),
                strict=True,
            )
        )
    ]


def _status(verdict: LatestVerdict | None, qualifies: bool) -> str:
    if verdict is not None:
        return verdict.verdict
    return "qualified" if qualifies else "nurture"


def _horizon_table(
    matrix: NDArray[np.float64], scores: Sequence[Row], bundle: Bundle, as_of: datetime
) -> pa.Table:
    """Readiness within every horizon, the model's own included; by group, the shortest first."""
    log_odds = np.array([row["log_odds"] for row in scores])
    by_horizon = bundle.readiness_by_horizon(matrix, log_odds)
    rows = [
        {
            "group_id": row["group_id"],
            "as_of": as_of,
            "horizon_days": days,
            "readiness": at_horizon[index],
        }
        for index, row in enumerate(scores)
        for days, at_horizon in by_horizon.items()
    ]
    return pa.Table.from_pylist(rows, HORIZONS)


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
    return [
        {
            "group_id": stakeholders.group.group_id,
            "as_of": as_of,
            "contact_id": member.contact.contact_id,
            "role": member.role,
            "contribution": stakeholders.outcome.contribution[index],
            "contribution_se": stakeholders.outcome.standard_error[index],
            "points": member.points,
            "last_activity_at": member.last_activity_at,
            "last_activity_kind": member.last_activity_kind,
            "activities_30d": member.activities_30d,
            "top_kinds": member.top_kinds,
            "if_leaves": member.if_leaves,
            "summary": member_summary(member, language),
        }
        for index, member in enumerate(members)
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
