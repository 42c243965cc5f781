"""The true log-odds of every group at given instants, from what happened.

It reads activities by the contract's rules: one that names a group counts for that group alone;
one that does not counts for every group of its contact whose solution it does not contradict,
also when it is older than the membership. What a contact does counts only while it is a member.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .activities import NOBODY, Activities
from .parameters import INDUSTRIES, KINDS, ROLES, TIERS, Truth
from .people import Accounts, Groups, Pairs
from .timeline import DAY, Flags, Floats, Integers, month_of

ABSENT = -1


@dataclass(frozen=True, slots=True)
class State:
    """Members at some instants.

    Attributes:
        role: shape (pairs, instants); code in ROLES, or ABSENT.
        value: shape (pairs, instants); own part of the log-odds, 0 if absent.
        engaged: shape (pairs, instants); present, and decayed strength above the level.
        base: shape (groups, instants); log-odds with nobody in the group.
    """

    role: NDArray[np.int8]
    value: Floats
    engaged: Flags
    base: Floats


def counted(activities: Activities, groups: Groups, pairs: Pairs) -> tuple[Integers, Integers]:
    """Which activity counts for which pair: two arrays, (activity row, pair row)."""
    by_contact = np.argsort(pairs.contact, kind="stable")
    owners = pairs.contact[by_contact]
    rows = np.flatnonzero(activities.contact != NOBODY)
    first = np.searchsorted(owners, activities.contact[rows], side="left")
    number = np.searchsorted(owners, activities.contact[rows], side="right") - first
    row = np.repeat(rows, number)
    nth = np.arange(row.size) - np.repeat(number.cumsum() - number, number)
    pair = by_contact[np.repeat(first, number) + nth]
    named, solution = activities.group[row], activities.solution[row]
    group = pairs.group[pair]
    unnamed = (solution == NOBODY) | (solution == groups.solution[group])
    holds = np.where(named == NOBODY, unnamed, named == group)
    return row[holds], pair[holds]


def decayed_strength(
    truth: Truth, activities: Activities, groups: Groups, pairs: Pairs, instants: Integers
) -> Floats:
    """Sum of strength x 0.5 ** (age / half-life) over what occurred before each instant.

    Args:
        truth: strengths and the half-life.
        activities: in any order.
        groups: all groups.
        pairs: all members.
        instants: ascending.

    Returns:
        shape (pairs, instants).
    """
    strength = np.array([truth.strength.get(kind, 0.0) for kind in KINDS])
    row, pair = counted(activities, groups, pairs)
    kept = strength[activities.kind[row]] > 0
    row, pair = row[kept], pair[kept]
    when = activities.occurred[row]
    seen = np.searchsorted(instants, when, side="right")  # the first instant that is later
    kept = seen < instants.size
    row, pair, when, seen = row[kept], pair[kept], when[kept], seen[kept]
    half_life = truth.half_life_days * DAY
    weight = strength[activities.kind[row]] * 0.5 ** ((instants[seen] - when) / half_life)
    shape = (len(pairs), instants.size)
    cells = np.bincount(pair * shape[1] + seen, weight, shape[0] * shape[1])
    total: Floats = cells.astype(np.float64).reshape(shape)
    for step in range(1, instants.size):
        fade = 0.5 ** ((instants[step] - instants[step - 1]) / half_life)
        total[:, step] += fade * total[:, step - 1]
    return total


def roles_at(pairs: Pairs, instants: Integers) -> NDArray[np.int8]:
    """Role code of each pair at each ascending instant, ABSENT outside (joined, left]."""
    turn = np.minimum(pairs.changed, pairs.left)
    role = np.full((len(pairs), instants.size), ABSENT, dtype=np.int8)
    for code, since, until in (
        (pairs.role, pairs.joined, turn),
        (pairs.later_role, turn, pairs.left),
    ):
        there = (instants > since[:, None]) & (instants <= until[:, None])
        np.copyto(role, code[:, None].astype(np.int8), where=there)
    return role


def base_log_odds(truth: Truth, accounts: Accounts, groups: Groups, instants: Integers) -> Floats:
    """Intercept, fit and season: the log-odds with nobody in the group, (groups, instants)."""
    industry = np.array([truth.industry[name] for name in INDUSTRIES])[accounts.industry]
    tier = np.array([truth.tier[name] for name in TIERS])[accounts.tier]
    size = np.clip(np.log10(accounts.employees) - truth.size_centre, -1, 1)
    fit = industry + tier + truth.size * size
    season = np.array(truth.season)[month_of(instants) - 1]
    base: Floats = truth.intercept + fit[groups.account][:, None] + season[None, :]
    return base


def state_at(
    truth: Truth,
    accounts: Accounts,
    groups: Groups,
    pairs: Pairs,
    activities: Activities,
    instants: Integers,
) -> State:
    """What the log-odds and the members' parts of it follow from, at ascending instants."""
    strength = decayed_strength(truth, activities, groups, pairs, instants)
    role = roles_at(pairs, instants)
    weight = np.array([truth.role_weight[name] for name in ROLES] + [0.0])  # ABSENT is last
    value = weight[role] * -np.expm1(-strength / truth.saturation)
    engaged = (role != ABSENT) & (strength > truth.engaged_above)
    return State(role, value, engaged, base_log_odds(truth, accounts, groups, instants))


def engaged_of_role(state: State, first: Integers, role: str) -> Integers:
    """How many engaged members of a role each group has, (groups, instants)."""
    there = state.engaged & (state.role == ROLES.index(role))
    return np.add.reduceat(there, first, axis=0, dtype=np.int64)


def log_odds(truth: Truth, state: State, first: Integers) -> Floats:
    """The true log-odds, (groups, instants); `first` is where each group's pairs begin."""
    total = state.base + np.add.reduceat(state.value, first, axis=0)
    awake = {role: engaged_of_role(state, first, role) > 0 for role in ROLES}
    for role in truth.key_roles:
        total += truth.coverage / len(truth.key_roles) * awake[role]
    one, other = truth.synergy_roles
    return total + truth.synergy * (awake[one] & awake[other])
