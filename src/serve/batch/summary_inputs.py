"""What the summaries of a batch are made of: who the contacts are, what they did, what they add."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import ibis.expr.types as ir
import numpy as np

from ...explain.group_members import Recent, recent_activity
from ...explain.shapley.stakeholders import Stakeholders
from ...explain.summaries import Contact, GroupFacts, Person, Step
from ...explain.what_ifs import Action
from ...features.tables.feature_source import FeatureSource
from ...features.tables.feature_table import Snapshot

Row = dict[str, Any]


@dataclass(frozen=True)
class Known:
    """What sentences say of accounts, solutions and contacts.

    Attributes:
        accounts: name by account_id.
        solutions: name by solution_id.
        contacts: by contact_id.
        activity: what each did of late, by group_id and contact_id.
    """

    accounts: Mapping[str, str]
    solutions: Mapping[str, str]
    contacts: Mapping[str, Contact]
    activity: Mapping[tuple[str, str], Recent]


def known_at(source: FeatureSource, at: Snapshot) -> Known:
    """Reads it for a moment."""
    accounts = _names(source, at, "accounts", "account_id")
    columns = ("contact_id", "full_name", "title", "department", "account_id")

    def people() -> ir.Table:
        contacts = source.contract_tables["contacts"]
        return contacts.semi_join(at.people, "contact_id").select(*columns)

    contacts = at.fetch("names_of_people", people)
    return Known(
        accounts,
        _names(source, at, "solutions", "solution_id"),
        {
            contact_id: Contact(contact_id, name, title, department, accounts.get(account_id))
            for contact_id, name, title, department, account_id in zip(
                *(contacts[column].to_pylist() for column in columns), strict=True
            )
        },
        recent_activity(source, at),
    )


def _names(source: FeatureSource, at: Snapshot, table: str, key: str) -> dict[str, str]:
    rows = at.fetch(f"names_of_{table}", lambda: source.contract_tables[table].select(key, "name"))
    return dict(zip(rows[key].to_pylist(), rows["name"].to_pylist(), strict=True))


def persons(one: Stakeholders, known: Known, themes: Sequence[str]) -> tuple[Person, ...]:
    """The members of a group, in its order.

    Args:
        one: the group.
        known: names and activity.
        themes: names, in the order of `Stakeholders.by_theme`.
    """
    own = {step.member: step for step in reversed(one.actions) if step.member is not None}
    by_role = {step.role: step for step in one.actions if step.action == "engage_role"}
    found = []
    for place, contact_id in enumerate(one.group.contact_ids):
        activity = known.activity.get((one.group.group_id, contact_id))
        active = 0 if activity is None else activity.activities_30d
        role = one.group.roles[place]
        action = own.get(place) or (None if active else by_role.get(role))
        found.append(
            Person(
                contact=known.contacts[contact_id],
                role=role,
                points=float(one.points[place]),
                if_leaves=float(one.if_leaves[place]),
                last_activity_at=None if activity is None else activity.last_activity_at,
                last_activity_kind=None if activity is None else activity.last_activity_kind,
                activities_30d=active,
                top_kinds=() if activity is None else activity.top_kinds,
                contents=() if activity is None else activity.contents,
                theme=_strongest(one, place, themes),
                single_point=place == one.single_point,
                step=None if action is None else told_step(action, one, known),
            )
        )
    return tuple(found)


def _strongest(one: Stakeholders, place: int, themes: Sequence[str]) -> str | None:
    """The theme that carried most of a member's contribution, its way; None where none did."""
    pulls = one.by_theme[place] * np.sign(one.points[place])
    return themes[int(np.argmax(pulls))] if pulls.size and pulls.max() > 0 else None


def told_step(action: Action, one: Stakeholders, known: Known) -> Step:
    """An action with whom it is about."""
    contact = None
    if action.member is not None:
        contact = known.contacts[one.group.contact_ids[action.member]]
    return Step(action.action, action.role, contact, action.points, action.support)


def group_facts(
    score: Row, people: Sequence[Person], one: Stakeholders, known: Known, horizon_days: int
) -> GroupFacts:
    """What a group's summary is made of.

    Args:
        score: its row of the scores table.
        people: its members.
        one: its stakeholders.
        known: names.
        horizon_days: of the model.
    """
    as_of: datetime = score["as_of"]
    return GroupFacts(
        account=known.accounts[score["account_id"]],
        solution=known.solutions[score["solution_id"]],
        as_of=as_of,
        horizon_days=horizon_days,
        readiness=score["readiness"],
        low=score["readiness_low"],
        high=score["readiness_high"],
        threshold=score["threshold"],
        status=score["status"],
        completeness=score["completeness"],
        completeness_threshold=score["completeness_threshold"],
        missing_roles=score["missing_roles"],
        people=people,
        step=told_step(one.actions[0], one, known) if one.actions else None,
    )
