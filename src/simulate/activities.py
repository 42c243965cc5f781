"""What contacts did and what was done to them, before any record of it is written."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .intent import member_interest, weekly_intent
from .parameters import INBOUND_KINDS, KINDS, PORTAL_KIND
from .people import SOLUTION_COUNT, Accounts, Contacts, Groups, Memberships, active_weeks
from .timeline import DAY, END, NEVER, SECOND, START, WEEK, WEEKS, Integers, office_times

KIND_CODE = {kind: code for code, kind in enumerate(KINDS)}
NO_CODE = -1
_BASE_RATE = 0.12  # inbound activities a week of a member of average interest, at intent 0
_MAX_WEEKLY_RATE = 25.0
# How each role spends its time: rows as ROLES, columns as INBOUND. The busiest roles do the
# weakest kinds, which is what makes "most active" a poor guide.
_KIND_MIX = np.array(
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

    `about_solution` is the solution that a page or paper deals with, whether or not the record
    says so.
    """

    kind: Integers
    contact: Integers
    group: Integers
    solution: Integers
    about_solution: Integers
    occurred: Integers

    def __len__(self) -> int:
        return self.kind.size

    def take(self, rows: Integers) -> Activities:
        """These rows, in this order."""
        return Activities(*(getattr(self, column.name)[rows] for column in fields(self)))


def concatenate_activities(*activities: Activities) -> Activities:
    """All parts in one, in the order given."""
    return Activities(
        *(
            np.concatenate([getattr(part, column.name) for part in activities])
            for column in fields(Activities)
        )
    )


def draw_inbound(
    rng: np.random.Generator,
    accounts: Accounts,
    contacts: Contacts,
    groups: Groups,
    memberships: Memberships,
) -> Activities:
    """What members do of themselves: Poisson, driven by intent, interest and role.

    It begins up to six weeks before they join. Some of it names the group, some the solution,
    and some is about another solution altogether.
    """
    rate = _BASE_RATE * np.exp(weekly_intent(rng, groups))[memberships.group]
    rate *= member_interest(rng, memberships)
    rate = np.minimum(rate, _MAX_WEEKLY_RATE) * active_weeks(memberships, 6, WEEKS)
    membership, week = _poisson_events(rng, rate)
    changed = memberships.changed[membership] <= START + week * WEEK
    kind = _draw_kinds(
        rng, np.where(changed, memberships.later_role[membership], memberships.role[membership])
    )
    contact = memberships.contact[membership]
    occurred = office_times(rng, week, accounts.opening_hour[contacts.account[contact]])
    group, solution, about_solution = _draw_attribution(
        rng, groups, memberships.group[membership], kind
    )
    return Activities(kind, contact, group, solution, about_solution, occurred)


def _poisson_events(rng: np.random.Generator, rate: NDArray[Any]) -> tuple[Integers, Integers]:
    """Row and column of every event of a matrix of Poisson rates."""
    counts = rng.poisson(rate).ravel()
    cells = np.repeat(np.arange(counts.size), counts)
    return cells // rate.shape[1], cells % rate.shape[1]


def _draw_kinds(rng: np.random.Generator, role: Integers) -> Integers:
    edges = (_KIND_MIX / _KIND_MIX.sum(axis=1, keepdims=True)).cumsum(axis=1)[:, :-1]
    drawn = rng.random(role.size)
    kind = np.zeros(role.size, dtype=np.int64)
    for edge in edges.T:
        kind += drawn >= edge[role]
    return kind


def _draw_attribution(
    rng: np.random.Generator, groups: Groups, group: Integers, kind: Integers
) -> tuple[Integers, Integers, Integers]:
    own_solution = groups.solution[group]
    drawn = rng.random(group.size)
    named = rng.random(group.size) < np.where(kind == KIND_CODE["meeting"], 0.45, 0.08)
    off_topic = (drawn < 0.06) & ~named
    other = (own_solution + rng.integers(1, SOLUTION_COUNT, group.size)) % SOLUTION_COUNT
    about_solution = np.where(off_topic, other, own_solution)
    solution = np.where(off_topic | (drawn > 0.80), about_solution, NO_CODE)
    return np.where(named, group, NO_CODE), solution, about_solution


