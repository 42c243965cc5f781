"""Who in the group: our contributions and simpler ways, against the truth and one another."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from mqbg.explain.group_members import GroupMembers, group_members_at, recent_activity
from mqbg.explain.shapley.coalition_aggregates import Aggregator, Floats
from mqbg.explain.shapley.game import Game, play_games, stakeholder_game
from mqbg.explain.shapley.stakeholders import group_stakeholders
from mqbg.explain.shapley.theme_attribution import catalogue_themes
from mqbg.explain.shapley.valuation import Valuation, with_compiled_trees
from mqbg.features import prepare_source
from mqbg.features.tables.feature_source import FeatureSource
from mqbg.features.tables.feature_table import Snapshot, open_snapshot
from mqbg.model.bundle import Bundle
from mqbg.settings import ExplainSettings, Settings, load_settings
from mqbg.source import open_source
from scipy.stats import spearmanr

from . import congress
from .believed import QUICK, trained_on
from .timing import mqbg

SEED = 7
LARGEST = 8  # members; larger groups have no exact value to compare with at little cost
DELETED = 300  # activities
THEME_GROUPS = 200


def run(data: Path) -> None:
    """Prints how well each way agrees with the truth, and what one activity moves."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        mqbg(folder, "simulate", "world", "--groups", "3000")
        settings = Settings(model=QUICK)
        with open_source(folder / "world", threads=QUICK.threads) as source:
            prepared = prepare_source(source, settings)
            trained = trained_on(prepared)
            bundle = with_compiled_trees(trained.bundle)
            as_of = trained.evaluation.rows["as_of"].max().to_pydatetime()
            with open_snapshot(prepared, bundle.catalogue, as_of) as at:
                _against_truth(_ways(prepared, at, bundle), folder / "world", as_of)
                _themes(at, bundle)
        _stability(folder / "world", settings, bundle, as_of, "simulated")
        if not data.is_dir():
            print(f"congress110 skipped: {data} is not there")
            return
        (folder / "mqbg.toml").write_text(congress.SETTINGS)
        real = replace(load_settings(folder / "mqbg.toml"), model=QUICK)
        with open_source(data, threads=QUICK.threads) as source:
            trained = trained_on(prepare_source(source, real), datetime(2008, 4, 1))
        as_of = trained.evaluation.rows["as_of"].max().to_pydatetime()
        _stability(data, real, with_compiled_trees(trained.bundle), as_of, "congress110")


def _ways(source: FeatureSource, at: Snapshot, bundle: Bundle) -> pd.DataFrame:
    """Every member's value by each way; index group_id and contact_id."""
    totals = Aggregator(bundle.catalogue.terms)
    valuation = Valuation(bundle, at.fact_rows())
    few = replace(bundle.settings.explain, max_sets=2, standard_error=1e-9, max_pairs=16)
    members = {
        group.group_id: group for group in group_members_at(at) if 2 <= len(group.roles) <= LARGEST
    }
    sampled = dict(play_games(_games(members, totals, few), valuation, 10_000))
    parts = []
    for one in group_stakeholders(at, bundle, lambda _label, _share: None):
        if one.group.group_id not in members:
            continue
        group, outcome = members[one.group.group_id], one.outcome
        alone = totals.alone(group.base, group.terms)
        first = valuation([(group.group_id, len(alone))], alone) - outcome.base
        last = outcome.everyone - outcome.without
        values = {
            "mqbg, exact": outcome.contribution,
            "mqbg, 16 antithetic pairs": sampled[group.group_id].contribution,
            "(leave one out + first in) / 2": (last + first) / 2,
            "leave one out": last,
        }
        ids = {"group_id": group.group_id, "contact_id": group.contact_ids}
        parts.append(pd.DataFrame({**ids, **values}))
    found = pd.concat(parts).set_index(["group_id", "contact_id"])
    recent, _contacted = recent_activity(source, at, bundle.settings.explain.contacted_days)
    active = pd.Series({member: one.activities_30d for member, one in recent.items()})
    found["most active"] = active.reindex(found.index).fillna(0)
    found["SHAP shared out by activity"] = _shared_out(at, bundle, found["most active"])
    return found


