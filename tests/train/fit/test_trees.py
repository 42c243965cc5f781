from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.contract import BadInput
from mqbg.settings import ModelSettings
from mqbg.train.fit import trees as room
from mqbg.train.fit.trees import (
    FIRST_ROUNDS,
    FOLDS,
    MIN_CONVERSIONS,
    MONOTONE_CONSTRAINTS,
    PATIENCE,
    PRESET,
    ROUNDS,
    ROUNDS_STEP,
    TrainingMatrix,
    booster_text,
    fit_trees,
    group_weights,
    lightgbm_parameters,
)

SEED = 4


def quiet(_label, _share):
    pass


def rows(accounts=30, per_account=12, rate=0.3, seed=SEED):
    """Snapshots of two groups an account; the first column of x is the account's number."""
    draw = np.random.default_rng(seed)
    account = np.repeat(np.arange(accounts), per_account)
    group = 2 * account + np.arange(account.size) % 2
    x = np.column_stack([account, group, draw.normal(size=(account.size, 3))]).astype(float)
    x[:, 4] = draw.integers(0, 4, account.size)
    x[draw.random(account.size) < 0.1, 3] = np.nan
    converted = x[:, 2] + draw.normal(size=account.size) > np.quantile(x[:, 2], 1 - rate)
    return TrainingMatrix(
        x,
        converted,
        np.array([f"a{n}" for n in account], dtype=object),
        np.array([f"g{n}" for n in group], dtype=object),
        np.ones(account.size),
        ("account", "group", "signal", "noise", "tier"),
        (4,),
    )


def how(**model):
    return lightgbm_parameters(ModelSettings(**model), ())


class Spy:
    """Stands in for LightGBM: notes what each booster learned from and scored."""

    def __init__(self, scores=lambda _x, _rounds: 0.0):
        self.scores = scores
        self.fits = []

    def train(self, parameters, dataset, rounds, *, keep_training_booster):  # noqa: ARG002
        return SpyBooster(self, parameters, dataset, rounds)


class SpyBooster:
    def __init__(self, spy, parameters, dataset, rounds):
        self.spy, self.rounds, self.parameters = spy, rounds, parameters
        self.learned, self.weights = dataset.data, dataset.weight
        self.scored = []
        self.kept = None
        spy.fits.append(self)

    def update(self):
        self.rounds += 1

    def predict(self, x, *, pred_leaf, num_threads):  # noqa: ARG002
        assert pred_leaf
        self.scored.append(x)
        return np.zeros((len(x), self.rounds), dtype=np.int32)

    def get_leaf_output(self, tree, leaf):
        assert leaf == 0
        before = self.spy.scores(self.scored[-1], tree) if tree else 0.0
        return self.spy.scores(self.scored[-1], tree + 1) - before

    def model_to_string(self, num_iteration):
        self.kept = num_iteration
        return "trees\n[num_threads: 2]\nend"


@pytest.fixture
def spied(monkeypatch):
    def install(**options):
        spy = Spy(**options)
        monkeypatch.setattr(room.lgb, "train", spy.train)
        return spy

    return install


@pytest.fixture
def few_rounds(monkeypatch):
    monkeypatch.setattr(room, "ROUNDS", ROUNDS_STEP)


def folds_and_whole(spy):
    """What the folds learned, and what learned from every row beside them."""
    *folds, whole = sorted(spy.fits, key=lambda one: len(one.learned))
    return folds, whole


def ids(x, column):
    return set(x[:, column].tolist())


def test_folds_hold_out_whole_accounts(spied):
    spy = spied()
    fit_trees(rows(), how(), quiet)
    folds, final = folds_and_whole(spy)
    assert len(folds) == FOLDS
    for fold in folds:
        assert not ids(fold.learned, 0) & ids(fold.scored[0], 0)
        assert len(fold.learned) + len(fold.scored[0]) == 360
    assert sorted(np.vstack([fold.scored[0] for fold in folds])[:, 2]) == sorted(rows().x[:, 2])
    assert len(final.learned) == 360


