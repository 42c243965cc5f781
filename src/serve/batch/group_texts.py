"""A group's texts, written from the stored facts of its scores in any language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...explain.language import Language
from ...explain.reasons import Reason, reason_sentences
from ...explain.summaries import (
    ActionFacts,
    Contact,
    MemberFacts,
    action_text,
    active_members,
    group_summary,
    without_company,
)
from ...features.declare.feature import Feature
from ...settings import Settings
from .names import Names
from .next_steps import next_steps
from .summary_inputs import group_facts

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class GroupTexts:
    """What a page says of a group in sentences.

    Attributes:
        reasons: why its score is above or below the average, the strongest first.
        active: who was active in the last 30 days, by role; None where nobody is in the group.
        steps: its next steps, the best first.
        summary: short form and details.
    """

    reasons: tuple[str, ...]
    active: str | None
    steps: tuple[str, ...]
    summary: str


def group_texts(
    score: Row,
    members: Sequence[Row],
    actions: Sequence[Row],
    reason_facts: Sequence[str] | None,
    names: Names,
    features: Mapping[str, Feature],
    settings: Settings,
    language: Language,
    *,
    measured: bool,
) -> GroupTexts:
    """The texts of one group; nothing is scored again.

    Args:
        score: its row of the scores table.
        members: its rows of the stakeholders table.
        actions: its rows of the actions table.
        reason_facts: of the summaries table; None where an earlier version scored, whose reasons
            then stay in the language they were written in.
        names: of accounts, solutions and contacts.
        features: of the model that scored, by name.
        settings: of the model; [target] and [explain] are read.
        language: the language.
        measured: whether conversions stand behind the model's readiness.
    """
    account = names.account(score["account_id"])
    steps = [
        _step_facts(row, account, names) for row in next_steps(actions, score, settings.explain)
    ]
    people = [_member_facts(row, score, account, names) for row in members]
    facts = group_facts(
        score,
        people,
        steps[0] if steps else None,
        account=account,
        solution=names.solution(score["solution_id"]),
        horizon_days=settings.target.horizon_days,
        measured=measured,
    )
    return GroupTexts(
        reasons=tuple(score["top_reasons"])
        if reason_facts is None
        else tuple(reason_sentences(list(map(Reason.from_json, reason_facts)), features, language)),
        active=active_members(people, language) if people else None,
        steps=tuple(action_text(step, language) for step in steps),
        summary=group_summary(facts, language),
    )


def _contact(contact_id: str, account: str, names: Names) -> Contact:
    full_name, title, department = names.contact(contact_id)
    workplace = names.workplaces.get(contact_id)
    return without_company(Contact(contact_id, full_name, title, department, workplace), account)


def _step_facts(row: Row, account: str, names: Names) -> ActionFacts:
    contact_id = row["contact_id"]
    contact = None if contact_id is None else _contact(contact_id, account, names)
    return ActionFacts(row["action"], row["role"], contact, row["points"], row["support"])


def _member_facts(row: Row, score: Row, account: str, names: Names) -> MemberFacts:
    return MemberFacts(
        contact=_contact(row["contact_id"], account, names),
        role=row["role"],
        points=row["points"],
        if_leaves=row["if_leaves"],
        last_activity_at=row["last_activity_at"],
        last_activity_kind=row["last_activity_kind"],
        activities_30d=row["activities_30d"],
        top_kinds=tuple(row["top_kinds"]),
        single_point=row["contact_id"] == score["single_point_of_failure"],
    )
