from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest
from mqbg.contract import BadInput
from mqbg.settings import Model
from mqbg.train import fit as room
from mqbg.train.fit import FOLDS, MIN_CONVERSIONS, ROUNDS, ROUNDS_STEP, Rows, fit

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
    return Rows(
        x,
        converted,
        np.array([f"a{n}" for n in account], dtype=object),
        np.array([f"g{n}" for n in group], dtype=object),
        ("account", "group", "signal", "noise", "tier"),
        (4,),
    )


class Spy:
    """Stands in for LightGBM: notes what each booster learned from and scored."""

    def __init__(self, scores=lambda _x, _rounds: 0.0):
        self.scores = scores
        self.fits = []

    def train(self, parameters, dataset, rounds):
        return SpyBooster(self, parameters, dataset.data, rounds)


class SpyBooster:
    def __init__(self, spy, parameters, learned, rounds):
        self.spy, self.learned, self.rounds, self.parameters = spy, learned, rounds, parameters
        self.scored = []
        spy.fits.append(self)

    def predict(self, x, *, raw_score, num_iteration):
        assert raw_score
        self.scored.append(x)
        return np.full(len(x), self.spy.scores(x, num_iteration))

    def model_to_string(self):
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


def ids(x, column):
    return set(x[:, column].tolist())


def test_folds_hold_out_whole_accounts(spied):
    spy = spied()
    fit(rows(), Model(), quiet)
    *folds, final = spy.fits
    assert len(folds) == FOLDS
    for fold in folds:
        assert not ids(fold.learned, 0) & ids(fold.scored[0], 0)
        assert len(fold.learned) + len(fold.scored[0]) == 360
    assert sorted(np.vstack([fold.scored[0] for fold in folds])[:, 2]) == sorted(rows().x[:, 2])
    assert len(final.learned) == 360


def test_with_conversions_of_few_accounts_whole_groups_are_held_out(spied):
    spy = spied()
    fit(rows(accounts=9, per_account=40), Model(), quiet)
    folds = spy.fits[:-1]
    assert len(folds) == FOLDS
    assert all(not ids(fold.learned, 1) & ids(fold.scored[0], 1) for fold in folds)
    assert any(ids(fold.learned, 0) & ids(fold.scored[0], 0) for fold in folds)


def test_there_are_no_more_folds_than_groups_that_converted(spied):
    spy = spied()
    few = rows(accounts=3, per_account=60)
    few.converted[few.x[:, 1] > 2] = False  # groups 0, 1 and 2 alone convert
    fit(few, Model(), quiet)
    assert len(spy.fits) == 3 + 1


@pytest.mark.parametrize("best", [ROUNDS_STEP, 4 * ROUNDS_STEP, ROUNDS])
def test_the_number_of_trees_is_the_one_with_the_least_held_out_log_loss(spied, best):
    given = rows()
    prior = np.log(given.converted.mean() / (1 - given.converted.mean()))
    spy = spied(scores=lambda _x, rounds: prior + abs(rounds - best) / 100)
    fitted = fit(given, Model(), quiet)
    assert fitted.rounds == best == spy.fits[-1].rounds
    assert np.all(fitted.held_out == prior)


def test_held_out_scores_stand_at_their_rows(spied):
    spied(scores=lambda x, _rounds: float(x[:, 0].sum()))
    given = rows()
    held_out = fit(given, Model(), quiet).held_out
    for account in set(given.account_id):
        assert len(set(held_out[given.account_id == account])) == 1


def test_the_text_of_the_trees_does_not_name_the_threads(spied):
    spied()
    assert fit(rows(), Model(), quiet).trees == "trees\nend"


def test_the_same_seed_and_data_give_the_same_bytes_at_any_number_of_threads(few_rounds):
    one, two = (fit(rows(), Model(threads=threads), quiet) for threads in (1, 2))
    assert one.trees.encode() == two.trees.encode()
    assert one.held_out.tobytes() == two.held_out.tobytes()
    assert one.rounds == two.rounds


def test_another_seed_gives_other_trees(few_rounds):
    one, two = (fit(rows(), Model(threads=1, seed=seed), quiet) for seed in (1, 2))
    assert one.trees != two.trees


def test_the_trees_are_fitted_to_all_rows_with_the_names_of_the_features(few_rounds):
    given = rows()
    fitted = fit(given, Model(threads=1), quiet)
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
        fit(given, Model(), quiet)
    assert said in str(caught.value)
    assert "bring a longer history" in str(caught.value)
    assert not spy.fits


def test_just_enough_of_either_outcome_are_taken(spied):
    spied()
    given = rows()
    given.converted[:] = False
    given.converted[:: 360 // MIN_CONVERSIONS] = True
    assert fit(given, Model(), quiet).held_out.shape == given.converted.shape


def test_conversions_of_one_group_alone_are_refused(spied):
    spied()
    given = rows(accounts=3, per_account=40)
    given.converted[:] = given.group_id == "g2"
    with pytest.raises(BadInput, match="conversions of at least two groups, got all from one"):
        fit(given, Model(), quiet)


def test_progress_runs_from_nothing_to_all(spied):
    spied()
    shares = []
    fit(rows(), Model(), lambda label, share: shares.append((label, share)))
    assert {label for label, _share in shares} == {"trees"}
    assert [share for _label, share in shares] == sorted(share for _label, share in shares)
    assert (shares[0][1], shares[-1][1]) == (0.0, 1.0)
