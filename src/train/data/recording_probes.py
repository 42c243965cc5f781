"""Leak probes of what is written down late: kinds, columns and members dated after the fact.

`leakage` says what the arguments are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import hypergeom

from ...contract import TABLES
from ...settings import ProbeSettings, TargetSettings
from .leak_counts import (
    group_activities,
    memberships_by_group,
    memtable,
    records,
    share_interval,
)
from .leak_findings import Finding, make_finding

DELAY_QUANTILE = 0.9
DAY_SECONDS = 86_400.0
MOST_ROWS = 0.5  # an account fills a column that more of its rows than this fill
MAX_CHANCE_OF_ALL = 0.01  # that chance alone brings a column of any account or contact


def backfilled_kinds(
    activities: ir.Table,
    tables: Mapping[str, ir.Table],
    groups: pd.DataFrame,
    target: TargetSettings,
    probe: ProbeSettings,
) -> list[Finding]:
    """Kinds that are entered, after a conversion, as if they had happened before it.

    Compares the activities of the horizon before a conversion with those of the horizon before
    the last cut-off of groups that did not convert: the share recorded at that instant or later.
    """
    reference_table = memtable(groups[["group_id", "converted", "at"]])
    horizon = ibis.interval(days=target.horizon_days)
    rows = group_activities(
        memberships_by_group(tables), activities, "kind", "occurred_at", "known_at"
    )
    rows = rows.join(reference_table, "group_id")
    rows = rows.filter(rows.occurred_at < rows.at, rows.occurred_at >= rows.at - horizon)
    counts = rows.group_by("kind", "converted").agg(
        rows=rows.count(),
        later=(rows.known_at >= rows.at).sum(),
        groups=rows.group_id.nunique(),
    )
    by_kind = {(row["kind"], row["converted"]): row for row in records(counts)}
    found = []
    for kind in sorted({kind for kind, _converted in by_kind}):
        of_converted, of_others = (
            _recorded_later_share(by_kind.get((kind, converted))) for converted in (True, False)
        )
        enough_conversions = by_kind.get((kind, True), {}).get("groups", 0) >= probe.min_conversions
        if enough_conversions and of_converted[1] - of_others[2] >= probe.backfilled_share:
            shown = f"{of_converted[0]:.0%} recorded later"
            observation = (
                f"of the {kind} activities before conversions {of_converted[0]:.0%} were recorded "
                f"only after them, of those of other groups {of_others[0]:.0%}"
            )
            found.append(
                make_finding("back-filled kind", kind, of_converted[0], shown, observation)
            )
    return found


def _recorded_later_share(row: Mapping[str, Any] | None) -> tuple[float, float, float]:
    """Share recorded later, and its bounds; 0 where there is no row to say more."""
    if row is None:
        return 0.0, 0.0, 0.0
    share = row["later"] / row["rows"]
    return share, *share_interval(share * row["groups"], row["groups"])


def slowly_recorded_kinds(activities: ir.Table, probe: ProbeSettings) -> list[Finding]:
    """Kinds whose slowest tenth is recorded days after it occurred."""
    recorded_late = activities.known_at > activities.occurred_at
    seconds = activities.known_at.epoch_seconds() - activities.occurred_at.epoch_seconds()
    delays = activities.group_by("kind").agg(
        share=recorded_late.cast("float64").mean(),
        slowest=seconds.cast("float64").quantile(DELAY_QUANTILE),
    )
    found = []
    for row in records(delays.order_by("kind")):
        days = row["slowest"] / DAY_SECONDS
        if days > probe.recorded_delay_days:
            shown = f"{days:.1f} days late"
            observation = (
                f"{row['share']:.0%} of the {row['kind']} activities are recorded after they "
                f"occurred, the slowest tenth at least {days:.1f} days"
            )
            found.append(make_finding("slow records", row["kind"], days, shown, observation))
    return found


def late_filled_columns(
    tables: Mapping[str, ir.Table], groups: pd.DataFrame, probe: ProbeSettings
) -> list[Finding]:
    """Columns of accounts and contacts that are filled far more often where groups converted.

    Counted in accounts, for what one account's people have in common is one piece of evidence.
    """
    by_account = groups.groupby("account_id")["converted"].any()
    accounts = memtable(by_account.reset_index())
    people = tables["members"].select("group_id", "contact_id").distinct()
    account_people = (
        people.join(memtable(groups[["group_id", "account_id"]]), "group_id")
        .select("account_id", "contact_id")
        .distinct()
    )
    filled = {
        "accounts": _filled(tables["accounts"].semi_join(accounts, "account_id"), "accounts"),
        "contacts": _filled(
            tables["contacts"].drop("account_id").join(account_people, "contact_id"), "contacts"
        ),
    }
    found = []
    columns = sum(len(optional_columns(name)) for name in filled)
    for name, shares in filled.items():
        rows = shares.join(accounts, "account_id").order_by("account_id")
        frame = rows.to_pyarrow().to_pandas()
        converted = frame["converted"].to_numpy(dtype=bool)
        for column in optional_columns(name):
            share = frame[column].to_numpy(dtype=np.float64)
            if filled_late(share, converted, probe, columns):
                found.append(_filled_finding(f"{name}.{column}", name, share, converted))
    return found


def optional_columns(table: str) -> list[str]:
    """Those that a row may leave empty."""
    return [column.name for column in TABLES[table].columns if not column.required]


def _filled(rows: ir.Table, name: str) -> ir.Table:
    """account_id, and for each optional column the share of the account's rows that fill it."""
    shares = {
        column: (rows[column].cast("string").fill_null("") != "").cast("float64").mean()
        for column in optional_columns(name)
    }
    return rows.group_by("account_id").agg(**shares)


