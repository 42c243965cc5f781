"""What-ifs: the same game asked of edited members. Every answer is an association, no promise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from ..features.declare.template import Template
from ..model.bundle import Bundle
from ..settings import Role
from .group_members import GroupMembers
from .shapley.coalition_aggregates import Floats, Totals, stack

MAX_ACTIONS = 10  # per group, the best ones


@dataclass(frozen=True)
class Edit:
    """One edited group to value.

    Attributes:
        action: `fill_role` or `wake_member`.
        role: of the person added or woken.
        members: places of the members it is about; alike members share one edit.
        totals: shape (terms,).
    """

    action: str
    role: str
    members: tuple[int, ...]
    totals: Floats


@dataclass(frozen=True)
class Action:
    """A step that goes with a higher (or, for protect_member, a lower) score.

    Attributes:
        action: `fill_role`, `engage_role`, `wake_member` or `protect_member`.
        role: the role concerned.
        member: place of the member concerned, None for a missing role.
        points: expected gain in score points.
        support: training snapshots that were like the edited group.
    """

    action: str
    role: str
    member: int | None
    points: float
    support: int


@dataclass(frozen=True)
class RoleState:
    """One line of a template, and who fills it."""

    name: str
    line: Role
    filled: int
    engaged: int

    @property
    def missing(self) -> bool:
        """Fewer members than required."""
        return self.filled < self.line.required


def role_states(
    template: Template, group: GroupMembers, solution_id: str, as_of: datetime, engaged: Floats
) -> tuple[RoleState, ...]:
    """Each role of the solution's template with its members and engaged members."""
    states = []
    for role in template.roles:
        line = role.requirement(solution_id, as_of)
        if line is not None:
            has = group.roles == role.name
            states.append(RoleState(role.name, line, int(has.sum()), int(engaged[has].sum())))
    return tuple(states)


def edits(
    totals: Totals,
    group: GroupMembers,
    states: tuple[RoleState, ...],
    typical: Mapping[str, Floats],
    engaged: Floats,
) -> list[Edit]:
    """A typical engaged member in each missing role, and each silent member woken."""
    everyone = totals.prefixes(group.base, group.terms)[-1:]
    found = [
        Edit("fill_role", state.name, (), totals.add(everyone, typical[state.name])[0])
        for state in states
        if state.missing and state.name in typical
    ]
    silent = [place for place in np.flatnonzero(engaged == 0) if group.roles[place] in typical]
    if not silent:
        return found
    without = totals.without_each(group.base, group.terms)
    same: dict[tuple[str, bytes], list[int]] = {}
    for place in silent:
        same.setdefault((group.roles[place], group.terms[place].tobytes()), []).append(int(place))
    for (role, _terms), places in same.items():
        woken = totals.add(without[places[0]][None, :], typical[role])[0]
        found.append(Edit("wake_member", role, tuple(places), woken))
    return found


def edited_totals(found: list[Edit], width: int) -> Floats:
    """Totals of all edits, shape (edits, terms)."""
    return stack([edit.totals[None, :] for edit in found], width)


def actions(
    found: list[Edit],
    gains: Floats,
    states: tuple[RoleState, ...],
    single_point: int | None,
    group: GroupMembers,
    loss: Floats,
    bundle: Bundle,
) -> list[Action]:
    """Actions with an expected gain, best first.

    Args:
        found: the edits.
        gains: shape (edits,); score points above the group as it is.
        states: the template's roles.
        single_point: place of the member on whom the group depends, if any.
        group: the members.
        loss: shape (members,); score points lost if the member leaves.
        bundle: gives the support and its minimum.
    """
    support = {member.role: member.snapshots for member in bundle.typical}
    steps: list[Action] = []
    for edit, gain in zip(found, gains, strict=True):
        places = edit.members or (None,)
        steps.extend(
            Action(edit.action, edit.role, place, float(gain), support[edit.role])
            for place in places
        )
    for state in states:
        wakes = [s for s in steps if s.action == "wake_member" and s.role == state.name]
        if state.filled and not state.engaged and wakes:
            best = max(wakes, key=lambda step: step.points)
            steps.append(Action("engage_role", state.name, None, best.points, best.support))
    leavers = bundle.training.snapshots_with_leavers
    if single_point is not None and leavers >= bundle.settings.explain.min_support:
        steps.append(
            Action(
                "protect_member", group.roles[single_point], single_point,
                float(loss[single_point]), leavers,
            )
        )  # fmt: skip
    helpful = [step for step in steps if step.points > 0]
    # engage_role says the same as its best wake_member, one level up: it comes first.
    helpful.sort(key=lambda s: (-s.points, s.action, s.role, -1 if s.member is None else s.member))
    return helpful[:MAX_ACTIONS]
