"""Account and group facts at a cut-off: everything that does not depend on who is in the group."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ibis
import ibis.expr.types as ir

from ...settings import RoleRequirement, Settings
from ..declare.expressions import AsOf, days_before, days_between, indicator
from ..declare.template import Template, TemplateRole, slugs
from ..declare.vocabulary import Vocabulary
from .account_history import (
    OUTCOMES,
    account_history,
    count_rows,
    group_outcomes,
    lost_stages,
    peer_groups,
)
from .member_signals import current_members
from .populations import population_columns

REJECTED = "rejected"
LEAVER_WINDOW_DAYS = 90
TEXT_FACTS = ("industry", "country", "tier", "stage")
COUNT_FACTS = (
    "stage_changes", "closings", "verdicts_rejected", "questions_answered", "answers",
    "answers_with_person", "answering_people", "members_left_90d",
)  # fmt: skip
AGE_FACTS = ("days_in_stage", "days_since_verdict", "days_since_answer")
RELATED_GROUP_FACTS = (
    "account_groups", "account_open_groups", "account_conversions", "account_losses", "peers",
    "peers_converted",
)  # fmt: skip
GROUP_FACTS = ("employees", "group_age_days")
CALENDAR_FACTS = ("month", "quarter", "days_to_fiscal_year_end")
ROLE_FACTS: Mapping[str, Callable[[RoleRequirement], float]] = {
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
    texts = ["group_id", "account", "solution", *TEXT_FACTS, *answer_columns(vocabulary).values()]
    roles = [f"{part}_{role.slug}" for role in vocabulary.template.roles for part in ROLE_FACTS]
    numbers = [
        *COUNT_FACTS,
        *AGE_FACTS,
        *RELATED_GROUP_FACTS,
        *GROUP_FACTS,
        *CALENDAR_FACTS,
        *roles,
    ]
    return {**dict.fromkeys(texts, "string"), **dict.fromkeys(numbers, "float64")}


def group_facts(
    tables: Mapping[str, ir.Table],
    settings: Settings,
    vocabulary: Vocabulary,
    groups: ir.Table,
    as_of: AsOf,
    *,
    subset: bool,
) -> ir.Table:
    """One row per group with the facts that the catalogue's features read.

    Args:
        tables: of the prepared source; with `outcomes` (see `group_outcomes`) that is not computed
            again.
        settings: the target and closed stages.
        vocabulary: gives the questions, the fiscal year, and `required_<role>` and
            `weight_<role>` of each group's solution.
        groups: group_id, account_id, solution_id, created_at of the groups to look at,
            all open at the cut-off (see `eligible_groups`).
        as_of: the cut-off; only what was known before it is read. Accounts have no history: they
            are as they are.
        subset: the groups are few, so that rows of others are better left aside. The values are the
            same either way.

    Returns:
        The columns of `fact_types`.
    """
    facts = _joined_facts(tables, settings, vocabulary, groups, as_of, subset=subset)
    unchanged = ("group_id", *TEXT_FACTS, *AGE_FACTS, *answer_columns(vocabulary).values())
    return facts.select(
        **{name: facts[name] for name in unchanged},
        **{name: facts[name].fill_null(0.0) for name in COUNT_FACTS},
        **_related_group_counts(facts),
        account=facts.account_id,
        solution=facts.solution_id,
        employees=facts.employees.cast("float64"),
        group_age_days=_days_since(facts.created_at, as_of),
        **_calendar_facts(as_of, vocabulary.settings.fiscal_year_end_month),
        **_template_columns(vocabulary.template, facts.solution_id, as_of),
    )


def _joined_facts(
    tables: Mapping[str, ir.Table],
    settings: Settings,
    vocabulary: Vocabulary,
    groups: ir.Table,
    as_of: AsOf,
    *,
    subset: bool,
) -> ir.Table:
    """The groups with all that is known of them and of their accounts, null where there is none."""
    own_rows, only_groups = (_rows_of_groups(tables, groups), groups) if subset else (tables, None)
    outcomes = tables.get(OUTCOMES)
    if outcomes is None:
        outcomes = group_outcomes(tables, settings)
    accounts = own_rows["accounts"].select(
        "industry", "country", "tier", "employees", owner=own_rows["accounts"].account_id
    )
    return (
        groups.left_join(accounts, [("account_id", "owner")])
        .left_join(
            _stage_facts(own_rows["stage_events"], settings, as_of), [("group_id", "staged_group")]
        )
        .left_join(_verdict_facts(own_rows["verdicts"], as_of), [("group_id", "judged_group")])
        .left_join(
            _answer_facts(own_rows["answers"], vocabulary, as_of), [("group_id", "asked_group")]
        )
        .left_join(leaver_counts(own_rows["members"], as_of), [("group_id", "left_group")])
        .left_join(
            account_history(tables, settings, as_of, only_groups),
            [("account_id", "history_account")],
        )
        .left_join(
            peer_groups(outcomes, as_of, only_groups),
            [
                ("solution_id", "peer_solution"),
                ("industry", "peer_industry"),
                *((name, f"peer_{name}") for name in population_columns(groups)),
            ],
        )
    )


def _rows_of_groups(tables: Mapping[str, ir.Table], groups: ir.Table) -> dict[str, ir.Table]:
    """The rows of the groups themselves."""
    keys = {
        "accounts": "account_id", "stage_events": "group_id", "verdicts": "group_id",
        "answers": "group_id", "members": "group_id",
    }  # fmt: skip
    return {name: tables[name].semi_join(groups, key) for name, key in keys.items()}


def _related_group_counts(facts: ir.Table) -> dict[str, ir.Value]:
    """Counts of other groups: without this one, which is open and among its own peers."""
    return {
        "account_groups": facts.account_groups - 1.0,
        "account_open_groups": facts.account_open_groups - 1.0,
        "account_conversions": facts.account_conversions - facts.conversions.fill_null(0.0),
        "account_losses": facts.account_losses - facts.losses.fill_null(0.0),
        "peers": facts.peers - 1.0,
        "peers_converted": facts.peers_converted - indicator(facts.conversions > 0),
    }


def _stage_facts(events: ir.Table, settings: Settings, as_of: AsOf) -> ir.Table:
    past = events.filter(events.occurred_at < as_of)
    target = settings.target
    return past.group_by(staged_group=past.group_id).agg(
        stage=_latest(past.stage, past.occurred_at),
        days_in_stage=_days_since(past.occurred_at.max(), as_of),
        stage_changes=count_rows(past),
        closings=count_rows(past, past.stage.isin([target.stage, *target.closed_stages])),
        conversions=count_rows(past, past.stage == target.stage),
        losses=count_rows(past, past.stage.isin(lost_stages(settings))),
    )


@ibis.udf.agg.builtin(  # type: ignore[untyped-decorator]
    name="max",
    signature=(
        ("struct<instant: timestamp(6), text: string>",),
        "struct<instant: timestamp(6), text: string>",
    ),
)
def _max_struct(struct: dict[str, Any]) -> dict[str, Any]:  # type: ignore[empty-body]
    """The greatest of some structs: by their first field, ties by the second."""


def _latest(
    text: ir.StringColumn, instant: ir.TimestampColumn, where: ir.BooleanColumn | None = None
) -> ir.StringScalar:
    """The text of the latest row; of rows at the same instant, the last in order of the text."""
    return _max_struct(ibis.struct({"instant": instant, "text": text}), where=where)["text"]


def _days_since(latest: ir.TimestampValue, as_of: AsOf) -> ir.FloatingValue:
    return days_between(latest, as_of).cast("float64")


def _verdict_facts(verdicts: ir.Table, as_of: AsOf) -> ir.Table:
    past = verdicts.filter(verdicts.decided_at < as_of)
    return past.group_by(judged_group=past.group_id).agg(
        verdicts_rejected=count_rows(past, past.verdict == REJECTED),
        days_since_verdict=_days_since(past.decided_at.max(), as_of),
    )


def _answer_facts(answers: ir.Table, vocabulary: Vocabulary, as_of: AsOf) -> ir.Table:
    past = answers.filter(answers.answered_at < as_of)
    return past.group_by(asked_group=past.group_id).agg(
        questions_answered=past.question.nunique().cast("float64"),
        answers=count_rows(past),
        answers_with_person=past.contact_id.count().cast("float64"),
        answering_people=past.contact_id.nunique().cast("float64"),
        days_since_answer=_days_since(past.answered_at.max(), as_of),
        **{
            column: _latest(past.answer, past.answered_at, past.question == question)
            for question, column in answer_columns(vocabulary).items()
        },
    )


def leaver_counts(members: ir.Table, as_of: AsOf) -> ir.Table:
    """People who left in [as_of - 90 days, as_of) and are not back; a role change is no leaving."""
    recently_left = members.filter(
        members.left_at < as_of, members.left_at >= days_before(as_of, LEAVER_WINDOW_DAYS)
    ).select("group_id", "contact_id")
    not_back = recently_left.anti_join(current_members(members, as_of), ["group_id", "contact_id"])
    return not_back.group_by(left_group=not_back.group_id).agg(
        members_left_90d=not_back.contact_id.nunique().cast("float64")
    )


def _calendar_facts(as_of: AsOf, fiscal_year_end_month: int) -> dict[str, ir.Value]:
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
        f"{fact}_{role.slug}": _role_fact(role, value_of, solution_id, as_of)
        for role in template.roles
        for fact, value_of in ROLE_FACTS.items()
    }


def _role_fact(
    role: TemplateRole,
    value_of: Callable[[RoleRequirement], float],
    solution_id: ir.StringValue,
    as_of: AsOf,
) -> ir.FloatingValue:
    """A number of the role's line in the solution's template; 0.0 where it has none."""
    default = _float_literal(0.0 if role.default is None else value_of(role.default))
    overrides = [
        (solution, _float_literal(value_of(line)))
        for solution, line in sorted(role.solutions.items())
    ]
    value = solution_id.cases(*overrides, else_=default) if overrides else default
    if role.first_seen_at is None:
        return value
    return (ibis.literal(role.first_seen_at, "timestamp(6)") < as_of).ifelse(
        value, _float_literal(0.0)
    )


def _float_literal(value: float) -> ir.FloatingScalar:
    """A literal that is float64 in the engine too: DuckDB takes 1.0 for a decimal."""
    return ibis.literal(repr(value)).cast("float64")
