"""Half a year of nights: what newly qualifies a week, and in the worst month, by capacity.

A world is simulated, a model learns from what was known when the half year began, and every night
of it is scored. The readiness of the nights is then replayed by the state machine and the budget of
entries that the nightly job runs.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from mqbg.features import prepare_source
from mqbg.features.tables.feature_source import FeatureSource
from mqbg.features.time_rules.eligible_groups import end_of_observation
from mqbg.model.bundle import Bundle
from mqbg.model.thresholds import Thresholds
from mqbg.serve.batch.thresholds_in_force import score_snapshot
from mqbg.settings import ModelSettings, ObservationSettings, Settings, ThresholdSettings
from mqbg.source import open_source
from mqbg.train.fit.calibration import base_rate_shift
from mqbg.train.thresholds.nights import replay_nights
from mqbg.train.training import train
from scipy.special import expit, logit

from .timing import mqbg, timed

GROUPS, NIGHTS = 4_000, 182
DAY = timedelta(days=1)
CAPACITIES = (3.0, 6.0, 10.0, 20.0)
TIER = "A"  # has a team of its own; the others are B and C
QUICK = ModelSettings(ablation=False, refits=0)


def run() -> None:
    """Prints the weekly mean and the worst month of every capacity, beside what is promised."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        mqbg(folder, "simulate", "world", "--groups", str(GROUPS))
        with open_source(folder / "world", threads=2) as source:
            end = end_of_observation(source.tables, Settings())
            first = end - NIGHTS * DAY
            settings = Settings(model=QUICK, observation=ObservationSettings(until=first))
            prepared = prepare_source(source, settings)
            with timed("train"):
                trained = train(prepared)
            with timed(f"{NIGHTS + 1} nights"):
                rows = nightly_readiness(prepared, trained.bundle, first)
    bundle, rate = trained.bundle, float(trained.registered.scored_rows["converted"].mean())
    halved = base_rate_shift(rate, rate / 2)
    print(f"{rows['group_id'].nunique():,} groups, base rate {rate:.1%}")
    for capacity in CAPACITIES:
        plain = ThresholdSettings(capacity_per_week=capacity)
        own = replace(plain, segment="tier", capacity_by_segment={TIER: max(capacity / 4, 1.0)})
        shifted = rows.assign(readiness=expit(logit(rows["readiness"]) + halved))
        lower = replace(bundle.thresholds, floor=bundle.thresholds.floor / 2)
        by_tier = replace(bundle.thresholds, segment="tier")
        _print(f"capacity {capacity:g}", rows, bundle.thresholds, plain)
        _print(f"capacity {capacity:g}, rate halved", shifted, lower, plain)
        for name, part in (
            (f"tier {TIER} of its own", rows["tier"] == TIER),
            ("all others", rows["tier"] != TIER),
        ):
            _print(f"capacity {capacity:g}, {name}", rows, by_tier, own, part)


def nightly_readiness(source: FeatureSource, bundle: Bundle, first: datetime) -> pd.DataFrame:
    """Every open group, every night, as the batch scores it."""
    nights = [first + number * DAY for number in range(NIGHTS + 1)]
    return pd.concat([score_snapshot(source, bundle, at) for at in nights], ignore_index=True)


def _print(
    name: str,
    rows: pd.DataFrame,
    thresholds: Thresholds,
    settings: ThresholdSettings,
    part: pd.Series | None = None,
) -> None:
    replayed = replay_nights(rows, thresholds, settings, Settings().states)
    capacity = settings.capacity_per_week
    if part is not None:
        replayed = replayed[part.reindex(replayed.index)]
        if (replayed["tier"] == TIER).all():
            capacity = settings.capacity_by_segment[TIER]
    per_week, worst = weekly_mean_and_worst_month(replayed)
    print(
        f"{name}: {per_week:.2f} a week ({per_week / capacity - 1:+.0%}, at most 10 %), worst "
        f"month {worst:.2f} ({worst / capacity - 1:+.0%}, at most 25 %)",
        flush=True,
    )


def weekly_mean_and_worst_month(replayed: pd.DataFrame) -> tuple[float, float]:
    """Entries a week over all nights, and in the thirty days that lie furthest from that."""
    night = (replayed["as_of"] - replayed["as_of"].min()).dt.days
    entered = night[replayed["entered"]].to_numpy()
    by_month = np.bincount((entered - 1) // 30, minlength=NIGHTS // 30)[: NIGHTS // 30] * 7 / 30
    mean = entered.size * 7 / NIGHTS
    return mean, float(by_month[np.argmax(np.abs(by_month - mean))])
