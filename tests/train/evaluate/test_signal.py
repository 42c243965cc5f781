import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.train.evaluate.comparison import evaluate, paired_differences, verdict_sentence
from mqbg.train.evaluate.signal import auc_within_snapshots, find_signal
from sklearn.metrics import roc_auc_score

SEED = 3
KEYWORDS = {"resamples": 100, "seed": SEED}


def world(seed, rows=1200, accounts=150, strength=0.0, spread=0.3):
    """Rows of accounts that share their fate, and a model that knows `strength` of it.

    Its chances share an account too, which is what makes rows look surer than they are.
    """
    draws = np.random.default_rng(seed)
    account = draws.integers(accounts, size=rows)
    fate = draws.normal(0, 0.8, accounts)[account]
    guess = draws.normal(0, spread, accounts)[account] + draws.normal(0, spread, rows)
    log_odds = -2 + fate + strength * guess
    frame = pd.DataFrame(
        {
            "account_id": [f"a{number}" for number in account],
            "group_id": [f"g{number}" for number in range(rows)],
            "as_of": pd.Timestamp("2024-01-01")
            + pd.to_timedelta(30 * draws.integers(6, size=rows), unit="D"),
            "converted": draws.random(rows) < 1 / (1 + np.exp(-log_odds)),
            "seen": account % 2 > 0,
        }
    )
    rate = frame["converted"].mean()
    centre = np.log(rate / (1 - rate))
    slope = strength or 0.01  # calibrated: noise that knows it is noise hardly moves
    probability = 1 / (1 + np.exp(-(centre + slope * (guess - guess.mean()))))
    return frame, probability, np.full(rows, rate)


def test_pure_noise_has_no_signal_in_19_of_20_seeds():
    found = [find_signal(*world(seed)[:2], **KEYWORDS | {"seed": seed}).found for seed in range(20)]
    assert sum(found) <= 1


def test_noise_that_takes_itself_for_knowledge_never_has_a_signal():
    for seed in range(20):
        rows, _, _ = world(seed)
        boasting = np.random.default_rng(seed).beta(1, 6, len(rows))
        assert not find_signal(rows, boasting, **KEYWORDS).found


def test_a_real_signal_is_always_found():
    for seed in range(20):
        rows, probability, _ = world(seed, strength=1.0, spread=1.0)
        signal = find_signal(rows, probability, **KEYWORDS)
        assert signal.found, signal.sentence


def real():
    return world(SEED, strength=1.0, spread=1.0)


def test_a_signal_is_told_with_its_figures():
    rows, probability, _base = real()
    signal = find_signal(rows, probability, **KEYWORDS)
    assert signal.sentence.startswith("There is a signal: ROC AUC ")
    assert f"{roc_auc_score(rows['converted'], probability):.3f}" in signal.sentence
    assert signal.sentence.count("95 % interval") == 2


def without_signal(*arguments, **keywords):
    signal = find_signal(*arguments, **KEYWORDS | keywords)
    assert not signal.found
    assert signal.sentence.endswith(".")
    assert ". " not in signal.sentence
    return signal.sentence


def test_a_model_that_ranks_no_better_than_chance_has_no_signal():
    rows, _, _base = real()
    probability = np.random.default_rng(1).random(len(rows))
    assert "no better than chance on the test" in without_signal(rows, probability)


def test_a_model_that_ranks_upside_down_has_no_signal():
    rows, probability, _base = real()
    assert "worse than chance on the test" in without_signal(rows, 1 - probability)


def test_a_constant_has_no_signal():
    rows, _, base = real()
    assert "no better than chance" in without_signal(rows, base)


def test_a_level_that_is_off_is_no_lack_of_signal():
    rows, probability, _ = real()
    assert find_signal(rows, np.sqrt(probability), **KEYWORDS).found
    assert find_signal(rows, probability / 50, **KEYWORDS).found


def small_test(rows):
    """Twelve rows that converted and twenty others."""
    converted = np.flatnonzero(rows["converted"])[:12]
    return np.sort(np.concatenate([converted, np.flatnonzero(~rows["converted"])[:20]]))


def test_where_the_test_is_too_small_cross_fitting_decides():
    rows, probability, _ = real()
    few, noise = small_test(rows), np.random.default_rng(2).uniform(0.1, 0.2, len(rows))
    held_out = rows.assign(readiness=probability)
    found = find_signal(rows.iloc[few], noise[few], held_out, **KEYWORDS)
    assert found.found
    assert "12 groups that converted on the test are too few to show one" in found.sentence
    assert not find_signal(rows.iloc[few], noise[few], **KEYWORDS).found
    assert not find_signal(
        rows.iloc[few], noise[few], rows.assign(readiness=noise), **KEYWORDS
    ).found


def test_a_test_that_is_large_enough_is_not_overruled_by_cross_fitting():
    rows, probability, _ = real()
    noise = np.random.default_rng(2).random(len(rows))
    assert not find_signal(rows, noise, rows.assign(readiness=probability), **KEYWORDS).found


