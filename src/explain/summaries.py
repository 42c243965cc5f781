"""Summaries that a salesperson can send: one per stakeholder, one per group.

Texts are made of facts that are handed in; nothing is computed here but which of them to say. A
name, a title or a role never breaks a line, whatever stands in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from .language import Words
from .language.names import plain_name

MAX_NAMED = 3
"""People named one by one in a group's summary; the others are counted."""


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
class Step:
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
class Person:
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
        step: the best step that is about them, if there is one.
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
    step: Step | None = None


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """A group.

    Attributes:
        account: the account's name.
        solution: the solution's name.
        as_of: the cut-off.
        horizon_days: of the readiness.
        readiness: 0..1.
        low: end of its interval ...
        high: ... and the other.
        threshold: of readiness.
        status: nurture, qualified ...
        completeness: 0..1.
        completeness_threshold: what a qualified group needs.
        missing_roles: required roles with too few members.
        people: the members, in any order.
        step: the best step, if there is one.
    """

    account: str
    solution: str
    as_of: datetime
    horizon_days: int
    readiness: float
    low: float
    high: float
    threshold: float
    status: str
    completeness: float
    completeness_threshold: float
    missing_roles: Sequence[str]
    people: Sequence[Person]
    step: Step | None = None


def person_text(contact: Contact, words: Words, sentence: str = "person") -> str:
    """How a contact is called, such as 株式会社山川商事 情報システム部 部長 佐藤花子様.

    A title that stands in the name, and a department that stands in the title, are not repeated.

    Args:
        contact: who it is.
        words: the language.
        sentence: `person`, or `person_brief` for lists.
    """
    name = plain_name(contact.full_name) or ""
    title, department = plain_name(contact.title), plain_name(contact.department)
    if title and name.endswith(title):
        title = None
    if title and department and (title.startswith(department) or department in title.split()):
        department = None
    return words.say(
        sentence,
        name=words.addressed(contact.full_name, contact.contact_id),
        title=title,
        department=department,
        company=plain_name(contact.company),
    )


def step_text(step: Step, words: Words) -> str:
    """What goes with a higher score, with its support; an association, no promise."""
    person = None if step.contact is None else person_text(step.contact, words)
    return words.say(
        step.action,
        person=person,
        role=words.word("roles", step.role),
        points=step.points,
        support=step.support,
    )


def person_summary(person: Person, words: Words) -> str:
    """A stakeholder in one line: who, what they add, did and looked at, and what to do next."""
    return words.together(_of_a_person(person, words))


def _of_a_person(person: Person, words: Words) -> Iterator[str]:
    yield words.say(
        "member_points",
        person=person_text(person.contact, words),
        role=words.word("roles", person.role),
        points=person.points,
    )
    yield _last_activity(person, words)
    if person.top_kinds:
        yield words.say("member_kinds", kinds=[words.word("kinds", k) for k in person.top_kinds])
    if contents := [title for text in person.contents if (title := plain_name(text))]:
        yield words.say("member_contents", contents=contents)
    if person.theme is not None:
        theme = words.word("themes", person.theme)
        yield words.say("member_theme", theme=theme, points=person.points)
    if person.single_point:
        yield words.say("member_single")
    if not _rounds_to_zero(person.if_leaves):
        yield words.say("member_leaves", points=person.if_leaves)
    if person.step is not None:
        yield words.say(
            f"next_{person.step.action}",
            role=words.word("roles", person.step.role),
            points=person.step.points,
            support=person.step.support,
        )


def _last_activity(person: Person, words: Words) -> str:
    if person.last_activity_at is None:
        return words.say("member_silent")
    return words.say(
        "member_active" if person.activities_30d else "member_dormant",
        date=person.last_activity_at,
        kind=words.word("kinds", person.last_activity_kind or ""),
        count=person.activities_30d,
    )


def group_summary(facts: GroupFacts, words: Words) -> str:
    """A group in a few lines: where it stands, who carries it, who is silent, what to do next."""
    return "\n".join(_of_a_group(facts, words))


def _of_a_group(facts: GroupFacts, words: Words) -> Iterator[str]:
    yield words.say(
        "heading",
        account=plain_name(facts.account) or facts.account,
        solution=plain_name(facts.solution) or facts.solution,
        as_of=facts.as_of,
    )
    yield words.say(
        "group_readiness",
        readiness=facts.readiness,
        low=facts.low,
        high=facts.high,
        threshold=facts.threshold,
        status=words.word("status", facts.status),
        days=facts.horizon_days,
    )
    yield _roles(facts, words)
    if facts.people:
        yield _carried(facts, words)
        yield _silent(facts, words)
    else:
        yield words.words["labels"]["no_stakeholders"]
    for person in facts.people:
        if person.single_point:
            yield words.say(
                "group_single",
                person=_brief(person, facts, words),
                role=words.word("roles", person.role),
                points=abs(person.if_leaves),
            )
    if facts.step is not None:
        contact = facts.step.contact
        about = replace(facts.step, contact=contact and _at_home(contact, facts))
        yield words.say("group_step", step=step_text(about, words))


def _roles(facts: GroupFacts, words: Words) -> str:
    filled = {person.role for person in facts.people} - set(facts.missing_roles)
    return words.say(
        "group_roles",
        completeness=facts.completeness,
        completeness_threshold=facts.completeness_threshold,
        filled=[words.word("roles", role) for role in sorted(filled)],
        missing=[words.word("roles", role) for role in facts.missing_roles],
    )


def _carried(facts: GroupFacts, words: Words) -> str:
    """The strongest three, and all others together."""
    order = sorted(facts.people, key=lambda p: (-p.points, p.contact.contact_id))
    shown = [p for p in order[:MAX_NAMED] if p.points > 0 and not _rounds_to_zero(p.points)]
    if not shown:
        return words.say("group_not_carried")
    texts = [
        words.say(
            "carrier",
            person=_brief(person, facts, words),
            role=words.word("roles", person.role),
            points=person.points,
        )
        for person in shown
    ]
    if others := order[len(shown) :]:
        together = sum(person.points for person in others)
        texts.append(words.say("more_carriers", count=len(others), points=together))
    return words.say("group_carried", people=texts)


def _silent(facts: GroupFacts, words: Words) -> str:
    silent = [person for person in facts.people if not person.activities_30d]
    if not silent:
        return words.say("group_all_active")
    if len(silent) == len(facts.people):
        return words.say("group_all_silent")
    silent.sort(key=lambda p: (-p.points, p.contact.contact_id))
    texts = [
        words.say(
            "quiet", person=_brief(person, facts, words), role=words.word("roles", person.role)
        )
        for person in silent[:MAX_NAMED]
    ]
    if others := silent[MAX_NAMED:]:
        texts.append(words.say("more_people", count=len(others)))
    return words.say("group_silent", people=texts)


def _brief(person: Person, facts: GroupFacts, words: Words) -> str:
    return person_text(_at_home(person.contact, facts), words, "person_brief")


def _at_home(contact: Contact, facts: GroupFacts) -> Contact:
    """The contact without the company, where that is the group's, which the heading names."""
    return replace(contact, company=None) if contact.company == facts.account else contact


def _rounds_to_zero(points: float) -> bool:
    return not f"{points:.1f}".strip("-0.")
