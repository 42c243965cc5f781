"""Training, from prepared tables to a bundle and its figures; no file and no MLflow here."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from ..features.tables.feature_source import FeatureSource, without_lone_activities
from ..features.time_rules.eligible_groups import (
    end_of_observation,
)
from ..model.bundle import Bundle
from ..model.data_profile import data_profile
from ..settings import Settings
from ..support.progress import Progress, no_progress
from .data.leak_findings import Finding
from .data.leakage import find_leaks
from .data.outcome_probes import near_perfect_methods
from .data.snapshots import SnapshotTable, collect_snapshots
from .data.split import Split
from .data.training_data import (
    TrainingData,
    collect_training_data,
    split_and_catalogue,
    thin_training_sentence,
)
from .evaluate.ablation import ablate_themes
from .evaluate.comparison import POPULATIONS
from .evaluate.evaluation import MODEL, Evaluation, evaluate_bundle, touched_per_snapshot
from .evaluate.held_out_nights import HeldOutNights, measure_held_out_nights
from .fit.monotone import cost_of_monotone_constraints
from .fit.procedure import FitResult, build_training_matrix, fit_bundle
from .fit.trees import max_refit_rounds
from .fit.tuning import TuningResult, tune

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingResult:
    """A bundle and all that is to be said of it.

    Attributes:
        bundle: what serving needs.
        learned: how it came about.
        evaluation: how good it is.
        split: the cut-offs of each part.
        touched_per_snapshot: groups that sales can take between two snapshots.
        input_example: a few rows of the feature table, without names of groups.
        shap_sample: some hundred of the test rows, likewise, to draw.
        findings: what the leak probes warn of.
        ablation: frame of `ablation.ablate_themes`; None where it was not made.
        monotone_cost: frame of `monotone.cost_of_monotone_constraints`; None without directions.
        tuned: what the trials found; None without trials.
        nights: what the judged thresholds brought night by night at the end of the test; None where
            it was not measured.
        refit: how the registered bundle came about: fitted by the procedure that the test judged,
            to every label known; None where nothing is registered.
    """

    bundle: Bundle
    learned: FitResult
    evaluation: Evaluation
    split: Split
    touched_per_snapshot: int
    input_example: pa.Table
    shap_sample: pa.Table
    findings: tuple[Finding, ...] = ()
    ablation: pd.DataFrame | None = None
    monotone_cost: pd.DataFrame | None = None
    tuned: TuningResult | None = None
    refit: FitResult | None = None
    nights: HeldOutNights | None = None

    @property
    def registered(self) -> FitResult:
        """How `bundle` came about."""
        return self.refit or self.learned

    @property
    def few_labels(self) -> bool:
        """Whether the rule score says a part of the raw score, or all of it."""
        return self.bundle.blend.trees_share < 1


def train(
    source: FeatureSource,
    *,
    test_from: datetime | None = None,
    progress: Progress = no_progress,
    trials: int = 0,
    studies: Path | None = None,
) -> TrainingResult:
    """Snapshots, labels, split, leak probes, fit, figures beside the baselines, and the refit.

    What the probes find is logged as warnings before the fit, and the training goes on. The test
    judges the procedure; where it finds a signal, the same procedure is then fitted to every label
    known, test included, and that is the bundle.

    Args:
        source: prepared tables with their settings.
        test_from: first instant of the test part; None chooses it (see `forward_split`).
        progress: called with a label and the share done.
        trials: of tuning; 0 takes the preset.
        studies: SQLite file that keeps the trials, so that an interrupted search goes on.

    Raises:
        BadInput: too little history, no such target stage, no known role, or a part without an
            open group.
    """
    data = collect_training_data(source, test_from, progress)
    findings = _warn_of_data(data, progress)
    tuned = _tune(data, trials, studies, progress) if trials else None
    learned = fit_bundle(
        data.snapshots, data.split, data.catalogue, data.settings, data.fingerprint, progress,
        tuned.parameters if tuned else None,
    )  # fmt: skip
    touched = touched_per_snapshot(data.split, data.settings)
    evaluation = evaluate_bundle(learned, data.snapshots, data.split, touched, progress)
    on_all_accounts = evaluation.figures["population"].eq(POPULATIONS[0])
    too_good = near_perfect_methods(evaluation.figures[on_all_accounts])
    _log_findings(too_good)
    end = end_of_observation(data.source.tables, data.settings)
    refit, registered_data, nights = None, data, None
    if evaluation.signal.found:
        if evaluation.level.off:
            logger.warning("%s %s", evaluation.level.sentence, LEVEL_REMEDY)
        nights = measure_held_out_nights(
            data.source, learned, evaluation, data.split, data.catalogue, progress
        )
        registered_data = data.with_columns_known_at(end, progress)
        refit = _fit_to_everything(registered_data, learned, evaluation, tuned, end, progress)
    bundle = refit.bundle if refit else learned.bundle
    bundle = replace(bundle, profile=data_profile(data.source.contract_tables, data.settings, end))
    names = list(bundle.catalogue.feature_names)
    test_rows = registered_data.snapshots.at_cutoffs(data.split.test).features.select(names)
    trained = TrainingResult(
        bundle, learned, evaluation, data.split, touched,
        registered_data.snapshots.features.select(names).slice(0, 5),
        _sample_rows(test_rows, data.settings.model.seed),
        (*findings, *too_good), tuned=tuned, refit=refit, nights=nights,
    )  # fmt: skip
    return _add_refits(trained, data.snapshots, progress)


def _warn_of_data(data: TrainingData, progress: Progress) -> tuple[Finding, ...]:
    """What the leak probes find; that, and a part that is thin, are logged."""
    training = data.training
    findings = find_leaks(
        data.source.tables, data.settings, training.features, training.keys, progress
    )
    _log_findings(findings)
    if sentence := thin_training_sentence(data.split, training):
        logger.warning("%s", sentence)
    return findings


def _log_findings(findings: Iterable[Finding]) -> None:
    for finding in findings:
        logger.warning("%s", finding.sentence)


def _tune(
    data: TrainingData, trials: int, studies: Path | None, progress: Progress
) -> TuningResult:
    training = data.training
    return tune(
        build_training_matrix(training, data.catalogue, data.settings),
        training.keys["as_of"].to_numpy(),
        data.settings,
        data.catalogue.features,
        trials,
        studies,
        data.fingerprint,
        progress,
    )


def _fit_to_everything(
    data: TrainingData,
    learned: FitResult,
    evaluation: Evaluation,
    tuned: TuningResult | None,
    end: datetime,
    progress: Progress,
) -> FitResult:
    """The judged procedure, fitted to every label that is known at `end`, test included."""
    return fit_bundle(
        data.snapshots,
        data.split.of_everything(end),
        data.catalogue,
        data.settings,
        data.fingerprint,
        progress,
        tuned.parameters if tuned else None,
        max_refit_rounds(learned.fitted_trees),
        follow_newest=evaluation.level.off,
        refits=data.settings.model.refits,
    )


LEVEL_REMEDY = "What is registered is calibrated on the newest labels, where older rows count less."
SHAP_SAMPLE_ROWS = 400


def _sample_rows(features: pa.Table, seed: int) -> pa.Table:
    order = np.random.default_rng(seed).permutation(features.num_rows)
    return features.take(np.sort(order[:SHAP_SAMPLE_ROWS]))


def probe_leaks(
    source: FeatureSource, progress: Progress, test_from: datetime | None = None
) -> tuple[Finding, ...]:
    """The leak probes alone, on the cut-offs that a training would learn from.

    Args:
        source: prepared tables with their settings.
        progress: called with a label and the share done.
        test_from: as in `train`.

    Raises:
        BadInput: too little history for a training.
    """
    source = without_lone_activities(source)
    split, feature_catalogue = split_and_catalogue(source, test_from)
    snapshots = collect_snapshots(source, feature_catalogue, split.train, progress)
    return find_leaks(source.tables, source.settings, snapshots.features, snapshots.keys, progress)


def _add_refits(
    trained: TrainingResult, snapshots: SnapshotTable, progress: Progress
) -> TrainingResult:
    """What the themes and the directions are worth, by fitting without them.

    With few labels nothing is refitted: the differences would be those of chance.
    """
    learned, settings = trained.learned, trained.bundle.settings
    if learned.fitted_trees is None or trained.few_labels:
        return trained
    test = learned.bundle.feature_matrix(snapshots.at_cutoffs(trained.split.test).features)
    rows, probability = trained.evaluation.rows, trained.evaluation.probabilities[MODEL]
    comparison_options = {
        "touched_per_snapshot": trained.touched_per_snapshot,
        "resamples": settings.model.resamples,
        "seed": settings.model.seed,
    }
    fitted, calibrator = learned.fitted_trees, learned.bundle.calibrator
    if settings.model.monotone:
        monotone_cost = cost_of_monotone_constraints(
            learned.training_matrix,
            test,
            rows,
            probability,
            fitted,
            calibrator,
            learned.fitted_linear,
            **comparison_options,
        )
        trained = replace(trained, monotone_cost=monotone_cost)
    if settings.model.ablation and trained.evaluation.signal.found:
        theme_ablation = ablate_themes(
            learned.bundle.catalogue.features, learned.training_matrix, test, rows, probability,
            fitted, calibrator, linear=learned.fitted_linear, progress=progress,
            **comparison_options,
        )  # fmt: skip
        trained = replace(trained, ablation=theme_ablation)
    return trained


__all__ = ["MODEL", "Settings", "TrainingResult", "probe_leaks", "train"]
