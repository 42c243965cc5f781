"""Facts of the account beyond the group: its other groups, and groups like this one elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

import ibis.expr.types as ir

from ...settings import Settings
from ..declare.expressions import AsOf
from ..time_rules.eligible_groups import REOPENED
from .populations import population_columns

OUTCOMES = "outcomes"  # what a prepared source calls the rows of `group_outcomes`
WON = "won"


def count_rows(rows: ir.Table, condition: ir.BooleanValue | None = None) -> ir.FloatingScalar:
    """How many of the rows there are, or of those where a condition holds, in an aggregate.

    The condition is made never null: of rows where it is null throughout, Spark counts null.
    """
    return rows.count(where=None if condition is None else condition.fill_null(False)).cast(
        "float64"
    )


def lost_stages(settings: Settings) -> tuple[str, ...]:
    """Stages that end a group without success: the closed ones but `won` and the target."""
    ends = (WON, settings.target.stage)
    return tuple(stage for stage in settings.target.closed_stages if stage not in ends)


def account_history(
    tables: Mapping[str, ir.Table],
    settings: Settings,
    as_of: AsOf,
    only_groups: ir.Table | None = None,
) -> ir.Table:
    """What became of the groups of each account, the group that asks included.

    Args:
        tables: `buying_groups` and `stage_events` of everybody.
        settings: the target and closed stages.
        as_of: the cut-off; only groups created before it and events before it count.
        only_groups: account_id of the groups that ask, where they are few.

    Returns:
        history_account (the account_id), account_groups (groups so far), account_open_groups
        (those open at the cut-off, as `eligible_groups` has it), account_conversions and
        account_losses (events).
    """
    target, lost = settings.target, lost_stages(settings)
    groups, events = tables["buying_groups"], tables["stage_events"]
    existing = groups.filter(groups.created_at < as_of)
    if only_groups is not None:
        existing = existing.semi_join(only_groups, "account_id")
    past = events.filter(events.occurred_at < as_of)
    joined = existing.left_join(
        past.select("stage", "occurred_at", past_group=past.group_id), [("group_id", "past_group")]
    )
    ends = joined.stage.isin([target.stage, *target.closed_stages])
    by_group = joined.group_by("account_id", "group_id").agg(
        conversions=count_rows(joined, joined.stage == target.stage),
        losses=count_rows(joined, joined.stage.isin(lost)),
        closed_at=joined.occurred_at.max(where=ends),
        reopened_at=joined.occurred_at.max(where=joined.stage == REOPENED),
    )
    is_open = by_group.closed_at.isnull() | (by_group.reopened_at > by_group.closed_at)
    return by_group.group_by(history_account=by_group.account_id).agg(
        account_groups=count_rows(by_group),
        account_open_groups=count_rows(by_group, is_open),
        account_conversions=by_group.conversions.sum(),
        account_losses=by_group.losses.sum(),
    )


def group_outcomes(tables: Mapping[str, ir.Table], settings: Settings) -> ir.Table:
    """When each group converted: the same at every cut-off, so it is worth keeping.

    Args:
        tables: `buying_groups`, `accounts` and `stage_events` of everybody.
        settings: the target stage.

    Returns:
        solution_id, industry, created_at and converted_at (the first time, or null) of every
        group whose account has an industry, and its population where groups have one.
    """
    groups, accounts, events = tables["buying_groups"], tables["accounts"], tables["stage_events"]
    converted = events.filter(events.stage == settings.target.stage)
    first = converted.group_by(converted_group=converted.group_id).agg(
        converted_at=converted.occurred_at.min()
    )
    located = accounts.filter(accounts.industry.notnull())
    joined = groups.join(
        located.select("industry", owner=located.account_id), [("account_id", "owner")]
    ).left_join(first, [("group_id", "converted_group")])
    return joined.select(
        "solution_id", "industry", "created_at", "converted_at", *population_columns(joined)
    )


def peer_groups(outcomes: ir.Table, as_of: AsOf, only_groups: ir.Table | None = None) -> ir.Table:
    """What became of the groups for one solution in one industry, the group that asks included.

    Args:
        outcomes: of `group_outcomes`.
        as_of: the cut-off; only groups created before it and conversions before it count.
        only_groups: solution_id of the groups that ask, where they are few.

    Returns:
        peer_solution, peer_industry, peers (groups so far) and peers_converted (those of them
        that converted, once or more), by population where groups have one.
    """
    existing = outcomes.filter(outcomes.created_at < as_of)
    if only_groups is not None:
        existing = existing.semi_join(only_groups, "solution_id")
    keys = {f"peer_{name}": existing[name] for name in population_columns(existing)}
    return existing.group_by(
        peer_solution=existing.solution_id, peer_industry=existing.industry, **keys
    ).agg(
        peers=count_rows(existing),
        peers_converted=count_rows(existing, existing.converted_at < as_of),
    )
