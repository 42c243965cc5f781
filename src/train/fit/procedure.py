"""From snapshots to a bundle: trees, blend, calibrator, intervals, thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...features.declare.catalogue import Catalogue
from ...model.bundle import Bundle, TrainingSummary
from ...model.calibrators import Blend, Calibrator, Platt, VennAbers
from ...model.feature_matrix import feature_matrix
from ...model.threshold_update import update_threshold
from ...model.thresholds import Thresholds
from ...settings import Settings
from ...support.progress import Progress
from ..data.snapshots import SnapshotTable
from ..data.split import Split
from ..thresholds.learn import learn_thresholds
from ..thresholds.performance import forecast_performance
from .calibration import (
    CalibratorChoice,
    adjust_to_base_rate,
    base_rate_shift,
    choose_calibrator,
    fit_venn_abers,
    recency_weight,
)
from .comparable_snapshots import find_comparable_snapshots
from .horizons import fit_horizon_steps
from .linear import FittedLinear, choose_linear
from .reference_members import find_reference_members
from .refits import fit_refits
from .shrinkage import blend_with_rule, effective_conversions, trees_share
from .trees import (
    FittedTrees,
    TrainingMatrix,
    enough_to_fit,
    fit_trees,
    group_weights,
    lightgbm_parameters,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FitResult:
    """A bundle and how it came about.

    Attributes:
        bundle: what serving needs.
        training_matrix: the training rows as the trees read them.
        fitted_trees: parameters, trees and held-out scores; None where the rule score alone ranks.
        fitted_linear: the linear part; None where the trees alone do better.
        calibrator_choice: how the calibrator was chosen; None where there was nothing to choose by.
        scored_rows: the training rows described, with the readiness from trees that held them out.
        recent_rows: the rows of the cut-offs after training and before the test, scored by the
            bundle.
    """

    bundle: Bundle
    training_matrix: TrainingMatrix
    fitted_trees: FittedTrees | None
    fitted_linear: FittedLinear | None
    calibrator_choice: CalibratorChoice | None
    scored_rows: pd.DataFrame
    recent_rows: pd.DataFrame


def build_training_matrix(
    snapshots: SnapshotTable, catalogue: Catalogue, settings: Settings
) -> TrainingMatrix:
    """The rows of training as the trees read them."""
    values = category_values(snapshots, catalogue)
    keys = snapshots.keys
    group_id = keys["group_id"].to_numpy(dtype=object)
    return TrainingMatrix(
        feature_matrix(snapshots.features, catalogue.feature_names, values),
        snapshots.converted,
        keys["account_id"].to_numpy(dtype=object),
        group_id,
        group_weights(group_id, settings.model.weights),
        catalogue.feature_names,
        # A category without a single known value holds nothing to split on.
        tuple(i for i, name in enumerate(catalogue.feature_names) if values.get(name)),
    )


def category_values(snapshots: SnapshotTable, catalogue: Catalogue) -> dict[str, tuple[str, ...]]:
    """The values of each category column that enough groups had; they are sorted."""
    group = snapshots.keys["group_id"].to_numpy()
    values = {}
    for feature in catalogue.features:
        if feature.categorical:
            pairs = pd.DataFrame(
                {"value": snapshots.features[feature.name].to_pylist(), "group": group}
            )
            groups = pairs.dropna().drop_duplicates().groupby("value").size()
            values[feature.name] = tuple(sorted(groups.index[groups >= feature.min_groups]))
    return values


def fit_bundle(
    snapshots: SnapshotTable,
    split: Split,
    catalogue: Catalogue,
    settings: Settings,
    fingerprint: str,
    progress: Progress,
    tuned: Mapping[str, Any] | None = None,
    max_rounds: int | None = None,
    *,
    follow_newest: bool = False,
    refits: int = 0,
) -> FitResult:
    """Fits everything that is in a bundle, on the training part.

    Args:
        snapshots: of all cut-offs of the split.
        split: which of them to learn from.
        catalogue: the catalogue.
        settings: those of the user.
        fingerprint: of the data.
        progress: called with a label and the share done.
        tuned: parameters of LightGBM that replace the preset's.
        max_rounds: trees at most; None for `trees.most_rounds`.
        follow_newest: the calibrator rests on the newest labels: the level has been seen to move.
        refits: to other accounts, for the interval of a readiness (see `refits.fit_refits`).
    """
    training = snapshots.at_cutoffs(split.train)
    rows = build_training_matrix(training, catalogue, settings)
    score = _fit_raw_score(training, rows, catalogue, settings, tuned, max_rounds, progress)
    fitted, held_out = score.trees, score.held_out
    trees, age_days = fitted.trees if fitted else "", _age_days(training)
    choice = None
    if fitted is not None:
        choice = choose_calibrator(
            held_out, rows.converted, fitted.fold, age_days, follow_newest=follow_newest
        )
    rate_shift = expected_rate_shift(rows.converted, settings)
    calibrator, interval = _fit_calibration(held_out, rows.converted, choice, rate_shift)
    scored_training = training.keys_with_segments().assign(readiness=calibrator(held_out))
    bundle = Bundle(
        trees=trees,
        linear=score.linear.part if score.linear else None,
        blend=score.blend,
        settings=settings,
        vocabulary=catalogue.vocabulary,
        category_values=category_values(training, catalogue),
        calibrator=calibrator,
        interval=interval,
        thresholds=learn_thresholds(
            scored_training, settings.thresholds, settings.model.expected_rate
        ),
        reference_members=find_reference_members(training.engaged_members, catalogue),
        comparable=find_comparable_snapshots(
            training, rows, trees, settings.explain.min_support, settings.model.seed
        ),
        training=_training_summary(training, rows, split, fingerprint),
    )
    if fitted is not None and choice is not None:
        steps = fit_horizon_steps(
            rows,
            held_out,
            training.horizon_outcomes(split.outcomes_known_until or split.test_from),
            settings.target.horizon_days,
            recency_weight(age_days, choice.half_life_days),
            rate_shift,
        )
        others = fit_refits(
            rows, fitted, score.linear, held_out, age_days, choice, refits, rate_shift, progress
        )
        bundle = replace(bundle, horizon_models=steps, refits=others)
    recent = score_snapshots(bundle, snapshots.at_cutoffs(split.before_test))
    return FitResult(
        replace(bundle, thresholds=_thresholds_at_test_start(bundle, scored_training, recent)),
        rows, fitted, score.linear, choice, scored_training, recent,
    )  # fmt: skip


@dataclass(frozen=True)
class _RawScore:
    """The parts of the raw score, and what folds that held a row out say of it.

    Attributes:
        trees: None where the rule score alone ranks.
        linear: None where the trees alone do better.
        blend: with the rule score.
        held_out: shape (training rows,); log-odds.
    """

    trees: FittedTrees | None
    linear: FittedLinear | None
    blend: Blend
    held_out: Floats


def _fit_raw_score(
    training: SnapshotTable,
    rows: TrainingMatrix,
    catalogue: Catalogue,
    settings: Settings,
    tuned: Mapping[str, Any] | None,
    max_rounds: int | None,
    progress: Progress,
) -> _RawScore:
    fitted, linear = None, None
    if enough_to_fit(rows):
        parameters = lightgbm_parameters(
            settings.model, catalogue.features, tuned, rows.converted.size
        )
        fitted = fit_trees(rows, parameters, progress, max_rounds)
        linear = choose_linear(
            rows, fitted.fold, fitted.held_out, settings.model.seed, settings.model.threads
        )
    blend = _fit_blend(training, rows, settings, fitted)
    return _RawScore(fitted, linear, blend, _held_out_log_odds(training, fitted, linear, blend))


def _age_days(training: SnapshotTable) -> Floats:
    """How long before the newest cut-off each row's is."""
    age = training.keys["as_of"].max() - training.keys["as_of"]
    days: Floats = age.dt.total_seconds().to_numpy(np.float64) / 86_400
    return days


