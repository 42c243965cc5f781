"""The dozen features in pandas, vectorised by hand: codes, masks and bincount, never apply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from mqbg.settings import Settings
from numpy.typing import NDArray

from . import DOZEN, days_of

_DAY = 86_400_000_000  # microseconds
_TIES = ["contact_id", "kind", "occurred_at", "recorded_at", "group_id", "solution_id"]


@dataclass(frozen=True)
class _Activities:
    """One entry per activity and pair that it counts for; days since 1970."""

    pair: NDArray[np.int32]
    occurred: NDArray[np.int16]
    known: NDArray[np.int16]
    aged: NDArray[np.int16]
    points: NDArray[np.float32]
    inbound: NDArray[np.bool_]
    strong: NDArray[np.bool_]


def features(data: Path, as_ofs: Sequence[datetime], threads: int) -> pa.Table:
    """group_id, as_of and the dozen features of every eligible group at each cut-off.

    Args:
        data: folder of the contract's Parquet files.
        as_ofs: midnights.
        threads: of reading; pandas itself uses one.

    Raises:
        ValueError: a cut-off is not a midnight.
    """
    days = days_of(as_ofs)
    pa.set_cpu_count(threads)
    groups = _read(data, "buying_groups", ["group_id", "solution_id", "created_at"])
    members = _read(data, "members", ["group_id", "contact_id", "joined_at", "left_at"])
    events = _read(data, "stage_events", ["group_id", "stage", "occurred_at"])
    members["group"] = pd.Index(groups["group_id"]).get_indexer(members["group_id"])
    members["pair"] = members.groupby(["group", "contact_id"], sort=False).ngroup()
    activities = _attached(_once(data), members, groups)
    parts = [
        _at_cutoff(as_of, day, activities, members, groups, events)
        for as_of, day in zip(as_ofs, days, strict=True)
    ]
    return pa.Table.from_pandas(pd.concat(parts), preserve_index=False)


def _read(data: Path, table: str, columns: list[str]) -> pd.DataFrame:
    frame: pd.DataFrame = pq.read_table(data / f"{table}.parquet", columns=columns).to_pandas()
    return frame


def _once(data: Path) -> pd.DataFrame:
    """Each activity_id once: its earliest row by when it counts."""
    rows = _read(data, "activities", ["activity_id", *_TIES])
    rows["known_at"] = rows["recorded_at"].fillna(rows["occurred_at"])
    rows["counts_from"] = rows[["known_at", "occurred_at"]].max(axis=1)
    repeated = rows["activity_id"].duplicated(keep=False)
    order = ["counts_from", "known_at", *_TIES]
    first = rows[repeated].sort_values(order).drop_duplicates("activity_id")
    return pd.concat([rows[~repeated], first], ignore_index=True).drop(columns="activity_id")


def _attached(rows: pd.DataFrame, members: pd.DataFrame, groups: pd.DataFrame) -> _Activities:
    """Rows joined with the pairs they count for; pairs of groups without a contact come last."""
    pairs = members.drop_duplicates("pair")[["pair", "contact_id", "group"]]
    small = _small(rows, groups)
    logged = small[rows["contact_id"].isna().to_numpy()]
    base = logged["own_group"] + len(pairs)
    small["contact_id"] = rows["contact_id"]
    joined = small.dropna(subset="contact_id").merge(pairs, on="contact_id")
    solution = groups["solution"].to_numpy()[joined["group"]]
    free = (joined["own_group"] < 0) & (
        (joined["own_solution"] < 0) | (joined["own_solution"] == solution)
    )
    joined = joined[free | (joined["own_group"] == joined["group"])]
    every = pd.concat([joined, logged.assign(pair=base)], ignore_index=True)
    return _Activities(
        every["pair"].to_numpy(np.int32),
        *(every[name].to_numpy() for name in ("occurred", "known", "aged")),
        *(every[name].to_numpy() for name in ("points", "inbound", "strong")),
    )


def _small(rows: pd.DataFrame, groups: pd.DataFrame) -> pd.DataFrame:
    """Codes of groups and solutions (-1: none), days, and what the settings say of each kind."""
    groups["solution"], solutions = pd.factorize(groups["solution_id"])
    kind, names = pd.factorize(rows["kind"])
    of_kind = [Settings().activity_kind(name) for name in names]
    occurred = _microseconds(rows["occurred_at"])
    day, late = np.divmod(occurred, _DAY)
    return pd.DataFrame(
        {
            "own_group": pd.Index(groups["group_id"]).get_indexer(rows["group_id"]),
            "own_solution": _codes(rows["solution_id"], solutions),
            "occurred": day.astype(np.int16),
            "known": (_microseconds(rows["counts_from"]) // _DAY).astype(np.int16),
            "aged": (day + (late >= 1_000_000)).astype(np.int16),
            "points": np.array([k.points for k in of_kind], np.float32)[kind],
            "inbound": np.array([k.direction == "inbound" for k in of_kind])[kind],
            "strong": np.array([k.high_intent and k.direction == "inbound" for k in of_kind])[kind],
        }
    )


def _codes(values: pd.Series[Any], known: pd.Index[Any]) -> NDArray[np.int64]:
    """Places in `known`; -1 for none, the number after the last for what is not among them."""
    places = pd.Index(known).get_indexer(values)
    return np.where((places < 0) & values.notna().to_numpy(), len(known), places)


def _microseconds(times: pd.Series[Any]) -> NDArray[np.int64]:
    return times.to_numpy().astype("datetime64[us]").astype(np.int64)


def _at_cutoff(
    as_of: datetime,
    day: int,
    activities: _Activities,
    members: pd.DataFrame,
    groups: pd.DataFrame,
    events: pd.DataFrame,
) -> pd.DataFrame:
    current = members["pair"][
        (members["joined_at"] < as_of) & (members["left_at"].isna() | (members["left_at"] >= as_of))
    ]
    pairs = members["pair"].max() + 1 if len(members) else 0
    member = np.zeros(pairs + len(groups), bool)
    member[current] = True
    group_of = np.r_[_group_of_pair(members), np.arange(len(groups))]
    counts = member.copy()
    counts[pairs:] = True
    by_pair = _by_pair(day, activities, counts.size)[counts]
    by_pair["members"] = member[counts].astype(float)
    by_pair["active_members_30d"] = (by_pair["inbound_30d"] > 0) * by_pair["members"]
    by_pair["engagement_max"] = by_pair["engagement_21"] * by_pair["members"]
    reduced = {name: "max" if name == "engagement_max" else "sum" for name in by_pair}
    reduced |= dict.fromkeys(("days_since_inbound", "days_since_high_intent"), "min")
    table = by_pair.groupby(group_of[counts]).agg(reduced)
    table.insert(0, "group_id", groups["group_id"])
    table.insert(1, "as_of", np.datetime64(as_of, "us"))
    return table[_eligible(groups, events, as_of)][["group_id", "as_of", *DOZEN]]


def _group_of_pair(members: pd.DataFrame) -> NDArray[np.int64]:
    return members.drop_duplicates("pair").sort_values("pair")["group"].to_numpy()


def _by_pair(day: int, activities: _Activities, size: int) -> pd.DataFrame:
    """Counts, the decayed sum and the latest days of every pair."""
    rows = activities.known < day
    pair, occurred = activities.pair[rows], activities.occurred[rows]
    inbound, strong = activities.inbound[rows], activities.strong[rows]
    age = (day - activities.aged[rows]).astype(np.float64)
    month = occurred >= day - 30

    def count(which: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.bincount(pair[which], minlength=size).astype(float)

    def latest(which: NDArray[np.bool_]) -> NDArray[np.float64]:
        days = np.full(size, np.inf)
        np.minimum.at(days, pair[which], age[which])
        return np.where(np.isinf(days), np.nan, days)

    weight = np.where(inbound, activities.points[rows] * 0.5 ** (age / 21.0), 0.0)
    return pd.DataFrame(
        {
            **{f"inbound_{d}d": count(inbound & (occurred >= day - d)) for d in (7, 30, 90)},
            "inbound_ever": count(inbound),
            "high_intent_30d": count(strong & month),
            "outbound_30d": count(~inbound & month),
            "engagement_21": np.bincount(pair, weight, minlength=size),
            "days_since_inbound": latest(inbound),
            "days_since_high_intent": latest(strong),
        }
    )


def _eligible(groups: pd.DataFrame, events: pd.DataFrame, as_of: datetime) -> NDArray[np.bool_]:
    past = events[events["occurred_at"] < as_of]
    ends = past["stage"].isin(["opportunity", "won", "lost"])

    def latest(which: pd.Series[bool]) -> NDArray[Any]:
        times = past[which].groupby("group_id")["occurred_at"].max()
        return times.reindex(groups["group_id"]).to_numpy()

    closed, reopened = latest(ends), latest(past["stage"] == "reopened")
    shut: NDArray[np.bool_] = ~np.isnat(closed) & ~(reopened > closed)
    return np.asarray(groups["created_at"] < as_of) & ~shut
