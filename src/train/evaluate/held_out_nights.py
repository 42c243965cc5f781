"""The nights before the last cut-off of the test, scored and replayed as the job would run them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from ...features.declare.catalogue import Catalogue
from ...features.tables.feature_source import FeatureSource
from ...features.time_rules.verdicts import verdicts_as_of
from ...model.threshold_update import update_threshold
from ...model.thresholds import ThresholdPerformance
from ...support.progress import Progress
from ..data.snapshots import collect_snapshots
from ..data.split import Split
from ..fit.procedure import FitResult, score_snapshots
from ..thresholds.performance import measure_performance
from .evaluation import Evaluation


@dataclass(frozen=True)
class HeldOutNights:
    """What the thresholds brought night by night.

    Attributes:
        first: the first night, whose qualified groups are stock.
        last: the last one.
        count: of nights after the first.
        performance: of the thresholds over them.
    """

    first: datetime
    last: datetime
    count: int
    performance: ThresholdPerformance


def nights_before(last: datetime, count: int) -> tuple[datetime, ...]:
    """`count` nights up to `last`, and the one before them."""
    return tuple(last - timedelta(days=days) for days in range(count, -1, -1))


def measure_held_out_nights(
    source: FeatureSource,
    learned: FitResult,
    evaluation: Evaluation,
    split: Split,
    catalogue: Catalogue,
    progress: Progress,
) -> HeldOutNights | None:
    """What sales would have got night by night at the end of the test, and how good it was.

    Readiness moves between two cut-offs, and groups qualify on the way: cut-offs alone do not show
    it. The nights are those before the last cut-off of the test, all of whose outcomes are known
    and played no part in the training.

    Args:
        source: prepared tables with their settings.
        learned: the judged bundle.
        evaluation: of it.
        split: whose test ends with the last night.
        catalogue: of the bundle.
        progress: called with a label and the share done.

    Returns:
        None where the settings ask for no nights.
    """
    settings, bundle = source.settings, learned.bundle
    if not settings.thresholds.held_out_nights:
        return None
    nights = nights_before(split.test[-1], settings.thresholds.held_out_nights)
    snapshots = collect_snapshots(source, catalogue, nights, progress, members=False)
    followed = pd.concat([learned.recent_rows, evaluation.rows], ignore_index=True)
    thresholds = update_threshold(
        followed[followed["as_of"] <= nights[0]], bundle.thresholds, settings.thresholds
    )
    performance = measure_performance(
        score_snapshots(bundle, snapshots),
        thresholds,
        settings.thresholds,
        resamples=settings.model.resamples,
        seed=settings.model.seed,
        states=settings.states,
        verdicts=lambda as_of: verdicts_as_of(source, as_of),
    )
    return HeldOutNights(nights[0], nights[-1], len(nights) - 1, performance)
