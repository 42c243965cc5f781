"""A training as a notebook holds it (design.md, Python API)."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from ...contract import BadInput
from ...features.tables.feature_source import FeatureSource
from ...model.notebook_model import Model
from ...settings import ThresholdSettings
from ...support.progress import no_progress
from ..evaluate.weak_segments import find_weak_segments
from ..thresholds.performance import threshold_curve
from ..thresholds.policy_trial import PolicyTrial, try_policy
from ..training import TrainingResult, probe_leaks


@dataclass(frozen=True)
class Trained:
    """A training and its figures; nothing of it is logged before `log`.

    Attributes:
        model: what was learned.
        figures: one row for each population, method and figure: value, low, high (95 %).
        comparison: one row for each population and method, one column for each figure.
    """

    model: Model
    figures: pd.DataFrame
    comparison: pd.DataFrame
    _result: TrainingResult = field(repr=False)
    _register: Callable[[], str | None] = field(repr=False)

    @property
    def verdict(self) -> str:
        """What the model adds to the best baseline, in one sentence."""
        return self._result.evaluation.verdict

    @property
    def cutoffs(self) -> pd.DataFrame:
        """The cut-offs and what each is for: as_of, part (`train`, `gap`, `test`, `after_test`).

        Outcomes of `after_test` are not known yet.
        """
        split = self._result.split
        parts = {"train": split.train, "gap": split.gap, "test": split.test}
        rows = [
            (as_of, part)
            for part, instants in {**parts, "after_test": split.after_test}.items()
            for as_of in instants
        ]
        return pd.DataFrame(rows, columns=["as_of", "part"])

    @property
    def differences(self) -> pd.DataFrame:
        """The model minus each baseline, paired: population, figure, against, value, low, high."""
        return self._result.evaluation.differences

    @property
    def test_rows(self) -> pd.DataFrame:
        """The snapshots of the test: group_id, account_id, as_of, readiness, converted, ..."""
        return self._result.evaluation.rows

    @property
    def months(self) -> pd.DataFrame:
        """Each figure at each cut-off of the test: as_of, figure, value, low, high (95 %)."""
        return self._result.evaluation.months

    @property
    def ablation(self) -> pd.DataFrame | None:
        """What each theme saves, by refits without it; None where `[model] ablation` is off."""
        return self._result.ablation

    @property
    def weak_segments(self) -> tuple[str, ...]:
        """A sentence for each part of the test that is surely worse than the rest."""
        return tuple(one.sentence for one in find_weak_segments(self._result.evaluation.segments))

    def threshold_curve(self, **changes: Any) -> pd.DataFrame:
        """What each threshold of readiness would have brought on the rows it is learned from.

        Args:
            changes: settings of `[thresholds]`, such as `gain` and `cost`.

        Returns:
            One row for each threshold: readiness, per_week, precision, recall, value_per_week,
            each with its 95 % interval (`precision_low`, `precision_high`).

        Raises:
            BadInput: there is no such setting.
        """
        bundle = self._result.bundle
        return threshold_curve(
            self._result.learned.scored_rows,
            bundle.thresholds,
            _changed(bundle.settings.thresholds, changes),
            resamples=bundle.settings.model.resamples,
            seed=bundle.settings.model.seed,
        )

    def try_thresholds(self, **changes: Any) -> PolicyTrial:
        """What another policy would have brought on the test; nothing is trained again.

        Args:
            changes: settings of `[thresholds]`, such as `policy="precision", precision=0.4`.

        Raises:
            BadInput: there is no such setting, or the policy needs another.

        Example:
            >>> trial = trained.try_thresholds(policy="capacity", capacity_per_week=5)
            >>> trial.figures.loc["per_week", "value"] >= 0
            np.True_
        """
        settings = self._result.bundle.settings
        return try_policy(
            self._result.learned.scored_rows,
            self._result.learned.recent_rows,
            self._result.evaluation.rows,
            _changed(settings.thresholds, changes),
            resamples=settings.model.resamples,
            seed=settings.model.seed,
        )

    def log(self) -> str | None:
        """Log to MLflow and register, as `mqbg train` does.

        Returns:
            The version; None where no signal was found, which is logged and not registered.
        """
        return self._register()

    def _repr_html_(self) -> str:
        tables = self.comparison.to_html(float_format="{:.3f}".format)
        return f"<p>{html.escape(self.verdict)}</p>{tables}"


def findings_frame(source: FeatureSource) -> pd.DataFrame:
    """What the leak probes find: probe, thing, figure, sentence."""
    return pd.DataFrame(
        [
            (one.probe, one.thing, one.shown, one.sentence)
            for one in probe_leaks(source, no_progress)
        ],
        columns=["probe", "thing", "figure", "sentence"],
    )


def _changed(settings: ThresholdSettings, changes: Mapping[str, Any]) -> ThresholdSettings:
    try:
        return replace(settings, **changes)
    except (TypeError, ValueError) as error:
        raise BadInput(
            f"expected settings of [thresholds], such as capacity_per_week=20; {error}"
        ) from None