def test_with_conversions_of_few_accounts_whole_groups_are_held_out(spied):
    spy = spied()
    fit_trees(rows(accounts=9, per_account=40), how(), quiet)
    folds, _final = folds_and_whole(spy)
    assert len(folds) == FOLDS
    assert all(not ids(fold.learned, 1) & ids(fold.scored[0], 1) for fold in folds)
    assert any(ids(fold.learned, 0) & ids(fold.scored[0], 0) for fold in folds)


def test_there_are_no_more_folds_than_groups_that_converted(spied):
    spy = spied()
    few = rows(accounts=3, per_account=60)
    few.converted[few.x[:, 1] > 2] = False  # groups 0, 1 and 2 alone convert
    fit_trees(few, how(), quiet)
    assert len(spy.fits) == 3 + 1


@pytest.mark.parametrize("best", [ROUNDS_STEP, 4 * ROUNDS_STEP, FIRST_ROUNDS, ROUNDS])
def test_the_number_of_trees_is_the_one_with_the_least_held_out_log_loss(spied, best):
    given = rows()
    prior = np.log(given.converted.mean() / (1 - given.converted.mean()))
    spy = spied(scores=lambda _x, rounds: prior + abs(rounds - best) / 100)
    fitted = fit_trees(given, how(), quiet)
    folds, whole = folds_and_whole(spy)
    assert fitted.rounds == best == whole.kept
    least_came_early = best + PATIENCE <= FIRST_ROUNDS
    assert {one.rounds for one in (*folds, whole)} == {FIRST_ROUNDS if least_came_early else ROUNDS}
    assert fitted.held_out == pytest.approx(np.full(360, prior))


def test_folds_that_go_on_are_those_that_never_stopped(monkeypatch):
    given_rows = rows()
    monkeypatch.setattr(room, "ROUNDS", 2 * ROUNDS_STEP)
    monkeypatch.setattr(room, "PATIENCE", 2 * ROUNDS_STEP)
    whole = fit_trees(given_rows, how(threads=1), quiet)
    monkeypatch.setattr(room, "FIRST_ROUNDS", ROUNDS_STEP)
    in_portions = fit_trees(given_rows, how(threads=1), quiet)
    assert in_portions.learning_curve.equals(whole.learning_curve)
    assert in_portions.held_out.tobytes() == whole.held_out.tobytes()


@pytest.mark.parametrize("least_in_leaf", [20, 150])  # of the latter, no leaf can be split
def test_held_out_scores_are_those_that_lightgbm_gives_to_the_last_bit(monkeypatch, least_in_leaf):
    boosters = []
    fit = room.train_booster
    monkeypatch.setattr(
        room,
        "train_booster",
        lambda *given, **kept: boosters.append(fit(*given, **kept)) or boosters[-1],
    )
    monkeypatch.setattr(room, "ROUNDS", 2 * ROUNDS_STEP)
    monkeypatch.setattr(room, "FIRST_ROUNDS", ROUNDS_STEP)
    given_rows = rows()
    fitted = fit_trees(given_rows, {**how(threads=1), "min_data_in_leaf": least_in_leaf}, quiet)
    for number, booster in enumerate(boosters[1:]):
        inside = fitted.fold == number
        scores = booster.predict(given_rows.x[inside], raw_score=True, num_iteration=fitted.rounds)
        assert fitted.held_out[inside].tobytes() == scores.tobytes()


def test_trees_beyond_those_kept_leave_no_trace():
    """The folds like fewer trees than those of all rows have by the time that they say so."""
    given_rows = rows()
    parameters = {**how(threads=1), "min_data_in_leaf": 5}  # every round finds a split
    fitted = fit_trees(given_rows, parameters, quiet)
    assert fitted.rounds < ROUNDS
    alone = room.train_booster(given_rows, np.arange(360), parameters, fitted.rounds)
    assert fitted.trees == booster_text(alone)


