import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.train.evaluate.comparison import (
    METRICS,
    best_baselines,
    compare,
    compute_metrics,
    evaluate,
    paired_differences,
    verdict_sentence,
)
from mqbg.train.fit.calibration_error import expected_calibration_error
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

SEED = 7


def scored(rows=400, accounts=60, snapshots=4, seed=SEED, steps=None):
    """Rows, and one method's probabilities; `steps` makes that few different ones."""
    draws = np.random.default_rng(seed)
    log_odds = draws.normal(-1.0, 1.2, rows)
    probability = 1 / (1 + np.exp(-log_odds))
    account = draws.integers(accounts, size=rows)
    frame = pd.DataFrame(
        {
            "account_id": [f"a{number}" for number in account],
            "as_of": pd.Timestamp("2024-01-01")
            + pd.to_timedelta(30 * draws.integers(snapshots, size=rows), unit="D"),
            "converted": draws.random(rows) < probability,
            "seen": account % 3 > 0,
        }
    )
    if steps:
        probability = np.ceil(probability * steps) / steps
    return frame, probability


def figures_of(frame, probability, touched=10, weights=None):
    return compute_metrics(
        frame["converted"].to_numpy(),
        probability,
        frame["as_of"].to_numpy(),
        touched_per_snapshot=touched,
        weights=weights,
    )


def touched_by_hand(frame, probability, touched):
    """Outcomes of the rows that sales would touch, by plain sorting."""
    chosen = []
    for moment in sorted(set(frame["as_of"])):
        inside = [i for i in range(len(frame)) if frame["as_of"].iloc[i] == moment]
        inside.sort(key=lambda i: (-probability[i], i))
        chosen += [bool(frame["converted"].iloc[i]) for i in inside[:touched]]
    return chosen


@pytest.mark.parametrize("steps", [None, 12, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_ranking_and_loss_figures_equal_scikit_learns(steps, weighted):
    frame, probability = scored(steps=steps)
    weights = np.random.default_rng(1).integers(0, 4, len(frame)).astype(float)
    weights = weights if weighted else None
    got = figures_of(frame, probability, weights=weights)
    outcome = frame["converted"].to_numpy()
    for name, oracle in {
        "roc_auc": roc_auc_score,
        "average_precision": average_precision_score,
        "log_loss": log_loss,
        "brier": brier_score_loss,
    }.items():
        assert got[name] == pytest.approx(oracle(outcome, probability, sample_weight=weights)), name


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.booleans(), st.integers(0, 3)), min_size=2, max_size=30
    )
)
@settings(max_examples=100, deadline=None)
def test_auc_is_the_share_of_pairs_in_order_with_ties_counting_half(drawn):
    probability = np.array([level / 4 for level, _, _ in drawn])
    converted = np.array([outcome for _, outcome, _ in drawn])
    weights = np.array([times for _, _, times in drawn], dtype=float)
    frame = pd.DataFrame({"converted": converted, "as_of": 0})
    got = figures_of(frame, probability, weights=weights)["roc_auc"]
    won, total = 0.0, 0.0
    for i in np.flatnonzero(converted):
        for j in np.flatnonzero(~converted):
            pairs = weights[i] * weights[j]
            total += pairs
            won += pairs * (
                1.0 if probability[i] > probability[j] else 0.5 * (probability[i] == probability[j])
            )
    assert (np.isnan(got) and not total) or got == pytest.approx(won / total)


@pytest.mark.parametrize("steps", [None, 3])
@pytest.mark.parametrize("touched", [1, 10, 90, 10_000])
def test_lift_and_recall_count_what_sales_would_touch(steps, touched):
    frame, probability = scored(steps=steps)
    got = figures_of(frame, probability, touched)
    chosen = touched_by_hand(frame, probability, touched)
    rate = sum(chosen) / len(chosen)
    assert got["lift_at_capacity"] == pytest.approx(rate / frame["converted"].mean())
    assert got["recall_at_capacity"] == pytest.approx(sum(chosen) / frame["converted"].sum())


@pytest.mark.parametrize("steps", [None, 5])
def test_weights_mean_repeated_rows_in_every_figure(steps):
    frame, probability = scored(rows=150, steps=steps)
    times = np.random.default_rng(2).integers(0, 4, len(frame))
    repeated = frame.loc[np.repeat(frame.index, times)]
    got = figures_of(frame, probability, weights=times.astype(float))
    assert got == pytest.approx(figures_of(repeated, np.repeat(probability, times)))


def test_calibration_error_is_that_of_calibration():
    frame, probability = scored()
    expected = expected_calibration_error(frame["converted"].to_numpy(), probability)
    assert figures_of(frame, probability)["ece"] == pytest.approx(expected)


