"""The trained thing: trees, calibrators, thresholds, and what they were trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import logit

from ..features.declare.catalogue import Catalogue, build_catalogue
from ..features.declare.vocabulary import Vocabulary
from ..settings import Settings
from .calibrators import Blend, Calibrator, VennAbers
from .comparable_snapshots import ComparableSnapshots
from .data_profile import DataProfile
from .feature_matrix import feature_matrix
from .horizons import HorizonModel, HorizonStep, chances_by_steps, hold_in_order
from .intervals import MIN_CHANCE, interval_ends
from .linear import LinearPart, RegressionEngine, Regressions, regressions_of
from .thresholds import Thresholds
from .tree_text import split_features

if TYPE_CHECKING:
    import lightgbm as lgb

NUMERIC, CATEGORICAL = "number", "category"  # kinds of feature columns


@dataclass(frozen=True, slots=True)
class ReferenceMember:
    """An engaged member of a role in a group that converted, the most central of them (medoid).

    Attributes:
        role: the role's name.
        signals: value of each signal of stage 1.
        members: how many engaged members it is the medoid of.
        snapshots: training snapshots, converted or not, with an engaged member in the role.
    """

    role: str
    signals: Mapping[str, float | None]
    members: int
    snapshots: int


@dataclass(frozen=True, slots=True)
class TrainingSummary:
    """What the model was trained on, for the model card and for support counts."""

    fingerprint: str
    rows: int
    conversions: int
    first_as_of: datetime
    last_as_of: datetime
    test_from: datetime
    snapshots_with_leavers: int


@dataclass(frozen=True, slots=True)
class Refit:
    """The model had it learned from other accounts (see `train.fit.refits`).

    Attributes:
        trees: the LightGBM model as text.
        calibrator: raw log-odds to readiness.
        linear: the linear part, where the model has one.
    """

    trees: str
    calibrator: Calibrator
    linear: LinearPart | None = None


class TreeEngine(Protocol):
    """What runs the trees in LightGBM's place, with the same numbers (see `explain.treeshap`)."""

    def predict(self, x: NDArray[np.float64], threads: int = 1) -> NDArray[np.float64]:
        """Raw score of each row, shape (rows,), or (rows, models) of several models at once."""
        ...

    def contributions(self, x: NDArray[np.float64], threads: int = 1) -> NDArray[np.float64]:
        """TreeSHAP of each row and, last, the trees' mean, shape (rows, features + 1)."""
        ...


