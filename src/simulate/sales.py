"""What sales and marketing know beside activities: stages, verdicts, answers, costs, contents."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from . import words as w
from .columns import ids, times, words
from .outcomes import Outcomes
from .people import SOLUTIONS, Accounts, Groups, Pairs
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
    moments = (
        ("open", groups.created),
        ("opportunity", outcomes.converted),
        ("won", outcomes.won),
        ("lost", np.minimum(outcomes.lost, outcomes.closed)),
        ("reopened", outcomes.reopened),
    )
    stage = np.repeat([STAGES.index(name) for name, _ in moments], len(groups))
    group = np.tile(np.arange(len(groups)), len(moments))
    moment = np.concatenate([when for _, when in moments])
    rows = np.lexsort((stage, moment, group))
    rows = rows[moment[rows] < END]
    priced = np.isin(stage[rows], (STAGES.index("opportunity"), STAGES.index("won")))
    return pa.table(
        {
            "group_id": ids("G", group[rows], 6),
            "stage": words(STAGES, stage[rows]),
            "occurred_at": times(moment[rows]),
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
    liking = log_odds[shown, week[shown]] - middle + rng.logistic(0, 1, shown.size)
    accepted = liking > 0
    # Office hours in Japan are the first of the day in UTC; a Monday's verdict precedes its week.
    decided = mondays()[week[shown]] + (rng.random(shown.size) * DAY / 3).astype(np.int64)
    reason = rng.integers(len(w.REASONS), size=shown.size)
    return pa.table(
        {
            "group_id": ids("G", shown, 6),
            "decided_at": times(decided),
            "verdict": words(("rejected", "accepted"), accepted.astype(np.int64)),
            "reason": words((*w.REASONS, None), np.where(accepted, len(w.REASONS), reason)),
        }
    )


def answers_table(rng: np.random.Generator, pairs: Pairs) -> Any:
    """What inside sales heard from members on the phone, one to five questions each."""
    asked = rng.random((len(pairs), len(w.ANSWERS))) < 0.6
    asked &= (rng.random(len(pairs)) < 0.12)[:, None]
    pair, question = np.nonzero(asked)
    span = np.minimum(pairs.left, END) - pairs.joined
    called = pairs.joined + (span * 0.6 * rng.random(len(pairs))).astype(np.int64)
    pool = [text for texts in w.ANSWERS.values() for text in texts]
    size = np.array([len(texts) for texts in w.ANSWERS.values()])
    choice = (rng.random(pair.size) * size[question]).astype(np.int64)
    return pa.table(
        {
            "group_id": ids("G", pairs.group[pair], 6),
            "contact_id": ids("C", pairs.contact[pair], 6),
            "question": words(tuple(w.ANSWERS), question),
            "answer": words(pool, (size.cumsum() - size)[question] + choice),
            "answered_at": times(called[pair]),
        }
    )


def costs_table(rng: np.random.Generator) -> Any:
    """What each channel cost in each month, in yen."""
    months = np.r_[START, month_starts()]
    channel = np.tile(np.arange(len(w.COSTS)), months.size)
    usual = np.array(list(w.COSTS.values()))[channel]
    return pa.table(
        {
            "month": times(np.repeat(months, len(w.COSTS))),
            "channel": words(tuple(w.COSTS), channel),
            "amount": pa.array(np.round(usual * rng.lognormal(0, 0.15, channel.size), -3)),
        }
    )


def contents_table() -> Any:
    """Three contents per kind of page or paper and solution, each for one buying job."""
    rows = [
        (kind, solution, job, title)
        for kind, entries in w.CONTENTS.items()
        for solution in range(SOLUTIONS)
        for job, title in entries
    ]
    return pa.table(
        {
            "content_id": ids("K", np.arange(len(rows)), 3),
            "title": pa.array([f"{w.SOLUTION_NAMES[row[1]]}: {row[3]}" for row in rows]),
            "buying_job": pa.array([row[2] for row in rows]),
            "solution_id": ids("S", np.array([row[1] for row in rows]), 1),
            "gated": pa.array([row[0] in w.GATED for row in rows]),
        }
    )


def solutions_table() -> Any:
    """The things sold."""
    codes = np.arange(SOLUTIONS)
    return pa.table({"solution_id": ids("S", codes, 1), "name": words(w.SOLUTION_NAMES, codes)})


def groups_table(groups: Groups) -> Any:
    """Account x solution, by group."""
    return pa.table(
        {
            "group_id": ids("G", np.arange(len(groups)), 6),
            "account_id": ids("A", groups.account, 5),
            "solution_id": ids("S", groups.solution, 1),
            "created_at": times(groups.created),
        }
    )


def members_table(pairs: Pairs, roles: tuple[str, ...]) -> Any:
    """One row per contact, group and role held; a role change ends one row and starts another."""
    turn = np.minimum(pairs.changed, pairs.left)
    changed = np.flatnonzero(pairs.changed < pairs.left)
    pair: Integers = np.r_[np.arange(len(pairs)), changed]
    role = np.r_[pairs.role, pairs.later_role[changed]]
    since = np.r_[pairs.joined, pairs.changed[changed]]
    until = np.r_[turn, pairs.left[changed]]
    order = np.lexsort((since, pair))
    known = until[order] != NEVER
    return pa.table(
        {
            "group_id": ids("G", pairs.group[pair[order]], 6),
            "contact_id": ids("C", pairs.contact[pair[order]], 6),
            "role": words(roles, role[order]),
            "joined_at": times(since[order]),
            "left_at": times(np.where(known, until[order], 0), known),
        }
    )
