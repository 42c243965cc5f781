"""How the other groups went in which a member was: per member row, as of the day of a cut-off.

Everything is measured at the midnight (UTC) before the cut-off, so that within a day only a group's
own members can change it (see `time_rules.changed_groups`). The group itself is left out: a group
that has been open long would say so of all its members.
"""

from __future__ import annotations

from collections.abc import Mapping

import ibis
import ibis.expr.types as ir

from ...settings import TargetSettings
from ..declare.expressions import AsOf, days_between
from .populations import POPULATION, has_populations, population_columns

ENDINGS = "group_endings"  # what a prepared source calls the rows of `group_endings`
PRIOR_RATE = 0.05  # what the base rate is taken to be before there is a history ...
PRIOR_HORIZONS = 20.0  # ... and the weight of that assumption, in horizons of groups

SCOPES = ("any", "first", "account", "role")
"""Which of the other groups count, see `add_contact_history`."""

BASE_RATE = "conversion_base_rate"


def history_columns() -> tuple[str, ...]:
    """The columns that `add_contact_history` adds."""
    return (
        BASE_RATE,
        *(f"{scope}_{what}" for scope in SCOPES for what in ("conversions", "exposure")),
    )


def group_endings(tables: Mapping[str, ir.Table], target: TargetSettings) -> ir.Table:
    """When each group began, ended and converted: the same at every cut-off, so it is kept.

    Args:
        tables: `buying_groups`, `members` and `stage_events` of everybody.
        target: the target stage and the closed stages.

    Returns:
        ending_group (the group_id), ending_account, created_at, ended_at (the first event that
        ends eligibility, or null), converted_at (the first of the target stage, or null),
        first_member_at, and its population where groups have one.
    """
    groups, members, events = tables["buying_groups"], tables["members"], tables["stage_events"]
    stages = events.group_by(event_group=events.group_id).agg(
        ended_at=events.occurred_at.min(
            where=events.stage.isin([target.stage, *target.closed_stages])
        ),
        converted_at=events.occurred_at.min(where=events.stage == target.stage),
    )
    first = members.group_by(first_group=members.group_id).agg(
        first_member_at=members.joined_at.min()
    )
    joined = groups.left_join(stages, [("group_id", "event_group")]).left_join(
        first, [("group_id", "first_group")]
    )
    return joined.select(
        "created_at", "ended_at", "converted_at", "first_member_at", *population_columns(joined),
        ending_group=joined.group_id, ending_account=joined.account_id,
    )  # fmt: skip


def add_contact_history(
    rows: ir.Table,
    memberships: ir.Table,
    endings: ir.Table,
    groups: ir.Table,
    as_of: AsOf,
    horizon_days: int,
) -> ir.Table:
    """Member rows with how the person's other groups went.

    Exposure counts horizons from joining another group until it ended or the cut-off's day began;
    a conversion counts if it came after joining. Somebody who changed role was in the group once.

    Args:
        rows: group_id, contact_id, role and more, of current members.
        memberships: rows of `members` that may be of the same contacts.
        endings: rows of `group_endings`.
        groups: group_id, account_id, and population where they have one, of the groups of `rows`.
        as_of: the cut-off.
        horizon_days: of the target.

    Returns:
        `rows` with `history_columns`: conversions and exposure, 0.0 without other groups, by
        scope (any: all other groups; first: those whose first member the person was; account:
        those of this account; role: those in which the person had this role); and the base rate,
        conversions in a horizon of all groups of the population until then.
    """
    day = as_of.truncate("D")
    past = _past_memberships(memberships, endings, day)
    by_group = past.group_by("past_contact", "past_group", "ending_account").agg(
        days=past.days.max(), hits=past.hits.max(), first=past.first.max()
    )
    by_role = past.group_by("past_contact", "past_group", "past_role").agg(
        days=past.days.max(), hits=past.hits.max()
    )
    located = groups.select(
        *population_columns(groups),
        located_group=groups.group_id,
        located_account=groups.account_id,
    )
    joined = rows.left_join(located, [("group_id", "located_group")]).drop("located_group")
    for name, table, keys in _totals_and_own(by_group, by_role):
        columns = [column for column in table.columns if column not in keys.values()]
        renamed = table.select(
            **{f"{name}_{key}": table[right] for key, right in keys.items()},
            **{f"{name}_{column}": table[column] for column in columns},
        )
        kept = [*joined.columns, *(f"{name}_{column}" for column in columns)]
        joined = joined.left_join(renamed, [(key, f"{name}_{key}") for key in keys]).select(*kept)
    joined = _with_base_rate(joined, endings, day, horizon_days)
    found = {
        f"{scope}_{what}": _without_own(joined, scope, source, scale)
        for scope in SCOPES
        for what, source, scale in (
            ("conversions", "hits", 1.0),
            ("exposure", "days", float(horizon_days)),
        )
    }
    return joined.select(*rows.columns, BASE_RATE, **found)


