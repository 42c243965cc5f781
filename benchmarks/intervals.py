"""Does the interval of a readiness hold? Refits to other accounts of a population that has them.

The accounts of one simulated world are dealt into many small worlds, each large enough to train
on. Every small world is trained as `mqbg train` does, refits included, and the same snapshots of
accounts that nobody learned from are scored by all: the readiness that the model of one small world
gives a group should lie in the interval of another's in four of five cases.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import permutations
from pathlib import Path

import numpy as np
import pyarrow as pa
from mqbg.features import build_catalogue, find_vocabulary, prepare_source
from mqbg.features.declare.vocabulary import Vocabulary
from mqbg.features.tables.feature_source import FeatureSource
from mqbg.features.time_rules.eligible_groups import (
    end_of_observation,
    start_of_groups,
    training_cutoffs,
)
from mqbg.model.bundle import Bundle
from mqbg.settings import ModelSettings, Settings
from mqbg.source import open_source
from mqbg.support.progress import no_progress
from mqbg.support.terminal import progress_shown
from mqbg.train.data.snapshots import SnapshotTable, collect_snapshots
from mqbg.train.data.split import Split
from mqbg.train.fit.procedure import fit_bundle
from numpy.typing import NDArray

from .processes import in_processes
from .timing import mqbg, timed

WORLDS, GROUPS, CUTOFFS = 20, 400, 6
# Figures of a threshold are asked of no world, and each is fitted by a process of its own.
SETTINGS = Settings(model=ModelSettings(threads=1, resamples=2))


@dataclass(frozen=True)
class Coverage:
    """How intervals did.

    Attributes:
        inside: share of other models' readiness inside, over all pairs of small worlds.
        by_world: the same for each world whose interval it is.
        on_an_end: share of points that lie on an end of their interval.
        width: mean width of an interval.
        readiness: mean readiness.
    """

    inside: float
    by_world: tuple[float, ...]
    on_an_end: float
    width: float
    readiness: float


def run(worlds: int = WORLDS) -> None:
    """Prints the coverage over small worlds, and how wide an interval is."""
    with tempfile.TemporaryDirectory() as scratch:
        groups = (worlds + 2) * GROUPS
        mqbg(Path(scratch), "simulate", "world", "--groups", str(groups))
        found = simulated_coverage(Path(scratch) / "world", worlds)
    print(
        f"{worlds} worlds of some {GROUPS} groups: readiness of other-account models inside the "
        f"interval {found.inside:.1%} (75 to 85 %), by world {min(found.by_world):.0%} to "
        f"{max(found.by_world):.0%}; the point on an end {found.on_an_end:.2%} (under 2 %); mean "
        f"readiness {found.readiness:.3f}, mean width {found.width:.3f}"
    )


def simulated_coverage(world: Path, worlds: int, settings: Settings = SETTINGS) -> Coverage:
    """Trains on each of the small worlds that the accounts of a world are dealt into.

    Args:
        world: folder of the contract's tables.
        worlds: how many to train on; two shares more of the accounts are kept to be scored.
        settings: of the training.
    """
    with open_source(world, threads=settings.model.threads) as source:
        prepared = prepare_source(source, settings)
        cutoffs = _last_labelled_cutoffs(prepared)
        vocabulary = find_vocabulary(prepared, cutoffs[-1])
        with timed("snapshots"), progress_shown() as progress:
            snapshots = collect_snapshots(prepared, build_catalogue(vocabulary), cutoffs, progress)
    accounts = np.array(sorted(set(snapshots.keys["account_id"])), dtype=object)
    dealt = np.random.default_rng(0).permutation(accounts.size) % (worlds + 2)
    scored = _of_accounts(snapshots, accounts[dealt >= worlds]).at_cutoffs([cutoffs[-1]])
    split = Split(tuple(cutoffs), (), cutoffs[-1])
    parts = [_of_accounts(snapshots, accounts[dealt == number]) for number in range(worlds)]
    fit = partial(fitted, split=split, vocabulary=vocabulary, settings=settings)
    with timed(f"{worlds} trainings"):
        bundles = in_processes("trainings", fit, parts)
    return coverage(bundles, scored.features)


def fitted(
    snapshots: SnapshotTable, split: Split, vocabulary: Vocabulary, settings: Settings
) -> Bundle:
    """What a training of one small world registers, refits included."""
    return fit_bundle(
        snapshots, split, build_catalogue(vocabulary), settings, "", no_progress,
        refits=settings.model.refits,
    ).bundle  # fmt: skip


def coverage(bundles: Sequence[Bundle], features: pa.Table) -> Coverage:
    """How often each bundle's interval holds the readiness that the others give the same rows."""
    matrices = [bundle.feature_matrix(features) for bundle in bundles]
    raw = [one.log_odds_of_matrix(x) for one, x in zip(bundles, matrices, strict=True)]
    points = [one.readiness(scores) for one, scores in zip(bundles, raw, strict=True)]
    intervals = [
        one.readiness_interval(x, scores)
        for one, x, scores in zip(bundles, matrices, raw, strict=True)
    ]
    inside = np.full((len(bundles), len(bundles)), np.nan)
    for one, other in permutations(range(len(bundles)), 2):
        low, high = intervals[one]
        inside[one, other] = np.mean((low <= points[other]) & (points[other] <= high))
    ends = [
        np.mean((point == low) | (point == high))
        for point, (low, high) in zip(points, intervals, strict=True)
    ]
    by_world = np.nanmean(inside, axis=1)
    return Coverage(
        inside=float(by_world.mean()),
        by_world=tuple(by_world.tolist()),
        on_an_end=float(np.mean(ends)),
        width=float(np.mean([high - low for low, high in intervals])),
        readiness=float(np.mean(points)),
    )


def _last_labelled_cutoffs(source: FeatureSource) -> Sequence[datetime]:
    end = end_of_observation(source.tables, source.settings)
    return training_cutoffs(source.settings, start_of_groups(source.tables), end)[-CUTOFFS:]


def _of_accounts(snapshots: SnapshotTable, accounts: NDArray[np.object_]) -> SnapshotTable:
    """The snapshots of some accounts."""
    chosen = snapshots.keys["account_id"].isin(accounts).to_numpy()
    groups = snapshots.keys.loc[chosen, "group_id"]
    engaged = snapshots.engaged_members
    return SnapshotTable(
        snapshots.features.filter(pa.array(chosen)),
        snapshots.keys[chosen].reset_index(drop=True),
        engaged[engaged["group_id"].isin(groups)],
        {days: within[chosen] for days, within in snapshots.converted_by_horizon.items()},
    )
