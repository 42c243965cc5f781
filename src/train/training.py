"""Training, from prepared tables to a bundle and its figures; no file and no MLflow here."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from ..contract import BadInput
from ..features.declare.catalogue import Catalogue, build_catalogue
from ..features.declare.vocabulary import find_vocabulary, require_known_roles
from ..features.tables.feature_source import FeatureSource, without_lone_activities
from ..features.time_rules.eligible_groups import (
    end_of_observation,
    later_cutoffs,
    start_of_groups,
    training_cutoffs,
)
from ..model.bundle import Bundle
from ..model.data_profile import data_profile
from ..settings import Settings
from ..support.progress import Progress, no_progress
from .data.labels import require_target_stage
from .data.leak_findings import Finding
from .data.leakage import find_leaks
from .data.outcome_probes import near_perfect_methods
from .data.snapshots import SnapshotTable, collect_snapshots, data_fingerprint
from .data.split import MIN_TRAINING_CUTOFFS, Split, forward_split
from .evaluate.ablation import ablate_themes
from .evaluate.comparison import POPULATIONS
from .evaluate.evaluation import MODEL, Evaluation, evaluate_bundle, touched_per_snapshot
from .evaluate.held_out_nights import HeldOutNights, measure_held_out_nights
from .fit.monotone import cost_of_monotone_constraints
from .fit.procedure import FitResult, build_training_matrix, fit_bundle
from .fit.trees import max_refit_rounds
from .fit.tuning import TuningResult, tune
from .thresholds.learn import require_known_segments, require_policy

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
    source = without_lone_activities(source)
    settings = source.settings
    require_policy(settings.thresholds)
    require_target_stage(source.tables["stage_events"], settings.target)
    split, feature_catalogue = split_and_catalogue(source, test_from)
    snapshots = collect_snapshots(source, feature_catalogue, split.cutoffs, progress)
    _require_open_groups(snapshots, split)
    training = snapshots.at_cutoffs(split.train)
    require_known_segments(snapshots.keys_with_segments(), settings.thresholds)
    findings = find_leaks(source.tables, settings, training.features, training.keys, progress)
    for finding in findings:
        logger.warning("%s", finding.sentence)
    if sentence := thin_training_sentence(split, training):
        logger.warning("%s", sentence)
    training_fingerprint = data_fingerprint(source)
    tuned = None
    if trials:
        rows = build_training_matrix(training, feature_catalogue, settings)
        as_of = training.keys["as_of"].to_numpy()
        tuned = tune(
            rows,
            as_of,
            settings,
            feature_catalogue.features,
            trials,
            studies,
            training_fingerprint,
            progress,
        )
    learned = fit_bundle(
        snapshots,
        split,
        feature_catalogue,
        settings,
        training_fingerprint,
        progress,
        tuned.parameters if tuned else None,
    )
    touched = touched_per_snapshot(split, settings)
    evaluation = evaluate_bundle(learned, snapshots, split, touched, progress)
    on_all_accounts = evaluation.figures["population"].eq(POPULATIONS[0])
    too_good = near_perfect_methods(evaluation.figures[on_all_accounts])
    for finding in too_good:
        logger.warning("%s", finding.sentence)
    findings = (*findings, *too_good)
    refit, all_snapshots, nights = None, snapshots, None
    end = end_of_observation(source.tables, settings)
    if evaluation.signal.found:
        if evaluation.level.off:
            logger.warning("%s %s", evaluation.level.sentence, LEVEL_REMEDY)
        nights = measure_held_out_nights(
            source, learned, evaluation, split, feature_catalogue, progress
        )
        catalogue_now = _current_catalogue(source, feature_catalogue, end)
        if catalogue_now is not feature_catalogue:
            all_snapshots = collect_snapshots(source, catalogue_now, split.cutoffs, progress)
        refit = fit_bundle(
            all_snapshots,
            split.of_everything(end),
            catalogue_now,
            settings,
            training_fingerprint,
            progress,
            tuned.parameters if tuned else None,
            max_refit_rounds(learned.fitted_trees),
            follow_newest=evaluation.level.off,
            refits=settings.model.refits,
        )
    bundle = refit.bundle if refit else learned.bundle
    bundle = replace(bundle, profile=data_profile(source.contract_tables, settings, end))
    names = list(bundle.catalogue.feature_names)
    trained = TrainingResult(
        bundle, learned, evaluation, split, touched,
        all_snapshots.features.select(names).slice(0, 5),
        _sample_rows(
            all_snapshots.at_cutoffs(split.test).features.select(names), settings.model.seed
        ),
        findings, tuned=tuned, refit=refit, nights=nights,
    )  # fmt: skip
    return _add_refits(trained, snapshots, progress)


LEVEL_REMEDY = "What is registered is calibrated on the newest labels, where older rows count less."
MIN_CONVERTED_GROUPS = 30


def thin_training_sentence(split: Split, training: SnapshotTable) -> str:
    """What the part to learn from lacks, and what to do; empty where it has enough.

    Args:
        split: its training cut-offs.
        training: their rows.
    """
    groups = int(training.keys.loc[training.converted, "group_id"].nunique())
    lacks = []
    if len(split.train) < MIN_TRAINING_CUTOFFS:
        lacks.append(f"{len(split.train)} of {MIN_TRAINING_CUTOFFS} cut-offs")
    if groups < MIN_CONVERTED_GROUPS:
        lacks.append(f"{groups} of {MIN_CONVERTED_GROUPS} converted groups")
    if not lacks:
        return ""
    return (
        f"the judged model learns from {' and '.join(lacks)} that it should have, so its figures "
        "say less than they could of what is registered; bring a longer history, set denser "
        "[snapshots] or a shorter [target] horizon_days"
    )


def _current_catalogue(source: FeatureSource, judged: Catalogue, end: datetime) -> Catalogue:
    """The catalogue of the whole data; the judged one where it has the same columns.

    Departments alone are no reason to read the tables again: the rarest of them change places with
    every month, and no column is named after one.
    """
    vocabulary = find_vocabulary(source, end)
    before = judged.vocabulary
    same_columns = vocabulary.template == before.template and all(
        set(getattr(vocabulary, part)) == set(getattr(before, part))
        for part in ("families", "questions")
    )
    return judged if same_columns else build_catalogue(vocabulary)


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


def split_and_catalogue(
    source: FeatureSource, test_from: datetime | None
) -> tuple[Split, Catalogue]:
    """The cut-offs of each part, and the columns that are known by the start of the test.

    Args:
        source: prepared tables with their settings.
        test_from: as in `train`.

    Raises:
        BadInput: too little history for a training, or no known role.
    """
    settings = source.settings
    end = end_of_observation(source.tables, settings)
    instants = training_cutoffs(settings, start_of_groups(source.tables), end)
    split = forward_split(instants, settings.target.horizon_days, test_from)
    require_known_roles(source, split.test_from)
    feature_catalogue = build_catalogue(find_vocabulary(source, split.test_from))
    if settings.thresholds.policy == "capacity":
        return replace(
            split, after_test=later_cutoffs(settings, split.test[-1], end)
        ), feature_catalogue
    # No other policy follows the flow of snapshots whose outcomes nobody knows yet.
    return replace(split, before_test=()), feature_catalogue


def _require_open_groups(snapshots: SnapshotTable, split: Split) -> None:
    for part, cutoffs in (("training", split.train), ("test", split.test)):
        if not len(snapshots.at_cutoffs(cutoffs).keys):
            raise BadInput(
                f"train: expected groups that were open in the {part} part, from "
                f"{cutoffs[0]:%Y-%m-%d} to {cutoffs[-1]:%Y-%m-%d}, found none; bring a longer "
                "history or set another --test-from"
            )


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
