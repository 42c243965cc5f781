"""What-ifs: the same game asked of edited members. Every answer is an association, no promise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from ..features.declare.template import Template
from ..model.bundle import Bundle
from ..settings import RoleRequirement
from .group_members import Group, GroupMembers
from .shapley.coalition_aggregates import Aggregator, Floats, GroupTotals, stack
from .what_if_evidence import NO_EVIDENCE, Evidence

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
        points_low: lower end of the gain's 80 % interval; None where the model has no refits.
        points_high: upper end.
    """

    action: str
    role: str
    member_index: int | None
    points: float
    support: int
    points_low: float | None = None
    points_high: float | None = None


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
    members, active = Counter(group.roles), Counter[str]()
    for role, is_engaged in zip(group.roles, engaged.tolist(), strict=True):
        active[role] += int(is_engaged)
    required = ((role.name, role.requirement(solution_id, as_of)) for role in template.roles)
    return tuple(
        RoleCoverage(name, requirement, members[name], active[name])
        for name, requirement in required
        if requirement is not None
    )


def build_what_ifs(
    aggregator: Aggregator,
    group: GroupMembers,
    totals: GroupTotals,
    coverage: tuple[RoleCoverage, ...],
    reference_terms: Mapping[str, Floats],
    engaged: Floats,
) -> list[WhatIf]:
    """A typical engaged member in each missing role, and each silent member woken."""
    missing = [role.name for role in coverage if role.missing and role.name in reference_terms]
    what_ifs = [
        WhatIf("fill_role", role, (), aggregator.add(totals.everyone, reference_terms[role]))
        for role in missing
    ]
    silent = [
        index for index in np.flatnonzero(engaged == 0) if group.roles[index] in reference_terms
    ]
    interchangeable: dict[tuple[str, bytes], list[int]] = {}
    for index in silent:
        interchangeable.setdefault((group.roles[index], group.terms[index].tobytes()), []).append(
            int(index)
        )
    for (role, _terms), indices in interchangeable.items():
        without = totals.without[totals.types[indices[0]]]
        reactivated = aggregator.add(without, reference_terms[role])
        what_ifs.append(WhatIf("wake_member", role, tuple(indices), reactivated))
    return what_ifs


def stack_what_ifs(what_ifs: list[WhatIf], width: int) -> Floats:
    """Totals of all edits, shape (edits, terms)."""
    return stack([what_if.aggregates[None, :] for what_if in what_ifs], width)


def rank_actions(
    what_ifs: Sequence[WhatIf],
    gains: Floats,
    coverage: tuple[RoleCoverage, ...],
    single_point_index: int | None,
    group: Group,
    loss: Floats,
    bundle: Bundle,
    evidence: Sequence[Evidence] = (),
    protection: Evidence = NO_EVIDENCE,
) -> list[Action]:
    """Actions with an expected gain, best first.

    Left out is what a model of other accounts could turn round: an interval of the gain that
    covers zero; and what hardly any training snapshot was like.

    Args:
        what_ifs: the edits.
        gains: shape (edits,); score points above the group as it is.
        coverage: the template's roles.
        single_point_index: place of the member on whom the group depends, if any.
        group: the members.
        loss: shape (members,); score points lost if the member leaves.
        bundle: gives the minimum of the support, and the support itself where nothing was compared.
        evidence: of each edit; empty where there is none of any.
        protection: of the loss of that member.
    """
    by_role = {member.role: member.snapshots for member in bundle.reference_members}
    min_support = bundle.settings.explain.min_support
    actions: list[Action] = []
    for what_if, gain, found in zip(
        what_ifs, gains.tolist(), evidence or [NO_EVIDENCE] * len(what_ifs), strict=True
    ):
        support = by_role[what_if.role] if found.support is None else found.support
        if support >= min_support and not found.covers_zero:
            actions.extend(
                Action(what_if.action, what_if.role, index, gain, support, found.low, found.high)
                for index in what_if.member_indices or (None,)
            )
    for role_state in coverage:
        reactivations = [
            s for s in actions if s.action == "wake_member" and s.role == role_state.name
        ]
        if role_state.member_count and not role_state.engaged_count and reactivations:
            best = max(reactivations, key=lambda action: action.points)
            actions.append(replace(best, action="engage_role", member_index=None))
    leaver_support = bundle.training.snapshots_with_leavers
    if (
        single_point_index is not None
        and leaver_support >= min_support
        and not protection.covers_zero
    ):
        actions.append(
            Action(
                "protect_member", group.roles[single_point_index], single_point_index,
                float(loss[single_point_index]), leaver_support, protection.low, protection.high,
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
