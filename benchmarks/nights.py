"""Half a year of nights: what newly qualifies a week, and in the worst month, by capacity.

A world is simulated, a model learns from what was known when the half year began, and every night
of it is scored. The readiness of the nights is then replayed by the state machine and the budget of
entries that the nightly job runs, from the thresholds that training learns for each capacity. A
team takes nobody below the base rate, however much capacity it has: nights on which nobody else was
ready are counted, as no rule holds a capacity that there are no groups for.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
from mqbg.features import build_catalogue, find_vocabulary, prepare_source
from mqbg.features.tables.feature_source import FeatureSource
from mqbg.features.time_rules.eligible_groups import end_of_observation
from mqbg.model.bundle import Bundle
from mqbg.model.bundle_files import load_bundle, save_bundle
from mqbg.model.states import NURTURE, RECYCLED
from mqbg.model.threshold_update import update_threshold
from mqbg.model.thresholds import Thresholds
from mqbg.serve.batch.thresholds_in_force import score_snapshot
from mqbg.settings import ModelSettings, ObservationSettings, Settings, ThresholdSettings
from mqbg.source import open_source
from mqbg.support.terminal import progress_shown
from mqbg.train.data.snapshots import collect_snapshots
from mqbg.train.data.training_data import split_and_catalogue
from mqbg.train.fit.calibration import base_rate_shift
from mqbg.train.fit.procedure import FitResult, fit_bundle
from mqbg.train.thresholds.learn import learn_thresholds
from mqbg.train.thresholds.nights import replay_nights
from scipy.special import expit, logit

from .processes import in_processes, without_bars
from .timing import mqbg, timed

GROUPS, NIGHTS = 4_000, 182
NIGHTS_AT_ONCE = 7
DAY = timedelta(days=1)
CAPACITIES = (3.0, 6.0, 10.0, 20.0)
TIER = "A"  # has a team of its own; the others are B and C
TIER_SHARE = 0.2  # of the capacity, as of the groups
# The nights need the model that is registered, not what it is compared with.
THIN = ModelSettings(resamples=2, threads=1)


@dataclass(frozen=True)
class Part:
    """Some nights of a world, and the folder of the model that scores them."""

    world: Path
    model: Path
    until: datetime
    nights: tuple[datetime, ...]


@dataclass(frozen=True)
class Replay:
    """One capacity, replayed.

    Attributes:
        name: of the line that is printed.
        rows: Parquet file of `score_snapshot` of every night.
        thresholds: as the half year begins.
        settings: whose capacities count.
        shift: log-odds by which readiness is moved.
    """

    name: str
    rows: Path
    thresholds: Thresholds
    settings: ThresholdSettings
    shift: float = 0.0


def run() -> None:
    """Prints the weekly mean and the worst month of every capacity, beside what is promised."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        mqbg(folder, "simulate", "world", "--groups", str(GROUPS))
        learned, first = learn(folder / "world")
        (folder / "model").mkdir()
        save_bundle(learned.bundle, folder / "model")
        with timed(f"{NIGHTS + 1} nights"):
            rows = nightly_readiness(folder / "world", folder / "model", first)
        rows.to_parquet(folder / "rows.parquet")
        rate = float(learned.scored_rows["converted"].mean())
        print(f"{rows['group_id'].nunique():,} groups, base rate {rate:.1%}", flush=True)
        with timed("replays"):
            in_processes("replays", replayed, list(replays(learned, folder / "rows.parquet")), _say)


def learn(world: Path) -> tuple[FitResult, datetime]:
    """What `mqbg train` would register as the half year begins, and when that is."""
    with timed("train"), open_source(world, threads=THIN.threads) as source:
        first = end_of_observation(source.tables, Settings()) - NIGHTS * DAY
        settings = Settings(model=THIN, observation=ObservationSettings(until=first))
        prepared = prepare_source(source, settings)
        split, _judged = split_and_catalogue(prepared, None)
        catalogue = build_catalogue(find_vocabulary(prepared, first))
        with progress_shown() as progress:
            snapshots = collect_snapshots(prepared, catalogue, split.cutoffs, progress)
            everything = split.of_everything(first)
            return fit_bundle(snapshots, everything, catalogue, settings, "", progress), first


def nightly_readiness(world: Path, model: Path, first: datetime) -> pd.DataFrame:
    """Every open group, every night, as the batch scores it."""
    nights = [first + number * DAY for number in range(NIGHTS + 1)]
    parts = [
        Part(world, model, first, tuple(nights[start : start + NIGHTS_AT_ONCE]))
        for start in range(0, len(nights), NIGHTS_AT_ONCE)
    ]
    return pd.concat(in_processes("nights", score_part, parts), ignore_index=True)


