"""Leak probes of the dates on which people joined: because the deal advanced, or before it did.

A CRM often lists people when somebody moves the deal. Then a filled role says that the deal has
moved, and says it only afterwards. `leakage` says what the arguments are.
"""

from __future__ import annotations

from collections.abc import Mapping

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binom, norm

from ...settings import ProbeSettings
from .leak_counts import ranking_auc, share_interval
from .leak_findings import Finding, make_finding

DAYS_AROUND = 3
"""Joins so many days after a stage change are compared with those so many days before it."""

SHIFT_DAYS = 7
"""Joins are shifted so far, to see what of the roles' worth rests on the last days."""

MAX_CHANCE = 0.001
"""How rarely chance may do as much."""

RESAMPLES = 100
MAX_ROWS = 20_000  # snapshots that are looked at; more would tell the same, and take longer
MIN_SPREAD = 1e-4
"""Of a difference of two AUC; fewer rows than tell them apart have none."""

Floats = NDArray[np.float64]


def joins_after_stages(
    tables: Mapping[str, ir.Table], groups: pd.DataFrame, probe: ProbeSettings
) -> list[Finding]:
    """Members who were entered because the deal advanced: joins right after stage changes.

    Each group has one say: whether more of its joins lie in the days after one of its stage
    changes or in the days before one. Of people who join without regard to stages as many groups
    have more before (sign test).
    """
    return judge_joins(_joins(tables, groups), _stage_changes(tables, groups), probe)


def judge_joins(joins: pd.DataFrame, events: pd.DataFrame, probe: ProbeSettings) -> list[Finding]:
    """See `joins_after_stages`.

    Args:
        joins: group_id, contact_id, joined_at.
        events: group_id, occurred_at.
        probe: the settings.
    """
    if joins.empty or events.empty:
        return []
    near = joins.merge(events, on="group_id")
    days = (near["joined_at"] - near["occurred_at"]).dt.total_seconds() / 86_400
    near = near.assign(after=(days >= 0) & (days < DAYS_AROUND))
    near["before"] = (days < 0) & (days >= -DAYS_AROUND)
    by_join = near.groupby(["group_id", "contact_id", "joined_at"])[["after", "before"]].any()
    by_group = by_join.groupby("group_id").sum()
    more_after = int((by_group["after"] > by_group["before"]).sum())
    decided = more_after + int((by_group["after"] < by_group["before"]).sum())
    total = len(joins[joins["group_id"].isin(events["group_id"])])
    share = float(by_join["after"].sum()) / total
    low, _high = share_interval(share * len(by_group), len(by_group))
    by_chance = float(binom.sf(more_after - 1, decided, 0.5)) if decided else 1.0
    if low < probe.joins_after_stage or by_chance > MAX_CHANCE:
        return []
    shown = f"{share:.0%} join then"
    observation = (
        f"{share:.0%} of the members of groups whose stage changes joined within {DAYS_AROUND} "
        f"days after a change, {float(by_join['before'].sum()) / total:.0%} in the days before one"
    )
    return [make_finding("joins after stages", "members.joined_at", share, shown, observation)]


def _joins(tables: Mapping[str, ir.Table], groups: pd.DataFrame) -> pd.DataFrame:
    """group_id, contact_id, joined_at of who joined later than within a day of the creation.

    Whoever is there from the beginning was entered with the group, not with a stage.
    """
    members = tables["members"].select("group_id", "contact_id", "joined_at")
    return _after_creation(members, "joined_at", tables, groups).drop_duplicates()


def _stage_changes(tables: Mapping[str, ir.Table], groups: pd.DataFrame) -> pd.DataFrame:
    """group_id, occurred_at of stage changes later than within a day of the creation."""
    events = tables["stage_events"].select("group_id", "occurred_at")
    return _after_creation(events, "occurred_at", tables, groups)


def _after_creation(
    rows: ir.Table, time: str, tables: Mapping[str, ir.Table], groups: pd.DataFrame
) -> pd.DataFrame:
    """The rows of `groups` whose time is later than within a day of the group's creation."""
    created = tables["buying_groups"].select("group_id", "created_at")
    frame = rows.join(created, "group_id").to_pyarrow().to_pandas()
    frame = frame[frame[time] - frame["created_at"] > pd.Timedelta(days=1)]
    known: pd.DataFrame = frame.merge(groups[["group_id"]], on="group_id")
    return known[list(rows.columns)]


