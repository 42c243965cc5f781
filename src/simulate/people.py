"""Who is where: accounts, their groups, the contacts in them, and how long each stays.

Everything is an integer code or an instant (timeline.py); words are put on in firms.py,
persons.py and tables.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .parameters import INDUSTRIES, ROLES, TIERS
from .timeline import END, HOUR, NEVER, WEEK, Flags, Floats, Integers, office_times, week_of

SOLUTION_COUNT = 4
COUNTRIES = ("JP", "US", "DE", "GB", "SG", "FR")
_COUNTRY_SHARE = (0.60, 0.16, 0.08, 0.07, 0.05, 0.04)
_OPENING_HOUR_UTC = np.array([0, 13, 7, 8, 1, 7])
_ROLE_SHARE = (0.15, 0.15, 0.21, 0.12, 0.28, 0.09)
_FIRST_ROLE_SHARE = (0.10, 0.30, 0.30, 0.04, 0.24, 0.02)


@dataclass(frozen=True, slots=True)
class Accounts:
    """Companies, one entry each; `opening_hour` is the hour (UTC) at which the office opens."""

    country: Integers
    industry: Integers
    tier: Integers
    employees: Integers
    opening_hour: Integers
    has_mail_scanner: Flags  # the mail gateway opens every mail by itself

    def __len__(self) -> int:
        return self.country.size


@dataclass(frozen=True, slots=True)
class Groups:
    """Buying groups, sorted by account; `ordinal` counts those of one account from 0."""

    account: Integers
    ordinal: Integers
    solution: Integers
    created: Integers

    def __len__(self) -> int:
        return self.account.size


@dataclass(frozen=True, slots=True)
class Memberships:
    """A contact in a group, sorted by group: present in (joined, left].

    From `changed` on (NEVER: not at all) the role is `later_role`.
    """

    group: Integers
    contact: Integers
    role: Integers
    later_role: Integers
    joined: Integers
    changed: Integers
    left: Integers

    def __len__(self) -> int:
        return self.group.size

    def first_of_group(self) -> Integers:
        """Where each group's pairs begin."""
        return np.flatnonzero(np.r_[True, np.diff(self.group) != 0])


@dataclass(frozen=True, slots=True)
class Contacts:
    """People; `role` is the one that the title speaks of, also for those in no group."""

    account: Integers
    role: Integers

    def __len__(self) -> int:
        return self.account.size


def draw_accounts(rng: np.random.Generator, count: int) -> Accounts:
    """Companies in Japan and abroad; bigger ones tend to a higher tier."""
    country = rng.choice(len(COUNTRIES), count, p=_COUNTRY_SHARE)
    employees = np.clip(rng.lognormal(5.8, 1.3, count), 10, 200_000).astype(np.int64)
    rank = np.log10(employees) + rng.normal(0, 0.5, count)
    return Accounts(
        country=country,
        industry=rng.integers(len(INDUSTRIES), size=count),
        tier=len(TIERS) - 1 - np.searchsorted([2.4, 3.1], rank),
        employees=employees,
        opening_hour=_OPENING_HOUR_UTC[country],
        has_mail_scanner=rng.random(count) < 0.15,
    )


def draw_groups_per_account(rng: np.random.Generator, groups: int) -> Integers:
    """How many groups each account has, 1 to 3, summing to `groups`."""
    sizes = rng.choice([1, 2, 3], groups, p=[0.55, 0.30, 0.15])
    total = sizes.cumsum()
    last = int(np.searchsorted(total, groups))
    sizes[last] -= total[last] - groups
    return sizes[: last + 1]


def draw_groups(rng: np.random.Generator, sizes: Integers, accounts: Accounts) -> Groups:
    """Groups over the first 80 weeks; those of one account differ in solution."""
    account = np.repeat(np.arange(sizes.size), sizes)
    ordinal = np.arange(account.size) - np.repeat(sizes.cumsum() - sizes, sizes)
    order = np.argsort(rng.random((sizes.size, SOLUTION_COUNT)), axis=1)
    week = rng.integers(80, size=account.size)
    created = office_times(rng, week, accounts.opening_hour[account])
    return Groups(account, ordinal, order[account, ordinal], created)