def draw_outbound(
    rng: np.random.Generator,
    accounts: Accounts,
    contacts: Contacts,
    groups: Groups,
    memberships: Memberships,
) -> Activities:
    """Mails and calls to members whatever their intent, and what mail gateways make of them."""
    present = active_weeks(memberships, 4, WEEKS)
    parts = []
    for kind, weekly, named in (("email_sent", 0.09, 0.0), ("call_made", 0.03, 0.7)):
        membership, week = _poisson_events(rng, weekly * present)
        contact, own_solution = (
            memberships.contact[membership],
            groups.solution[memberships.group[membership]],
        )
        parts.append(
            Activities(
                kind=np.full(membership.size, KIND_CODE[kind]),
                contact=contact,
                group=np.where(
                    rng.random(membership.size) < named, memberships.group[membership], NO_CODE
                ),
                solution=np.where(rng.random(membership.size) < 0.3, own_solution, NO_CODE),
                about_solution=own_solution,
                occurred=office_times(rng, week, accounts.opening_hour[contacts.account[contact]]),
            )
        )
    return concatenate_activities(*parts, _machine_opens(rng, accounts, contacts, parts[0]))


def _machine_opens(
    rng: np.random.Generator, accounts: Accounts, contacts: Contacts, mails: Activities
) -> Activities:
    """Gateways with a scanner open every mail one to eight seconds after it was sent."""
    scanned = mails.take(np.flatnonzero(accounts.has_mail_scanner[contacts.account[mails.contact]]))
    pause = (rng.uniform(1, 8, len(scanned)) * SECOND).astype(np.int64)
    return Activities(
        kind=np.full(len(scanned), KIND_CODE["email_open"]),
        contact=scanned.contact,
        group=scanned.group,
        solution=scanned.solution,
        about_solution=scanned.about_solution,
        occurred=scanned.occurred + pause,
    )


def draw_group_activities(
    rng: np.random.Generator, accounts: Accounts, groups: Groups
) -> Activities:
    """Meetings and calls that sales logged on the group without a person."""
    open_weeks = np.arange(WEEKS) * WEEK + START > groups.created[:, None]
    group, week = _poisson_events(rng, 0.025 * open_weeks)
    kind = np.where(rng.random(group.size) < 0.6, KIND_CODE["meeting"], KIND_CODE["call_made"])
    nobody = np.full(group.size, NO_CODE)
    occurred = office_times(rng, week, accounts.opening_hour[groups.account[group]])
    return Activities(kind, nobody, group, nobody, groups.solution[group], occurred)


def draw_bystander_activities(
    rng: np.random.Generator, accounts: Accounts, contacts: Contacts, members: int
) -> Activities:
    """What contacts in no group do: web pages, papers and mails, seldom and to no effect."""
    people = np.arange(members, len(contacts))
    person, week = _poisson_events(rng, np.full((people.size, WEEKS), 0.08))
    contact = people[person]
    kind = rng.integers(len(INBOUND_KINDS) - 2, size=person.size)  # all but meetings and inquiries
    about_solution = rng.integers(SOLUTION_COUNT, size=person.size)
    solution = np.where(rng.random(person.size) < 0.3, about_solution, NO_CODE)
    occurred = office_times(rng, week, accounts.opening_hour[contacts.account[contact]])
    return Activities(
        kind, contact, np.full(person.size, NO_CODE), solution, about_solution, occurred
    )


def draw_portal_logins(
    rng: np.random.Generator, groups: Groups, memberships: Memberships, converted: Integers
) -> Activities:
    """Logins to the contract portal in the twelve weeks after a conversion.

    Args:
        rng: where chance comes from.
        groups: all groups.
        memberships: all members.
        converted: shape (groups,); the instant of conversion, or NEVER.
    """
    converted_at = converted[memberships.group]
    can_log_in = (
        (converted_at != NEVER)
        & (memberships.joined < converted_at)
        & (memberships.left >= converted_at)
    )
    membership = np.repeat(np.arange(len(memberships)), rng.poisson(2.5 * can_log_in))
    span = rng.uniform(0.5, 84.0, membership.size) * DAY
    # Clipped first: NEVER plus a span would overflow, though no such pair is drawn.
    occurred = np.minimum(converted_at[membership], END) + span.astype(np.int64)
    kept = occurred < END
    membership, occurred = membership[kept], occurred[kept]
    group = memberships.group[membership]
    return Activities(
        kind=np.full(membership.size, KIND_CODE[PORTAL_KIND]),
        contact=memberships.contact[membership],
        group=np.where(rng.random(membership.size) < 0.5, group, NO_CODE),
        solution=np.full(membership.size, NO_CODE),
        about_solution=groups.solution[group],
        occurred=occurred,
    )
