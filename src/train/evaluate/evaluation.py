"""How good a bundle is on the test: figures, comparison, segments, months, lines, signal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import expit, logit

from ...features.declare.catalogue import Catalogue
from ...model.feature_matrix import encode_category
from ...model.threshold_update import update_threshold
from ...model.thresholds import ThresholdPerformance
from ...settings import Settings
from ...support.progress import Progress
from ..data.snapshots import SnapshotTable
from ..data.split import Split
from ..fit.horizons import rows_by_horizon
from ..fit.procedure import FitResult, expected_rate_shift, score_snapshots
from ..thresholds.performance import measure_performance, threshold_curve
from .baselines import BASELINES, TrainingRows
from .comparison import compare, verdict_sentence
from .forecast_check import ForecastCheck, check_forecast
from .level import Level, measure_level
from .segments import evaluate_by_month, evaluate_by_segment
from .signal import Signal, find_signal

Floats = NDArray[np.float64]

MODEL = "mqbg"


@dataclass(frozen=True)
class Evaluation:
    """What is to be said of a bundle, measured on the test part.

    Attributes:
        rows: the test rows described, with seen and the bundle's readiness.
        probabilities: of each method on the test rows.
        figures: tidy frame of `evaluation.compare`.
        differences: the paired differences to every baseline.
        signal: whether there is anything to learn.
        level: whether as many converted as the model expected.
        verdict: what the model adds to the best baseline, in one sentence.
        segments: frame of `segments.evaluate_by_segment`.
        months: frame of `segments.evaluate_by_month`.
        threshold_curve: what every line would have brought on the test.
        realised: what the lines in force brought on the test.
        forecast_checks: that beside what was to be expected before it.
        horizons: horizon_days and then a figure's columns, of each further horizon.
    """

    rows: pd.DataFrame
    probabilities: Mapping[str, Floats]
    figures: pd.DataFrame
    differences: pd.DataFrame
    signal: Signal
    level: Level
    verdict: str
    segments: pd.DataFrame
    months: pd.DataFrame
    threshold_curve: pd.DataFrame
    realised: ThresholdPerformance
    horizons: pd.DataFrame
    forecast_checks: tuple[ForecastCheck, ...] = ()


def evaluate_bundle(
    learned: FitResult,
    snapshots: SnapshotTable,
    split: Split,
    touched_per_snapshot: int,
    progress: Progress,
) -> Evaluation:
    """Measures a bundle on the test part beside the baselines.

    Args:
        learned: the bundle and its training rows.
        snapshots: of all cut-offs of the split.
        split: which of them are the test.
        touched_per_snapshot: groups that sales can take between two snapshots.
        progress: called with a label and the share done.
    """
    progress("figures", 0.0)
    bundle, settings = learned.bundle, learned.bundle.settings
    test = snapshots.at_cutoffs(split.test)
    scored = score_snapshots(bundle, test)
    rows = scored.assign(
        seen=scored["account_id"].isin(learned.scored_rows["account_id"]).to_numpy()
    )
    readiness = rows["readiness"].to_numpy(np.float64)
    probabilities = {
        MODEL: readiness,
        **_baseline_probabilities(learned, snapshots, split, progress),
    }
    bootstrap_options = {"resamples": settings.model.resamples, "seed": settings.model.seed}
    comparison_options = {"touched_per_snapshot": touched_per_snapshot, **bootstrap_options}
    compared = compare(rows, probabilities, model=MODEL, **comparison_options)
    signal = _find_signal(learned, rows, readiness, bootstrap_options)
    progress("figures", 0.8)
    thresholds = update_threshold(
        pd.concat([learned.recent_rows, rows], ignore_index=True),
        bundle.thresholds,
        settings.thresholds,
    )
    realised = measure_performance(
        rows, thresholds, settings.thresholds, states=settings.states, **bootstrap_options
    )
    evaluation = Evaluation(
        rows=rows,
        probabilities=probabilities,
        figures=compared.figures,
        differences=compared.differences,
        signal=signal,
        level=measure_level(rows, _at_training_rate(readiness, learned), **bootstrap_options),
        verdict=verdict_sentence(
            compared.figures, compared.differences, model=MODEL, signal=signal
        ),
        segments=evaluate_by_segment(
            rows,
            readiness,
            touched_per_snapshot=touched_per_snapshot,
            resamples=settings.model.resamples,
            seed=settings.model.seed,
        ),
        months=evaluate_by_month(
            rows, readiness, touched_per_snapshot=touched_per_snapshot, **bootstrap_options
        ),
        threshold_curve=threshold_curve(rows, thresholds, settings.thresholds, **bootstrap_options),
        realised=realised,
        horizons=_horizon_figures(learned, snapshots, split, rows, comparison_options),
        forecast_checks=check_forecast(bundle.thresholds.forecast, realised),
    )
    progress("figures", 1.0)
    return evaluation


def _baseline_probabilities(
    learned: FitResult, snapshots: SnapshotTable, split: Split, progress: Progress
) -> dict[str, Floats]:
    catalogue, values = learned.bundle.catalogue, learned.bundle.category_values
    training = TrainingRows(
        baseline_frame(snapshots.at_cutoffs(split.train).features, catalogue, values),
        learned.training_matrix.converted,
        learned.training_matrix.account_id,
    )
    test = baseline_frame(snapshots.at_cutoffs(split.test).features, catalogue, values)
    probabilities = {}
    for number, (name, baseline) in enumerate(BASELINES.items()):
        progress("figures", (number + 1) / (len(BASELINES) + 3))
        probabilities[name] = baseline(training, test)
    return probabilities


def baseline_frame(
    features: pa.Table, catalogue: Catalogue, values: Mapping[str, tuple[str, ...]]
) -> pd.DataFrame:
    """The feature table as baselines read it: numbers, and categories of the known values."""
    return pd.DataFrame(
        {
            name: pd.Categorical.from_codes(
                np.nan_to_num(encode_category(features[name], values[name]), nan=-1).astype(
                    np.intp
                ),
                categories=pd.Index(values[name], dtype=object),
            )
            if name in values
            else features[name].to_pandas().astype(float)
            for name in catalogue.feature_names
        }
    )


def _at_training_rate(readiness: Floats, learned: FitResult) -> Floats:
    """Chances before they were moved to the rate that the settings expect."""
    shift = expected_rate_shift(learned.training_matrix.converted, learned.bundle.settings)
    return readiness if shift == 0 else np.asarray(expit(logit(readiness) - shift), np.float64)


def _find_signal(
    learned: FitResult,
    rows: pd.DataFrame,
    readiness: Floats,
    bootstrap_options: Mapping[str, int],
) -> Signal:
    if learned.calibrator_choice is None:
        return Signal(True, "Too few labels to look for a signal: the rule score ranks.")
    return find_signal(rows, readiness, learned.scored_rows, **bootstrap_options)


def _horizon_figures(
    learned: FitResult,
    snapshots: SnapshotTable,
    split: Split,
    rows: pd.DataFrame,
    comparison_options: Mapping[str, int],
) -> pd.DataFrame:
    """Figures of every horizon, the model's own included, where there are others."""
    bundle = learned.bundle
    if not bundle.horizon_models:
        return pd.DataFrame()
    test = snapshots.at_cutoffs(split.test)
    matrix = bundle.feature_matrix(test.features)
    probabilities = bundle.readiness_by_horizon(matrix, bundle.log_odds_of_matrix(matrix))
    # What is labelled by the end of observation: the own horizon of the last test row.
    until = split.test[-1] + pd.Timedelta(days=bundle.settings.target.horizon_days)
    parts = {
        bundle.settings.target.horizon_days: (rows, rows["readiness"].to_numpy(np.float64)),
        **rows_by_horizon(rows, test.horizon_outcomes(until), probabilities),
    }
    return pd.concat(
        [
            compare(part, {MODEL: probability}, model=MODEL, **comparison_options).figures.assign(
                horizon_days=days
            )
            for days, (part, probability) in sorted(parts.items())
        ],
        ignore_index=True,
    )


def touched_per_snapshot(split: Split, settings: Settings) -> int:
    """Groups that sales can take between two snapshots, at least one."""
    ordered = pd.Series(split.train + split.before_test + split.test)
    gaps = ordered.diff().dropna().dt.total_seconds() / 86_400
    days = float(gaps.median()) if len(gaps) else 30.0
    return max(1, round(settings.thresholds.capacity_per_week * days / 7))
