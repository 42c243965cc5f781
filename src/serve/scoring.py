"""Batch scoring: every open group at a cut-off, with its stakeholders and actions (design.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ..bundle import Bundle
from ..contract import BadInput
from ..explain.carried import themes_of
from ..explain.people import recent_activity
from ..explain.reasons import top_reasons
from ..explain.stakeholders import Stakeholders, stakeholders
from ..explain.whatifs import Action
from ..explain.words import Words, date_of, signed
from ..features.prepared import FeatureSource
from ..features.snapshots import REOPENED
from ..features.table import Moment, moment
from ..following import segment_values
from ..threshold import Thresholds
from .lines import described, lines_in_force
from .member_themes import member_themes
from .tables import ACTIONS, HORIZONS, SCORES, STAKEHOLDERS

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


@dataclass(frozen=True)
class People:
    """What sentences say of contacts: name and title, and what each did of late."""

    names: Mapping[str, tuple[str | None, str | None]]
    activity: Mapping[tuple[str, str], Row]


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
    with moment(source, bundle.catalogue, as_of, only) as at:
        features = at.features()
        if not features.num_rows:
            raise BadInput(_nothing_open(source, as_of))
        groups = at.groups.order_by("group_id").to_pyarrow().to_pandas()
        people = _people(source, at)
        found = list(stakeholders(at, bundle, progress))
    reasons = top_reasons(bundle, features, words)
    verdicts = latest_verdicts(source, as_of)
    scores = _scores(
        groups, features, found, reasons, verdicts, bundle, lines, as_of, model_version
    )
    rows = [row for one in found for row in _stakeholder_rows(one, people, words, as_of)]
    steps = [row for one in found for row in _action_rows(one, people, words, as_of)]
    return Scored(
        pa.Table.from_pylist(scores, SCORES),
        pa.Table.from_pylist(rows, STAKEHOLDERS),
        pa.Table.from_pylist(steps, ACTIONS),
        _horizons(features, scores, bundle, as_of),
        member_themes(found, themes_of(bundle.catalogue), as_of),
    )


def _nothing_open(source: FeatureSource, as_of: datetime) -> str:
    first = source.tables["buying_groups"].created_at.min().to_pyarrow().as_py()
    return (
        f"score: expected groups that are open at {as_of:%Y-%m-%d %H:%M}, found none; the first "
        f"group was created at {first:%Y-%m-%d %H:%M}; choose an --as-of at which groups are open"
    )


def _people(source: FeatureSource, at: Moment) -> People:
    contacts = source.tables["contacts"].select("contact_id", "full_name", "title").to_pyarrow()
    activity = recent_activity(source, at)
    return People(
        {row["contact_id"]: (row["full_name"], row["title"]) for row in contacts.to_pylist()},
        {
            (row["group_id"], row["contact_id"]): row
            for row in pa.Table.from_pandas(activity, preserve_index=False).to_pylist()
        },
    )


def latest_verdicts(source: FeatureSource, as_of: datetime) -> dict[str, str]:
    """The latest verdict of sales on each group, known before the cut-off.

    One from before the group was last reopened speaks of another attempt.
    """
    verdicts, events = source.tables["verdicts"], source.tables["stage_events"]
    again = events.filter(events.stage == REOPENED, events.occurred_at < as_of)
    reopened = again.group_by("group_id").agg(reopened_at=again.occurred_at.max())
    past = verdicts.filter(verdicts.decided_at < as_of).left_join(reopened, "group_id")
    current = past.filter(past.reopened_at.isnull() | (past.decided_at > past.reopened_at))
    rows = current.select("group_id", "decided_at", "verdict").to_pyarrow().to_pandas()
    latest = rows.sort_values(["decided_at", "verdict"]).groupby("group_id")["verdict"].last()
    return dict(latest.items())


def _scores(
    groups: pd.DataFrame,
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
    rows = described(features, groups["solution_id"].tolist())
    values = segment_values(rows, lines)
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
            zip(found, groups["account_id"], groups["solution_id"], strict=True)
        )
    ]


def _horizons(
    features: pa.Table, scores: Sequence[Row], bundle: Bundle, as_of: datetime
) -> pa.Table:
    """Readiness within every horizon, the model's own included; by group, the shortest first."""
    readiness = np.array([row["readiness"] for row in scores])
    chances = bundle.readiness_by_horizon(bundle.matrix(features), readiness)
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
    one: Stakeholders, people: People, words: Words, as_of: datetime
) -> list[Row]:
    rows = []
    for place, contact_id in enumerate(one.group.contact_ids):
        activity = people.activity.get((one.group.group_id, contact_id), {})
        last_at = activity.get("last_activity_at")
        row = {
            "group_id": one.group.group_id,
            "as_of": as_of,
            "contact_id": contact_id,
            "role": one.group.roles[place],
            "contribution": one.outcome.contribution[place],
            "contribution_se": one.outcome.error[place],
            "points": one.points[place],
            "last_activity_at": last_at,
            "last_activity_kind": activity.get("last_activity_kind"),
            "activities_30d": int(activity.get("activities_30d", 0)),
            "top_kinds": activity.get("top_kinds", []),
            "if_leaves": one.if_leaves[place],
        }
        row["summary"] = _summary(row, *people.names[contact_id], words)
        rows.append(row)
    return rows


def _summary(row: Row, full_name: str | None, title: str | None, words: Words) -> str:
    values = {
        "name": words.name(full_name, row["contact_id"]),
        "title": title,
        "role": words.word("roles", row["role"]),
        "points": signed(row["points"]),
    }
    if row["last_activity_at"] is None:
        said = words.say("silent", **values)
    else:
        said = words.say(
            "active",
            **values,
            kind=words.word("kinds", row["last_activity_kind"]),
            date=date_of(row["last_activity_at"]),
            count=row["activities_30d"],
            kinds=words.kinds(row["top_kinds"]),
        )
    leaves = signed(row["if_leaves"])
    return said if leaves == "0.0" else said + words.say("leaves", points=leaves)


def _action_rows(one: Stakeholders, people: People, words: Words, as_of: datetime) -> list[Row]:
    return [
        {
            "group_id": one.group.group_id,
            "as_of": as_of,
            "action": step.action,
            "role": step.role,
            "contact_id": None if step.member is None else one.group.contact_ids[step.member],
            "points": step.points,
            "support": step.support,
            "text": _action_text(step, one, people, words),
        }
        for step in one.actions
    ]


def _action_text(step: Action, one: Stakeholders, people: People, words: Words) -> str:
    name = None
    if step.member is not None:
        contact_id = one.group.contact_ids[step.member]
        name = words.name(people.names[contact_id][0], contact_id)
    return words.say(
        step.action,
        role=words.word("roles", step.role),
        name=name,
        points=f"{step.points:.1f}",
        support=f"{step.support:,}",
    )
