"""What changed between two scores of one group: a path of states, each valued by the model.

The path is fixed: another model, time alone passing, members, activities, facts. So the parts sum
to the difference of the two scores, and none depends on what somebody chose to look at first. At
the steps where several people move, the difference is shared out by Shapley value (`moves`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...features.tables.feature_source import NO_ID, FeatureSource
from ...features.time_rules.tables_as_of import rows_of_group, tables_as_of
from ...model.bundle import Bundle
from ..shapley.game import Outcome
from .valued_states import State, Transitions, states_of

MODEL, DECAY, MEMBERS = "model", "decay", "members"
ACTIVITY, GROUP_ACTIVITY, FACTS = "activity", "group_activity", "facts"
JOINED, LEFT, NEW_ROLE = "joined", "left", "new_role"
RETURNED, GONE_AGAIN = "returned", "gone_again"
START, END = "start", "end"  # states that are valued as they are


@dataclass(frozen=True)
class Change:
    """One part of the difference.

    Attributes:
        cause: `model`, `decay`, `members`, `activity`, `group_activity` or `facts`.
        contact_id: of the member, where it is about one.
        turn: of `members`: `joined`, `left`, `new_role`, `returned` (in the role they had) or
            `gone_again` (joined and left in between).
        role: of the member; of one who left, the last; of one who is gone again, None.
        role_before: of the member at the earlier cut-off, None for who was not there.
        log_odds: the part.
        error: its standard error in log-odds, 0 when exact.
        points: the same in score points.
    """

    cause: str
    contact_id: str | None = None
    turn: str | None = None
    role: str | None = None
    role_before: str | None = None
    log_odds: float = 0.0
    error: float = 0.0
    points: float = 0.0


@dataclass(frozen=True)
class Changes:
    """The difference between a group's scores at two cut-offs.

    Attributes:
        group_id: of the group.
        since: the earlier cut-off.
        as_of: the later one.
        before: log-odds at the earlier one, by the model that scored then.
        after: log-odds at the later one.
        points_before: the score then, 0 to 100, not rounded.
        points_after: the score now.
        rows: parts that sum to after - before, and their points to the points' difference; model,
            decay and facts once each, members and activities by person.
    """

    group_id: str
    since: datetime
    as_of: datetime
    before: float
    after: float
    points_before: float
    points_after: float
    rows: tuple[Change, ...]


def changes(
    source: FeatureSource,
    group_id: str,
    since: datetime,
    as_of: datetime,
    bundle: Bundle,
    before: Bundle | None = None,
) -> Changes:
    """Splits the difference between a group's scores at two cut-offs.

    Args:
        source: a prepared source of the data.
        group_id: of a group that is open at both.
        since: the earlier cut-off.
        as_of: the later one.
        bundle: the model that scores now.
        before: the model that scored at `since`; None for the same.

    Raises:
        BadInput: the group is not open at one of them, as a model's target has it.
    """
    now = rows_of_group(source.contract_tables, group_id)
    then = _known_before(now, since)
    met = {**then, "members": _members_of(group_id, now["members"], then["members"])}
    acted = {**met, "activities": now["activities"]}
    start, end = states_of(now, group_id, [since, as_of], bundle)
    aged, joined, active = (
        state
        for tables in (then, met, acted)
        for state in states_of(tables, group_id, [as_of], bundle)
    )
    most = len(aged.leavers | joined.leavers)
    path = Transitions(bundle, group_id, {START: start, END: end}, aged, most)
    first, last = path.value(START), path.value(END)
    turns, members = path.between(aged, joined)
    doers, activity = path.between(joined, active)
    steps = [
        ([Change(DECAY, log_odds=members.base - first)], members.base),
        (_turns(turns, members, aged, joined), members.everyone),
        (_activities(doers, activity, active), activity.everyone),
        ([Change(FACTS, log_odds=last - activity.everyone)], last),
    ]
    earlier = first, bundle
    if before is not None:
        (state,) = states_of(now, group_id, [since], before)
        earlier = Transitions(before, group_id, {START: state}, state, 0).value(START), before
    return _summed_up(group_id, since, as_of, earlier, first, steps, bundle)


def _known_before(tables: Mapping[str, pa.Table], until: datetime) -> dict[str, pa.Table]:
    given = {name: ibis.memtable(rows) for name, rows in tables.items()}
    return {name: rows.to_pyarrow() for name, rows in tables_as_of(given, until).items()}


def _members_of(group_id: str, own: pa.Table, others: pa.Table) -> pa.Table:
    """The rows of one group from one table of members, those of all others from another."""
    return pa.concat_tables(
        [
            own.filter(pc.field("group_id") == group_id),
            others.filter(pc.field("group_id") != group_id),
        ]
    )


def _turns(contacts: Sequence[str], outcome: Outcome, before: State, after: State) -> list[Change]:
    """Who joined, left, came back or has another role, the largest part first."""
    parts = [
        Change(
            MEMBERS,
            contact,
            _turn(role_before := before.roles.get(contact), role := after.roles.get(contact)),
            role or role_before,
            role_before,
            float(outcome.contribution[place]),
            float(outcome.error[place]),
        )
        for place, contact in enumerate(contacts)
    ]
    return sorted(parts, key=_size)


def _turn(before: str | None, after: str | None) -> str:
    if after is None:
        return GONE_AGAIN if before is None else LEFT
    if before is None:
        return JOINED
    return RETURNED if before == after else NEW_ROLE


def _activities(contacts: Sequence[str], outcome: Outcome, after: State) -> list[Change]:
    """What was done since, by member, the largest part first; the group's own comes before."""
    parts = [
        Change(
            GROUP_ACTIVITY if contact == NO_ID else ACTIVITY,
            contact or None,
            role=after.roles.get(contact),
            log_odds=float(outcome.contribution[place]),
            error=float(outcome.error[place]),
        )
        for place, contact in enumerate(contacts)
    ]
    return sorted(parts, key=lambda part: (part.cause == ACTIVITY, *_size(part)))


def _size(part: Change) -> tuple[float, str]:
    return -abs(part.log_odds), part.contact_id or ""


def _summed_up(
    group_id: str,
    since: datetime,
    as_of: datetime,
    earlier: tuple[float, Bundle],
    first: float,
    steps: Iterable[tuple[list[Change], float]],
    bundle: Bundle,
) -> Changes:
    """The parts in points: each step moves the score, and its parts share that by log-odds.

    Args:
        group_id: of the group.
        since: the earlier cut-off.
        as_of: the later one.
        earlier: log-odds by the model that scored then, and that model.
        first: log-odds of the same state by today's model.
        steps: parts of each step, and the log-odds after it.
        bundle: today's model.
    """
    before, model = earlier
    points_before, points_first = _points(model, before), _points(bundle, first)
    rows = [Change(MODEL, log_odds=first - before, points=points_first - points_before)]
    at, points_at = first, points_first
    for parts, after in steps:
        points_after = _points(bundle, after)
        per_log_odds = (points_after - points_at) / (after - at) if after != at else 0.0
        rows += [replace(part, points=part.log_odds * per_log_odds) for part in parts]
        at, points_at = after, points_after
    return Changes(group_id, since, as_of, before, at, points_before, points_at, tuple(rows))


def _points(bundle: Bundle, log_odds: float) -> float:
    return float(bundle.points(np.array([log_odds]))[0])
