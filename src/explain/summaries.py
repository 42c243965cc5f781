"""Summaries that a salesperson can send: one per stakeholder, one per group.

Texts are made of facts that are handed in; nothing is computed here but which of them to say. A
name, a title or a role never breaks a line, whatever it holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from .language import Language
from .language.names import display_name

MAX_NAMED = 3
"""People named one by one in a group's summary; the others are counted."""

MAX_KINDS = 2
"""Kinds of activity that a group's summary names."""

BETWEEN_FORMS = "\n\n"
"""Between the short form of a group's summary and its details."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom a sentence speaks of.

    Attributes:
        contact_id: stands for a name that is not known.
        full_name: as in the data.
        title: what they are.
        department: where in the company.
        company: name of the account they work at.
    """

    contact_id: str
    full_name: str | None = None
    title: str | None = None
    department: str | None = None
    company: str | None = None


@dataclass(frozen=True, slots=True)
class ActionFacts:
    """A step that goes with a higher score.

    Attributes:
        action: `fill_role`, `engage_role`, `wake_member` or `protect_member`.
        role: the role concerned.
        contact: the member concerned, None for a role.
        points: expected gain in score points.
        support: training snapshots that were like it.
    """

    action: str
    role: str
    contact: Contact | None
    points: float
    support: int


@dataclass(frozen=True, slots=True)
class MemberFacts:
    """A stakeholder.

    Attributes:
        contact: who they are.
        role: in the group.
        points: what they add to the score.
        if_leaves: change of the score, in points, without them.
        last_activity_at: None where they never did anything.
        last_activity_kind: what they did then.
        activities_30d: in the last 30 days.
        top_kinds: what they did most, most frequent first.
        contents: titles of what they looked at, where known.
        theme: which of their signals carried the contribution, where known.
        single_point: whether the group depends on them.
        best_action: the best step that is about them, if there is one.
    """

    contact: Contact
    role: str
    points: float
    if_leaves: float
    last_activity_at: datetime | None = None
    last_activity_kind: str | None = None
    activities_30d: int = 0
    top_kinds: tuple[str, ...] = ()
    contents: tuple[str, ...] = ()
    theme: str | None = None
    single_point: bool = False
    best_action: ActionFacts | None = None


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """A group.

    Attributes:
        account: the account's name.
        solution: the solution's name.
        horizon_days: of the readiness.
        readiness: 0..1.
        low: end of its interval ...
        high: ... and the other.
        threshold: of readiness; the summary says on which side the group is.
        status: nurture, qualified ...
        completeness: 0..1.
        completeness_threshold: what a qualified group needs.
        missing_roles: required roles with too few members.
        members: the members, in any order.
        best_action: the best step, if there is one.
        measured: whether conversions stand behind the readiness; else a rule alone ranks.
    """

    account: str
    solution: str
    horizon_days: int
    readiness: float
    low: float
    high: float
    threshold: float
    status: str
    completeness: float
    completeness_threshold: float
    missing_roles: Sequence[str]
    members: Sequence[MemberFacts]
    best_action: ActionFacts | None = None
    measured: bool = True


def contact_text(contact: Contact, language: Language, sentence: str = "person") -> str:
    """How a contact is called, such as 株式会社山川商事 情報システム部 部長 佐藤花子様.

    A title that is in the name, and a department that is in the title, are not repeated.

    Args:
        contact: who it is.
        language: the language.
        sentence: `person`, or `person_brief` for lists.
    """
    name = display_name(contact.full_name) or ""
    title, department = display_name(contact.title), display_name(contact.department)
    if title and name.endswith(title):
        title = None
    if title and department and (title.startswith(department) or department in title.split()):
        department = None
    return language.render(
        sentence,
        name=language.contact_name_with_honorific(contact.full_name, contact.contact_id),
        title=title,
        department=department,
        company=display_name(contact.company),
    )


def action_text(action: ActionFacts, language: Language) -> str:
    """What goes with a higher score, with its support; an association, no promise."""
    contact = None if action.contact is None else contact_text(action.contact, language)
    return language.render(
        action.action,
        person=contact,
        role=language.word("roles", action.role),
        points=action.points,
        support=action.support,
    )


def member_summary(member: MemberFacts, language: Language) -> str:
    """A stakeholder in one line: who, what they add, did and looked at, and what to do next."""
    return language.join_sentences(_member_sentences(member, language))


def _member_sentences(member: MemberFacts, language: Language) -> Iterator[str]:
    yield language.render(
        "member_points",
        person=contact_text(member.contact, language),
        role=language.word("roles", member.role),
        points=member.points,
    )
    yield _last_activity(member, language)
    if member.top_kinds:
        yield language.render(
            "member_kinds", kinds=[language.word("kinds", k) for k in member.top_kinds]
        )
    if contents := [title for text in member.contents if (title := display_name(text))]:
        yield language.render("member_contents", contents=contents)
    if member.theme is not None:
        theme = language.word("themes", member.theme)
        yield language.render("member_theme", theme=theme, points=member.points)
    if member.single_point:
        yield language.render("member_single")
    if not _rounds_to_zero(member.if_leaves):
        yield language.render("member_leaves", points=member.if_leaves)
    if member.best_action is not None:
        yield language.render(
            f"next_{member.best_action.action}",
            role=language.word("roles", member.best_action.role),
            points=member.best_action.points,
            support=member.best_action.support,
        )


def _last_activity(member: MemberFacts, language: Language) -> str:
    if member.last_activity_at is None:
        return language.render("member_silent")
    return language.render(
        "member_active" if member.activities_30d else "member_dormant",
        date=member.last_activity_at,
        kind=language.word("kinds", member.last_activity_kind or ""),
        count=member.activities_30d,
    )