def test_a_test_that_speaks_against_the_model_is_not_overruled_by_cross_fitting():
    rows, probability, _ = real()
    few = small_test(rows)
    upside_down = np.where(rows["converted"], 0.1, 0.9)[few]
    held_out = rows.assign(readiness=probability)
    assert not find_signal(rows.iloc[few], upside_down, held_out, **KEYWORDS).found


def test_rows_of_one_group_are_one_witness():
    rows, _, _ = real()
    rows = rows.iloc[small_test(rows)]
    probability = np.where(rows["converted"], 0.9, 0.1)
    assert find_signal(rows, probability, **KEYWORDS).found
    one = rows.assign(group_id=np.where(rows["converted"], "same", rows["group_id"]))
    probability[np.flatnonzero(rows["converted"])[:5]] = 0.05
    assert find_signal(rows, probability, **KEYWORDS).sentence != (
        find_signal(one, probability, **KEYWORDS).sentence
    )


def test_a_model_that_tells_only_months_apart_has_no_signal():
    rows, _, _base = world(SEED, rows=3000, accounts=900)
    month = rows["as_of"].rank(method="dense").to_numpy()
    chance = month / 10
    rows["converted"] = np.random.default_rng(SEED).random(len(rows)) < chance
    probability = np.clip(chance + np.random.default_rng(1).normal(0, 0.01, len(rows)), 0, 1)
    np.full(len(rows), rows["converted"].mean())
    assert roc_auc_score(rows["converted"], probability) > 0.6
    sentence = without_signal(rows, probability)
    assert "ranks groups of the same snapshot no better than chance" in sentence


def test_snapshots_of_one_outcome_each_leave_nothing_to_choose_between():
    rows, _, _base = real()
    rows["converted"] = rows["as_of"].eq(rows["as_of"].max())
    probability = np.where(rows["converted"], 0.9, 0.1)
    assert "no snapshot of the test holds groups of both" in without_signal(rows, probability)


@pytest.mark.parametrize(
    "change", [{"converted": False}, {"converted": True}, {"account_id": "the only one"}]
)
def test_a_test_that_cannot_judge_is_no_proof(change):
    rows, probability, _base = real()
    sentence = find_signal(rows.assign(**change), probability, **KEYWORDS)
    assert not sentence.found
    assert sentence.sentence.startswith("There is no proof of a signal: ")
    assert "1,200 test rows" in sentence.sentence


def test_no_test_rows_are_no_proof():
    rows, probability, _base = real()
    assert not find_signal(rows.head(0), probability[:0], **KEYWORDS).found


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.booleans(), st.integers(0, 2), st.integers(0, 2)
        ),
        min_size=1,
        max_size=25,
    )
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_auc_within_snapshots_is_the_share_of_pairs_of_one_snapshot_in_order(drawn):
    probability = np.array([level / 3 for level, _, _, _ in drawn])
    converted = np.array([outcome for _, outcome, _, _ in drawn])
    as_of = np.array([moment for _, _, moment, _ in drawn])
    weights = np.array([times for _, _, _, times in drawn], dtype=float)
    won, total = 0.0, 0.0
    for i in np.flatnonzero(converted):
        for j in np.flatnonzero(~converted & (as_of == as_of[i])):
            pairs = weights[i] * weights[j]
            total += pairs
            won += pairs * (
                1.0 if probability[i] > probability[j] else 0.5 * (probability[i] == probability[j])
            )
    got = auc_within_snapshots(converted, probability, as_of, weights=weights)
    assert (np.isnan(got) and not total) or got == pytest.approx(won / total)


def test_auc_within_one_snapshot_is_scikit_learns():
    rows, probability, _ = real()
    got = auc_within_snapshots(rows["converted"].to_numpy(), probability, np.zeros(len(rows)))
    assert got == pytest.approx(roc_auc_score(rows["converted"], probability))


def test_the_verdict_is_the_missing_signal_where_there_is_none():
    rows, probability, base = real()
    methods = {"mqbg": probability, "base rate": base}
    figures = {"touched_per_snapshot": 5, "resamples": 20, "seed": SEED}
    tables = evaluate(rows, methods, **figures), paired_differences(rows, methods, **figures)
    found = find_signal(rows, probability, **KEYWORDS)
    missing = find_signal(rows, 1 - probability, **KEYWORDS)
    assert verdict_sentence(*tables, signal=missing) == missing.sentence
    assert verdict_sentence(*tables, signal=found) == verdict_sentence(*tables)


def test_rows_and_probabilities_that_do_not_fit_are_refused():
    rows, probability, base = real()
    with pytest.raises(ValueError, match=r"missing: \['as_of'\]"):
        find_signal(rows.drop(columns="as_of"), probability, base, **KEYWORDS)
    with pytest.raises(ValueError, match="converted must be true or false"):
        find_signal(rows.assign(converted=1), probability, base, **KEYWORDS)
    with pytest.raises(ValueError, match="the probability of the model must have one value"):
        find_signal(rows, probability[:2], **KEYWORDS)
    with pytest.raises(ValueError, match="at least 1 resample"):
        find_signal(rows, probability, **KEYWORDS | {"resamples": 0})
