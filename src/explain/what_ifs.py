"""What-ifs: the same game asked of edited members. Every answer is an association, no promise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from ..features.declare.template import Template
from ..model.bundle import Bundle
from ..settings import RoleRequirement
from .group_members import GroupMembers
from .shapley.coalition_aggregates import Aggregator, Floats, stack

MAX_ACTIONS = 10  # per group, the best ones


@dataclass(frozen=True)
class WhatIf:
    """One edited group to value.

    Attributes:
        action: `fill_role` or `wake_member`.
        role: of the person added or woken.
        member_indices: places of the members it is about; alike members share one edit.
        aggregates: shape (terms,).
    """

    action: str
    role: str
    member_indices: tuple[int, ...]
    aggregates: Floats


@dataclass(frozen=True)
class Action:
    """A step that goes with a higher (or, for protect_member, a lower) score.

    Attributes:
        action: `fill_role`, `engage_role`, `wake_member` or `protect_member`.
        role: the role concerned.
        member_index: place of the member concerned, None for a missing role.
        points: expected gain in score points.
        support: training snapshots that were like the edited group.
    """

    action: str
    role: str
    member_index: int | None
    points: float
    support: int


@dataclass(frozen=True)
class RoleCoverage:
    """One line of a template, and who fills it."""

    name: str
    requirement: RoleRequirement
    member_count: int
    engaged_count: int

    @property
    def missing(self) -> bool:
        """Fewer members than required."""
        return self.member_count < self.requirement.required


def role_coverage(
    template: Template, group: GroupMembers, solution_id: str, as_of: datetime, engaged: Floats
) -> tuple[RoleCoverage, ...]:
    """Each role of the solution's template with its members and engaged members."""
    coverage = []
    for role in template.roles:
        requirement = role.requirement(solution_id, as_of)
        if requirement is not None:
            in_role = group.roles == role.name
            coverage.append(
                RoleCoverage(
                    role.name, requirement, int(in_role.sum()), int(engaged[in_role].sum())
                )
            )
    return tuple(coverage)


def build_what_ifs(
    aggregator: Aggregator,
    group: GroupMembers,
    coverage: tuple[RoleCoverage, ...],
    reference_terms: Mapping[str, Floats],
    engaged: Floats,
) -> list[WhatIf]:
    """A typical engaged member in each missing role, and each silent member woken."""
    with_everyone = aggregator.prefixes(group.base, group.terms)[-1:]
    what_ifs = [
        WhatIf(
            "fill_role", role.name, (), aggregator.add(with_everyone, reference_terms[role.name])[0]
        )
        for role in coverage
        if role.missing and role.name in reference_terms
    ]
    silent = [
        index for index in np.flatnonzero(engaged == 0) if group.roles[index] in reference_terms
    ]
    if not silent:
        return what_ifs
    without = aggregator.leave_one_out(group.base, group.terms)
    interchangeable: dict[tuple[str, bytes], list[int]] = {}
    for index in silent:
        interchangeable.setdefault((group.roles[index], group.terms[index].tobytes()), []).append(
            int(index)
        )
    for (role, _terms), indices in interchangeable.items():
        reactivated = aggregator.add(without[indices[0]][None, :], reference_terms[role])[0]
        what_ifs.append(WhatIf("wake_member", role, tuple(indices), reactivated))
    return what_ifs


def stack_what_ifs(what_ifs: list[WhatIf], width: int) -> Floats:
    """Totals of all edits, shape (edits, terms)."""
    return stack([what_if.aggregates[None, :] for what_if in what_ifs], width)


def rank_actions(
    what_ifs: list[WhatIf],
    gains: Floats,
    coverage: tuple[RoleCoverage, ...],
    single_point_index: int | None,
    group: GroupMembers,
    loss: Floats,
    bundle: Bundle,
) -> list[Action]:
    """Actions with an expected gain, best first.

    Args:
        what_ifs: the edits.
        gains: shape (edits,); score points above the group as it is.
        coverage: the template's roles.
        single_point_index: place of the member on whom the group depends, if any.
        group: the members.
        loss: shape (members,); score points lost if the member leaves.
        bundle: gives the support and its minimum.
    """
    support = {member.role: member.snapshots for member in bundle.reference_members}
    actions: list[Action] = []
    for what_if, gain in zip(what_ifs, gains, strict=True):
        indices = what_if.member_indices or (None,)
        actions.extend(
            Action(what_if.action, what_if.role, index, float(gain), support[what_if.role])
            for index in indices
        )
    for role_state in coverage:
        reactivations = [
            s for s in actions if s.action == "wake_member" and s.role == role_state.name
        ]
        if role_state.member_count and not role_state.engaged_count and reactivations:
            best = max(reactivations, key=lambda action: action.points)
            actions.append(Action("engage_role", role_state.name, None, best.points, best.support))
    leaver_support = bundle.training.snapshots_with_leavers
    if single_point_index is not None and leaver_support >= bundle.settings.explain.min_support:
        actions.append(
            Action(
                "protect_member", group.roles[single_point_index], single_point_index,
                float(loss[single_point_index]), leaver_support,
            )
        )  # fmt: skip
    helpful = [action for action in actions if action.points > 0]
    # engage_role says the same as its best wake_member, one level up: it comes first.
    helpful.sort(
        key=lambda s: (
            -s.points,
            s.action,
            s.role,
            -1 if s.member_index is None else s.member_index,
        )
    )
    return helpful[:MAX_ACTIONS]