def test_many_rows_are_counted_by_column_and_give_the_same_trees(monkeypatch):
    by_row = room.train_booster(rows(), np.arange(360), how(threads=1), ROUNDS_STEP)
    monkeypatch.setattr(room, "COLUMN_WISE_ROWS", 360)
    by_column = room.train_booster(rows(), np.arange(360), how(threads=1), ROUNDS_STEP)
    assert "[force_row_wise: 1]" in booster_text(by_row)
    assert "[force_col_wise: 1]" in booster_text(by_column)
    trees = [booster_text(one).split("parameters:")[0] for one in (by_row, by_column)]
    assert trees[0] == trees[1]


def test_a_refit_has_no_more_trees_than_it_is_given(few_rounds, spied):
    spy = spied(scores=lambda _x, rounds: -rounds / 1000)
    assert fit_trees(rows(), how(), quiet, max_rounds=ROUNDS_STEP).rounds == ROUNDS_STEP
    assert {one.rounds for one in spy.fits} == {ROUNDS_STEP}


def test_held_out_scores_stand_at_their_rows(spied):
    spied(scores=lambda x, _rounds: float(x[:, 0].sum()))
    given = rows()
    held_out = fit_trees(given, how(), quiet).held_out
    for account in set(given.account_id):
        assert len(set(held_out[given.account_id == account])) == 1


def test_the_text_of_the_trees_does_not_name_the_threads(spied):
    spied()
    assert fit_trees(rows(), how(), quiet).trees == "trees\nend"


def test_the_same_seed_and_data_give_the_same_bytes_at_any_number_of_threads(few_rounds):
    one, two = (fit_trees(rows(), how(threads=threads), quiet) for threads in (1, 2))
    assert one.trees.encode() == two.trees.encode()
    assert one.held_out.tobytes() == two.held_out.tobytes()
    assert one.rounds == two.rounds


def test_another_seed_gives_other_trees(few_rounds):
    one, two = (fit_trees(rows(), how(threads=1, seed=seed), quiet) for seed in (1, 2))
    assert one.trees != two.trees


def test_the_trees_are_fitted_to_all_rows_with_the_names_of_the_features(few_rounds):
    given = rows()
    fitted = fit_trees(given, how(threads=1), quiet)
    booster = lgb.Booster(model_str=fitted.trees)
    assert booster.feature_name() == list(given.names)
    assert booster.num_trees() == fitted.rounds
    scores = booster.predict(given.x, raw_score=True)
    assert scores[given.converted].mean() > scores[~given.converted].mean()
    assert fitted.held_out[given.converted].mean() > fitted.held_out[~given.converted].mean()


@pytest.mark.parametrize(
    ("conversions", "said"),
    [
        (0, "got 0 and 360"),
        (MIN_CONVERSIONS - 1, f"got {MIN_CONVERSIONS - 1} and"),
        (360 - MIN_CONVERSIONS + 1, f"and {MIN_CONVERSIONS - 1};"),
        (360, "got 360 and 0"),
    ],
)
def test_too_few_of_either_outcome_are_refused(spied, conversions, said):
    spy = spied()
    given = rows()
    given.converted[:] = np.arange(360) % 360 < conversions
    with pytest.raises(BadInput, match=r"train: expected at least 10 training snapshots") as caught:
        fit_trees(given, how(), quiet)
    assert said in str(caught.value)
    assert "bring a longer history" in str(caught.value)
    assert not spy.fits


def test_just_enough_of_either_outcome_are_taken(spied):
    spied()
    given = rows()
    given.converted[:] = False
    given.converted[:: 360 // MIN_CONVERSIONS] = True
    assert fit_trees(given, how(), quiet).held_out.shape == given.converted.shape


def test_conversions_of_one_group_alone_are_refused(spied):
    spied()
    given = rows(accounts=3, per_account=40)
    given.converted[:] = given.group_id == "g2"
    with pytest.raises(BadInput, match="of two groups or more"):
        fit_trees(given, how(), quiet)


def test_progress_runs_from_nothing_to_all(spied):
    spied()
    shares = []
    fit_trees(rows(), how(), lambda label, share: shares.append((label, share)))
    assert {label for label, _share in shares} == {"trees"}
    assert [share for _label, share in shares] == sorted(share for _label, share in shares)
    assert (shares[0][1], shares[-1][1]) == (0.0, 1.0)


GROUPS = st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=30)


