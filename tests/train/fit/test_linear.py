"""The linear part beside the trees: chosen by held-out folds, none where it does not help."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from mqbg.train.fit import linear as room
from mqbg.train.fit.calibration import fit_platt
from mqbg.train.fit.linear import choose_linear, fit_linear_part
from mqbg.train.fit.trees import TrainingMatrix, rows_of_drawn_accounts
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

COLUMN = {name: index for index, name in enumerate(("amount", "other", "flat", "tier", "none"))}


def rows(count=1_500, seed=1):
    """Amounts whose logarithm says who converts, a constant, a category and a column of nothing."""
    draw = np.random.default_rng(seed)
    amount, other = np.expm1(draw.gamma(2.0, 1.0, count)), draw.normal(size=count)
    tier, nothing = draw.integers(0, 3, count), np.full(count, np.nan)
    x = np.column_stack([amount, other, np.ones(count), tier, nothing])
    true = 1.2 * np.log1p(amount) - 4.0
    converted = draw.random(count) < expit(true)
    x[draw.random(count) < 0.1, 1] = np.nan
    account = np.array([f"a{n}" for n in np.arange(count) // 3], dtype=object)
    matrix = TrainingMatrix(x, converted, account, account, np.ones(count), tuple(COLUMN), (3,))
    return matrix, true, (np.arange(count) // 3) % 5


def test_the_regression_is_that_of_scikit_learn_on_logarithms():
    given, _true, _fold = rows()
    part = fit_linear_part(given, 0.01, 0.4)
    assert [term.feature for term in part.terms] == ["amount", "other"]
    logs = np.sign(given.x[:, :2]) * np.log1p(np.abs(given.x[:, :2]))
    z = (logs - np.nanmean(logs, axis=0)) / np.nanstd(logs, axis=0)
    z = np.clip(np.where(np.isnan(z), 0.0, z), -4, 4)
    theirs = LogisticRegression(C=0.01, tol=1e-8, max_iter=1000).fit(z, given.converted)
    ours = part.log_odds(given.x, COLUMN)
    assert ours == pytest.approx(theirs.decision_function(z), abs=1e-3)
    assert part.share == 0.4


def test_contributions_add_up_and_are_none_on_average():
    given, _true, _fold = rows()
    part = fit_linear_part(given, 0.01, 0.4)
    added = part.regression(COLUMN).contributions(given.x)
    assert added.mean(axis=0) == pytest.approx(np.zeros(5), abs=1e-12)
    total = part.log_odds(given.x, COLUMN)
    assert added.sum(axis=1) == pytest.approx(total - total.mean(), abs=1e-9)
    assert (added[:, 2:] == 0).all()


def test_one_row_gets_the_bits_that_it_gets_among_many():
    given, _true, _fold = rows(600)  # more than a block
    part = fit_linear_part(given, 0.01, 0.4)
    together = part.log_odds(given.x, COLUMN)
    by_columns = part.log_odds(np.asfortranarray(given.x), COLUMN)
    alone = [part.log_odds(given.x[[row]], COLUMN)[0] for row in range(600)]
    assert together.tolist() == by_columns.tolist() == alone


def test_what_is_missing_says_nothing_and_what_is_extreme_no_more_than_the_clip():
    given, _true, _fold = rows(300)
    part = fit_linear_part(given, 0.01, 0.4)
    slope = sum(term.slope * 4.0 for term in part.terms if term.feature == "amount")
    x = np.array([[np.nan] * 5, [1e30, np.nan, 0, 0, 0], [1e60, np.nan, 0, 0, 0]])
    missing, extreme, beyond = part.log_odds(x, COLUMN).tolist()
    assert missing == part.intercept
    assert extreme == beyond == pytest.approx(part.intercept + slope)


def test_a_part_is_chosen_where_it_tells_more_than_the_trees():
    given, true, fold = rows()
    poor_trees = true + np.random.default_rng(5).normal(0.0, 3.0, true.size)
    found = choose_linear(given, fold, poor_trees, seed=0)
    assert found is not None
    assert found.part.share >= 0.5
    assert found.gain > 0.05
    blend = (1 - found.part.share) * poor_trees + found.part.share * found.held_out
    assert loss(given, blend) < loss(given, poor_trees) * (1 - found.gain / 2)
    assert np.corrcoef(found.held_out, true)[0, 1] > 0.95


def loss(given, scores):
    chance = np.clip(fit_platt(scores, given.converted)(scores), 1e-12, 1 - 1e-12)
    return -np.log(np.where(given.converted, chance, 1 - chance)).mean()


def test_the_share_is_the_smallest_that_chance_cannot_tell_from_the_best():
    account = np.arange(100)
    base = np.ones(100)
    clear = np.where(account % 2, 0.5, 0.3)  # far from the best, whatever the account
    near = np.where(account % 2, 0.05, -0.04)  # 0.005 beside an error of 0.0045 a row
    losses = {0.0: base + clear, 0.2: base + near, 0.5: base, 0.9: base + 0.001}
    assert room._smallest_within_one_error(losses, account) == 0.5
    nearer = {**losses, 0.2: base + np.where(account % 2, 0.05, -0.042)}
    assert room._smallest_within_one_error(nearer, account) == 0.2


def test_no_part_is_kept_beside_trees_that_tell_all():
    given, true, fold = rows()
    assert choose_linear(given, fold, true, seed=0) is None


def test_held_out_scores_do_not_see_the_outcome_of_their_fold():
    given, true, fold = rows()
    poor_trees = true + np.random.default_rng(5).normal(0.0, 3.0, true.size)
    one = choose_linear(given, fold, poor_trees, seed=0)
    lies = replace(given, converted=np.where(fold == 2, ~given.converted, given.converted))
    penalty, everything = one.penalty, np.arange(true.size)
    (other,) = room._held_out(lies, everything, fold, [penalty], 1)
    assert other[fold == 2].tolist() == one.held_out[fold == 2].tolist()
    assert other[fold == 1].tolist() != one.held_out[fold == 1].tolist()


def test_a_part_is_the_same_at_any_number_of_threads():
    given, true, fold = rows()
    poor_trees = true + np.random.default_rng(5).normal(0.0, 3.0, true.size)
    one, two = (choose_linear(given, fold, poor_trees, 0, threads) for threads in (1, 2))
    assert one.part == two.part
    assert one.held_out.tobytes() == two.held_out.tobytes()


def test_with_many_rows_accounts_are_drawn_as_a_whole_to_choose_by(monkeypatch):
    monkeypatch.setattr(room, "CHOICE_ROWS", 400)
    given, true, fold = rows()
    chosen = rows_of_drawn_accounts(given, 400, seed=3)
    assert 300 < chosen.size <= 400
    kept = set(given.account_id[chosen])
    assert np.isin(given.account_id, list(kept)).sum() == chosen.size
    found = choose_linear(given, fold, np.zeros(true.size), seed=3)
    assert found.held_out.size == true.size


def test_rows_of_weight_zero_teach_nothing():
    given, _true, _fold = rows(600)
    weight = np.where(np.arange(600) < 300, 1.0, 0.0)
    x = given.x.copy()
    x[300:] *= 50
    one = fit_linear_part(replace(given, weight=weight), 0.01, 0.4)
    assert one == fit_linear_part(replace(given, weight=weight, x=x), 0.01, 0.4)