def joins_worth(members: ir.Table, keys: pd.DataFrame, probe: ProbeSettings) -> list[Finding]:
    """What the filled roles rank less well where everybody joins a week later.

    Roles whose worth rests on the last days before a cut-off are worth nothing where their dates
    are those of entries made afterwards. Judged by the cautious end of a bootstrap over accounts.
    """
    keys = _some_accounts(keys)
    converted = keys["converted"].to_numpy(dtype=bool)
    if keys.loc[converted, "group_id"].nunique() < probe.min_conversions or converted.all():
        return []
    rows = members.select("group_id", "role", "joined_at", "left_at").to_pyarrow().to_pandas()
    rows = rows[rows["group_id"].isin(keys["group_id"].unique())]
    now = filled_roles(rows, keys, 0)
    shifted = filled_roles(rows, keys, SHIFT_DAYS)
    accounts = pd.factorize(keys["account_id"])[0]
    lost, spread = lost_auc(now, shifted, converted, accounts)
    if lost - norm.isf(MAX_CHANCE) * spread < probe.join_shift_auc:
        return []
    shown = f"AUC {lost:+.3f}"
    observation = (
        f"the number of filled roles ranks the outcomes of training with an AUC that falls by "
        f"{lost:.3f} where everybody joins {SHIFT_DAYS} days later"
    )
    return [make_finding("worth of late joins", "members.joined_at", lost, shown, observation)]


def _some_accounts(keys: pd.DataFrame) -> pd.DataFrame:
    """All rows of as many accounts as tell enough, drawn at random where there are very many."""
    if len(keys) <= MAX_ROWS:
        return keys
    accounts = keys["account_id"].unique()
    drawn = np.random.default_rng(0).random(len(accounts)) < MAX_ROWS / len(keys)
    return keys[keys["account_id"].isin(accounts[drawn])].reset_index(drop=True)


def filled_roles(members: pd.DataFrame, keys: pd.DataFrame, days: int) -> Floats:
    """Distinct roles of the members of each row, shape (rows,).

    Args:
        members: group_id, role, joined_at, left_at.
        keys: group_id, as_of.
        days: that everybody joins later.
    """
    rows = keys[["group_id", "as_of"]].assign(row=np.arange(len(keys)))
    counts = np.zeros(len(keys))
    for as_of, part in rows.groupby("as_of"):
        joined = members["joined_at"] < pd.Timestamp(str(as_of)) - pd.Timedelta(days=days)
        there = joined & (members["left_at"].isna() | (members["left_at"] >= as_of))
        roles = members[there].groupby("group_id")["role"].nunique()
        counts[part["row"]] = part["group_id"].map(roles).fillna(0)
    return counts


def lost_auc(
    now: Floats, shifted: Floats, converted: NDArray[np.bool_], accounts: NDArray[np.intp]
) -> tuple[float, float]:
    """What the AUC of `now` has beyond that of `shifted`, and its spread over accounts.

    Args:
        now: shape (rows,).
        shifted: shape (rows,).
        converted: shape (rows,).
        accounts: number of the account of each row, shape (rows,).
    """
    generator = np.random.default_rng(0)
    count = int(accounts.max()) + 1
    differences = []
    for _ in range(RESAMPLES):
        weights = np.bincount(generator.integers(count, size=count), minlength=count)[accounts]
        drawn = np.repeat(np.arange(len(accounts)), weights)
        if converted[drawn].any() and not converted[drawn].all():
            differences.append(_lost(now[drawn], shifted[drawn], converted[drawn]))
    spread = float(np.std(differences)) if len(differences) > 1 else np.inf
    return _lost(now, shifted, converted), max(spread, MIN_SPREAD)


def _lost(now: Floats, shifted: Floats, converted: NDArray[np.bool_]) -> float:
    return ranking_auc(now, converted) - ranking_auc(shifted, converted)