@given(GROUPS, st.sampled_from(["rows", "root", "groups"]))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_weights_are_one_on_average_and_those_of_a_group_add_up_to_its_due(groups, weights):
    found = group_weights(np.array(groups, dtype=object), weights)
    assert found.mean() == pytest.approx(1)
    snapshots = Counter(groups)
    due = {
        "rows": lambda n: n,
        "root": lambda n: n**0.5,
        "groups": lambda _n: 1,
    }[weights]
    total = sum(due(n) for n in snapshots.values())
    for group, count in snapshots.items():
        own = sum(w for w, name in zip(found, groups, strict=True) if name == group)
        assert own == pytest.approx(due(count) * len(groups) / total)


def test_every_booster_learns_with_the_weights_of_its_rows(spied):
    spy = spied()
    weighted = rows()
    draw = np.random.default_rng(SEED).uniform(0.5, 2.0, 360)
    fit_trees(replace(weighted, weight=draw), how(), quiet)
    by_signal = dict(zip(weighted.x[:, 2].tolist(), draw.tolist(), strict=True))
    for booster in spy.fits:
        learned = booster.learned[:, 2].tolist()
        assert list(booster.weights) == [by_signal[signal] for signal in learned]


def test_a_row_of_weight_two_counts_as_the_row_twice():
    given_rows = replace(rows(), x=rows().x[:, 2:4], names=("signal", "noise"), category_indices=())
    twice = np.concatenate([np.arange(360), np.arange(0, 360, 3)])
    plain = {**how(threads=1), "bagging_freq": 0, "extra_trees": False, "feature_fraction": 1.0}
    plain |= {"min_data_in_leaf": 0, "max_bin": 1000, "min_data_in_bin": 1}
    heavy = replace(given_rows, weight=1.0 + (np.arange(360) % 3 == 0))
    one = room.train_booster(heavy, np.arange(360), plain, 1)
    two = room.train_booster(given_rows, twice, plain, 1)
    scores = [booster.predict(given_rows.x, raw_score=True) for booster in (one, two)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)


def test_parameters_are_the_preset_then_what_was_tuned_then_the_settings():
    found = lightgbm_parameters(ModelSettings(seed=3, threads=1), (), {"num_leaves": 4, "seed": 99})
    assert (found["num_leaves"], found["seed"], found["num_threads"]) == (4, 3, 1)
    assert found["learning_rate"] == PRESET["learning_rate"]
    assert MONOTONE_CONSTRAINTS not in found


def test_directions_are_held_only_where_the_settings_say_so():
    features = [SimpleNamespace(direction=way) for way in ("up", None, "down")]
    assert lightgbm_parameters(ModelSettings(monotone=True), features)[MONOTONE_CONSTRAINTS] == [
        1,
        0,
        -1,
    ]
    assert MONOTONE_CONSTRAINTS not in lightgbm_parameters(ModelSettings(), features)


def test_the_held_out_loss_of_every_fold_is_told_tree_by_tree(spied):
    given_rows = rows()
    spied(scores=lambda _x, rounds: rounds / 1000)
    fitted = fit_trees(given_rows, how(), quiet)
    told = fitted.learning_curve
    assert len(told) == FOLDS * (FIRST_ROUNDS // ROUNDS_STEP)
    for row in told.to_dict(orient="records"):
        inside = given_rows.converted[fitted.fold == row["fold"]]
        chance = 1 / (1 + np.exp(-row["trees"] / 1000))
        loss = -np.mean(np.where(inside, np.log(chance), np.log(1 - chance)))
        assert row["log_loss"] == pytest.approx(loss)
        assert (row["rows"], row["conversions"]) == (inside.size, inside.sum())
