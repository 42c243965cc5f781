"""Account and group facts at a cut-off: everything that does not depend on who is in the group."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import ibis
import ibis.expr.types as ir

from ..settings import Settings
from .expressions import whole
from .signals import current_members
from .template import Template

LOST = "lost"
CATEGORIES = ("solution", "industry", "country", "tier")


def group_facts(
    tables: Mapping[str, ir.Table],
    settings: Settings,
    template: Template,
    groups: ir.Table,
    as_of: datetime,
) -> ir.Table:
    """One row per group with the facts that the catalogue's features read.

    Args:
        tables: the contract's tables.
        settings: the target and closed stages.
        template: gives `required_<role>` and `weight_<role>` of each group's solution.
        groups: group_id, account_id, solution_id, created_at of the groups to look at.
        as_of: the cut-off; only what was known before it is read.
    """
    accounts = tables["accounts"].select("account_id", "industry", "employees", "country", "tier")
    facts = groups.left_join(accounts, "account_id").drop("account_id_right")
    facts = facts.mutate(
        solution=facts.solution_id,
        group_age_days=_days_between(facts.created_at, as_of),
        month=ibis.literal(float(as_of.month)),
        **_template_columns(template, facts.solution_id, as_of),
    )
    facts = _left_join(facts, _stage_facts(tables["stage_events"], settings, as_of), "group_id")
    facts = _left_join(facts, _verdict_facts(tables["verdicts"], as_of), "group_id")
    facts = _left_join(facts, _answer_facts(tables["answers"], as_of), "group_id")
    facts = _left_join(facts, _leavers(tables["members"], as_of), "group_id")
    facts = _left_join(facts, _account_facts(tables, settings, as_of), "account_id")
    zero_when_absent = [
        "stage_changes", "verdicts_rejected", "questions_answered", "members_left_90d",
        "group_conversions", "group_losses", "account_conversions", "account_losses",
        "account_groups",
    ]  # fmt: skip
    facts = facts.mutate(**{name: facts[name].fill_null(0.0) for name in zero_when_absent})
    return facts.mutate(
        account_conversions=facts.account_conversions - facts.group_conversions,
        account_losses=facts.account_losses - facts.group_losses,
        account_groups=facts.account_groups - 1.0,
    ).drop("group_conversions", "group_losses")


def _left_join(facts: ir.Table, more: ir.Table, key: str) -> ir.Table:
    return facts.left_join(more, key).drop(f"{key}_right")


def _days_between(earlier: ir.TimestampValue, as_of: datetime) -> ir.FloatingValue:
    seconds = int((as_of - datetime(1970, 1, 1)).total_seconds()) - (
        earlier.epoch_seconds().floor().cast("int64")
    )
    return (seconds // 86_400).cast("float64")


def _template_columns(
    template: Template, solution_id: ir.StringValue, as_of: datetime
) -> dict[str, ir.Value]:
    columns: dict[str, ir.Value] = {}
    for role in template.roles:
        for part in ("required", "weight"):
            default = _line_value(role.line(None, as_of), part)
            special = {s: _line_value(role.line(s, as_of), part) for s in sorted(role.solutions)}
            columns[f"{part}_{role.slug}"] = (
                solution_id.cases(*special.items(), else_=default)
                if special
                else ibis.literal(default)
            )
    return columns


def _line_value(line: object, part: str) -> float:
    return 0.0 if line is None else float(getattr(line, part))


def _stage_facts(events: ir.Table, settings: Settings, as_of: datetime) -> ir.Table:
    past = events.filter(events.occurred_at < as_of)
    return past.group_by("group_id").agg(
        stage_changes=past.count().cast("float64"),
        days_in_stage=_days_between(past.occurred_at.max(), as_of),
        group_conversions=whole(past.stage == settings.target.stage).sum(),
        group_losses=whole(past.stage == LOST).sum(),
    )


def _verdict_facts(verdicts: ir.Table, as_of: datetime) -> ir.Table:
    past = verdicts.filter(verdicts.decided_at < as_of)
    return past.group_by("group_id").agg(
        verdicts_rejected=whole(past.verdict == "rejected").sum(),
        days_since_verdict=_days_between(past.decided_at.max(), as_of),
    )


def _answer_facts(answers: ir.Table, as_of: datetime) -> ir.Table:
    past = answers.filter(answers.answered_at < as_of)
    return past.group_by("group_id").agg(
        questions_answered=past.question.nunique().cast("float64"),
        days_since_answer=_days_between(past.answered_at.max(), as_of),
    )


def _leavers(members: ir.Table, as_of: datetime) -> ir.Table:
    """People who left in [as_of - 90 days, as_of) and are not back; a role change is no leaving."""
    left = members.filter(
        members.left_at < as_of, members.left_at >= as_of - timedelta(days=90)
    ).select("group_id", "contact_id")
    gone = left.anti_join(current_members(members, as_of), ["group_id", "contact_id"]).distinct()
    return gone.group_by("group_id").agg(members_left_90d=gone.count().cast("float64"))


def _account_facts(tables: Mapping[str, ir.Table], settings: Settings, as_of: datetime) -> ir.Table:
    groups = tables["buying_groups"]
    existing = groups.filter(groups.created_at < as_of).select("group_id", "account_id")
    events = tables["stage_events"]
    past = events.filter(events.occurred_at < as_of)
    won = past.filter(past.stage == settings.target.stage)
    lost = past.filter(past.stage == LOST)
    rows = ibis.union(
        existing.mutate(kind=ibis.literal("group")),
        existing.join(won.select("group_id"), "group_id").mutate(kind=ibis.literal("won")),
        existing.join(lost.select("group_id"), "group_id").mutate(kind=ibis.literal("lost")),
    )
    return rows.group_by("account_id").agg(
        account_groups=whole(rows.kind == "group").sum(),
        account_conversions=whole(rows.kind == "won").sum(),
        account_losses=whole(rows.kind == "lost").sum(),
    )