def _training_summary(
    training: SnapshotTable, rows: TrainingMatrix, split: Split, fingerprint: str
) -> TrainingSummary:
    leavers = training.feature_values("members_left_90d") > 0
    return TrainingSummary(
        fingerprint=fingerprint,
        rows=len(training.keys),
        conversions=int(rows.converted.sum()),
        first_as_of=split.train[0],
        last_as_of=split.train[-1],
        test_from=split.test_from,
        snapshots_with_leavers=int(leavers.sum()),
    )


def score_snapshots(bundle: Bundle, snapshots: SnapshotTable) -> pd.DataFrame:
    """Rows described, with the readiness that the bundle gives them."""
    return snapshots.keys_with_segments().assign(
        readiness=bundle.readiness(bundle.log_odds(snapshots.features))
    )


def _fit_blend(
    training: SnapshotTable, rows: TrainingMatrix, settings: Settings, fitted: FittedTrees | None
) -> Blend:
    conversions = effective_conversions(rows)
    few_conversions = settings.model.few_conversions
    return blend_with_rule(
        training.feature_values("rule_engagement"),
        training.feature_values("completeness"),
        rows.converted,
        conversions=conversions,
        trees_share=trees_share(conversions, few_conversions, fitted=fitted is not None),
    )


def _held_out_log_odds(
    training: SnapshotTable,
    fitted: FittedTrees | None,
    linear: FittedLinear | None,
    blend: Blend,
) -> Floats:
    rule_log_odds = blend.rule_log_odds(
        training.feature_values("rule_engagement"), training.feature_values("completeness")
    )
    if fitted is None:
        return rule_log_odds
    learned, trees_share = fitted.held_out, blend.trees_share
    if linear is not None:
        learned = linear.part.blended(learned, linear.held_out)
    if trees_share == 1:
        return learned
    return trees_share * learned + (1 - trees_share) * rule_log_odds


def _fit_calibration(
    held_out: Floats,
    converted: NDArray[np.bool_],
    choice: CalibratorChoice | None,
    rate_shift: float,
) -> tuple[Calibrator, VennAbers]:
    # The rule is on the scale of log-odds already: too few labels to learn two more numbers.
    calibrator = Platt(1.0, 0.0) if choice is None else choice.calibrator
    interval = fit_venn_abers(held_out, converted)
    if rate_shift == 0:
        return calibrator, interval
    return adjust_to_base_rate(calibrator, interval, rate_shift)


def expected_rate_shift(converted: NDArray[np.bool_], settings: Settings) -> float:
    """Log-odds by which every chance moves to the rate that the settings expect; 0 without one."""
    expected_rate, rate = settings.model.expected_rate, float(converted.mean())
    if expected_rate is None or not 0 < rate < 1:
        return 0.0
    return base_rate_shift(rate, expected_rate)


def _thresholds_at_test_start(
    bundle: Bundle, scored: pd.DataFrame, recent: pd.DataFrame
) -> Thresholds:
    """The thresholds as they are when the test begins, with what to expect of them."""
    settings = bundle.settings
    updated = update_threshold(recent, bundle.thresholds, settings.thresholds)
    resampling = {"resamples": settings.model.resamples, "seed": settings.model.seed}
    return replace(
        updated,
        forecast=forecast_performance(
            scored,
            recent if len(recent) else scored,
            updated,
            settings.thresholds,
            expected_rate=settings.model.expected_rate,
            states=settings.states,
            **resampling,
        ),
    )
