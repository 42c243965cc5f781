"""Batch scoring: every open group at a cut-off, with its stakeholders and actions (design.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...contract import BadInput
from ...explain.language import Words
from ...explain.reasons import top_reasons
from ...explain.shapley.stakeholders import Stakeholders, stakeholders
from ...explain.shapley.theme_attribution import themes_of
from ...explain.summaries import Person, group_summary, person_summary, step_text
from ...features.tables.feature_source import FeatureSource
from ...features.tables.feature_table import open_snapshot
from ...model.bundle import Bundle
from ...model.thresholds import Thresholds
from .score_tables import ACTIONS, HORIZONS, SCORES, STAKEHOLDERS, SUMMARIES
from .summary_inputs import Known, group_facts, known_at, persons, told_step
from .theme_contributions import member_themes
from .thresholds_in_force import lines_in_force, segments_of
from .verdicts import latest_verdicts

Progress = Callable[[str, float], None]
Row = dict[str, Any]


@dataclass(frozen=True)
class Scored:
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
    words: Words,
    only: Sequence[str] | None = None,
    progress: Progress = lambda _label, _share: None,
) -> Scored:
    """Scores the groups that are open at a cut-off.

    Args:
        source: prepared with the bundle's settings.
        bundle: the model.
        as_of: the cut-off.
        model_version: written into the table.
        words: language of summaries, reasons and actions.
        only: group ids to score; None for all. `rank` is among those scored.
        progress: called with a label and the share done.

    Raises:
        BadInput: no group is open at the cut-off.
    """
    lines = lines_in_force(source, bundle, as_of, progress)
    with open_snapshot(source, bundle.catalogue, as_of, only) as at:
        features = at.features()
        if not features.num_rows:
            raise BadInput(_nothing_open(source, as_of))
        groups = at.group_rows
        known = known_at(source, at)
        found = list(stakeholders(at, bundle, progress))
    matrix = bundle.matrix(features)
    reasons = top_reasons(bundle, features, words, matrix)
    verdicts = latest_verdicts(source, as_of)
    scores = _scores(
        groups, features, found, reasons, verdicts, bundle, lines, as_of, model_version
    )
    themes, horizon = themes_of(bundle.catalogue), bundle.settings.target.horizon_days
    rows, steps, summaries = [], [], []
    for one, row in zip(found, scores, strict=True):
        people = persons(one, known, themes)
        rows += _stakeholder_rows(one, people, words, as_of)
        steps += _action_rows(one, known, words, as_of)
        summary = group_summary(group_facts(row, people, one, known, horizon), words)
        summaries.append({"group_id": row["group_id"], "as_of": as_of, "summary": summary})
    return Scored(
        pa.Table.from_pylist(scores, SCORES),
        pa.Table.from_pylist(rows, STAKEHOLDERS),
        pa.Table.from_pylist(steps, ACTIONS),
        _horizons(matrix, scores, bundle, as_of),
        member_themes(found, themes, as_of),
        pa.Table.from_pylist(summaries, SUMMARIES),
    )


def _nothing_open(source: FeatureSource, as_of: datetime) -> str:
    groups = source.tables["buying_groups"]
    rows = source.query_runner.fetch(
        "first_created", lambda: groups.agg(at=groups.created_at.min())
    )
    first = rows["at"][0].as_py()
    return (
        f"score: expected groups that are open at {as_of:%Y-%m-%d %H:%M}, found none; the first "
        f"group was created at {first:%Y-%m-%d %H:%M}; choose an --as-of at which groups are open"
    )


def _scores(
    groups: pa.Table,
    features: pa.Table,
    found: Sequence[Stakeholders],
    reasons: Sequence[list[str]],
    verdicts: Mapping[str, str],
    bundle: Bundle,
    lines: Thresholds,
    as_of: datetime,
    model_version: str,
) -> list[Row]:
    log_odds = np.array([one.outcome.everyone for one in found])
    readiness = bundle.readiness(log_odds)
    low, high = bundle.interval.interval(log_odds)
    completeness = features["completeness"].to_numpy()
    values = segments_of(features, groups["solution_id"].to_pylist(), lines)
    threshold = lines.at(values, as_of)
    qualified = lines.qualifies(readiness, completeness, values, as_of)
    rank = ranks(log_odds)
    engaged, engagement = features["engaged_completeness"], features["rule_engagement"]
    return [
        {
            "group_id": one.group.group_id,
            "account_id": account_id,
            "solution_id": solution_id,
            "as_of": as_of,
            "model_version": model_version,
            "readiness": readiness[i],
            # The interval is made by other means than the calibrator, and holds it (tables.py).
            "readiness_low": min(low[i], readiness[i]),
            "readiness_high": max(high[i], readiness[i]),
            "score": round(100 * readiness[i]),
            "log_odds": log_odds[i],
            "base_log_odds": one.outcome.base,
            "completeness": completeness[i],
            "engaged_completeness": engaged[i].as_py(),
            "engagement": engagement[i].as_py(),
            # A line that nobody reaches lies above every readiness.
            "threshold": min(threshold[i], 1.0),
            "completeness_threshold": lines.completeness,
            "status": verdicts.get(one.group.group_id, "qualified" if qualified[i] else "nurture"),
            "rank": rank[i],
            "missing_roles": one.missing_roles,
            "top_reasons": reasons[i],
            "single_point_of_failure": (
                None if one.single_point is None else one.group.contact_ids[one.single_point]
            ),
        }
        for i, (one, account_id, solution_id) in enumerate(
            zip(
                found,
                groups["account_id"].to_pylist(),
                groups["solution_id"].to_pylist(),
                strict=True,
            )
        )
    ]


def _horizons(
    matrix: NDArray[np.float64], scores: Sequence[Row], bundle: Bundle, as_of: datetime
) -> pa.Table:
    """Readiness within every horizon, the model's own included; by group, the shortest first."""
    readiness = np.array([row["readiness"] for row in scores])
    chances = bundle.readiness_by_horizon(matrix, readiness)
    rows = [
        {
            "group_id": row["group_id"],
            "as_of": as_of,
            "horizon_days": days,
            "readiness": chance[place],
        }
        for place, row in enumerate(scores)
        for days, chance in chances.items()
    ]
    return pa.Table.from_pylist(rows, HORIZONS)