def _games(
    members: Mapping[str, GroupMembers], totals: Aggregator, how: ExplainSettings
) -> Iterator[tuple[str, Game]]:
    for number, (key, group) in enumerate(members.items()):
        draw = partial(np.random.default_rng, [SEED, number])
        yield key, stakeholder_game(totals, group.base, group.terms, how, draw)


def _shared_out(at: Snapshot, bundle: Bundle, active: pd.Series) -> pd.Series:
    """The obvious way: TreeSHAP of the group, shared out among members by their activities."""
    features = at.features()
    shap = pd.Series(
        bundle.contributions(bundle.feature_matrix(features)).sum(axis=1),
        features["group_id"].to_pylist(),
    )
    by_group = active.groupby("group_id")
    share = (active / by_group.transform("sum")).fillna(1 / by_group.transform("size"))
    return share * shap.reindex(active.index.get_level_values("group_id")).to_numpy()


def _against_truth(ways: pd.DataFrame, world: Path, as_of: datetime) -> None:
    truth = pq.read_table(world / "truth" / "shapley.parquet").to_pandas()
    known = truth[truth["as_of"] == as_of].set_index(["group_id", "contact_id"])["contribution"]
    true = known.reindex(ways.index)
    matters = true.groupby("group_id").transform("max") > 0
    groups = true[matters].groupby("group_id").ngroups
    print(f"{groups:,} simulated groups of 2 to {LARGEST} members, against the truth:\n")
    print("| way | Spearman over all members | names the strongest |")
    print("|---|---:|---:|")
    for way in ways.columns:
        rank = spearmanr(ways.loc[matters, way], true[matters]).statistic
        print(f"| {way} | {rank:.3f} | {_named(ways.loc[matters, way], true[matters]):.1%} |")
    exact = ways["mqbg, exact"]
    print("\nagainst the exact game of the same model:\n")
    print("| way | Spearman within groups | names the top member |")
    print("|---|---:|---:|")
    for way in ways.columns.drop("mqbg, exact"):
        print(f"| {way} | {_within(ways[way], exact):.3f} | {_named(ways[way], exact):.1%} |")


def _named(found: pd.Series, true: pd.Series) -> float:
    """Share of groups whose first member by a way has the highest true value."""
    chosen = true.loc[found.groupby("group_id").idxmax()].droplevel("contact_id")
    return float(np.mean(chosen >= true.groupby("group_id").max() - 1e-12))


def _within(found: pd.Series, true: pd.Series) -> float:
    """Mean rank correlation within the groups where both differ among members."""
    each = []
    for _key, mine in found.groupby("group_id"):
        theirs = true[mine.index]
        if len(mine) > 2 and mine.nunique() > 1 and theirs.nunique() > 1:
            each.append(spearmanr(mine, theirs).statistic)
    return float(np.mean(each))


def _themes(at: Snapshot, bundle: Bundle) -> None:
    """How near themes from the first and the last step come to those over all coalitions."""
    totals, valuation = Aggregator(bundle.catalogue.terms), Valuation(bundle, at.fact_rows())
    members = {g.group_id: g for g in group_members_at(at) if 2 <= len(g.roles) <= 6}
    of_theme = np.array(
        [
            [f.theme == t for t in catalogue_themes(bundle.catalogue)]
            for f in bundle.catalogue.features
        ],
        float,
    )
    ours, exact = [], []
    for one in group_stakeholders(at, bundle, lambda _label, _share: None):
        if (group := members.get(one.group.group_id)) is not None and len(ours) < THEME_GROUPS:
            ours.append(one.contributions_by_theme)
            exact.append(_all_coalitions(group, totals, valuation) @ of_theme)
    mine, theirs = np.vstack(ours), np.vstack(exact)
    top = np.mean(np.abs(mine).argmax(axis=1) == np.abs(theirs).argmax(axis=1))
    near = np.corrcoef(mine.ravel(), theirs.ravel())[0, 1]
    print(
        f"\nthemes of {len(mine):,} members against the mean over all coalitions: correlation "
        f"{near:.3f}, the same strongest theme for {top:.0%}"
    )


