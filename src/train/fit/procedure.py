"""From snapshots to a bundle: trees, blend, calibrator, intervals, thresholds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...features.declare.catalogue import Catalogue
from ...model.bundle import Bundle, Training, matrix
from ...model.calibrators import Blend, Calibrator, Platt, VennAbers
from ...model.threshold_update import follow
from ...model.thresholds import Thresholds
from ...settings import Settings
from ..data.snapshots import Snapshots
from ..data.split import Split
from ..thresholds.learn import learn_thresholds
from ..thresholds.performance import promised
from .calibration import Chosen, choose_calibrator, fit_venn_abers, moved_to_rate
from .horizons import fit_horizons
from .reference_members import typical_members
from .shrinkage import blend_with_rule, effective_conversions, trees_share
from .trees import Fitted, Rows, enough_to_fit, fit, group_weights, parameters_of

Progress = Callable[[str, float], None]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Learned:
    """A bundle and how it came about.

    Attributes:
        bundle: what serving needs.
        rows: the training rows as the trees read them.
        fitted: parameters, trees and held-out scores; None where the rule score alone ranks.
        chosen: how the calibrator was chosen; None where there was nothing to choose by.
        scored: the training rows described, with the readiness from trees that held them out.
        recent: the rows of the cut-offs after training and before the test, scored by the bundle.
    """

    bundle: Bundle
    rows: Rows
    fitted: Fitted | None
    chosen: Chosen | None
    scored: pd.DataFrame
    recent: pd.DataFrame


def training_rows(snapshots: Snapshots, words: Catalogue, settings: Settings) -> Rows:
    """The rows of training as the trees read them."""
    values = category_values(snapshots, words)
    keys = snapshots.keys
    group_id = keys["group_id"].to_numpy(dtype=object)
    return Rows(
        matrix(snapshots.features, words.feature_names, values),
        snapshots.converted,
        keys["account_id"].to_numpy(dtype=object),
        group_id,
        group_weights(group_id, settings.model.weights),
        words.feature_names,
        # A category without a single known value holds nothing to split on.
        tuple(i for i, name in enumerate(words.feature_names) if values.get(name)),
    )


def category_values(snapshots: Snapshots, words: Catalogue) -> dict[str, tuple[str, ...]]:
    """The values of each category column that enough groups had; they are sorted."""
    group = snapshots.keys["group_id"].to_numpy()
    found = {}
    for feature in words.features:
        if feature.categorical:
            pairs = pd.DataFrame(
                {"value": snapshots.features[feature.name].to_pylist(), "group": group}
            )
            groups = pairs.dropna().drop_duplicates().groupby("value").size()
            found[feature.name] = tuple(sorted(groups.index[groups >= feature.min_groups]))
    return found


def learn(
    snapshots: Snapshots,
    split: Split,
    words: Catalogue,
    settings: Settings,
    fingerprint: str,
    progress: Progress,
    tuned: Mapping[str, Any] | None = None,
) -> Learned:
    """Fits everything that is in a bundle, on the training part.

    Args:
        snapshots: of all cut-offs of the split.
        split: which of them to learn from.
        words: the catalogue.
        settings: those of the user.
        fingerprint: of the data.
        progress: called with a label and the share done.
        tuned: parameters of LightGBM that replace the preset's.
    """
    training = snapshots.at(split.train)
    rows = training_rows(training, words, settings)
    fitted = None
    if enough_to_fit(rows):
        fitted = fit(rows, parameters_of(settings.model, words.features, tuned), progress)
    blend = _blend(training, rows, settings, fitted)
    held_out = _held_out(training, fitted, blend)
    chosen = None if fitted is None else choose_calibrator(held_out, rows.converted, fitted.fold)
    calibrator, interval = _calibrated(held_out, rows.converted, chosen, settings)
    scored = training.described().assign(readiness=calibrator(held_out))
    leavers = training.numbers("members_left_90d") > 0
    bundle = Bundle(
        trees=fitted.trees if fitted else "",
        blend=blend,
        settings=settings,
        vocabulary=words.vocabulary,
        category_values=category_values(training, words),
        calibrator=calibrator,
        interval=interval,
        thresholds=learn_thresholds(scored, settings.thresholds),
        typical=typical_members(training.engaged, words),
        training=Training(
            fingerprint=fingerprint,
            rows=len(scored),
            conversions=int(rows.converted.sum()),
            first_as_of=split.train[0],
            last_as_of=split.train[-1],
            test_from=split.test_from,
            snapshots_with_leavers=int(leavers.sum()),
        ),
        horizons=()
        if fitted is None
        else fit_horizons(
            rows,
            training.outcomes(split.test_from),
            fitted.parameters,
            fitted.rounds,
            progress,
        ),
    )
    recent = scored_rows(bundle, snapshots.at(split.before_test))
    return Learned(
        replace(bundle, thresholds=_in_force(bundle, scored, recent)),
        rows, fitted, chosen, scored, recent,
    )  # fmt: skip


def scored_rows(bundle: Bundle, snapshots: Snapshots) -> pd.DataFrame:
    """Rows described, with the readiness that the bundle gives them."""
    return snapshots.described().assign(
        readiness=bundle.readiness(bundle.log_odds(snapshots.features))
    )


def _blend(training: Snapshots, rows: Rows, settings: Settings, fitted: Fitted | None) -> Blend:
    effective = effective_conversions(rows)
    few = settings.model.few_conversions
    return blend_with_rule(
        training.numbers("rule_engagement"),
        training.numbers("completeness"),
        rows.converted,
        effective=effective,
        share=trees_share(effective, few, fitted=fitted is not None),
    )


def _held_out(training: Snapshots, fitted: Fitted | None, blend: Blend) -> Floats:
    rule = blend.rule(training.numbers("rule_engagement"), training.numbers("completeness"))
    if fitted is None:
        return rule
    share = blend.trees_share
    return fitted.held_out if share == 1 else share * fitted.held_out + (1 - share) * rule


def _calibrated(
    held_out: Floats, converted: NDArray[np.bool_], chosen: Chosen | None, settings: Settings
) -> tuple[Calibrator, VennAbers]:
    # The rule is on the scale of log-odds already: too few labels to learn two more numbers.
    calibrator = Platt(1.0, 0.0) if chosen is None else chosen.calibrator
    interval = fit_venn_abers(held_out, converted)
    expected = settings.model.expected_rate
    if expected is None or not 0 < converted.mean() < 1:
        return calibrator, interval
    return moved_to_rate(calibrator, interval, float(converted.mean()), expected)


def _in_force(bundle: Bundle, scored: pd.DataFrame, recent: pd.DataFrame) -> Thresholds:
    """The thresholds as they stand when the test begins, with what to expect of them."""
    settings = bundle.settings
    followed = follow(recent, bundle.thresholds, settings.thresholds)
    how = {"resamples": settings.model.resamples, "seed": settings.model.seed}
    return replace(
        followed,
        expected=promised(
            scored, recent if len(recent) else scored, followed, settings.thresholds, **how
        ),
    )
