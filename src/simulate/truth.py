"""The true log-odds of every group at given instants, from what happened.

It reads activities by the contract's rules: one that names a group counts for that group alone;
one that does not counts for every group of its contact whose solution it does not contradict,
also when it is older than the membership. What a contact does counts only while it is a member.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .activities import NO_CODE, Activities
from .parameters import INDUSTRIES, KINDS, ROLES, TIERS, TrueParameters
from .people import Accounts, Groups, Memberships
from .timeline import DAY, Flags, Floats, Integers, month_of

ABSENT = -1


@dataclass(frozen=True, slots=True)
class MemberState:
    """Members at some instants.

    Attributes:
        role: shape (pairs, instants); code in ROLES, or ABSENT.
        own_log_odds: shape (pairs, instants); own part of the log-odds, 0 if absent.
        engaged: shape (pairs, instants); present, and decayed strength above the level.
        base_log_odds: shape (groups, instants); log-odds with nobody in the group.
    """

    role: NDArray[np.int8]
    own_log_odds: Floats
    engaged: Flags
    base_log_odds: Floats


def counting_activities(
    activities: Activities, groups: Groups, memberships: Memberships
) -> tuple[Integers, Integers]:
    """Which activity counts for which pair: two arrays, (activity row, pair row)."""
    by_contact = np.argsort(memberships.contact, kind="stable")
    owners = memberships.contact[by_contact]
    rows = np.flatnonzero(activities.contact != NO_CODE)
    first = np.searchsorted(owners, activities.contact[rows], side="left")
    number = np.searchsorted(owners, activities.contact[rows], side="right") - first
    row = np.repeat(rows, number)
    nth = np.arange(row.size) - np.repeat(number.cumsum() - number, number)
    membership = by_contact[np.repeat(first, number) + nth]
    named, solution = activities.group[row], activities.solution[row]
    group = memberships.group[membership]
    unnamed = (solution == NO_CODE) | (solution == groups.solution[group])
    holds = np.where(named == NO_CODE, unnamed, named == group)
    return row[holds], membership[holds]


def decayed_strength(
    truth: TrueParameters,
    activities: Activities,
    groups: Groups,
    memberships: Memberships,
    instants: Integers,
) -> Floats:
    """Sum of strength x 0.5 ** (age / half-life) over what occurred before each instant.

    Args:
        truth: strengths and the half-life.
        activities: in any order.
        groups: all groups.
        memberships: all members.
        instants: ascending.

    Returns:
        shape (pairs, instants).
    """
    strength = np.array([truth.strength.get(kind, 0.0) for kind in KINDS])
    row, membership = counting_activities(activities, groups, memberships)
    kept = strength[activities.kind[row]] > 0
    row, membership = row[kept], membership[kept]
    when = activities.occurred[row]
    first_later = np.searchsorted(instants, when, side="right")  # the first instant that is later
    kept = first_later < instants.size
    row, membership, when, first_later = row[kept], membership[kept], when[kept], first_later[kept]
    half_life = truth.half_life_days * DAY
    weight = strength[activities.kind[row]] * 0.5 ** ((instants[first_later] - when) / half_life)
    shape = (len(memberships), instants.size)
    cells = np.bincount(membership * shape[1] + first_later, weight, shape[0] * shape[1])
    total: Floats = cells.astype(np.float64).reshape(shape)
    for step in range(1, instants.size):
        fade = 0.5 ** ((instants[step] - instants[step - 1]) / half_life)
        total[:, step] += fade * total[:, step - 1]
    return total


def roles_at(memberships: Memberships, instants: Integers) -> NDArray[np.int8]:
    """Role code of each pair at each ascending instant, ABSENT outside (joined, left]."""
    first_role_end = np.minimum(memberships.changed, memberships.left)
    role = np.full((len(memberships), instants.size), ABSENT, dtype=np.int8)
    for code, since, until in (
        (memberships.role, memberships.joined, first_role_end),
        (memberships.later_role, first_role_end, memberships.left),
    ):
        present = (instants > since[:, None]) & (instants <= until[:, None])
        np.copyto(role, code[:, None].astype(np.int8), where=present)
    return role


def base_log_odds(
    truth: TrueParameters, accounts: Accounts, groups: Groups, instants: Integers
) -> Floats:
    """Intercept, fit and season: the log-odds with nobody in the group, (groups, instants)."""
    industry = np.array([truth.industry[name] for name in INDUSTRIES])[accounts.industry]
    tier = np.array([truth.tier[name] for name in TIERS])[accounts.tier]
    size = np.clip(np.log10(accounts.employees) - truth.size_centre, -1, 1)
    fit = industry + tier + truth.size * size
    season = np.array(truth.season)[month_of(instants) - 1]
    base: Floats = truth.intercept + fit[groups.account][:, None] + season[None, :]
    return base


def member_state_at(
    truth: TrueParameters,
    accounts: Accounts,
    groups: Groups,
    memberships: Memberships,
    activities: Activities,
    instants: Integers,
) -> MemberState:
    """What the log-odds and the members' parts of it follow from, at ascending instants."""
    strength = decayed_strength(truth, activities, groups, memberships, instants)
    role = roles_at(memberships, instants)
    weight = np.array([truth.role_weight[name] for name in ROLES] + [0.0])  # ABSENT is last
    value = weight[role] * -np.expm1(-strength / truth.saturation)
    engaged = (role != ABSENT) & (strength > truth.engaged_above)
    return MemberState(role, value, engaged, base_log_odds(truth, accounts, groups, instants))


def count_engaged(state: MemberState, first_of_group: Integers, role: str) -> Integers:
    """How many engaged members of a role each group has, (groups, instants)."""
    engaged = state.engaged & (state.role == ROLES.index(role))
    return np.add.reduceat(engaged, first_of_group, axis=0, dtype=np.int64)


def true_log_odds(truth: TrueParameters, state: MemberState, first_of_group: Integers) -> Floats:
    """The true log-odds, (groups, instants); `first_of_group` is where each group's pairs begin."""
    total = state.base_log_odds + np.add.reduceat(state.own_log_odds, first_of_group, axis=0)
    engaged = {role: count_engaged(state, first_of_group, role) > 0 for role in ROLES}
    for role in truth.key_roles:
        total += truth.coverage / len(truth.key_roles) * engaged[role]
    one, other = truth.synergy_roles
    return total + truth.synergy * (engaged[one] & engaged[other])