def _all_coalitions(group: GroupMembers, totals: Aggregator, valuation: Valuation) -> Floats:
    """Shapley-weighted changes of TreeSHAP over every coalition, shape (members, features)."""
    people = len(group.roles)
    sets = totals.coalitions(group.base, group.terms, np.ones(people, dtype=np.int64))
    parts = np.vstack(
        [
            valuation.bundle.contributions(matrix)
            for _rows, matrix in valuation.feature_matrices([(group.group_id, len(sets))], sets)
        ]
    )
    found = np.zeros((people, parts.shape[1]))
    for number in range(len(sets)):
        inside = number.bit_count()
        for member in range(people):
            if not number >> member & 1:
                weight = 1 / (people * math.comb(people - 1, inside))
                found[member] += weight * (parts[number | 1 << member] - parts[number])
    return found


def _stability(data: Path, settings: Settings, bundle: Bundle, as_of: datetime, name: str) -> None:
    """Prints what deleting one random activity moves: its own member, and the others the most."""
    with tempfile.TemporaryDirectory() as scratch:
        less = Path(scratch)
        deleted = _deleted(data, as_of)
        for path in data.glob("*.parquet"):
            (less / path.name).symlink_to(path.resolve())
        activities = pq.read_table(data / "activities.parquet")
        gone = pc.is_in(activities["activity_id"], value_set=pa.array(deleted["activity_id"]))
        (less / "activities.parquet").unlink()
        pq.write_table(activities.filter(pc.invert(gone)), less / "activities.parquet")
        groups = deleted["group_id"].tolist()
        before, after = (
            _contributions(folder, settings, bundle, as_of, groups) for folder in (data, less)
        )
    moved = (after - before.reindex(after.index)).abs()
    own, others = [], []
    for row in deleted.itertuples():
        if row.group_id in moved.index.get_level_values("group_id"):
            mine = moved[row.group_id]
            own.append(mine.get(row.contact_id, 0.0))
            others.append(
                mine.drop(row.contact_id, errors="ignore").max() if len(mine) > 1 else 0.0
            )
    held = np.mean(np.array(others) <= np.array(own) + 1e-12)
    print(
        f"{name}, {len(own)} activities deleted one by one: at the median the contribution of "
        f"their member moves by {np.median(own):.4f}, the other that moves most by "
        f"{np.median(others):.4f}; in {held:.0%} no other moves more than the member"
    )


def _deleted(data: Path, as_of: datetime) -> pd.DataFrame:
    """One random recent activity in each of some groups that share nobody; with its member."""
    members = pq.read_table(data / "members.parquet").to_pandas()
    members = members[members["joined_at"] < as_of]
    members = members[members["left_at"].isna() | (members["left_at"] >= as_of)]
    activities = pq.read_table(data / "activities.parquet").to_pandas()
    recent = activities["occurred_at"].between(as_of - timedelta(days=90), as_of, "left")
    drawn = activities[recent & activities["contact_id"].notna()].sample(frac=1, random_state=SEED)
    groups_of = members.groupby("contact_id")["group_id"].agg(set)
    rows: list[tuple[str, str, str]] = []
    touched: set[str] = set()
    for row in drawn.itertuples():
        mine = groups_of.get(row.contact_id, set())
        counts_for = mine & {row.group_id} if isinstance(row.group_id, str) else mine
        if len(rows) < DELETED and counts_for and not counts_for & touched:
            rows.append((row.activity_id, row.contact_id, min(counts_for)))
            touched |= counts_for
    return pd.DataFrame(rows, columns=["activity_id", "contact_id", "group_id"])


def _contributions(
    data: Path, settings: Settings, bundle: Bundle, as_of: datetime, groups: Sequence[str]
) -> pd.Series:
    with open_source(data, threads=settings.model.threads) as source:
        prepared = prepare_source(source, settings)
        with open_snapshot(prepared, bundle.catalogue, as_of, groups) as at:
            parts = [
                pd.Series(
                    one.outcome.contribution,
                    pd.MultiIndex.from_product([[one.group.group_id], one.group.contact_ids]),
                )
                for one in group_stakeholders(at, bundle, lambda _label, _share: None)
            ]
    return pd.concat(parts).rename_axis(["group_id", "contact_id"])