def ranks(log_odds: NDArray[np.float64]) -> NDArray[np.intp]:
    """1 for the readiest; groups are in order of group_id, which breaks ties."""
    ranks = np.empty(log_odds.size, dtype=np.intp)
    ranks[np.argsort(-log_odds, kind="stable")] = np.arange(1, log_odds.size + 1)
    return ranks


def _stakeholder_rows(
    one: Stakeholders, people: Sequence[Person], words: Words, as_of: datetime
) -> list[Row]:
    return [
        {
            "group_id": one.group.group_id,
            "as_of": as_of,
            "contact_id": person.contact.contact_id,
            "role": person.role,
            "contribution": one.outcome.contribution[place],
            "contribution_se": one.outcome.error[place],
            "points": person.points,
            "last_activity_at": person.last_activity_at,
            "last_activity_kind": person.last_activity_kind,
            "activities_30d": person.activities_30d,
            "top_kinds": person.top_kinds,
            "if_leaves": person.if_leaves,
            "summary": person_summary(person, words),
        }
        for place, person in enumerate(people)
    ]


def _action_rows(one: Stakeholders, known: Known, words: Words, as_of: datetime) -> list[Row]:
    return [
        {
            "group_id": one.group.group_id,
            "as_of": as_of,
            "action": step.action,
            "role": step.role,
            "contact_id": None if step.member is None else one.group.contact_ids[step.member],
            "points": step.points,
            "support": step.support,
            "text": step_text(told_step(step, one, known), words),
        }
        for step in one.actions
    ]
