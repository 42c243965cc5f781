"""What the summaries of a batch are made of: who the contacts are, what they did, what they add."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis.expr.types as ir
import numpy as np

from ...explain.group_members import RecentActivity, recent_activity
from ...explain.shapley.stakeholders import GroupStakeholders
from ...explain.summaries import ActionFacts, Contact, GroupFacts, MemberFacts, without_company
from ...explain.what_ifs import Action
from ...features.tables.feature_source import FeatureSource
from ...features.tables.feature_table import Snapshot

Row = dict[str, Any]


@dataclass(frozen=True)
class SummaryInputs:
    """What sentences say of accounts, solutions and contacts.

    Attributes:
        accounts: name by account_id.
        solutions: name by solution_id.
        contacts: by contact_id.
        recent_activity: what each did recently, by group_id and contact_id.
        contacted: group_id and contact_id of the members that we contacted recently.
    """

    accounts: Mapping[str, str]
    solutions: Mapping[str, str]
    contacts: Mapping[str, Contact]
    recent_activity: Mapping[tuple[str, str], RecentActivity]
    contacted: Collection[tuple[str, str]] = frozenset()


def read_summary_inputs(
    source: FeatureSource, snapshot: Snapshot, contacted_days: int
) -> SummaryInputs:
    """Reads it for a moment.

    Args:
        source: prepared tables.
        snapshot: the moment.
        contacted_days: days for which a contact by us counts as recent.
    """
    accounts = _names_by_id(source, snapshot, "accounts", "account_id")
    columns = ("contact_id", "full_name", "title", "department", "account_id")

    def people() -> ir.Table:
        contacts = source.contract_tables["contacts"]
        return contacts.semi_join(snapshot.people, "contact_id").select(*columns)

    contacts = snapshot.fetch("names_of_people", people)
    return SummaryInputs(
        accounts,
        _names_by_id(source, snapshot, "solutions", "solution_id"),
        {
            contact_id: Contact(contact_id, name, title, department, accounts.get(account_id))
            for contact_id, name, title, department, account_id in zip(
                *(contacts[column].to_pylist() for column in columns), strict=True
            )
        },
        *recent_activity(source, snapshot, contacted_days),
    )


def _names_by_id(source: FeatureSource, snapshot: Snapshot, table: str, key: str) -> dict[str, str]:
    rows = snapshot.fetch(
        f"names_of_{table}", lambda: source.contract_tables[table].select(key, "name")
    )
    return dict(zip(rows[key].to_pylist(), rows["name"].to_pylist(), strict=True))


def member_facts(
    stakeholders: GroupStakeholders, inputs: SummaryInputs, themes: Sequence[str], account: str
) -> tuple[MemberFacts, ...]:
    """The members of a group, in its order.

    Args:
        stakeholders: the group.
        inputs: names and activity.
        themes: names, in the order of `GroupStakeholders.contributions_by_theme`.
        account: name of the group's, which goes without saying.
    """
    member_actions = {
        action.member_index: action
        for action in reversed(stakeholders.actions)
        if action.member_index is not None
    }
    role_actions = {
        action.role: action for action in stakeholders.actions if action.action == "engage_role"
    }
    strongest = _strongest_themes(stakeholders, themes)
    members = []
    for index, contact_id in enumerate(stakeholders.group.contact_ids):
        activity = inputs.recent_activity.get((stakeholders.group.group_id, contact_id))
        activities_30d = 0 if activity is None else activity.activities_30d
        role = stakeholders.group.roles[index]
        action = member_actions.get(index) or (None if activities_30d else role_actions.get(role))
        members.append(
            MemberFacts(
                contact=without_company(inputs.contacts[contact_id], account),
                role=role,
                points=float(stakeholders.points[index]),
                if_leaves=float(stakeholders.if_leaves[index]),
                last_activity_at=None if activity is None else activity.last_activity_at,
                last_activity_kind=None if activity is None else activity.last_activity_kind,
                activities_30d=activities_30d,
                top_kinds=() if activity is None else activity.top_kinds,
                contents=() if activity is None else activity.contents,
                theme=strongest[index],
                single_point=index == stakeholders.single_point_index,
                best_action=None
                if action is None
                else action_facts(action, stakeholders, inputs, account),
            )
        )
    return tuple(members)


def _strongest_themes(stakeholders: GroupStakeholders, themes: Sequence[str]) -> list[str | None]:
    """The theme that carried most of each member's contribution, its way; None where none did."""
    pulls = stakeholders.contributions_by_theme * np.sign(stakeholders.points)[:, None]
    if not pulls.size:
        return [None] * len(pulls)
    strongest = pulls.argmax(axis=1).tolist()
    pulled = (pulls.max(axis=1) > 0).tolist()
    return [
        themes[place] if any_did else None for place, any_did in zip(strongest, pulled, strict=True)
    ]


def action_facts(
    action: Action, stakeholders: GroupStakeholders, inputs: SummaryInputs, account: str
) -> ActionFacts:
    """An action with whom it is about, without the name of the group's account."""
    contact = None
    if action.member_index is not None:
        contact_id = stakeholders.group.contact_ids[action.member_index]
        contact = without_company(inputs.contacts[contact_id], account)
    return ActionFacts(action.action, action.role, contact, action.points, action.support)


def group_facts(
    score: Row,
    members: Sequence[MemberFacts],
    best_step: ActionFacts | None,
    *,
    account: str,
    solution: str,
    horizon_days: int,
    measured: bool,
) -> GroupFacts:
    """What a group's summary is made of, in scoring and on pages alike.

    Args:
        score: its row of the scores table.
        members: its members.
        best_step: the first of its next steps, if it has any.
        account: the account's name.
        solution: the solution's name.
        horizon_days: of the model.
        measured: whether conversions stand behind the model's readiness.
    """
    return GroupFacts(
        account=account,
        solution=solution,
        horizon_days=horizon_days,
        readiness=score["readiness"],
        low=score["readiness_low"],
        high=score["readiness_high"],
        threshold=score["threshold"],
        status=score["status"],
        completeness=score["completeness"],
        completeness_threshold=score["completeness_threshold"],
        missing_roles=score["missing_roles"],
        members=members,
        best_action=best_step,
        measured=measured,
    )


def step_facts(step: Row, inputs: SummaryInputs) -> ActionFacts:
    """A row of the actions table with whom it is about."""
    contact = None if step["contact_id"] is None else inputs.contacts[step["contact_id"]]
    return ActionFacts(step["action"], step["role"], contact, step["points"], step["support"])