def score_part(part: Part) -> pd.DataFrame:
    """The rows of some nights."""
    _kept_open, source, bundle = _opened(part.world, part.model, part.until)
    return pd.concat([score_snapshot(source, bundle, at) for at in part.nights])


@cache
def _opened(world: Path, model: Path, until: datetime) -> tuple[ExitStack, FeatureSource, Bundle]:
    """Held open as long as the process lives: what no cut-off changes is prepared once."""
    settings = Settings(model=THIN, observation=ObservationSettings(until))
    opened = ExitStack()
    source = opened.enter_context(open_source(world, threads=THIN.threads))
    without_bars(source)
    bundle = load_bundle(model)
    return opened, prepare_source(source, settings), replace(bundle, settings=settings)


def replays(learned: FitResult, rows: Path) -> Iterator[Replay]:
    """Each capacity by itself, with half the expected rate, and with a team of its own."""
    rate = float(learned.scored_rows["converted"].mean())
    halved = base_rate_shift(rate, rate / 2)
    for capacity in CAPACITIES:
        name, plain = f"capacity {capacity:g}", ThresholdSettings(capacity_per_week=capacity)
        of_tier = max(TIER_SHARE * capacity, 1.0)
        own = replace(
            plain,
            capacity_per_week=capacity - of_tier,
            segment="tier",
            capacity_by_segment={TIER: of_tier},
        )
        yield Replay(name, rows, thresholds_of(learned, plain), plain)
        lower = thresholds_of(learned, plain, rate / 2, halved)
        yield Replay(f"{name}, rate halved", rows, lower, plain, halved)
        yield Replay(name, rows, thresholds_of(learned, own), own)


def thresholds_of(
    learned: FitResult,
    settings: ThresholdSettings,
    expected_rate: float | None = None,
    shift: float = 0.0,
) -> Thresholds:
    """As training learns them and follows them up to the first night.

    Args:
        learned: gives the rows of the training, and those since.
        settings: whose capacities count.
        expected_rate: see `learn_thresholds`.
        shift: log-odds by which readiness moves to it.
    """
    scored, recent = (_moved(one, shift) for one in (learned.scored_rows, learned.recent_rows))
    return update_threshold(recent, learn_thresholds(scored, settings, expected_rate), settings)


def _moved(rows: pd.DataFrame, shift: float) -> pd.DataFrame:
    return rows.assign(readiness=expit(logit(rows["readiness"]) + shift)) if shift else rows


def replayed(replay: Replay) -> Sequence[str]:
    """A line for each team."""
    rows = _moved(pd.read_parquet(replay.rows), replay.shift)
    settings = replay.settings
    nights = replay_nights(rows, replay.thresholds, settings, Settings().states)
    waiting = nights["status"].isin([NURTURE, RECYCLED])
    complete = nights["completeness"] >= replay.thresholds.completeness
    ready = nights["readiness"] >= replay.thresholds.floor
    nights = nights.assign(left_waiting=waiting & complete & ready)
    if settings.segment == "none":
        return [_line(replay.name, nights, settings.capacity_per_week)]
    own = nights["tier"] == TIER
    return [
        _line(f"{replay.name}, tier {TIER} of its own", nights[own],
              settings.capacity_by_segment[TIER]),
        _line(f"{replay.name}, all others", nights[~own], settings.capacity_per_week),
    ]  # fmt: skip


def _line(name: str, nights: pd.DataFrame, capacity: float) -> str:
    per_week, worst = weekly_mean_and_worst_month(nights)
    short = int((~nights.groupby("as_of")["left_waiting"].any()).sum())
    supply = f"; nobody else reached the floor on {short} nights" if short else ""
    return (
        f"{name}: {per_week:.2f} a week ({per_week / capacity - 1:+.0%}, at most 10 %), worst "
        f"month {worst:.2f} ({worst / capacity - 1:+.0%}, at most 25 %){supply}"
    )


def _say(lines: Sequence[str]) -> None:
    for line in lines:
        print(line, flush=True)


def weekly_mean_and_worst_month(replayed: pd.DataFrame) -> tuple[float, float]:
    """Entries a week over all nights, and in the thirty days that lie furthest from that."""
    night = (replayed["as_of"] - replayed["as_of"].min()).dt.days
    entered = cast("np.ndarray", night[replayed["entered"]].to_numpy())
    by_month = np.bincount((entered - 1) // 30, minlength=NIGHTS // 30)[: NIGHTS // 30] * 7 / 30
    mean = entered.size * 7 / NIGHTS
    return mean, float(by_month[np.argmax(np.abs(by_month - mean))])
