"""What a careful analyst writes first: group features in pandas, and LightGBM as it comes."""

from __future__ import annotations

from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

WINDOWS_DAYS = (7, 30, 90, 100_000)
KINDS = 12  # the most frequent ones have columns of their own
ROLES = 8
TABLES = ("accounts", "buying_groups", "members", "activities", "stage_events")


def chances(
    data: Path, learned: pd.DataFrame, asked: pd.DataFrame, target: str, threads: int
) -> NDArray[np.float64]:
    """Chance of conversion of each asked row, by an untuned LightGBM.

    Args:
        data: a folder of the contract's tables as Parquet.
        learned: training rows: group_id, as_of, converted.
        asked: rows to score: group_id, as_of.
        target: the stage that counts as a conversion.
        threads: of LightGBM.
    """
    tables = {name: pq.read_table(data / f"{name}.parquet").to_pandas() for name in TABLES}
    rows = pd.concat([learned[["group_id", "as_of"]], asked[["group_id", "as_of"]]])
    x = features(tables, rows.reset_index(drop=True), target)
    model = lgb.LGBMClassifier(n_jobs=threads, verbosity=-1)
    model.fit(x[: len(learned)], learned["converted"])
    return np.asarray(model.predict_proba(x[len(learned) :])[:, 1], dtype=np.float64)


def features(tables: dict[str, pd.DataFrame], rows: pd.DataFrame, target: str) -> pd.DataFrame:
    """One row of features per row of `rows` (group_id, as_of), from what was known before it."""
    attached = _attached(tables)
    groups = tables["buying_groups"].merge(tables["accounts"], on="account_id", how="left")
    parts = []
    for as_of, part in rows.groupby("as_of"):
        found = _at(tables, attached, groups.set_index("group_id"), part["group_id"], as_of, target)
        parts.append(found.set_index(part.index))
    x = pd.concat(parts).sort_index()
    for name in x.columns[[not pd.api.types.is_numeric_dtype(kind) for kind in x.dtypes]]:
        x[name] = x[name].astype("category")
    return x


def _attached(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """group_id, contact_id, kind, occurred_at and known_at of every activity of every group."""
    given = tables["activities"].drop_duplicates("activity_id")
    known = given["occurred_at"]
    if "recorded_at" in given:
        known = given[["recorded_at", "occurred_at"]].max(axis=1)
    given = given.assign(known_at=known)
    named = given[given["group_id"].notna()]
    free = given[given["group_id"].isna()].drop(columns="group_id")
    people = tables["members"][["group_id", "contact_id"]].drop_duplicates()
    free = free.merge(people, on="contact_id")
    if "solution_id" in free:
        of_group = tables["buying_groups"].set_index("group_id")["solution_id"]
        own = free["group_id"].map(of_group)
        free = free[free["solution_id"].isna() | (free["solution_id"] == own)]
    columns = ["group_id", "contact_id", "kind", "occurred_at", "known_at"]
    return pd.concat([named[columns], free[columns]], ignore_index=True)


def _at(
    tables: dict[str, pd.DataFrame],
    attached: pd.DataFrame,
    groups: pd.DataFrame,
    group_ids: pd.Series,
    as_of: pd.Timestamp,
    target: str,
) -> pd.DataFrame:
    past = attached[attached["known_at"] < as_of]
    age_days = (as_of - past["occurred_at"]).dt.total_seconds() / 86_400
    found: dict[str, pd.Series] = {}
    for days in WINDOWS_DAYS:
        inside = past[age_days <= days].groupby("group_id")
        found[f"activities_{days}"] = inside.size()
        found[f"people_{days}"] = inside["contact_id"].nunique()
    for kind in attached["kind"].value_counts().index[:KINDS]:
        of_kind = past["kind"] == kind
        found[f"{kind}_ever"] = past[of_kind].groupby("group_id").size()
        found[f"{kind}_90"] = past[of_kind & (age_days <= 90)].groupby("group_id").size()
    members = tables["members"]
    there = (members["joined_at"] < as_of) & ~(members["left_at"] < as_of)
    now = members[there]
    found["members"] = now.groupby("group_id")["contact_id"].nunique()
    found["roles"] = now.groupby("group_id")["role"].nunique()
    for role in members["role"].value_counts().index[:ROLES]:
        found[f"role_{role}"] = now[now["role"] == role].groupby("group_id").size()
    counts = pd.DataFrame(found).reindex(group_ids.to_numpy()).fillna(0.0)
    stages = tables["stage_events"]
    stages = stages[stages["occurred_at"] < as_of]
    of_group = groups.loc[group_ids.to_numpy()]
    ages = {
        "days_since_activity": age_days.groupby(past["group_id"]).min(),
        "stage_events": stages.groupby("group_id").size(),
        "stage": stages.sort_values("occurred_at").groupby("group_id")["stage"].last(),
    }
    more = pd.DataFrame(ages).reindex(counts.index)
    more["age_days"] = (as_of - of_group["created_at"]).dt.days.to_numpy()
    for name in ("industry", "country", "tier", "solution_id", "employees"):
        if name in of_group:
            more[name] = of_group[name].to_numpy()
    won = stages[stages["stage"] == target]["group_id"].map(groups["account_id"]).value_counts()
    open_groups = groups[groups["created_at"] < as_of]["account_id"].value_counts()
    more["account_conversions"] = of_group["account_id"].map(won).fillna(0).to_numpy()
    more["account_groups"] = of_group["account_id"].map(open_groups).fillna(0).to_numpy()
    return pd.concat([counts, more], axis=1)
