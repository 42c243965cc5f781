"""What sales and marketing know beside activities: stages, verdicts, answers, costs, contents."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from . import vocabulary as w
from .columns import category_column, concatenate_text, id_column, timestamp_column
from .outcomes import Outcomes
from .people import SOLUTION_COUNT, Accounts, Groups, Memberships
from .timeline import (
    DAY,
    END,
    NEVER,
    START,
    Floats,
    Integers,
    mondays,
    month_starts,
    week_of,
)

STAGES = ("open", "opportunity", "won", "lost", "reopened")


def stage_events_table(
    rng: np.random.Generator, accounts: Accounts, groups: Groups, outcomes: Outcomes
) -> Any:
    """Every stage that a group reached, by group and time; amounts are in yen."""
    amount = np.round(
        np.sqrt(accounts.employees[groups.account]) * rng.lognormal(11.5, 0.5, len(groups)), -4
    )
    stage_times = (
        ("open", groups.created),
        ("opportunity", outcomes.converted),
        ("won", outcomes.won),
        ("lost", np.minimum(outcomes.lost, outcomes.closed)),
        ("reopened", outcomes.reopened),
    )
    stage = np.repeat([STAGES.index(name) for name, _ in stage_times], len(groups))
    group = np.tile(np.arange(len(groups)), len(stage_times))
    occurred = np.concatenate([when for _, when in stage_times])
    rows = np.lexsort((stage, occurred, group))
    rows = rows[occurred[rows] < END]
    priced = np.isin(stage[rows], (STAGES.index("opportunity"), STAGES.index("won")))
    return pa.table(
        {
            "group_id": id_column("G", group[rows], 6),
            "stage": category_column(STAGES, stage[rows]),
            "occurred_at": timestamp_column(occurred[rows]),
            "amount": pa.array(amount[group[rows]], mask=~priced),
        }
    )


def verdicts_table(
    rng: np.random.Generator, groups: Groups, outcomes: Outcomes, log_odds: Floats
) -> Any:
    """What sales said when shown about a third of the groups: better ones please more often.

    Args:
        rng: where chance comes from.
        groups: all groups.
        outcomes: a verdict falls while the group is open.
        log_odds: shape (groups, WEEKS); true log-odds.
    """
    last = week_of(np.minimum(outcomes.converted, outcomes.closed))
    first = week_of(groups.created) + 1
    week = first + (rng.random(len(groups)) * np.maximum(last - first, 0)).astype(np.int64)
    shown = np.flatnonzero((rng.random(len(groups)) < 0.35) & (week < last))
    middle = np.median(log_odds)
    appeal = log_odds[shown, week[shown]] - middle + rng.logistic(0, 1, shown.size)
    accepted = appeal > 0
    # Office hours in Japan are the first of the day in UTC; a Monday's verdict precedes its week.
    decided = mondays()[week[shown]] + (rng.random(shown.size) * DAY / 3).astype(np.int64)
    reason = rng.integers(len(w.REJECTION_REASONS), size=shown.size)
    return pa.table(
        {
            "group_id": id_column("G", shown, 6),
            "decided_at": timestamp_column(decided),
            "verdict": category_column(("rejected", "accepted"), accepted.astype(np.int64)),
            "reason": category_column(
                (*w.REJECTION_REASONS, None), np.where(accepted, len(w.REJECTION_REASONS), reason)
            ),
        }
    )


def answers_table(rng: np.random.Generator, memberships: Memberships) -> Any:
    """What inside sales heard from members on the phone, one to five questions each."""
    asked = rng.random((len(memberships), len(w.ANSWERS_BY_QUESTION))) < 0.6
    asked &= (rng.random(len(memberships)) < 0.12)[:, None]
    membership, question = np.nonzero(asked)
    span = np.minimum(memberships.left, END) - memberships.joined
    called = memberships.joined + (span * 0.6 * rng.random(len(memberships))).astype(np.int64)
    pool = [text for texts in w.ANSWERS_BY_QUESTION.values() for text in texts]
    size = np.array([len(texts) for texts in w.ANSWERS_BY_QUESTION.values()])
    choice = (rng.random(membership.size) * size[question]).astype(np.int64)
    return pa.table(
        {
            "group_id": id_column("G", memberships.group[membership], 6),
            "contact_id": id_column("C", memberships.contact[membership], 6),
            "question": category_column(tuple(w.ANSWERS_BY_QUESTION), question),
            "answer": category_column(pool, (size.cumsum() - size)[question] + choice),
            "answered_at": timestamp_column(called[membership]),
        }
    )


def costs_table(rng: np.random.Generator) -> Any:
    """What each channel cost in each month, in yen."""
    months = np.r_[START, month_starts()]
    channel = np.tile(np.arange(len(w.MONTHLY_COSTS)), months.size)
    usual = np.array(list(w.MONTHLY_COSTS.values()))[channel]
    return pa.table(
        {
            "month": timestamp_column(np.repeat(months, len(w.MONTHLY_COSTS))),
            "channel": category_column(tuple(w.MONTHLY_COSTS), channel),
            "amount": pa.array(np.round(usual * rng.lognormal(0, 0.15, channel.size), -3)),
        }
    )


def contents_table() -> Any:
    """Three contents per kind of page or paper and solution, each for one buying job."""
    rows = [
        (kind, solution, job, title)
        for kind, entries in w.CONTENTS.items()
        for solution in range(SOLUTION_COUNT)
        for job, title in entries
    ]
    return pa.table(
        {
            "content_id": id_column("K", np.arange(len(rows)), 3),
            "title": pa.array([f"{w.SOLUTION_NAMES[row[1]]}: {row[3]}" for row in rows]),
            "buying_job": pa.array([row[2] for row in rows]),
            "solution_id": id_column("S", np.array([row[1] for row in rows]), 1),
            "gated": pa.array([row[0] in w.GATED_KINDS for row in rows]),
        }
    )


def solutions_table() -> Any:
    """The things sold."""
    codes = np.arange(SOLUTION_COUNT)
    return pa.table(
        {"solution_id": id_column("S", codes, 1), "name": category_column(w.SOLUTION_NAMES, codes)}
    )


def groups_table(groups: Groups, account_names: Any) -> Any:
    """Account x solution, by group, with the deal's name, owner and address in the CRM.

    Args:
        groups: of the world.
        account_names: one for each account.
    """
    group_id = id_column("G", np.arange(len(groups)), 6)
    solution = category_column(w.SOLUTION_NAMES, groups.solution)
    return pa.table(
        {
            "group_id": group_id,
            "account_id": id_column("A", groups.account, 5),
            "solution_id": id_column("S", groups.solution, 1),
            "created_at": timestamp_column(groups.created),
            "name": concatenate_text(account_names.take(pa.array(groups.account)), " / ", solution),
            "owner": category_column(w.SALES_OWNERS, groups.account % len(w.SALES_OWNERS)),
            "url": concatenate_text("https://crm.example/deals/", group_id),
        }
    )


def members_table(memberships: Memberships, roles: tuple[str, ...]) -> Any:
    """One row per contact, group and role held; a role change ends one row and starts another."""
    first_role_end = np.minimum(memberships.changed, memberships.left)
    changed = np.flatnonzero(memberships.changed < memberships.left)
    membership: Integers = np.r_[np.arange(len(memberships)), changed]
    role = np.r_[memberships.role, memberships.later_role[changed]]
    since = np.r_[memberships.joined, memberships.changed[changed]]
    until = np.r_[first_role_end, memberships.left[changed]]
    order = np.lexsort((since, membership))
    known = until[order] != NEVER
    return pa.table(
        {
            "group_id": id_column("G", memberships.group[membership[order]], 6),
            "contact_id": id_column("C", memberships.contact[membership[order]], 6),
            "role": category_column(roles, role[order]),
            "joined_at": timestamp_column(since[order]),
            "left_at": timestamp_column(np.where(known, until[order], 0), known),
            "probability": pa.nulls(order.size, pa.float64()),
            "source": pa.array(["crm"] * order.size),
            "joined_is": pa.array(["exact"] * order.size),
        }
    )
