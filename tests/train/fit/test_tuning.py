"""Tuning: forward folds with a gap, the preset first, and a search that can be taken up again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.contract import BadInput
from mqbg.settings import ModelSettings, Settings, TargetSettings
from mqbg.train.fit import tuning as room
from mqbg.train.fit.trees import (
    MIN_CONVERSIONS,
    PRESET,
    TrainingMatrix,
    lightgbm_parameters,
    train_booster,
)
from mqbg.train.fit.tuning import forward_folds, tune

SEED = 2
FIRST = datetime(2024, 1, 1)
SETTINGS = Settings(
    target=TargetSettings(horizon_days=60), model=ModelSettings(threads=1, seed=SEED)
)


def quiet(_label, _share):
    pass


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch):
    monkeypatch.setattr(room, "ROUNDS", 50)


def made(cutoffs=8, groups=60, seed=SEED):
    draw = np.random.default_rng(seed)
    count = cutoffs * groups
    days = 30 * np.repeat(np.arange(cutoffs), groups)
    as_of = np.datetime64(FIRST, "us") + days.astype("timedelta64[D]")
    x = draw.normal(size=(count, 4))
    converted = x[:, 0] + draw.normal(size=count) > 0.8
    group = np.array([f"g{n}" for n in np.tile(np.arange(groups), cutoffs)], dtype=object)
    return TrainingMatrix(x, converted, group, group, np.ones(count), tuple("abcd"), ()), as_of


def search(trials, studies=None, changed=SETTINGS, data="f1", told=quiet):
    rows, as_of = made()
    return tune(rows, as_of, changed, (), trials, studies, data, told)


def without_clock(tuned):
    rows = tuned.trials.drop(columns="seconds").to_dict(orient="records")
    return [{key: None if value != value else value for key, value in row.items()} for row in rows]


@given(
    days=st.lists(st.integers(0, 700), min_size=1, max_size=25, unique=True),
    horizon=st.integers(1, 300),
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_folds_are_forward_with_a_gap_of_one_horizon(days, horizon):
    cutoffs = [FIRST + timedelta(days=day) for day in sorted(days)]
    per_cutoff = 2 * MIN_CONVERSIONS
    as_of = np.repeat(np.array(cutoffs, "datetime64[us]"), per_cutoff)
    converted = np.arange(as_of.size) % 2 == 0
    folds = forward_folds(as_of, converted, horizon)
    gap = timedelta(days=horizon)
    later = [at for at in cutoffs if at >= cutoffs[0] + gap]
    assert len(folds) == min(3, len(later))
    judged = []
    for inside, outside in folds:
        first = as_of[outside].min().item()
        assert as_of[inside].max().item() + gap <= first
        learned = {at for at in cutoffs if at + gap <= first}
        assert set(as_of[inside].tolist()) == learned  # nothing that is known is wasted
        judged += as_of[outside].tolist()
    assert judged == [at for at in cutoffs if at in later for _ in range(per_cutoff)]


@pytest.mark.parametrize("who", ["learned from", "judged"])
def test_a_fold_of_one_class_is_left_out(who):
    _, as_of = made(cutoffs=6)
    converted = np.arange(as_of.size) % 2 == 0
    at = np.unique(as_of)
    if who == "judged":
        converted[as_of == at[-1]] = True
    else:
        converted[as_of <= at[0]] = False
    whole = forward_folds(as_of, np.arange(as_of.size) % 2 == 0, 60)
    left = forward_folds(as_of, converted, 60)
    assert len(whole) == 3
    assert len(left) == 2


def test_the_preset_is_the_first_trial_and_is_judged_on_the_forward_folds():
    tuned = search(1)
    rows, as_of = made()
    losses = np.zeros(2)
    judged = 0
    for inside, outside in forward_folds(as_of, rows.converted, 60):
        booster = train_booster(rows, inside, lightgbm_parameters(SETTINGS.model, ()), 50)
        for step in range(2):
            raw = booster.predict(rows.x[outside], num_iteration=25 * (step + 1))
            won = rows.converted[outside]
            losses[step] -= (np.log(raw[won]).sum()) + np.log(1 - raw[~won]).sum()
        judged += outside.size
    assert tuned.parameters == {}
    assert tuned.preset_log_loss == pytest.approx(losses.min() / judged)
    assert tuned.log_loss == tuned.preset_log_loss
    assert tuned.trials["trees"].tolist() == [25 * (1 + losses.argmin())]


def test_the_best_trial_is_kept_and_the_preset_unless_it_is_beaten():
    tuned = search(8)
    assert len(tuned.trials) == 8
    best = tuned.trials.loc[tuned.trials["log_loss"].idxmin()]
    assert tuned.log_loss == best["log_loss"] <= tuned.preset_log_loss
    assert tuned.preset_log_loss == tuned.trials["log_loss"][0]
    for name, value in tuned.parameters.items():
        assert best[name] == value
        assert name in PRESET
    if tuned.parameters:
        assert tuned.log_loss < tuned.preset_log_loss


def test_the_same_seed_makes_the_same_trials():
    assert without_clock(search(4)) == without_clock(search(4))


@pytest.mark.slow
def test_a_search_that_goes_on_ends_like_one_in_one_go(tmp_path):
    studies = tmp_path / "deep" / "studies.db"
    assert len(search(2, studies).trials) == 2
    whole = search(5, studies)
    in_one_go = search(5)
    assert without_clock(whole) == without_clock(in_one_go)
    assert whole.parameters == in_one_go.parameters
    drawn = whole.trials["learning_rate"].dropna().tolist()
    assert len(set(drawn)) == len(drawn) == 4  # what was drawn before is not drawn again


@pytest.mark.parametrize("after", [0, 2])
def test_a_trial_that_was_interrupted_is_made_again(tmp_path, monkeypatch, after):
    studies = tmp_path / "studies.db"
    genuine, calls = room._validation_loss, []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) > after:
            raise KeyboardInterrupt
        return genuine(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(room, "_validation_loss", interrupted)
        with pytest.raises(KeyboardInterrupt):
            search(4, studies)
    assert without_clock(search(4, studies)) == without_clock(search(4))


def test_a_finished_search_asked_again_makes_no_further_trial(tmp_path):
    studies = tmp_path / "studies.db"
    first = search(3, studies)
    again = search(3, studies)
    assert again.parameters == first.parameters
    assert again.trials.equals(first.trials)


@pytest.mark.slow
@pytest.mark.parametrize(
    "other",
    [
        {"data": "f2"},
        {"changed": replace(SETTINGS, target=TargetSettings(horizon_days=30))},
        {"changed": replace(SETTINGS, model=replace(SETTINGS.model, seed=SEED + 1))},
        {"changed": replace(SETTINGS, model=replace(SETTINGS.model, weights="groups"))},
    ],
    ids=["data", "horizon", "seed", "weights"],
)
def test_trials_on_something_else_are_another_study(tmp_path, other):
    studies = tmp_path / "studies.db"
    search(2, studies)
    assert len(search(1, studies, **other).trials) == 1


def test_threads_make_no_other_study(tmp_path):
    studies = tmp_path / "studies.db"
    search(2, studies)
    more = replace(SETTINGS, model=replace(SETTINGS.model, threads=2))
    assert len(search(1, studies, more).trials) == 2


def test_no_trial_starts_after_the_time_has_passed():
    hurried = replace(SETTINGS, model=replace(SETTINGS.model, tuning_minutes=1e-9))
    assert len(search(50, changed=hurried).trials) <= 2  # the preset, and one begun in time


def test_progress_runs_to_the_end():
    shares = []
    search(3, told=lambda label, share: shares.append((label, share)))
    assert {label for label, _share in shares} == {"tuning"}
    assert [share for _label, share in shares] == sorted(share for _label, share in shares)
    assert (shares[0][1], shares[-1][1]) == (0.0, 1.0)


def test_a_history_too_short_to_tune_on_is_refused_with_what_to_do():
    rows, as_of = made(cutoffs=2)
    with pytest.raises(BadInput, match="one horizon of 60 days apart") as caught:
        tune(rows, as_of, SETTINGS, (), 3, None, "f1", quiet)
    assert "train without --trials" in str(caught.value)