def filled_late(
    share: NDArray[np.float64], converted: NDArray[np.bool_], probe: ProbeSettings, columns: int
) -> bool:
    """Whether a column is filled more often where groups converted than chance would have it.

    With conversions enough by the cautious ends of two intervals. With fewer by the counts of
    accounts that fill it in most of their rows: Fisher's exact test, at a level that holds for all
    columns together.

    Args:
        share: of each account's rows that are filled, shape (accounts,).
        converted: of each account, shape (accounts,).
        probe: the settings.
        columns: how many are looked at.
    """
    of_converted, of_others = share[converted], share[~converted]
    if not (len(of_converted) and len(of_others)):
        return False
    if of_converted.mean() - of_others.mean() < probe.filled_difference:
        return False
    if len(of_converted) >= probe.min_conversions:
        low, _high = share_interval(float(of_converted.sum()), len(of_converted))
        _low, high = share_interval(float(of_others.sum()), len(of_others))
        return low - high >= probe.filled_difference
    filled = share > MOST_ROWS
    both = int((filled & converted).sum())
    by_chance = hypergeom.sf(both - 1, len(share), int(filled.sum()), len(of_converted))
    return bool(by_chance <= MAX_CHANCE_OF_ALL / columns)


def _filled_finding(
    thing: str, table: str, filled: NDArray[np.float64], converted: NDArray[np.bool_]
) -> Finding:
    share, other_share = float(filled[converted].mean()), float(filled[~converted].mean())
    shown = f"{share:.0%} against {other_share:.0%}"
    observation = (
        f"{thing} is filled for {share:.0%} of the {table} of groups that converted "
        f"({int(converted.sum()):,} accounts), for {other_share:.0%} of the others"
    )
    return make_finding("column filled late", thing, share - other_share, shown, observation)


def members_at_outcome(
    members: ir.Table, groups: pd.DataFrame, probe: ProbeSettings
) -> list[Finding]:
    """Members who were entered with the conversion, not when they turned up."""
    converted = groups.loc[groups["converted"], ["group_id", "at"]]
    joined = members.select("group_id", "joined_at").to_pyarrow().to_pandas()
    rows = joined.merge(converted, on="group_id")
    group_count = rows["group_id"].nunique()
    if group_count < probe.min_conversions:
        return []
    same_day_share = float((rows["joined_at"].dt.floor("D") == rows["at"].dt.floor("D")).mean())
    first_joined = rows.groupby("group_id").agg(joined_at=("joined_at", "min"), at=("at", "first"))
    empty_before_share = float((first_joined["joined_at"] >= first_joined["at"]).mean())
    checks = (
        (
            same_day_share,
            "joined that day",
            "of the members of converted groups {} joined on the day of",
        ),
        (
            empty_before_share,
            "empty before",
            "of the converted groups with members {} had none before",
        ),
    )
    return [
        make_finding(
            "members at outcome", "members.joined_at", share, f"{share:.0%} {shown}",
            f"{observation.format(format(share, '.0%'))} the conversion",
        )
        for share, shown, observation in checks
        if share_interval(share * group_count, group_count)[0] >= probe.members_at_outcome
    ]  # fmt: skip
