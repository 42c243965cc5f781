"""What contacts did and what was done to them, before any record of it is written."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .intent import member_interest, weekly_intent
from .parameters import INBOUND, KINDS, PORTAL
from .people import SOLUTIONS, Accounts, Contacts, Groups, Pairs, active_weeks
from .timeline import DAY, END, NEVER, SECOND, START, WEEK, WEEKS, Integers, office_moments

CODE = {kind: code for code, kind in enumerate(KINDS)}
NOBODY = -1
_BASE_RATE = 0.12  # inbound activities a week of a member of average interest, at intent 0
_MOST_A_WEEK = 25.0
# How each role spends its time: rows as ROLES, columns as INBOUND. The busiest roles do the
# weakest kinds, which is what makes "most active" a poor guide.
_MIX = np.array(
    [
        [0.14, 0.14, 0.14, 0.04, 0.04, 0.08, 0.12, 0.05, 0.03, 0.02, 0.18, 0.04],
        [0.24, 0.08, 0.10, 0.10, 0.08, 0.05, 0.12, 0.08, 0.04, 0.04, 0.05, 0.02],
        [0.30, 0.03, 0.06, 0.16, 0.07, 0.03, 0.16, 0.07, 0.03, 0.06, 0.02, 0.01],
        [0.14, 0.24, 0.10, 0.05, 0.03, 0.03, 0.12, 0.06, 0.03, 0.01, 0.15, 0.04],
        [0.40, 0.02, 0.03, 0.12, 0.06, 0.02, 0.22, 0.08, 0.02, 0.02, 0.005, 0.005],
        [0.25, 0.20, 0.05, 0.05, 0.02, 0.02, 0.20, 0.08, 0.04, 0.00, 0.05, 0.04],
    ]
)


@dataclass(frozen=True, slots=True)
class Activities:
    """One entry per activity; NOBODY stands for no contact, no group, no solution.

    `about` is the solution that a page or paper deals with, whether or not the record says so.
    """

    kind: Integers
    contact: Integers
    group: Integers
    solution: Integers
    about: Integers
    occurred: Integers

    def __len__(self) -> int:
        return self.kind.size

    def take(self, rows: Integers) -> Activities:
        """These rows, in this order."""
        return Activities(*(getattr(self, column.name)[rows] for column in fields(self)))


def joined(*parts: Activities) -> Activities:
    """All parts in one, in the order given."""
    return Activities(
        *(np.concatenate([getattr(p, column.name) for p in parts]) for column in fields(Activities))
    )


def inbound(
    rng: np.random.Generator, accounts: Accounts, contacts: Contacts, groups: Groups, pairs: Pairs
) -> Activities:
    """What members do of themselves: Poisson, driven by intent, interest and role.

    It begins up to six weeks before they join. Some of it names the group, some the solution,
    and some is about another solution altogether.
    """
    rate = _BASE_RATE * np.exp(weekly_intent(rng, groups))[pairs.group]
    rate *= member_interest(rng, pairs)
    rate = np.minimum(rate, _MOST_A_WEEK) * active_weeks(pairs, 6, WEEKS)
    pair, week = _scatter(rng, rate)
    changed = pairs.changed[pair] <= START + week * WEEK
    kind = _kinds(rng, np.where(changed, pairs.later_role[pair], pairs.role[pair]))
    contact = pairs.contact[pair]
    occurred = office_moments(rng, week, accounts.opens[contacts.account[contact]])
    group, solution, about = _belonging(rng, groups, pairs.group[pair], kind)
    return Activities(kind, contact, group, solution, about, occurred)


def _scatter(rng: np.random.Generator, rate: NDArray[Any]) -> tuple[Integers, Integers]:
    """Row and column of every event of a matrix of Poisson rates."""
    counts = rng.poisson(rate).ravel()
    cells = np.repeat(np.arange(counts.size), counts)
    return cells // rate.shape[1], cells % rate.shape[1]


def _kinds(rng: np.random.Generator, role: Integers) -> Integers:
    edges = (_MIX / _MIX.sum(axis=1, keepdims=True)).cumsum(axis=1)[:, :-1]
    drawn = rng.random(role.size)
    kind = np.zeros(role.size, dtype=np.int64)
    for edge in edges.T:
        kind += drawn >= edge[role]
    return kind


def _belonging(
    rng: np.random.Generator, groups: Groups, group: Integers, kind: Integers
) -> tuple[Integers, Integers, Integers]:
    own = groups.solution[group]
    drawn = rng.random(group.size)
    named = rng.random(group.size) < np.where(kind == CODE["meeting"], 0.45, 0.08)
    stray = (drawn < 0.06) & ~named
    other = (own + rng.integers(1, SOLUTIONS, group.size)) % SOLUTIONS
    about = np.where(stray, other, own)
    solution = np.where(stray | (drawn > 0.80), about, NOBODY)
    return np.where(named, group, NOBODY), solution, about


def outbound(
    rng: np.random.Generator, accounts: Accounts, contacts: Contacts, groups: Groups, pairs: Pairs
) -> Activities:
    """Mails and calls to members whatever their intent, and what mail gateways make of them."""
    present = active_weeks(pairs, 4, WEEKS)
    parts = []
    for kind, weekly, named in (("email_sent", 0.09, 0.0), ("call_made", 0.03, 0.7)):
        pair, week = _scatter(rng, weekly * present)
        contact, own = pairs.contact[pair], groups.solution[pairs.group[pair]]
        parts.append(
            Activities(
                kind=np.full(pair.size, CODE[kind]),
                contact=contact,
                group=np.where(rng.random(pair.size) < named, pairs.group[pair], NOBODY),
                solution=np.where(rng.random(pair.size) < 0.3, own, NOBODY),
                about=own,
                occurred=office_moments(rng, week, accounts.opens[contacts.account[contact]]),
            )
        )
    return joined(*parts, _machine_opens(rng, accounts, contacts, parts[0]))


def _machine_opens(
    rng: np.random.Generator, accounts: Accounts, contacts: Contacts, mails: Activities
) -> Activities:
    """Gateways with a scanner open every mail one to eight seconds after it was sent."""
    scanned = mails.take(np.flatnonzero(accounts.scanner[contacts.account[mails.contact]]))
    pause = (rng.uniform(1, 8, len(scanned)) * SECOND).astype(np.int64)
    return Activities(
        kind=np.full(len(scanned), CODE["email_open"]),
        contact=scanned.contact,
        group=scanned.group,
        solution=scanned.solution,
        about=scanned.about,
        occurred=scanned.occurred + pause,
    )


def on_the_deal(rng: np.random.Generator, accounts: Accounts, groups: Groups) -> Activities:
    """Meetings and calls that sales logged on the group without a person."""
    open_weeks = np.arange(WEEKS) * WEEK + START > groups.created[:, None]
    group, week = _scatter(rng, 0.025 * open_weeks)
    kind = np.where(rng.random(group.size) < 0.6, CODE["meeting"], CODE["call_made"])
    nobody = np.full(group.size, NOBODY)
    occurred = office_moments(rng, week, accounts.opens[groups.account[group]])
    return Activities(kind, nobody, group, nobody, groups.solution[group], occurred)


def of_bystanders(
    rng: np.random.Generator, accounts: Accounts, contacts: Contacts, members: int
) -> Activities:
    """What contacts in no group do: web pages, papers and mails, seldom and to no effect."""
    people = np.arange(members, len(contacts))
    who, week = _scatter(rng, np.full((people.size, WEEKS), 0.08))
    contact = people[who]
    kind = rng.integers(len(INBOUND) - 2, size=who.size)  # all but meetings and inquiries
    about = rng.integers(SOLUTIONS, size=who.size)
    solution = np.where(rng.random(who.size) < 0.3, about, NOBODY)
    occurred = office_moments(rng, week, accounts.opens[contacts.account[contact]])
    return Activities(kind, contact, np.full(who.size, NOBODY), solution, about, occurred)


def after_conversion(
    rng: np.random.Generator, groups: Groups, pairs: Pairs, converted: Integers
) -> Activities:
    """Logins to the contract portal in the twelve weeks after a conversion.

    Args:
        rng: where chance comes from.
        groups: all groups.
        pairs: all members.
        converted: shape (groups,); the instant of conversion, or NEVER.
    """
    moment = converted[pairs.group]
    there = (moment != NEVER) & (pairs.joined < moment) & (pairs.left >= moment)
    pair = np.repeat(np.arange(len(pairs)), rng.poisson(2.5 * there))
    span = rng.uniform(0.5, 84.0, pair.size) * DAY
    # Clipped first: NEVER plus a span would overflow, though no such pair is drawn.
    occurred = np.minimum(moment[pair], END) + span.astype(np.int64)
    kept = occurred < END
    pair, occurred = pair[kept], occurred[kept]
    group = pairs.group[pair]
    return Activities(
        kind=np.full(pair.size, CODE[PORTAL]),
        contact=pairs.contact[pair],
        group=np.where(rng.random(pair.size) < 0.5, group, NOBODY),
        solution=np.full(pair.size, NOBODY),
        about=groups.solution[group],
        occurred=occurred,
    )