def test_bootstrap_equals_a_plain_loop_over_repeated_accounts():
    frame, probability = scored(rows=120, accounts=15)
    other = np.random.default_rng(3).random(len(frame)).round(1)
    methods = {"mqbg": probability, "other": other}
    keywords = {"touched_per_snapshot": 5, "resamples": 40, "seed": SEED}
    table = evaluate(frame, methods, **keywords)
    paired = paired_differences(frame, methods, **keywords)

    names = list(dict.fromkeys(frame["account_id"]))
    draws = np.random.default_rng(SEED)
    drawn = {name: [] for name in methods}
    for _ in range(40):
        picked = draws.integers(len(names), size=len(names))
        times = {name: int((picked == number).sum()) for number, name in enumerate(names)}
        again = np.repeat(np.arange(len(frame)), [times[a] for a in frame["account_id"]])
        for name, values in methods.items():
            drawn[name].append(figures_of(frame.iloc[again], values[again], 5))

    def assert_interval(row, values):
        low, high = np.quantile(values, [0.025, 0.975])
        assert (row["low"], row["high"]) == pytest.approx((low, high), abs=1e-12)

    for _, row in table[table["population"] == "all accounts"].iterrows():
        assert_interval(row, [one[row["figure"]] for one in drawn[row["method"]]])
    for _, row in paired[paired["population"] == "all accounts"].iterrows():
        pairs = zip(drawn["mqbg"], drawn["other"], strict=True)
        assert_interval(row, [a[row["figure"]] - b[row["figure"]] for a, b in pairs])


def test_table_has_one_row_per_population_method_and_figure():
    frame, probability = scored()
    table = evaluate(
        frame,
        {"mqbg": probability, "base rate": np.full(len(frame), 0.3)},
        touched_per_snapshot=10,
        resamples=5,
        seed=SEED,
    )
    assert len(table) == 2 * 2 * len(METRICS)
    assert not table.duplicated(["population", "method", "figure"]).any()
    assert list(table.columns) == [
        *("population", "method", "figure", "value", "low", "high"),
        *("rows", "conversions", "accounts"),
    ]


def test_unseen_accounts_are_evaluated_on_their_rows_alone():
    frame, probability = scored()
    table = evaluate(frame, {"mqbg": probability}, touched_per_snapshot=10, resamples=5, seed=SEED)
    unseen = ~frame["seen"].to_numpy()
    expected = figures_of(frame[unseen], probability[unseen])
    part = table[table["population"] == "unseen accounts"].set_index("figure")
    assert part["value"].to_dict() == pytest.approx(expected)
    assert set(part["rows"]) == {int(unseen.sum())}
    assert set(part["conversions"]) == {int(frame["converted"][unseen].sum())}
    assert set(part["accounts"]) == {frame["account_id"][unseen].nunique()}


def test_same_seed_gives_the_same_table_and_another_seed_does_not():
    frame, probability = scored()

    def table(seed):
        methods = {"mqbg": probability}
        return evaluate(frame, methods, touched_per_snapshot=9, resamples=9, seed=seed)

    pd.testing.assert_frame_equal(table(1), table(1))
    assert not table(1)["low"].equals(table(2)["low"])


def test_one_bootstrap_gives_what_evaluate_and_differences_give():
    frame, probability = scored()
    methods = {"mqbg": probability, "other": probability**2}
    keywords = {"touched_per_snapshot": 10, "resamples": 20, "seed": SEED}
    both = compare(frame, methods, **keywords)
    pd.testing.assert_frame_equal(both.figures, evaluate(frame, methods, **keywords))
    pd.testing.assert_frame_equal(both.differences, paired_differences(frame, methods, **keywords))
    with pytest.raises(ValueError, match="no probabilities of 'mqbg'"):
        compare(frame, {"other": probability}, **keywords)


def test_interval_of_a_method_against_itself_is_zero():
    frame, probability = scored()
    methods = {"mqbg": probability, "twin": probability.copy()}
    paired = paired_differences(frame, methods, touched_per_snapshot=10, resamples=5, seed=SEED)
    assert (paired[["value", "low", "high"]] == 0).all(axis=None)


@pytest.mark.parametrize(
    "change",
    [
        {"converted": False},
        {"converted": True},
        {"account_id": "the only one"},
        {"seen": True},  # nobody unseen: only that population is empty
    ],
)
def test_figures_are_nan_where_a_population_cannot_carry_them(change):
    frame, probability = scored(rows=50)
    frame = frame.assign(**change)
    table = evaluate(frame, {"mqbg": probability}, touched_per_snapshot=10, resamples=5, seed=SEED)
    if "seen" in change:
        table = table[table["population"] == "unseen accounts"]
        assert set(table["rows"]) == {0}
    assert table[["value", "low", "high"]].isna().all(axis=None)
    assert len(table)


def test_no_rows_at_all_give_nan_figures():
    frame, probability = scored(rows=50)
    table = evaluate(
        frame.head(0), {"mqbg": probability[:0]}, touched_per_snapshot=10, resamples=5, seed=SEED
    )
    assert table["value"].isna().all()
    assert set(table["accounts"]) == {0}


