"""The role map of a group: who is there, who is awake, who is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ...features.declare.template import Template
from .portfolio import Row

MAX_SHOWN_MEMBERS = 3
"""Members of a role named one by one, those who are awake first."""


@dataclass(frozen=True, slots=True)
class RoleMember:
    """A member in a role; awake with an inbound activity in the last 30 days."""

    contact_id: str
    active: bool
    last_activity_at: datetime | None


@dataclass(frozen=True, slots=True)
class RoleMapEntry:
    """One role of a group.

    Attributes:
        name: of the role.
        required: how many it needs; None where the template has no such role.
        members: how many are in it.
        active: how many of them are awake.
        state: `filled`, `quiet` (nobody in it is awake), `missing`, `welcome` (empty, not
            required) or `unnamed` (not in the template).
        shown_members: members, those who are awake first, then by their part of the score.
        more: how many further members are not named.
        vacant: how many are still needed.
    """

    name: str
    required: int | None
    members: int
    active: int
    state: str
    shown_members: tuple[RoleMember, ...]
    more: int
    vacant: int


def role_map(score: Row, members: Sequence[Row], template: Template) -> tuple[RoleMapEntry, ...]:
    """The roles of a group's template, and then roles that only its members have.

    Args:
        score: the group's row of the scores table; says which roles are missing.
        members: its rows of the stakeholders table.
        template: of the model.
    """
    requirements = {
        role.name: role.requirement(score["solution_id"], score["as_of"]) for role in template.roles
    }
    required = {
        name: requirement.required
        for name, requirement in requirements.items()
        if requirement is not None
    }
    by_role: dict[str, list[Row]] = {name: [] for name in required}
    for row in sorted(members, key=lambda r: (-r["contribution"], r["contact_id"])):
        by_role.setdefault(row["role"], []).append(row)
    names = [*required, *sorted(set(by_role) - set(required))]
    missing = frozenset(score["missing_roles"])
    return tuple(_entry(name, by_role[name], required, name in missing) for name in names)


def _entry(
    name: str, members: Sequence[Row], required: Mapping[str, int], missing: bool
) -> RoleMapEntry:
    ordered = sorted(members, key=lambda row: not row["activities_30d"])
    active = sum(bool(row["activities_30d"]) for row in members)
    needed = required.get(name)
    return RoleMapEntry(
        name=name,
        required=needed,
        members=len(members),
        active=active,
        state=_state(needed, missing, len(members), active),
        shown_members=tuple(
            RoleMember(row["contact_id"], bool(row["activities_30d"]), row["last_activity_at"])
            for row in ordered[:MAX_SHOWN_MEMBERS]
        ),
        more=max(0, len(members) - MAX_SHOWN_MEMBERS),
        vacant=max(0, (needed or 0) - len(members)),
    )


def _state(required: int | None, missing: bool, members: int, active: int) -> str:
    if required is None:
        return "unnamed"
    if missing:
        return "missing"
    if not members:
        return "welcome"
    return "filled" if active else "quiet"
