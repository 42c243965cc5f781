"""What is said of a bundle, measured on the test part alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mqbg.model.threshold_update import update_threshold
from mqbg.settings import Settings, ThresholdSettings
from mqbg.train.data.split import Split
from mqbg.train.evaluate.baselines import BASELINES
from mqbg.train.evaluate.evaluation import (
    MODEL,
    baseline_frame,
    evaluate_bundle,
    touched_per_snapshot,
)
from sklearn.metrics import roc_auc_score


def quiet(_label, _share):
    pass


def on(*days):
    return tuple(datetime(2024, 1, 1) + timedelta(days=day) for day in days)


@pytest.mark.parametrize(
    ("train_on", "test_on", "capacity", "touched"),
    [
        (on(0, 7), on(21), 20.0, 30),  # gaps of 7 and 14 days: 10.5 in the middle
        (on(0, 7, 14), on(28), 20.0, 20),
        (on(0, 30), on(60), 7.0, 30),
        (on(0), on(7), 0.01, 1),
        (on(0), (), 7.0, 30),  # one cut-off alone: a month
    ],
)
def test_touched_groups_are_the_capacity_between_two_snapshots(
    train_on, test_on, capacity, touched
):
    settings = Settings(thresholds=ThresholdSettings(capacity_per_week=capacity))
    got = touched_per_snapshot(Split(train_on, test_on, datetime(2024, 1, 1)), settings)
    assert got == touched


def test_the_model_and_every_baseline_are_judged_on_the_test_rows(with_signal, made_split):
    judged = with_signal.evaluation
    assert set(judged.rows["as_of"]) == set(made_split.test)
    assert set(judged.probabilities) == {MODEL, *BASELINES}
    for chance in judged.probabilities.values():
        assert chance.shape == (len(judged.rows),)
        assert np.all((chance >= 0) & (chance <= 1))


def test_the_figures_are_those_of_the_bundle_on_the_test_rows(with_signal):
    judged = with_signal.evaluation
    figures = judged.figures
    ours = figures[(figures["method"] == MODEL) & (figures["population"] == "all accounts")]
    auc = ours.set_index("figure").loc["roc_auc", "value"]
    assert auc == pytest.approx(roc_auc_score(judged.rows["converted"], judged.rows["readiness"]))


def test_snapshots_that_tell_who_converts_hold_a_signal(with_signal):
    assert with_signal.evaluation.signal.found
    assert "mqbg" in with_signal.evaluation.verdict


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_in_labels_that_are_a_lottery_no_signal_is_found(
    made_snapshots, made_settings, whole_training, seed
):
    settings = replace(made_settings, model=replace(made_settings.model, resamples=200))
    judged = whole_training(made_snapshots(seed=seed, target_rate=0.2), settings).evaluation
    assert not judged.signal.found
    assert judged.verdict.startswith(judged.signal.sentence)


def test_with_too_few_labels_to_fit_nobody_looks_for_a_signal(made_snapshots, whole_training):
    trained = whole_training(made_snapshots(groups=40, target_rate=0.0))
    assert trained.evaluation.signal.found
    assert "the rule score ranks" in trained.evaluation.signal.sentence
    assert trained.evaluation.figures["value"].isna().any()  # no ROC of one class


@pytest.mark.slow
def test_figures_of_every_horizon_are_on_rows_whose_outcome_is_known(
    made_snapshots, made_settings, whole_training
):
    target = replace(made_settings.target, more_horizons_days=(30, 90))
    trained = whole_training(
        made_snapshots(groups=100, further=(30, 90)), replace(made_settings, target=target)
    )
    frame = trained.evaluation.horizons
    everybody = frame[(frame["population"] == "all accounts") & (frame["figure"] == "roc_auc")]
    assert everybody.set_index("horizon_days")["rows"].to_dict() == {30: 200, 60: 200, 90: 100}
    own = everybody.set_index("horizon_days").loc[60, "value"]
    figures = trained.evaluation.figures
    ours = figures[(figures["method"] == MODEL) & (figures["population"] == "all accounts")]
    assert own == ours.set_index("figure").loc["roc_auc", "value"]


def test_without_further_horizons_there_is_no_such_table(with_signal):
    assert with_signal.evaluation.horizons.empty


def test_outcomes_of_the_test_move_no_line(with_signal, made_snapshots, made_split, made_settings):
    snapshots = made_snapshots()
    keys = snapshots.keys.copy()
    tested = keys["as_of"].isin(made_split.test)
    keys.loc[tested, "converted"] = ~keys.loc[tested, "converted"]
    other = evaluate_bundle(
        with_signal.learned, replace(snapshots, keys=keys), made_split, 20, quiet
    )
    assert other.realised.per_week == with_signal.evaluation.realised.per_week
    assert other.realised.precision != with_signal.evaluation.realised.precision


def test_the_test_is_judged_by_what_sales_could_take_between_its_snapshots(
    with_signal, made_settings
):
    learned, rows = with_signal.learned, with_signal.evaluation.rows
    lines = update_threshold(
        pd.concat([learned.recent_rows, rows]), learned.bundle.thresholds, made_settings.thresholds
    )
    complete = rows[rows["completeness"] >= lines.completeness]
    (first, before), (_, after) = complete.groupby("as_of")
    stock = set(before["group_id"][before["readiness"] >= lines.pooled_at(first.to_pydatetime())])
    ready = set(after["group_id"][after["readiness"] >= lines.floor])
    weeks = 30 / 7
    entered = min(len(ready - stock), int(made_settings.thresholds.capacity_per_week * weeks))
    assert with_signal.evaluation.realised.per_week.value == pytest.approx(entered / weeks)


def test_what_was_expected_is_checked_against_what_came_in(with_signal):
    judged = with_signal.evaluation
    forecast = with_signal.learned.bundle.thresholds.forecast
    measures = [check.measure for check in judged.forecast_checks]
    assert measures == ["per_week", "precision", "recall"]
    for check in judged.forecast_checks:
        assert check.forecast == getattr(forecast, check.measure)
        assert check.realised == getattr(judged.realised, check.measure)


def test_a_baseline_reads_unknown_category_values_as_missing(words):
    table = pa.table(
        {
            f.name: pa.array(["A", "new", None], pa.string())
            if f.categorical
            else pa.array([1, 2, None], pa.int64())
            for f in words.features
        }
    )
    values = {f.name: ("A",) for f in words.features if f.categorical}
    frame = baseline_frame(table, words, values)
    assert frame["tier"].isna().tolist() == [False, True, True]
    assert frame["members"].tolist()[:2] == [1.0, 2.0]
    assert list(frame.columns) == list(words.feature_names)