def group_summary(facts: GroupFacts, language: Language) -> str:
    """A group in words: first the short form, then, after an empty line, the details.

    The short form is five lines at most: which group, how likely, who was active, who carries the
    score, what to do next. The details are the roles, who is silent, and on whom it rests.

    It names neither the cut-off nor the threshold, so that it stays the same from night to night
    where the group does; `dated_summary` names them to those who read it.
    """
    short = "\n".join(_short_sentences(facts, language))
    return f"{short}{BETWEEN_FORMS}{chr(10).join(_detail_sentences(facts, language))}"


def short_form(summary: str) -> str:
    """The short form of a group's summary: its first lines."""
    return summary.partition(BETWEEN_FORMS)[0]


def dated_summary(summary: str, as_of: datetime, threshold: float, language: Language) -> str:
    """A group's summary whose heading also names the cut-off and the threshold.

    Args:
        summary: as `group_summary` wrote it.
        as_of: the cut-off of its scores.
        threshold: of readiness, 0..1.
        language: the language of the summary.
    """
    heading, separator, rest = summary.partition("\n")
    dated = language.render(
        "heading_with_threshold", heading=heading, as_of=as_of, threshold=threshold
    )
    return f"{dated}{separator}{rest}"


def _short_sentences(facts: GroupFacts, language: Language) -> Iterator[str]:
    yield language.render(
        "heading",
        account=display_name(facts.account) or facts.account,
        solution=display_name(facts.solution) or facts.solution,
    )
    yield language.render(
        "group_readiness",
        readiness=facts.readiness,
        low=facts.low,
        high=facts.high,
        threshold=facts.threshold,
        status=language.word("status", facts.status),
        days=facts.horizon_days,
    )
    if not facts.measured:
        yield language.render("not_measured")
    if facts.members:
        yield active_members(facts.members, language)
        yield _strongest_members(facts, language)
    else:
        yield language.word("labels", "no_stakeholders")
    yield _next_step(facts, language)


def _next_step(facts: GroupFacts, language: Language) -> str:
    if facts.best_action is None:
        return language.render("group_no_step")
    contact = facts.best_action.contact
    action = replace(facts.best_action, contact=contact and without_company(contact, facts.account))
    return language.render("group_step", step=action_text(action, language))


def _detail_sentences(facts: GroupFacts, language: Language) -> Iterator[str]:
    yield _role_sentence(facts, language)
    if facts.members:
        yield _silent_members(facts, language)
    for member in facts.members:
        if member.single_point:
            yield language.render(
                "group_single",
                person=_short_contact_text(member, facts, language),
                role=language.word("roles", member.role),
                points=abs(member.if_leaves),
            )


def active_members(members: Sequence[MemberFacts], language: Language) -> str:
    """How many of each role were active in the last 30 days, and what they did most.

    Args:
        members: of one group, at least one.
        language: the language.
    """
    active = [member for member in members if member.activities_30d]
    if not active:
        return language.render("group_all_silent")
    in_role, active_in_role = (
        Counter(member.role for member in some) for some in (members, active)
    )
    kinds = Counter(kind for member in active for kind in member.top_kinds[:1])
    return language.render(
        "group_active",
        roles=[
            language.render(
                "active_role",
                role=language.word("roles", role),
                count=count,
                members=in_role[role],
            )
            for role, count in sorted(active_in_role.items(), key=lambda item: (-item[1], item[0]))
        ],
        kinds=[
            language.word("kinds", kind)
            for kind, _count in sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
        ][:MAX_KINDS],
    )


def _role_sentence(facts: GroupFacts, language: Language) -> str:
    filled = {member.role for member in facts.members} - set(facts.missing_roles)
    return language.render(
        "group_roles",
        completeness=facts.completeness,
        completeness_threshold=facts.completeness_threshold,
        filled=[language.word("roles", role) for role in sorted(filled)],
        missing=[language.word("roles", role) for role in facts.missing_roles],
    )


def _strongest_members(facts: GroupFacts, language: Language) -> str:
    """The strongest three, and all others together."""
    by_points = sorted(facts.members, key=lambda p: (-p.points, p.contact.contact_id))
    shown = [p for p in by_points[:MAX_NAMED] if p.points > 0 and not _rounds_to_zero(p.points)]
    if not shown:
        return language.render("group_not_carried")
    texts = [
        language.render(
            "carrier",
            person=_short_contact_text(member, facts, language),
            role=language.word("roles", member.role),
            points=member.points,
        )
        for member in shown
    ]
    if others := by_points[len(shown) :]:
        total = sum(member.points for member in others)
        texts.append(language.render("more_carriers", count=len(others), points=total))
    return language.render("group_carried", people=texts)


def _silent_members(facts: GroupFacts, language: Language) -> str:
    silent = [member for member in facts.members if not member.activities_30d]
    if not silent:
        return language.render("group_all_active")
    if len(silent) == len(facts.members):
        return language.render("group_all_silent")
    silent.sort(key=lambda p: (-p.points, p.contact.contact_id))
    texts = [
        language.render(
            "quiet",
            person=_short_contact_text(member, facts, language),
            role=language.word("roles", member.role),
        )
        for member in silent[:MAX_NAMED]
    ]
    if others := silent[MAX_NAMED:]:
        texts.append(language.render("more_people", count=len(others)))
    return language.render("group_silent", people=texts)


def _short_contact_text(member: MemberFacts, facts: GroupFacts, language: Language) -> str:
    return contact_text(without_company(member.contact, facts.account), language, "person_brief")


def without_company(contact: Contact, account: str) -> Contact:
    """The contact without the company, where that is the account of the group spoken of."""
    return replace(contact, company=None) if contact.company == account else contact


def _rounds_to_zero(points: float) -> bool:
    return not f"{points:.1f}".strip("-0.")
