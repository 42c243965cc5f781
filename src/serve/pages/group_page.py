"""One group's page: what each stakeholder adds, up to the score, and what it rests on."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...contract import BadInput
from ...explain.language import Language
from ...explain.reasons import features_by_name
from ...features.declare.feature import Feature
from ...model.bundle import Bundle
from ...source import Source
from ..batch.group_texts import GroupTexts, group_texts
from ..batch.names import Names
from ..batch.score_history import NO_HISTORY, ScoreHistory, StatusChange
from ..batch.scoring import ScoreTables
from .activities import DatedActivity, activities_by_member
from .charts import Bar, round_to_total, waterfall
from .history_chart import HistoryChart, history_chart
from .portfolio import PortfolioGroup, Row
from .roles import RoleMapEntry, role_map
from .score_changes import EarlierScores, GroupChange, group_change
from .themes import ThemeTable, theme_table
from .timeline import Timeline, timeline

MAX_STAKEHOLDERS = 12
"""A group of no more has all its stakeholders shown one by one."""

FIRST_STAKEHOLDERS = 8
"""Stakeholders of a larger group that are; the rest is one line, so sums stay true."""

MAX_FOLDED = 60
"""Further stakeholders of a role that can be unfolded; the others are counted."""

MAX_LEADING = 3
"""Stakeholders that the first screen names."""

MAX_LANES = 6
"""People with a lane of their own on the time line."""

SUM_TOLERANCE = 1e-6  # score points
GROUPS_PER_BATCH = 500  # whose activities are in memory together


@dataclass(frozen=True, slots=True)
class StakeholderEntry:
    """A stakeholder of a group.

    Attributes:
        member: the row of the stakeholders table.
        name: of the contact, None if unknown.
        position: title and department, as far as known.
        points: what the member adds, as shown.
        error: standard error of it in score points; 0 when exact.
        bar: the step of the waterfall.
    """

    member: Row
    name: str | None
    position: tuple[str, ...]
    points: float
    error: float
    bar: Bar


@dataclass(frozen=True, slots=True)
class FoldedRole:
    """Stakeholders of one role that are not shown one by one.

    Attributes:
        role: its name.
        count: how many there are.
        points: what they add together, score points.
        members: rows of the stakeholders table, the largest contribution first, `MAX_FOLDED` at
            most.
    """

    role: str
    count: int
    points: float
    members: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class GroupPage:
    """One group: base + people + others = total, in score points as they are shown.

    Attributes:
        group: the group as the portfolio has it.
        texts: the group in sentences.
        leading: the stakeholders who add most, as the first screen names them.
        base: the account with nobody in the group.
        base_bar: its step of the waterfall.
        stakeholders: the stakeholders, largest part first.
        others: number, points and bar of the stakeholders not shown one by one.
        removed: points and bar of people who were removed at their request; None for nobody.
        folded: those of them that can be unfolded, by role, the largest role first.
        total: 100 x readiness.
        roles: the role map.
        themes: what carried the parts of the people; None if it is not known.
        timeline: recent activities.
        change: since the earlier score; None without one.
        chart: of the runs that the store keeps; None where there are fewer than two.
        qualified: when it last qualified; None where no run that is kept saw it.
        status_changes: of the group, the latest first.
        member_ids: contact ids of every member.
    """

    group: PortfolioGroup
    texts: GroupTexts
    leading: tuple[StakeholderEntry, ...]
    base: float
    base_bar: Bar
    stakeholders: tuple[StakeholderEntry, ...]
    others: tuple[int, float, Bar] | None
    removed: tuple[float, Bar] | None
    folded: tuple[FoldedRole, ...]
    total: float
    roles: tuple[RoleMapEntry, ...]
    themes: ThemeTable | None
    timeline: Timeline
    change: GroupChange | None
    chart: HistoryChart | None
    qualified: StatusChange | None
    status_changes: tuple[StatusChange, ...]
    member_ids: frozenset[str]


@dataclass(frozen=True)
class _GroupRows:
    """The rows of some groups, by group_id."""

    members: defaultdict[str, list[Row]]
    actions: defaultdict[str, list[Row]]
    summaries: defaultdict[str, list[Row]]
    themes: defaultdict[str, list[Row]]
    activities: Mapping[str, Mapping[str, list[DatedActivity]]]


@dataclass(frozen=True)
class _Words:
    """What sentences of any group are made with."""

    bundle: Bundle
    names: Names
    features: Mapping[str, Feature]
    language: Language


def group_pages(
    shown: Sequence[PortfolioGroup],
    scored: ScoreTables,
    source: Source,
    bundle: Bundle,
    names: Names,
    language: Language,
    earlier: EarlierScores | None = None,
    history: ScoreHistory = NO_HISTORY,
) -> Iterator[GroupPage]:
    """The pages of some groups, in their order.

    Args:
        shown: the groups.
        scored: the tables.
        source: what the members did.
        bundle: the model that made the scores.
        names: of contacts.
        language: of the texts.
        earlier: scores to compare with.
        history: of the groups.

    Raises:
        BadInput: base and contributions do not add up to the score, so that the model is not the
            one that made the scores.
    """
    words = _Words(bundle, names, features_by_name(bundle), language)
    for start in range(0, len(shown), GROUPS_PER_BATCH):
        batch = shown[start : start + GROUPS_PER_BATCH]
        rows = _read_rows(batch, scored, source)
        bases = bundle.score_points(np.array([group.score["base_log_odds"] for group in batch]))
        for group, base in zip(batch, bases, strict=True):
            yield _group_page(group, float(base), rows, words, earlier, history)


def _read_rows(groups: Sequence[PortfolioGroup], scored: ScoreTables, source: Source) -> _GroupRows:
    group_ids = pa.array([group.score["group_id"] for group in groups], pa.string())
    return _GroupRows(
        members=_by_group(scored.stakeholders, group_ids),
        actions=_by_group(scored.actions, group_ids),
        summaries=_by_group(scored.summaries, group_ids),
        themes=_by_group(scored.themes, group_ids),
        activities=activities_by_member(scored, group_ids, source, groups[0].score["as_of"]),
    )


def _by_group(table: pa.Table, group_ids: pa.Array) -> defaultdict[str, list[Row]]:
    rows: defaultdict[str, list[Row]] = defaultdict(list)
    for row in table.filter(pc.is_in(table["group_id"], value_set=group_ids)).to_pylist():
        rows[row["group_id"]].append(row)
    return rows


def _group_page(
    group: PortfolioGroup,
    base: float,
    rows: _GroupRows,
    words: _Words,
    earlier: EarlierScores | None,
    history: ScoreHistory,
) -> GroupPage:
    bundle, names = words.bundle, words.names
    group_id, total = group.score["group_id"], 100 * group.score["readiness"]
    members, per_log_odds = rows.members[group_id], _points_per_log_odds(group.score, base)
    removed = per_log_odds * _removed_contribution(group.score, members, rows.summaries[group_id])
    _require_sum(group.score, base + removed, members, total)
    by_size = sorted(members, key=lambda row: (-abs(row["contribution"]), row["contact_id"]))
    count = len(members) if len(members) <= MAX_STAKEHOLDERS else FIRST_STAKEHOLDERS
    shown = sorted(by_size[:count], key=lambda r: (-r["contribution"], r["contact_id"]))
    others = by_size[count:]
    parts = [base, *(row["points"] for row in shown), sum(row["points"] for row in others), removed]
    points, bars = round_to_total(parts, total), waterfall(parts)
    ids = [row["contact_id"] for row in shown]
    entries = tuple(
        _stakeholder_entry(row, names, shown_points, per_log_odds, bar)
        for row, shown_points, bar in zip(shown, points[1:-2], bars[1:-2], strict=True)
    )
    changes = history.changes.get(group_id, ())
    return GroupPage(
        group=group,
        texts=_texts(group, members, rows, words),
        leading=tuple(one for one in entries if one.points > 0)[:MAX_LEADING],
        base=points[0],
        base_bar=bars[0],
        stakeholders=entries,
        others=(len(others), points[-2], bars[-2]) if others else None,
        removed=(points[-1], bars[-1]) if removed else None,
        folded=_folded(others),
        total=total,
        roles=role_map(group.score, members, bundle.vocabulary.template),
        themes=theme_table(rows.themes[group_id], list(zip(ids, points[1:-2], strict=True))),
        timeline=timeline(
            rows.activities.get(group_id, {}),
            ids[:MAX_LANES],
            group.score["as_of"],
            bundle.settings,
        ),
        change=group_change(group.score, members, earlier, names),
        chart=history_chart(history.points.get(group_id, ())),
        qualified=history.qualified_at(group_id),
        status_changes=tuple(reversed(changes)),
        member_ids=frozenset(row["contact_id"] for row in members),
    )


def _texts(
    group: PortfolioGroup, members: Sequence[Row], rows: _GroupRows, words: _Words
) -> GroupTexts:
    group_id = group.score["group_id"]
    summaries = rows.summaries[group_id]
    return group_texts(
        group.score,
        members,
        rows.actions[group_id],
        summaries[0]["reason_facts"] if summaries else None,
        words.names,
        words.features,
        words.bundle.settings,
        words.language,
        measured=words.bundle.measured,
    )


def _folded(others: Sequence[Row]) -> tuple[FoldedRole, ...]:
    by_role: dict[str, list[Row]] = {}
    for row in sorted(others, key=lambda r: (-r["contribution"], r["contact_id"])):
        by_role.setdefault(row["role"], []).append(row)
    return tuple(
        FoldedRole(
            role, len(rows), math.fsum(row["points"] for row in rows), tuple(rows[:MAX_FOLDED])
        )
        for role, rows in sorted(by_role.items(), key=lambda item: (-len(item[1]), item[0]))
    )


def _removed_contribution(score: Row, members: list[Row], summaries: list[Row]) -> float:
    """What people who were removed from the tables added, in log-odds; 0 where nobody was.

    `mqbg forget` blanks the summary of each group that a removed person was in.
    """
    if not any(row["summary"] == "" for row in summaries):
        return 0.0
    added = float(score["log_odds"] - score["base_log_odds"])
    removed = added - math.fsum(row["contribution"] for row in members)
    return removed if abs(removed) > SUM_TOLERANCE else 0.0


def _require_sum(score: Row, base: float, members: list[Row], total: float) -> None:
    summed = base + math.fsum(row["points"] for row in members)
    if abs(summed - total) > SUM_TOLERANCE:
        raise BadInput(
            f"report: expected the parts of {score['group_id']!r} to add up to its score of "
            f"{total:.3f}, got {summed:.3f}; use the model version that made the scores, "
            f"{score['model_version']}, and the three tables of one `mqbg score`"
        )


def _points_per_log_odds(score: Row, base: float) -> float:
    added = score["log_odds"] - score["base_log_odds"]
    return (100 * score["readiness"] - base) / added if added else 0.0


def _stakeholder_entry(
    row: Row, names: Names, points: float, per_log_odds: float, bar: Bar
) -> StakeholderEntry:
    full_name, title, department = names.contact(row["contact_id"])
    position = tuple(text for text in (title, department) if text)
    return StakeholderEntry(
        member=row,
        name=full_name,
        position=position,
        points=points,
        error=abs(row["contribution_se"] * per_log_odds),
        bar=bar,
    )
