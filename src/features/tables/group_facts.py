"""Account and group facts at a cut-off: everything that does not depend on who is in the group."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ibis
import ibis.expr.types as ir

from ...settings import Role, Settings
from ..declare.expressions import AsOf, days_before, days_between, whole
from ..declare.template import Template, TemplateRole, slugs
from ..declare.vocabulary import Vocabulary
from .account_history import (
    OUTCOMES,
    account_history,
    group_outcomes,
    lost_stages,
    peer_groups,
    times,
)
from .member_signals import current_members

REJECTED = "rejected"
LEFT_DAYS = 90
TEXTS = ("industry", "country", "tier", "stage")
COUNTS = (
    "stage_changes", "closings", "verdicts_rejected", "questions_answered", "answers",
    "answers_with_person", "answering_people", "members_left_90d",
)  # fmt: skip
AGES = ("days_in_stage", "days_since_verdict", "days_since_answer")
OF_OTHERS = (
    "account_groups", "account_open_groups", "account_conversions", "account_losses", "peers",
    "peers_converted",
)  # fmt: skip
OF_GROUP = ("employees", "group_age_days")
CALENDAR = ("month", "quarter", "days_to_fiscal_year_end")
PARTS: Mapping[str, Callable[[Role], float]] = {
    "required": lambda line: float(line.required),
    "weight": lambda line: float(line.weight),
}


def answer_columns(vocabulary: Vocabulary) -> dict[str, str]:
    """The column that holds the latest answer to each question of the vocabulary."""
    return {question: f"answer_{part}" for question, part in slugs(vocabulary.questions).items()}


def fact_types(vocabulary: Vocabulary) -> dict[str, str]:
    """Every column of `group_facts` and its type, as Ibis spells it.

    Counts are 0 where nothing was counted; text, ages, employees and the peers of an account
    without an industry are null where there is nothing to say.
    """
    texts = ["group_id", "account", "solution", *TEXTS, *answer_columns(vocabulary).values()]
    roles = [f"{part}_{role.slug}" for role in vocabulary.template.roles for part in PARTS]
    numbers = [*COUNTS, *AGES, *OF_OTHERS, *OF_GROUP, *CALENDAR, *roles]
    return {**dict.fromkeys(texts, "string"), **dict.fromkeys(numbers, "float64")}


def group_facts(
    tables: Mapping[str, ir.Table],
    settings: Settings,
    vocabulary: Vocabulary,
    groups: ir.Table,
    as_of: AsOf,
    *,
    few: bool,
) -> ir.Table:
    """One row per group with the facts that the catalogue's features read.

    Args:
        tables: of the prepared source; with `outcomes` (see `group_outcomes`) that is not computed
            anew.
        settings: the target and closed stages.
        vocabulary: gives the questions, the fiscal year, and `required_<role>` and
            `weight_<role>` of each group's solution.
        groups: group_id, account_id, solution_id, created_at of the groups to look at,
            all open at the cut-off (see `eligible_groups`).
        as_of: the cut-off; only what was known before it is read. Accounts have no history: they
            are as they are.
        few: the groups are few, so that rows of others are better left aside. The values are the
            same either way.

    Returns:
        The columns of `fact_types`.
    """
    near, asking = (_near(tables, groups), groups) if few else (tables, None)
    outcomes = tables.get(OUTCOMES)
    if outcomes is None:
        outcomes = group_outcomes(tables, settings)
    accounts = near["accounts"].select(
        "industry", "country", "tier", "employees", owner=near["accounts"].account_id
    )
    facts = (
        groups.left_join(accounts, [("account_id", "owner")])
        .left_join(_stages(near["stage_events"], settings, as_of), [("group_id", "staged_group")])
        .left_join(_verdicts(near["verdicts"], as_of), [("group_id", "judged_group")])
        .left_join(_answers(near["answers"], vocabulary, as_of), [("group_id", "asked_group")])
        .left_join(leavers(near["members"], as_of), [("group_id", "left_group")])
        .left_join(
            account_history(tables, settings, as_of, asking), [("account_id", "history_account")]
        )
        .left_join(
            peer_groups(outcomes, as_of, asking),
            [("solution_id", "peer_solution"), ("industry", "peer_industry")],
        )
    )
    as_they_are = ("group_id", *TEXTS, *AGES, *answer_columns(vocabulary).values())
    return facts.select(
        **{name: facts[name] for name in as_they_are},
        **{name: facts[name].fill_null(0.0) for name in COUNTS},
        **_of_others(facts),
        account=facts.account_id,
        solution=facts.solution_id,
        employees=facts.employees.cast("float64"),
        group_age_days=_days_since(facts.created_at, as_of),
        **_calendar(as_of, vocabulary.settings.fiscal_year_end_month),
        **_template_columns(vocabulary.template, facts.solution_id, as_of),
    )


def _near(tables: Mapping[str, ir.Table], groups: ir.Table) -> dict[str, ir.Table]:
    """The rows of the groups themselves."""
    keys = {
        "accounts": "account_id", "stage_events": "group_id", "verdicts": "group_id",
        "answers": "group_id", "members": "group_id",
    }  # fmt: skip
    return {name: tables[name].semi_join(groups, key) for name, key in keys.items()}


def _of_others(facts: ir.Table) -> dict[str, ir.Value]:
    """Counts of other groups: without this one, which is open and among its own peers."""
    return {
        "account_groups": facts.account_groups - 1.0,
        "account_open_groups": facts.account_open_groups - 1.0,
        "account_conversions": facts.account_conversions - facts.conversions.fill_null(0.0),
        "account_losses": facts.account_losses - facts.losses.fill_null(0.0),
        "peers": facts.peers - 1.0,
        "peers_converted": facts.peers_converted - whole(facts.conversions > 0),
    }


def _stages(events: ir.Table, settings: Settings, as_of: AsOf) -> ir.Table:
    past = events.filter(events.occurred_at < as_of)
    target = settings.target
    return past.group_by(staged_group=past.group_id).agg(
        stage=_latest(past.stage, past.occurred_at),
        days_in_stage=_days_since(past.occurred_at.max(), as_of),
        stage_changes=times(past),
        closings=times(past, past.stage.isin([target.stage, *target.closed_stages])),
        conversions=times(past, past.stage == target.stage),
        losses=times(past, past.stage.isin(lost_stages(settings))),
    )


@ibis.udf.agg.builtin(  # type: ignore[untyped-decorator]
    name="max",
    signature=(
        ("struct<instant: timestamp(6), text: string>",),
        "struct<instant: timestamp(6), text: string>",
    ),
)
def _last(dated: dict[str, Any]) -> dict[str, Any]:  # type: ignore[empty-body]
    """The greatest of some structs: by their first field, ties by the second."""


def _latest(
    text: ir.StringColumn, instant: ir.TimestampColumn, where: ir.BooleanColumn | None = None
) -> ir.StringScalar:
    """The text of the latest row; of rows at the same instant, the last in order of the text."""
    return _last(ibis.struct({"instant": instant, "text": text}), where=where)["text"]


def _days_since(latest: ir.TimestampValue, as_of: AsOf) -> ir.FloatingValue:
    return days_between(latest, as_of).cast("float64")


def _verdicts(verdicts: ir.Table, as_of: AsOf) -> ir.Table:
    past = verdicts.filter(verdicts.decided_at < as_of)
    return past.group_by(judged_group=past.group_id).agg(
        verdicts_rejected=times(past, past.verdict == REJECTED),
        days_since_verdict=_days_since(past.decided_at.max(), as_of),
    )


def _answers(answers: ir.Table, vocabulary: Vocabulary, as_of: AsOf) -> ir.Table:
    past = answers.filter(answers.answered_at < as_of)
    return past.group_by(asked_group=past.group_id).agg(
        questions_answered=past.question.nunique().cast("float64"),
        answers=times(past),
        answers_with_person=past.contact_id.count().cast("float64"),
        answering_people=past.contact_id.nunique().cast("float64"),
        days_since_answer=_days_since(past.answered_at.max(), as_of),
        **{
            column: _latest(past.answer, past.answered_at, past.question == question)
            for question, column in answer_columns(vocabulary).items()
        },
    )


def leavers(members: ir.Table, as_of: AsOf) -> ir.Table:
    """People who left in [as_of - 90 days, as_of) and are not back; a role change is no leaving."""
    left = members.filter(
        members.left_at < as_of, members.left_at >= days_before(as_of, LEFT_DAYS)
    ).select("group_id", "contact_id")
    gone = left.anti_join(current_members(members, as_of), ["group_id", "contact_id"])
    return gone.group_by(left_group=gone.group_id).agg(
        members_left_90d=gone.contact_id.nunique().cast("float64")
    )


def _calendar(as_of: AsOf, fiscal_year_end_month: int) -> dict[str, ir.Value]:
    """Month, quarter and days to the fiscal year's last day, which is 0 on that day itself."""
    following = fiscal_year_end_month % 12 + 1  # the month that the next fiscal year begins with
    year = as_of.year() + (as_of.month() >= following).cast("int32")
    next_year = ibis.date(year, ibis.literal(following), ibis.literal(1))
    days = next_year.delta(as_of.date(), unit="day") - 1
    return {
        "month": as_of.month().cast("float64"),
        "quarter": as_of.quarter().cast("float64"),
        "days_to_fiscal_year_end": days.cast("float64"),
    }


def _template_columns(
    template: Template, solution_id: ir.StringValue, as_of: AsOf
) -> dict[str, ir.Value]:
    return {
        f"{part}_{role.slug}": _line_value(role, of_line, solution_id, as_of)
        for role in template.roles
        for part, of_line in PARTS.items()
    }


def _line_value(
    role: TemplateRole, of_line: Callable[[Role], float], solution_id: ir.StringValue, as_of: AsOf
) -> ir.FloatingValue:
    """A number of the role's line in the solution's template; 0.0 where it has none."""
    default = _number(0.0 if role.default is None else of_line(role.default))
    special = [
        (solution, _number(of_line(line))) for solution, line in sorted(role.solutions.items())
    ]
    value = solution_id.cases(*special, else_=default) if special else default
    if role.since is None:
        return value
    return (ibis.literal(role.since, "timestamp(6)") < as_of).ifelse(value, _number(0.0))


def _number(value: float) -> ir.FloatingScalar:
    """A literal that is float64 in the engine too: DuckDB takes 1.0 for a decimal."""
    return ibis.literal(repr(value)).cast("float64")
