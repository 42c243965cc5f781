"""The portfolio: every scored group as one line, those to work today first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...contract import BadInput
from ...explain.language import Language
from ...model.states import is_stagnant
from ...settings import StateSettings
from ..batch.names import CrmRecord, Names
from ..batch.page_name import page_name
from ..batch.score_history import NO_HISTORY, ScoreHistory
from ..batch.scoring import ScoreTables
from .charts import Gauge, gauge, scale_end
from .history_chart import trend_line
from .what_changed import Change, what_changed
from .worklist import Risk, Task, risk_of, task_of, urgency, view_of

MAX_PAGES = 500
"""Groups with a page of their own unless the caller says otherwise, the readiest ones."""

MAX_LISTED = 10_000
"""Groups in the portfolio's table, the readiest ones."""

DEFAULT_STATES = StateSettings()

Row = dict[str, Any]
Counts = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class PortfolioGroup:
    """A group in the portfolio.

    Attributes:
        score: its row of the scores table.
        account: the account's name.
        solution: the solution's name.
        tier: the account's; None where it has none.
        gauge: its readiness on the portfolio's scale.
        strongest_member: name and points of the member who adds most; None where nobody is in it.
        score_change: change since the earlier score, in score points as they are shown; None
            without one.
        page: file name of its page under `groups`; None beyond the limit.
        task: what it asks for today.
        risk: why it is at risk; None where that is not what it asks for.
        record: in the CRM.
        trend: of its readiness, see `trend_line`; "" where there is none.
        changed: what changed since the earlier score; None where there are no earlier scores.
    """

    score: Row
    account: str
    solution: str
    tier: str | None
    gauge: Gauge
    strongest_member: tuple[str, float] | None
    score_change: float | None
    page: str | None
    task: Task
    risk: Risk | None
    record: CrmRecord
    trend: str = ""
    changed: Change | None = None

    @property
    def urgency(self) -> int:
        """The smaller, the sooner."""
        return urgency(self.task)

    @property
    def view(self) -> str:
        """The part of the portfolio that it is listed in."""
        return view_of(self.score["status"])


@dataclass(frozen=True, slots=True)
class Portfolio:
    """All groups together.

    Attributes:
        as_of: the cut-off.
        model_version: of the model that scored.
        groups: how many were scored.
        statuses: how many of each status, most frequent first.
        solutions: how many of the listed groups are for each solution, by name.
        tiers: how many of the listed groups are of each tier, by tier.
        owners: how many of the listed groups each owner has, by name.
        tasks: how many of the listed groups ask for each task, the most urgent first.
        views: how many of the listed groups are in each part of the portfolio.
        failed: how many records of each target could not be delivered.
        followed: whether a store follows the runs, so that failures would be known.
        lowest_threshold: the lowest readiness from which a group of these qualifies.
        highest_threshold: the highest; 1 where none qualifies.
        scale: where the readiness scale of every page ends, 0..1.
        listed_groups: the readiest groups, those to work today first.
        pages: how many of them have a page.
        since: the earlier cut-off that `score_change` speaks of; None without one.
    """

    as_of: datetime
    model_version: str
    groups: int
    statuses: Counts
    solutions: Counts
    tiers: Counts
    owners: Counts
    tasks: Counts
    views: Counts
    failed: Counts
    followed: bool
    lowest_threshold: float
    highest_threshold: float
    scale: float
    listed_groups: tuple[PortfolioGroup, ...]
    pages: int
    since: datetime | None

    @property
    def view_counts(self) -> Counts:
        """How many groups each view shows, the open ones first and all of them last."""
        counts = dict(self.views)
        apart = [(view, counts[view]) for view in ("accepted", "rejected") if view in counts]
        shown = [("open", counts.get("open", 0)), *apart] if apart else []
        return (*shown, ("all", len(self.listed_groups)))