def test_resamples_with_one_outcome_are_left_out_of_the_interval():
    frame, probability = scored(rows=60, accounts=30)
    converted = frame["account_id"] == frame["account_id"].iloc[0]
    table = evaluate(
        frame.assign(converted=converted),
        {"mqbg": probability},
        touched_per_snapshot=10,
        resamples=50,
        seed=SEED,
    )
    everyone = table[table["population"] == "all accounts"]
    assert np.isfinite(everyone[["value", "low", "high"]]).all(axis=None)


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (np.array([0.1]), "one value per row"),
        (np.full(50, 1.2), "50 rows where not"),
        (np.array([np.nan] + [0.5] * 49), "1 rows where not"),
    ],
)
def test_probabilities_that_do_not_fit_are_refused(probability, words):
    frame, _ = scored(rows=50)
    with pytest.raises(ValueError, match=words):
        evaluate(frame, {"m": probability}, touched_per_snapshot=1, resamples=5, seed=SEED)


def test_missing_columns_and_wrong_types_are_refused():
    frame, probability = scored(rows=50)
    keywords = {"touched_per_snapshot": 1, "resamples": 5, "seed": SEED}
    with pytest.raises(ValueError, match=r"missing: \['seen'\]"):
        evaluate(frame.drop(columns="seen"), {"m": probability}, **keywords)
    with pytest.raises(ValueError, match="converted must be true or false"):
        evaluate(frame.assign(converted=1), {"m": probability}, **keywords)
    with pytest.raises(ValueError, match="at least 1 resample, got 0"):
        evaluate(frame, {"m": probability}, **keywords | {"resamples": 0})
    with pytest.raises(ValueError, match="touched_per_snapshot must be at least 1, got 0"):
        evaluate(frame, {"m": probability}, **keywords | {"touched_per_snapshot": 0})
    with pytest.raises(ValueError, match="no probabilities of 'mqbg'"):
        paired_differences(frame, {"m": probability}, **keywords)


def tables(auc, gain, others=("weak", "strong")):
    """What `evaluate` and `paired_differences` return, with these AUCs and these gains."""
    sizes = {"rows": 90, "conversions": 9, "accounts": 30}
    where = {"population": "all accounts", "figure": "roc_auc"} | sizes
    interval = dict(zip(("value", "low", "high"), auc, strict=True))
    baseline = {name: 0.6 + number / 10 for number, name in enumerate(others)}
    evaluated = [where | {"method": "mqbg"} | interval]
    evaluated += [where | {"method": name, "value": at, "low": at, "high": at}
                  for name, at in baseline.items()]  # fmt: skip
    added = dict(zip(("value", "low", "high"), gain, strict=True))
    paired = [where | {"method": "mqbg", "against": name} | added for name in others]
    columns = ["population", "figure", "against", "value", "low", "high"]
    return pd.DataFrame(evaluated), pd.DataFrame(paired, columns=columns)


@pytest.mark.parametrize(
    ("auc", "gain", "words"),
    [
        ((0.8, 0.7, 0.9), (0.1, 0.05, 0.15), "mqbg adds to the best baseline, strong, in ROC AUC"),
        ((0.8, 0.7, 0.9), (0.1, 0.05, 0.15), r"\+0.100 \(\+0.050 to \+0.150\)"),
        ((0.8, 0.7, 0.9), (0.02, -0.05, 0.1), "adds nothing sure to the best baseline, strong"),
        ((0.6, 0.55, 0.65), (-0.1, -0.2, -0.01), "worse than the best baseline, strong"),
        ((0.55, 0.45, 0.65), (0.1, 0.05, 0.15), "There is no signal"),
        ((0.3, 0.2, 0.4), (-0.4, -0.5, -0.3), "worse than chance"),
        ((np.nan,) * 3, (np.nan,) * 3, "Nothing can be said of mqbg on all accounts: 9 conv"),
    ],
)
def test_verdict_says_in_one_sentence_what_the_model_adds(auc, gain, words):
    sentence = verdict_sentence(*tables(auc, gain))
    assert pd.Series(sentence).str.contains(words).all(), sentence
    assert sentence.endswith(".")
    assert ". " not in sentence


def test_verdict_without_baselines_says_so():
    assert "no baseline" in verdict_sentence(*tables((0.8, 0.7, 0.9), (0, 0, 0), others=()))


def test_verdict_reads_what_evaluate_and_differences_return():
    frame, probability = scored(rows=600)
    methods = {"mqbg": probability, "base rate": np.full(len(frame), 0.3)}
    keywords = {"touched_per_snapshot": 10, "resamples": 30, "seed": SEED}
    sentence = verdict_sentence(
        evaluate(frame, methods, **keywords),
        paired_differences(frame, methods, **keywords),
        population="unseen accounts",
    )
    assert sentence.startswith("mqbg adds to the best baseline, base rate, in ROC AUC +")
    assert "on unseen accounts" in sentence


def test_best_baselines_are_those_with_the_highest_auc():
    evaluated, _ = tables((0.8, 0.7, 0.9), (0, 0, 0), others=("c", "b", "a"))
    assert best_baselines(evaluated, count=2) == ["a", "b"]