@dataclass(frozen=True)
class Bundle:
    """Everything that scoring needs and nothing else.

    Attributes:
        trees: the LightGBM model as text; empty where the rule score alone ranks.
        blend: how much the trees say of the raw score, and what the rule score says.
        settings: those of the training; definitions at scoring time come from here.
        vocabulary: roles and kind families of the training data.
        category_values: known values of each category column; a value's code is its index.
        calibrator: raw log-odds to readiness.
        interval: raw log-odds to the two ends of a Venn-Abers interval, which is that of the
            readiness where there are no refits.
        thresholds: the learned line between nurture and qualified.
        reference_members: one typical engaged member per role, where there were any.
        training: what it was trained on.
        horizon_models: further horizons: steps from the model's own; with trees of their own in
            bundles up to format 5.
        only_features: those of the catalogue that the trees read, where they are of a release that
            had fewer; None for all.
        refits: the model had it learned from other accounts.
        profile: what the training's data looked like; None for a model of a release without it.
        paired_refits: each two refits share the accounts among them; not so in bundles up to
            format 5, whose refits learned from accounts drawn with replacement.
        linear: what a regression says of the raw score beside the trees; None where the trees
            alone do better.
        comparable: training snapshots that what-ifs are compared with; None for a model of a
            release without them.
        tree_engine: what runs the trees; None for LightGBM itself. Never saved.
        refit_engine: what runs the trees of all refits at once; None for LightGBM itself.
        regression_engine: what runs the linear parts; None for array calls.
    """

    trees: str
    blend: Blend
    settings: Settings
    vocabulary: Vocabulary
    category_values: Mapping[str, tuple[str, ...]]
    calibrator: Calibrator
    interval: VennAbers
    thresholds: Thresholds
    reference_members: tuple[ReferenceMember, ...]
    training: TrainingSummary
    horizon_models: tuple[HorizonStep | HorizonModel, ...] = ()
    only_features: tuple[str, ...] | None = None
    refits: tuple[Refit, ...] = ()
    profile: DataProfile | None = None
    paired_refits: bool = True
    linear: LinearPart | None = None
    comparable: ComparableSnapshots | None = None
    tree_engine: TreeEngine | None = field(default=None, compare=False, repr=False)
    refit_engine: TreeEngine | None = field(default=None, compare=False, repr=False)
    regression_engine: RegressionEngine | None = field(default=None, compare=False, repr=False)

    @cached_property
    def catalogue(self) -> Catalogue:
        """The catalogue that the trees were trained on."""
        return build_catalogue(self.vocabulary, self.only_features)

    @property
    def measured(self) -> bool:
        """Whether conversions say what a readiness is worth; without one a rule alone ranks."""
        return self.training.conversions > 0

    @cached_property
    def booster(self) -> lgb.Booster:
        """The trees, read from their text."""
        return _read_booster(self.trees)

    def feature_matrix(self, features: pa.Table) -> NDArray[np.float64]:
        """The feature table as the trees read it, shape (rows, features)."""
        return feature_matrix(features, self.catalogue.feature_names, self.category_values)

    def log_odds(self, features: pa.Table) -> NDArray[np.float64]:
        """Raw output of the trees, before calibration, shape (rows,).

        Raises:
            ValueError: a feature column is missing.
        """
        return self.log_odds_of_matrix(self.feature_matrix(features))

    def log_odds_of_matrix(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Raw score for rows of `matrix`, shape (rows,): trees, linear part and rule, blended.

        With conversions enough the rule says nothing (design.md, few labels), and without a gain
        on held-out folds no linear part does.
        """
        if not len(matrix):
            return np.empty(0)
        if not self.blend.trees_share:
            return self._with_rule(matrix, np.zeros(len(matrix)))
        learned = self._predict_trees(matrix)
        if self.linear is not None:
            (regression,) = self._regressions.log_odds(matrix, self.regression_engine)
            learned = self.linear.blended(learned, regression)
        return self._with_rule(matrix, learned)

    def _with_rule(
        self, matrix: NDArray[np.float64], learned: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The raw score of what was learned and of the rule, shape (rows,)."""
        trees_share = self.blend.trees_share
        if trees_share == 1:
            return learned
        rule_log_odds = self.blend.rule_log_odds(
            *(matrix[:, index] for index in self._rule_columns)
        )
        if not trees_share:
            return rule_log_odds
        return trees_share * learned + (1 - trees_share) * rule_log_odds

    def readiness_interval(
        self, matrix: NDArray[np.float64], log_odds: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Where the readiness would lie in four of five cases, had the model learned elsewhere.

        The refits come in pairs to disjoint halves of the accounts. How far those of a pair differ
        says how far this model and one of as many other accounts would (`model.intervals`); that
        is laid around the readiness, which is inside by construction. Without refits it is the
        Venn-Abers interval, stretched to the readiness where that lies outside.

        Args:
            matrix: shape (rows, features).
            log_odds: shape (rows,); raw scores of the same rows.

        Returns:
            Both ends, shape (rows,) each.
        """
        readiness = self.readiness(log_odds)
        if not (self.refits and len(matrix)):
            low, high = self.interval.bounds(log_odds)
            return np.minimum(low, readiness), np.maximum(high, readiness)
        by_refit = self.refitted_log_odds(matrix)
        return interval_ends(readiness, by_refit, paired=self.paired_refits)

    def refitted_log_odds(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log-odds of readiness by each refit, shape (refits, rows)."""
        chances = np.empty((len(self.refits), len(matrix)))
        regressions = iter(self._refit_regressions.log_odds(matrix, self.regression_engine))
        for number, learned in enumerate(self._predict_refits(matrix)):
            refit = self.refits[number]
            if refit.linear is not None:
                learned = refit.linear.blended(learned, next(regressions))
            chances[number] = refit.calibrator(self._with_rule(matrix, learned))
        return np.asarray(logit(np.clip(chances, MIN_CHANCE, 1 - MIN_CHANCE)), np.float64)

    @cached_property
    def _regressions(self) -> Regressions:
        """That of the linear part, if there is one."""
        return regressions_of([self.linear], self._column)

    @cached_property
    def _refit_regressions(self) -> Regressions:
        """Of the refits that have one, in their order."""
        return regressions_of([refit.linear for refit in self.refits], self._column)

    @cached_property
    def _refit_boosters(self) -> tuple[lgb.Booster, ...]:
        return tuple(_read_booster(refit.trees) for refit in self.refits)

    def _predict_refits(self, matrix: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
        """Raw scores by the trees of each refit, shape (rows,) each."""
        if self.refit_engine is None:
            return (self._predict_booster(one, matrix) for one in self._refit_boosters)
        scores = self.refit_engine.predict(matrix, self.settings.model.threads)
        return iter(scores.reshape(len(matrix), len(self.refits)).T)

    def contributions(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each feature adds to the raw score, above the average, shape (rows, features).

        TreeSHAP of the trees as LightGBM computes it (path-dependent), the terms of the linear
        part, and the two columns of the rule score, each times its share.
        """
        blend = self.blend
        contributions = np.zeros(matrix.shape)
        if blend.trees_share and len(matrix):
            contributions = blend.trees_share * self._learned_contributions(matrix)
        if blend.trees_share < 1:
            rule_columns = self._rule_columns
            rule_contributions = blend.rule_contributions(
                *(matrix[:, index] for index in rule_columns)
            )
            for index, contribution in zip(rule_columns, rule_contributions, strict=True):
                contributions[:, index] += contribution
        return contributions

    def _learned_contributions(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        trees = self._tree_contributions(matrix)[:, :-1]
        if self.linear is None:
            return trees
        return self.linear.blended(trees, self._regressions.parts[0].contributions(matrix))

    @cached_property
    def _column(self) -> Mapping[str, int]:
        return {name: index for index, name in enumerate(self.catalogue.feature_names)}

    @cached_property
    def used_features(self) -> frozenset[str]:
        """The features that the raw score depends on; it is the same whatever the others are."""
        names = self.catalogue.feature_names
        used = (
            {names[index] for index in self._rule_columns} if self.blend.trees_share < 1 else set()
        )
        if self.blend.trees_share:
            used |= self._features_read(self.trees, self.linear)
        return frozenset(used)

    @cached_property
    def features_of_refits(self) -> frozenset[str]:
        """The features that the raw score, that of a refit, or the comparison depends on."""
        compared = self.comparable.features if self.comparable else ()
        read = (self._features_read(refit.trees, refit.linear) for refit in self.refits)
        return self.used_features.union(compared, *read)

    def _features_read(self, trees: str, linear: LinearPart | None) -> set[str]:
        names = self.catalogue.feature_names
        terms = linear.terms if linear else ()
        return {names[index] for index in split_features(trees)} | {one.feature for one in terms}

    @cached_property
    def _horizon_boosters(self) -> Mapping[int, lgb.Booster]:
        """The trees of further horizons, by days, where these have trees of their own."""
        return {
            one.days: _read_booster(one.trees)
            for one in self.horizon_models
            if isinstance(one, HorizonModel)
        }

    @cached_property
    def _rule_columns(self) -> tuple[int, int]:
        names = self.catalogue.feature_names
        return names.index("rule_engagement"), names.index("completeness")

    def _predict_trees(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.tree_engine is None:
            return self._predict_booster(self.booster, matrix)
        return self.tree_engine.predict(matrix, self.settings.model.threads)

    def _tree_contributions(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        threads = self.settings.model.threads
        if self.tree_engine is not None:
            return self.tree_engine.contributions(matrix, threads)
        values = self.booster.predict(matrix, pred_contrib=True, num_threads=threads)
        return np.asarray(values, dtype=np.float64)

    def _predict_booster(
        self, booster: lgb.Booster, matrix: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        threads = self.settings.model.threads
        raw = booster.predict(matrix, raw_score=True, num_threads=threads)
        return np.asarray(raw, dtype=np.float64)

    def readiness_by_horizon(
        self, matrix: NDArray[np.float64], log_odds: NDArray[np.float64]
    ) -> dict[int, NDArray[np.float64]]:
        """Chance of conversion within each horizon, by days, the shortest first.

        A longer horizon is always likelier (see `HorizonStep`); with trees of their own, as bundles
        up to format 5 have them, it is never less likely.

        Args:
            matrix: shape (rows, features).
            log_odds: shape (rows,); raw scores of the same rows.
        """
        own_days, readiness = self.settings.target.horizon_days, self.readiness(log_odds)
        steps = [one for one in self.horizon_models if isinstance(one, HorizonStep)]
        if len(steps) == len(self.horizon_models):
            return chances_by_steps(steps, own_days, log_odds, readiness)
        readiness_by_days = {
            one.days: one.calibrator(
                self._predict_booster(self._horizon_boosters[one.days], matrix)
            )
            if len(matrix)
            else np.empty(0)
            for one in self.horizon_models
            if isinstance(one, HorizonModel)
        }
        return hold_in_order(readiness_by_days, own_days, readiness)

    def readiness(self, log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated probability of conversion within the horizon, shape as given."""
        return self.calibrator(log_odds)

    def score_points(self, log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Readiness in score points, 0 to 100, not rounded."""
        return 100.0 * self.readiness(log_odds)


def _read_booster(trees: str) -> lgb.Booster:
    """Trees as LightGBM itself runs them: in training, and where compiled code does not."""
    import lightgbm as lgb

    return lgb.Booster(model_str=trees)
