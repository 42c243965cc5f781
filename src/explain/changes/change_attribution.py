"""What changed between two scores of one group: a path of states, each valued by the model.

The path is fixed: another model, time alone passing, members, activities, facts. So the parts sum
to the difference of the two scores, and none depends on what somebody chose to look at first. At
the steps where several people move, the difference is shared out by Shapley value
(`transition_game`).
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
from .valued_states import GroupState, StateTransitions, group_states

MODEL, DECAY, MEMBERS = "model", "decay", "members"
ACTIVITY, GROUP_ACTIVITY, FACTS = "activity", "group_activity", "facts"
JOINED, LEFT, NEW_ROLE = "joined", "left", "new_role"
RETURNED, JOINED_AND_LEFT = "returned", "gone_again"
START, END = "start", "end"  # states that are valued as they are


@dataclass(frozen=True)
class ChangePart:
    """One part of the difference.

    Attributes:
        cause: `model`, `decay`, `members`, `activity`, `group_activity` or `facts`.
        contact_id: of the member, where it is about one.
        membership_change: of `members`: `joined`, `left`, `new_role`, `returned` (in the role they
            had) or `gone_again` (joined and left in between).
        role: of the member; of one who left, the last; of one who is gone again, None.
        earlier_role: of the member at the earlier cut-off, None for who was not there.
        log_odds: the part.
        standard_error: its standard error in log-odds, 0 when exact.
        points: the same in score points.
    """

    cause: str
    contact_id: str | None = None
    membership_change: str | None = None
    role: str | None = None
    earlier_role: str | None = None
    log_odds: float = 0.0
    standard_error: float = 0.0
    points: float = 0.0


@dataclass(frozen=True)
class ChangeAttribution:
    """The difference between a group's scores at two cut-offs.

    Attributes:
        group_id: of the group.
        since: the earlier cut-off.
        as_of: the later one.
        log_odds_before: log-odds at the earlier one, by the model that scored then.
        log_odds_after: log-odds at the later one.
        points_before: the score then, 0 to 100, not rounded.
        points_after: the score now.
        parts: parts that sum to after - before, and their points to the points' difference; model,
            decay and facts once each, members and activities by person.
    """

    group_id: str
    since: datetime
    as_of: datetime
    log_odds_before: float
    log_odds_after: float
    points_before: float
    points_after: float
    parts: tuple[ChangePart, ...]


def attribute_change(
    source: FeatureSource,
    group_id: str,
    since: datetime,
    as_of: datetime,
    bundle: Bundle,
    earlier_bundle: Bundle | None = None,
) -> ChangeAttribution:
    """Splits the difference between a group's scores at two cut-offs.

    Args:
        source: a prepared source of the data.
        group_id: of a group that is open at both.
        since: the earlier cut-off.
        as_of: the later one.
        bundle: the model that scores now.
        earlier_bundle: the model that scored at `since`; None for the same.

    Raises:
        BadInput: the group is not open at one of them, as a model's target has it.
    """
    tables_now = rows_of_group(source.contract_tables, group_id)
    tables_then = _tables_as_of(tables_now, since)
    with_members = {
        **tables_then,
        "members": _replace_members(group_id, tables_now["members"], tables_then["members"]),
    }
    with_activities = {**with_members, "activities": tables_now["activities"]}
    start, end = group_states(tables_now, group_id, [since, as_of], bundle)
    aged, joined, active = (
        state
        for tables in (tables_then, with_members, with_activities)
        for state in group_states(tables, group_id, [as_of], bundle)
    )
    max_leavers = len(aged.leavers | joined.leavers)
    path = StateTransitions(bundle, group_id, {START: start, END: end}, aged, max_leavers)
    first, last = path.value(START), path.value(END)
    changed_members, membership = path.attribute_between(aged, joined)
    active_contacts, activity = path.attribute_between(joined, active)
    steps = [
        ([ChangePart(DECAY, log_odds=membership.base - first)], membership.base),
        (_membership_parts(changed_members, membership, aged, joined), membership.everyone),
        (_activity_parts(active_contacts, activity, active), activity.everyone),
        ([ChangePart(FACTS, log_odds=last - activity.everyone)], last),
    ]
    earlier = first, bundle
    if earlier_bundle is not None:
        (state,) = group_states(tables_now, group_id, [since], earlier_bundle)
        earlier = (
            StateTransitions(earlier_bundle, group_id, {START: state}, state, 0).value(START),
            earlier_bundle,
        )
    return _in_points(group_id, since, as_of, earlier, first, steps, bundle)


def _tables_as_of(tables: Mapping[str, pa.Table], as_of: datetime) -> dict[str, pa.Table]:
    tables_now = {name: ibis.memtable(rows) for name, rows in tables.items()}
    return {name: rows.to_pyarrow() for name, rows in tables_as_of(tables_now, as_of).items()}


def _replace_members(group_id: str, own: pa.Table, others: pa.Table) -> pa.Table:
    """The rows of one group from one table of members, those of all others from another."""
    return pa.concat_tables(
        [
            own.filter(pc.field("group_id") == group_id),
            others.filter(pc.field("group_id") != group_id),
        ]
    )


def _membership_parts(
    contacts: Sequence[str], outcome: Outcome, before: GroupState, after: GroupState
) -> list[ChangePart]:
    """Who joined, left, came back or has another role, the largest part first."""
    parts = [
        ChangePart(
            MEMBERS,
            contact,
            _membership_change(
                role_before := before.roles.get(contact), role := after.roles.get(contact)
            ),
            role or role_before,
            role_before,
            float(outcome.contribution[index]),
            float(outcome.standard_error[index]),
        )
        for index, contact in enumerate(contacts)
    ]
    return sorted(parts, key=_largest_first)


def _membership_change(before: str | None, after: str | None) -> str:
    if after is None:
        return JOINED_AND_LEFT if before is None else LEFT
    if before is None:
        return JOINED
    return RETURNED if before == after else NEW_ROLE


def _activity_parts(
    contacts: Sequence[str], outcome: Outcome, after: GroupState
) -> list[ChangePart]:
    """What was done since, by member, the largest part first; the group's own comes before."""
    parts = [
        ChangePart(
            GROUP_ACTIVITY if contact == NO_ID else ACTIVITY,
            contact or None,
            role=after.roles.get(contact),
            log_odds=float(outcome.contribution[index]),
            standard_error=float(outcome.standard_error[index]),
        )
        for index, contact in enumerate(contacts)
    ]
    return sorted(parts, key=lambda part: (part.cause == ACTIVITY, *_largest_first(part)))


def _largest_first(part: ChangePart) -> tuple[float, str]:
    return -abs(part.log_odds), part.contact_id or ""


def _in_points(
    group_id: str,
    since: datetime,
    as_of: datetime,
    earlier: tuple[float, Bundle],
    first: float,
    steps: Iterable[tuple[list[ChangePart], float]],
    bundle: Bundle,
) -> ChangeAttribution:
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
    before, earlier_bundle = earlier
    points_before, points_first = _points(earlier_bundle, before), _points(bundle, first)
    rows = [ChangePart(MODEL, log_odds=first - before, points=points_first - points_before)]
    log_odds_at, points_at = first, points_first
    for parts, after in steps:
        points_after = _points(bundle, after)
        per_log_odds = (
            (points_after - points_at) / (after - log_odds_at) if after != log_odds_at else 0.0
        )
        rows += [replace(part, points=part.log_odds * per_log_odds) for part in parts]
        log_odds_at, points_at = after, points_after
    return ChangeAttribution(
        group_id, since, as_of, before, log_odds_at, points_before, points_at, tuple(rows)
    )


def _points(bundle: Bundle, log_odds: float) -> float:
    return float(bundle.score_points(np.array([log_odds]))[0])
