"""One group's page: what each stakeholder adds, up to the score, and which roles are filled."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..bundle import Bundle
from ..contract import BadInput
from ..features.template import Template
from .charts import Bar, adding_up, waterfall
from .names import Names
from .portfolio import Line, Row
from .scoring import Scored

MAX_PEOPLE = 50
"""Stakeholders shown one by one; the rest of a larger group is one line, so sums stay true."""

SUM_TOLERANCE = 1e-6  # score points


@dataclass(frozen=True, slots=True)
class Person:
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
class Coverage:
    """One role: how many it needs (None where the template has no such role) and who fills it."""

    role: str
    required: int | None
    members: int
    active: int
    state: str


@dataclass(frozen=True, slots=True)
class GroupPage:
    """One group: base + people + others = total, in score points as they are shown.

    Attributes:
        line: the group as the portfolio has it.
        summary: the group in words, line by line.
        base: the account with nobody in the group.
        base_bar: its step of the waterfall.
        people: the stakeholders, largest part first.
        others: number, points and bar of the stakeholders not shown one by one.
        total: 100 x readiness.
        coverage: roles, those of the template first.
        actions: rows of the actions table.
    """

    line: Line
    summary: str
    base: float
    base_bar: Bar
    people: tuple[Person, ...]
    others: tuple[int, float, Bar] | None
    total: float
    coverage: tuple[Coverage, ...]
    actions: tuple[Row, ...]


def group_pages(
    shown: Sequence[Line], scored: Scored, bundle: Bundle, names: Names
) -> list[GroupPage]:
    """The pages of some groups, in their order.

    Raises:
        BadInput: base and contributions do not add up to the score, so that the model is not the
            one that made the scores.
    """
    chosen = pa.array([line.score["group_id"] for line in shown], pa.string())
    members = _by_group(scored.stakeholders, chosen)
    actions = _by_group(scored.actions, chosen)
    summaries = _by_group(scored.summaries, chosen)
    base = bundle.points(np.array([line.score["base_log_odds"] for line in shown]))
    return [
        _group_page(
            line,
            summary="\n".join(row["summary"] for row in summaries[line.score["group_id"]]),
            base=float(base[place]),
            members=members[line.score["group_id"]],
            actions=actions[line.score["group_id"]],
            template=bundle.vocabulary.template,
            names=names,
        )
        for place, line in enumerate(shown)
    ]


def _by_group(table: pa.Table, chosen: pa.Array) -> defaultdict[str, list[Row]]:
    rows: defaultdict[str, list[Row]] = defaultdict(list)
    for row in table.filter(pc.is_in(table["group_id"], value_set=chosen)).to_pylist():
        rows[row["group_id"]].append(row)
    return rows


def _group_page(
    line: Line,
    *,
    summary: str,
    base: float,
    members: list[Row],
    actions: list[Row],
    template: Template,
    names: Names,
) -> GroupPage:
    total = 100 * line.score["readiness"]
    _require_sum(line.score, base, members, total)
    by_size = sorted(members, key=lambda row: (-abs(row["contribution"]), row["contact_id"]))
    shown = sorted(by_size[:MAX_PEOPLE], key=lambda r: (-r["contribution"], r["contact_id"]))
    rest = by_size[MAX_PEOPLE:]
    parts = [base, *(row["points"] for row in shown), sum(row["points"] for row in rest)]
    points, bars = adding_up(parts, total), waterfall(parts)
    per_log_odds = _points_per_log_odds(line.score, base)
    return GroupPage(
        line=line,
        summary=summary,
        base=points[0],
        base_bar=bars[0],
        people=tuple(
            _person(row, names, shown_points, per_log_odds, bar)
            for row, shown_points, bar in zip(shown, points[1:-1], bars[1:-1], strict=True)
        ),
        others=(len(rest), points[-1], bars[-1]) if rest else None,
        total=total,
        coverage=coverage(line.score, members, template),
        actions=tuple(actions),
    )


def _require_sum(score: Row, base: float, members: list[Row], total: float) -> None:
    added = base + math.fsum(row["points"] for row in members)
    if abs(added - total) > SUM_TOLERANCE:
        raise BadInput(
            f"report: expected the parts of {score['group_id']!r} to add up to its score of "
            f"{total:.3f}, got {added:.3f}; use the model version that made the scores, "
            f"{score['model_version']}, and the three tables of one `mqbg score`"
        )


def _points_per_log_odds(score: Row, base: float) -> float:
    moved = score["log_odds"] - score["base_log_odds"]
    return (100 * score["readiness"] - base) / moved if moved else 0.0


def _person(row: Row, names: Names, points: float, per_log_odds: float, bar: Bar) -> Person:
    full_name, title, department = names.contact(row["contact_id"])
    position = tuple(text for text in (title, department) if text)
    return Person(
        member=row,
        name=full_name,
        position=position,
        points=points,
        error=abs(row["contribution_se"] * per_log_odds),
        bar=bar,
    )


def coverage(score: Row, members: Sequence[Row], template: Template) -> tuple[Coverage, ...]:
    """The roles of a group's template, and then roles that only its members have.

    Args:
        score: the group's row of the scores table; says which roles are missing.
        members: its rows of the stakeholders table.
        template: of the model.
    """
    lines = {role.name: role.line(score["solution_id"], score["as_of"]) for role in template.roles}
    required = {name: line.required for name, line in lines.items() if line is not None}
    filled = Counter(row["role"] for row in members)
    active = Counter(row["role"] for row in members if row["activities_30d"])
    roles = [*required, *sorted(set(filled) - set(required))]
    return tuple(
        Coverage(
            role=role,
            required=required.get(role),
            members=filled[role],
            active=active[role],
            state=_state(required.get(role), role in score["missing_roles"], filled, active, role),
        )
        for role in roles
    )


def _state(
    required: int | None, missing: bool, filled: Mapping[str, int], active: Mapping[str, int],
    role: str,
) -> str:  # fmt: skip
    if required is None:
        return "unnamed"
    if missing:
        return "missing"
    if not filled[role]:
        return "welcome"
    return "filled" if active[role] else "quiet"