def portfolio(
    scored: ScoreTables,
    names: Names,
    language: Language,
    *,
    earlier: Mapping[str, Row] | None = None,
    history: ScoreHistory = NO_HISTORY,
    states: StateSettings = DEFAULT_STATES,
    pages: int = MAX_PAGES,
) -> Portfolio:
    """The portfolio of a set of scores.

    Args:
        scored: the tables, of one cut-off.
        names: of accounts, solutions and contacts.
        language: the language.
        earlier: rows of the scores table at an earlier cut-off by group_id; None for none.
        history: of the groups, from the store.
        states: from when on a group is stagnant.
        pages: this many of the readiest groups have a page.

    Raises:
        BadInput: there are no scores, or they are not of one cut-off.
    """
    as_of = require_one_cutoff(scored, "report")
    order = [("rank", "ascending"), ("group_id", "ascending")]
    scores = scored.scores.sort_by(order).slice(0, MAX_LISTED).to_pylist()
    end = scale_end(max(max(row["readiness_high"], row["threshold"]) for row in scores))
    strongest_members = _strongest_members(scored.stakeholders, names, language)
    tasks = _tasks(scores, earlier or {}, scored.stakeholders, states)
    by_rank = []
    for index, row in enumerate(scores):
        group_id = row["group_id"]
        before = (earlier or {}).get(group_id)
        change = score_change(row, before)
        task, risk = tasks[group_id]
        by_rank.append(
            PortfolioGroup(
                score=row,
                account=names.account(row["account_id"]),
                solution=names.solution(row["solution_id"]),
                tier=names.tiers.get(row["account_id"]),
                gauge=_gauge(row, end),
                strongest_member=strongest_members.get(group_id),
                score_change=change,
                page=page_name(group_id) if index < pages else None,
                task=task,
                risk=risk if task is Task.AT_RISK else None,
                record=names.record(group_id),
                trend=trend_line(history.points.get(group_id, ())),
                changed=None if not earlier else what_changed(row, before, change),
            )
        )
    listed_groups = tuple(sorted(by_rank, key=lambda group: group.urgency))
    return Portfolio(
        as_of=as_of,
        model_version=scores[0]["model_version"],
        groups=scored.scores.num_rows,
        statuses=tuple(Counter(scored.scores["status"].to_pylist()).most_common()),
        solutions=_counts(group.solution for group in listed_groups),
        tiers=_counts(group.tier for group in listed_groups if group.tier),
        owners=_counts(group.record.owner for group in listed_groups if group.record.owner),
        tasks=tuple(Counter(group.task.value for group in listed_groups).items()),
        views=tuple(Counter(group.view for group in listed_groups).items()),
        failed=history.failed,
        followed=bool(history.runs),
        lowest_threshold=pc.min(scored.scores["threshold"]).as_py(),
        highest_threshold=pc.max(scored.scores["threshold"]).as_py(),
        scale=end,
        listed_groups=listed_groups,
        pages=min(len(scores), pages),
        since=None if not earlier else next(iter(earlier.values()))["as_of"],
    )


def _tasks(
    scores: Iterable[Row],
    earlier: Mapping[str, Row],
    stakeholders: pa.Table,
    states: StateSettings,
) -> dict[str, tuple[Task, Risk | None]]:
    """What each group asks for today, and why it may be lost; by group_id."""
    members = set(
        zip(
            *(stakeholders[name].to_pylist() for name in ("group_id", "contact_id")),
            strict=True,
        )
    )
    last_active = _last_active(stakeholders)
    tasks = {}
    for row in scores:
        group_id = row["group_id"]
        before = earlier.get(group_id)
        risk = risk_of(
            row,
            score_change(row, before),
            lost_single_point=_lost_single_point(before, members),
            stagnant=is_stagnant(row["status"], last_active.get(group_id), row["as_of"], states),
        )
        tasks[group_id] = task_of(row, before, risk), risk
    return tasks


def _last_active(stakeholders: pa.Table) -> dict[str, datetime]:
    """When somebody in each group was last active; a group in which nobody was is not in it."""
    latest = stakeholders.group_by("group_id").aggregate([("last_activity_at", "max")])
    ids, instants = latest["group_id"].to_pylist(), latest["last_activity_at_max"].to_pylist()
    return {group_id: at for group_id, at in zip(ids, instants, strict=True) if at is not None}


def _lost_single_point(before: Row | None, members: set[tuple[str, str]]) -> bool:
    """Whether the person on whom the earlier score rested is no member any more."""
    person = None if before is None else before["single_point_of_failure"]
    return before is not None and person is not None and (before["group_id"], person) not in members


def require_one_cutoff(scored: ScoreTables, where: str) -> datetime:
    """The cut-off that all scores are of.

    Raises:
        BadInput: there are none, or of several; the message begins with `where`.
    """
    if not scored.scores.num_rows:
        raise BadInput(f"{where}: expected the scores of at least one group, got none")
    cutoffs = pc.unique(scored.scores["as_of"]).to_pylist()
    if len(cutoffs) > 1:
        raise BadInput(
            f"{where}: expected scores of one cut-off, got {len(cutoffs)}: "
            f"{min(cutoffs):%Y-%m-%d} to {max(cutoffs):%Y-%m-%d}; report each by itself"
        )
    as_of: datetime = cutoffs[0]
    return as_of


def displayed_score(row: Row) -> float:
    """100 x readiness with the one decimal that pages show."""
    return float(f"{100 * row['readiness']:.1f}")


def score_change(row: Row, earlier: Row | None) -> float | None:
    """How far the shown score moved since an earlier row of the same group, in score points."""
    return None if earlier is None else displayed_score(row) - displayed_score(earlier)


def _counts(names: Iterable[str]) -> Counts:
    return tuple(sorted(Counter(names).items()))


def _gauge(row: Row, end: float) -> Gauge:
    return gauge(
        row["readiness_low"], row["readiness_high"], row["readiness"], row["threshold"], end
    )


def _strongest_members(
    stakeholders: pa.Table, names: Names, language: Language
) -> dict[str, tuple[str, float]]:
    """The member with the largest contribution of each group; of equals the first by id."""
    frame = stakeholders.select(["group_id", "contact_id", "contribution", "points"]).to_pandas()
    frame = frame.sort_values(["contribution", "contact_id"], ascending=[False, True])
    best = frame.groupby("group_id", sort=False).head(1)
    return {
        group_id: (language.contact_name(names.contact(contact_id)[0], contact_id), points)
        for group_id, contact_id, points in zip(
            best["group_id"], best["contact_id"], best["points"], strict=True
        )
    }