def _past_memberships(memberships: ir.Table, endings: ir.Table, day: AsOf) -> ir.Table:
    """One row per membership that began before the day: its exposure and the outcome."""
    began = memberships.filter(memberships.joined_at < day)
    began = began.select(
        "joined_at", past_contact=began.contact_id, past_group=began.group_id, past_role=began.role
    )
    joined = began.join(endings, [("past_group", "ending_group")])
    end = ibis.least(ibis.coalesce(joined.ended_at, day), day)
    hit = (joined.converted_at >= joined.joined_at) & (joined.converted_at < day)
    return joined.select(
        "past_contact", "past_group", "past_role", "ending_account",
        days=ibis.greatest(days_between(joined.joined_at, end), 0),
        hits=hit.fill_null(False).cast("int64"),
        first=(joined.joined_at == joined.first_member_at).cast("int64"),
    )  # fmt: skip


def _totals_and_own(
    by_group: ir.Table, by_role: ir.Table
) -> tuple[tuple[str, ir.Table, dict[str, str]], ...]:
    """Sums of each scope with the group itself, and of the group itself, and how they are joined.

    Whole numbers, so that the one less the other is exact.
    """
    contact = {"contact_id": "past_contact"}
    in_group = {**contact, "group_id": "past_group"}
    anywhere = by_group.group_by("past_contact").agg(
        days=by_group.days.sum(), hits=by_group.hits.sum(),
        first_days=(by_group.days * by_group.first).sum(),
        first_hits=(by_group.hits * by_group.first).sum(),
    )  # fmt: skip
    in_account = by_group.group_by("past_contact", "ending_account").agg(
        days=by_group.days.sum(), hits=by_group.hits.sum()
    )
    in_role = by_role.group_by("past_contact", "past_role").agg(
        days=by_role.days.sum(), hits=by_role.hits.sum()
    )
    own = by_group.select(
        "past_contact", "past_group", "days", "hits",
        first_days=by_group.days * by_group.first, first_hits=by_group.hits * by_group.first,
    )  # fmt: skip
    return (
        ("any", anywhere, contact),
        ("account", in_account, {**contact, "located_account": "ending_account"}),
        ("role", in_role, {**contact, "role": "past_role"}),
        ("own", own, in_group),
        ("own_role", by_role, {**in_group, "role": "past_role"}),
    )


def _without_own(joined: ir.Table, scope: str, what: str, scale: float) -> ir.FloatingValue:
    total, own = {
        "any": (f"any_{what}", f"own_{what}"),
        "first": (f"any_first_{what}", f"own_first_{what}"),
        "account": (f"account_{what}", f"own_{what}"),
        "role": (f"role_{what}", f"own_role_{what}"),
    }[scope]
    others = joined[total].fill_null(0) - joined[own].fill_null(0)
    return others.cast("float64") / ibis.literal(repr(scale)).cast("float64")


def _with_base_rate(rows: ir.Table, endings: ir.Table, day: AsOf, horizon_days: int) -> ir.Table:
    """Rows with conversions in a horizon of all groups of their population created before."""
    known = endings.filter(endings.created_at < day)
    end = ibis.least(ibis.coalesce(known.ended_at, day), day)
    counted = known.select(
        *population_columns(known),
        days=ibis.greatest(days_between(known.created_at, end), 0),
        hits=(known.converted_at < day).fill_null(False).cast("int64"),
    )
    sums = {"days": counted.days.sum(), "hits": counted.hits.sum()}
    if has_populations(counted):
        by_population = counted.group_by(rate_population=counted.population).agg(**sums)
        joined = rows.left_join(by_population, [(POPULATION, "rate_population")])
    else:
        keyed = rows.mutate(history_key=ibis.literal(1, "int64"))
        everybody = counted.agg(**sums)
        joined = keyed.join(
            everybody.select("days", "hits", history_key=ibis.literal(1, "int64")), "history_key"
        )
    prior, weight, horizon = (
        ibis.literal(repr(number)).cast("float64")
        for number in (PRIOR_RATE * PRIOR_HORIZONS, PRIOR_HORIZONS, float(horizon_days))
    )
    exposure = joined.days.fill_null(0).cast("float64") / horizon
    rate = (joined.hits.fill_null(0).cast("float64") + prior) / (exposure + weight)
    return joined.select(*rows.columns, **{BASE_RATE: rate})