def draw_memberships(rng: np.random.Generator, groups: Groups) -> tuple[Memberships, Integers]:
    """Members of every group, and the pair that each contact was first drawn for."""
    sizes = _draw_group_sizes(rng, len(groups))
    group = np.repeat(np.arange(len(groups)), sizes)
    slot = np.arange(group.size) - np.repeat(sizes.cumsum() - sizes, sizes)
    contact, first_membership = _draw_contact_codes(rng, groups, group, slot, sizes)
    role, later_role = _draw_roles(rng, slot)
    joined, changed, left = _draw_membership_times(rng, groups.created[group], slot)
    return Memberships(group, contact, role, later_role, joined, changed, left), first_membership


def _draw_group_sizes(rng: np.random.Generator, count: int) -> Integers:
    usual = np.minimum(2 + rng.poisson(rng.gamma(4.0, 0.85, count)), 12)
    large = rng.integers(13, 31, count)
    return np.where(rng.random(count) < 0.012, large, usual).astype(np.int64)


def _draw_contact_codes(
    rng: np.random.Generator, groups: Groups, group: Integers, slot: Integers, sizes: Integers
) -> tuple[Integers, Integers]:
    """Contact codes per pair: some sit in the account's previous group as well.

    A shared contact is the one in the same slot of the previous group, so that nobody can
    be in one group twice.
    """
    first = sizes.cumsum() - sizes
    contact = np.arange(group.size)
    wanted = rng.random(group.size) < 0.22
    for ordinal in (1, 2):
        shared = np.flatnonzero(wanted & (groups.ordinal[group] == ordinal))
        shared = shared[slot[shared] < sizes[group[shared] - 1]]
        contact[shared] = contact[first[group[shared] - 1] + slot[shared]]
    first_membership, code = np.unique(contact, return_inverse=True)
    return code, first_membership


def _draw_roles(rng: np.random.Generator, slot: Integers) -> tuple[Integers, Integers]:
    usual = rng.choice(len(ROLES), slot.size, p=_ROLE_SHARE)
    opening = rng.choice(len(ROLES), slot.size, p=_FIRST_ROLE_SHARE)
    role = np.where(slot == 0, opening, usual)
    return role, (role + rng.integers(1, len(ROLES), slot.size)) % len(ROLES)


def _draw_membership_times(
    rng: np.random.Generator, created: Integers, slot: Integers
) -> tuple[Integers, Integers, Integers]:
    delay = rng.exponential(np.where(slot < 2, 0.5, 12.0)) * WEEK
    room = (END - created) * 0.9 * rng.random(slot.size)
    joined = created + np.minimum(delay, room).astype(np.int64)
    stay = ((2 + rng.exponential(25.0, slot.size)) * WEEK).astype(np.int64)
    leaves = (rng.random(slot.size) < 0.16) & (joined + stay < END)
    left = np.where(leaves, joined + stay, NEVER)
    span = (np.minimum(left, END) - joined) * rng.uniform(0.2, 0.8, slot.size)
    changes = (rng.random(slot.size) < 0.06) & (span > HOUR)
    return joined, np.where(changes, joined + span.astype(np.int64), NEVER), left


def draw_contacts(
    rng: np.random.Generator,
    groups: Groups,
    memberships: Memberships,
    first_membership: Integers,
    accounts: int,
) -> Contacts:
    """The contacts behind the pairs, then bystanders who are in no group.

    A few work at another account than the group's: consultants, parent companies.
    """
    home = groups.account[memberships.group[first_membership]]
    if accounts > 1:
        elsewhere = (home + rng.integers(1, accounts, home.size)) % accounts
        home = np.where(rng.random(home.size) < 0.025, elsewhere, home)
    bystanders = max(1, home.size // 12)
    return Contacts(
        account=np.r_[home, rng.integers(accounts, size=bystanders)],
        role=np.r_[memberships.role[first_membership], rng.integers(len(ROLES), size=bystanders)],
    )


def active_weeks(memberships: Memberships, before: int, weeks: int) -> Flags:
    """Weeks in which a pair's contact may act: from `before` weeks ahead of joining to leaving.

    Returns:
        shape (pairs, weeks).
    """
    week = np.arange(weeks)
    since = week_of(memberships.joined)[:, None] - before
    until = week_of(memberships.left)[:, None]
    return (week >= since) & (week <= until)


def interest_by_role() -> Floats:
    """How busy each role is, whatever it does: users and technical people most."""
    return np.array([0.95, 1.0, 1.15, 0.9, 1.2, 0.6])
