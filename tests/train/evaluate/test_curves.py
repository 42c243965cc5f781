import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqbg.train.evaluate.comparison import compute_metrics
from mqbg.train.evaluate.curves import (
    decision_data,
    gains_data,
    lift_data,
    precision_recall_data,
    reliability_data,
)
from mqbg.train.wilson import wilson_interval
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

SEED = 13


def scored(rows=600, accounts=150):
    draws = np.random.default_rng(SEED)
    probability = draws.beta(1, 8, rows)
    frame = pd.DataFrame(
        {
            "account_id": [f"a{number}" for number in draws.integers(accounts, size=rows)],
            "as_of": pd.Timestamp("2024-01-01")
            + pd.to_timedelta(30 * draws.integers(3, size=rows), unit="D"),
            "converted": draws.random(rows) < probability,
        }
    )
    others = {"points 75/25": draws.random(rows).round(1), "base rate": np.full(rows, 0.1)}
    return frame, {"mqbg": probability} | others


def test_reliability_shows_each_bins_mean_share_and_rows():
    rows = pd.DataFrame(
        {"account_id": list("abcdef"), "converted": [False, False, True, True, False, True]}
    )
    probability = np.array([0.1, 0.2, 0.3, 0.6, 0.8, 0.9])
    got = reliability_data(rows, {"mqbg": probability}, bins=2)
    assert got["predicted"].tolist() == pytest.approx([0.2, 2.3 / 3])
    assert got["observed"].tolist() == pytest.approx([1 / 3, 2 / 3])
    assert got["rows"].tolist() == [3, 3]


def test_reliability_counts_every_row_once_and_adds_up_to_the_calibration_error():
    rows, probabilities = scored()
    data = reliability_data(rows, probabilities)
    for method, part in data.groupby("method"):
        assert part["rows"].sum() == len(rows)
        gap = (part["rows"] * (part["predicted"] - part["observed"]).abs()).sum() / len(rows)
        expected = compute_metrics(
            rows["converted"].to_numpy(),
            probabilities[method],
            rows["as_of"].to_numpy(),
            touched_per_snapshot=1,
        )
        assert gap == pytest.approx(expected["ece"])


def test_lift_and_recall_are_those_of_the_evaluation():
    rows, probabilities = scored()
    for row in lift_data(rows, probabilities).iloc[::7].itertuples():
        expected = compute_metrics(
            rows["converted"].to_numpy(),
            probabilities[row.method],
            rows["as_of"].to_numpy(),
            touched_per_snapshot=row.touched_per_snapshot,
        )
        assert row.lift == pytest.approx(expected["lift_at_capacity"])
        assert row.recall == pytest.approx(expected["recall_at_capacity"])


def test_precision_and_recall_are_those_of_each_threshold():
    rows, probabilities = scored()
    converted = rows["converted"].to_numpy()
    for row in precision_recall_data(rows, probabilities).iloc[::7].itertuples():
        let_through = probabilities[row.method] >= row.threshold
        assert row.precision == pytest.approx(converted[let_through].mean())
        assert row.recall == pytest.approx(converted[let_through].sum() / converted.sum())


def test_precision_and_recall_run_from_everyone_to_the_strictest():
    rows, probabilities = scored()
    for _, part in precision_recall_data(rows, probabilities).groupby("method", sort=False):
        assert part["recall"].iloc[0] == 1.0
        assert (np.diff(part["recall"]) < 0).all()
        assert len(part) <= 200


def test_reliability_intervals_are_wilsons_where_each_account_has_one_row():
    rows, probabilities = scored()
    rows["account_id"] = [f"a{number}" for number in range(len(rows))]
    data = reliability_data(rows, probabilities)
    assert set(data["interval"]) == {"Wilson"}
    for row in data.itertuples():
        oracle = binomtest(round(row.observed * row.rows), row.rows).proportion_ci(method="wilson")
        assert (row.low, row.high) == pytest.approx((oracle.low, oracle.high))


def test_reliability_intervals_equal_a_plain_loop_over_drawn_accounts():
    rows, probabilities = scored(rows=120, accounts=15)
    probability = np.ceil(probabilities["mqbg"] * 8) / 8
    data = reliability_data(rows, {"mqbg": probability}, bins=3, resamples=60, seed=SEED)
    names = list(dict.fromkeys(rows["account_id"]))
    first = data.iloc[0]
    lowest = probability <= np.sort(probability)[first["rows"] - 1]
    assert lowest.sum() == first["rows"]
    draws, shares = np.random.default_rng(SEED), []
    for _ in range(60):
        picked = [names[number] for number in draws.integers(len(names), size=len(names))]
        outcomes = [
            outcome
            for name in picked
            for outcome in rows["converted"][lowest & rows["account_id"].eq(name).to_numpy()]
        ]
        shares.append(np.mean(outcomes))
    assert first["interval"] == "bootstrap"
    assert (first["low"], first["high"]) == pytest.approx(
        tuple(np.quantile(shares, [0.025, 0.975]))
    )


def test_bins_of_one_outcome_have_an_interval_with_one_trial_per_account():
    rows = pd.DataFrame({"account_id": list("aabbcc"), "converted": [False] * 6})
    (row,) = reliability_data(rows, {"m": np.full(6, 0.2)}).itertuples()
    oracle = binomtest(0, 3).proportion_ci(method="wilson")
    assert row.interval == "Wilson"
    assert (row.low, row.high) == pytest.approx((oracle.low, oracle.high))


def test_a_bin_of_one_account_is_as_unsure_as_one_trial():
    rows = pd.DataFrame({"account_id": list("aaaa"), "converted": [False, True] * 2})
    (row,) = reliability_data(rows, {"m": np.full(4, 0.2)}).itertuples()
    assert row.low < 0.1
    assert row.high > 0.9


def test_intervals_of_accounts_with_many_rows_are_wider_than_those_of_rows():
    rows, probabilities = scored(rows=400, accounts=400)
    rows["account_id"] = [f"a{number}" for number in range(len(rows))]
    alone = reliability_data(rows, probabilities, bins=1)
    again = pd.concat([rows] * 4, ignore_index=True)
    repeated = {name: np.tile(values, 4) for name, values in probabilities.items()}
    fourfold = reliability_data(again, repeated, bins=1)
    width, fourfold_width = (part["high"] - part["low"] for part in (alone, fourfold))
    assert fourfold_width.to_numpy() == pytest.approx(width.to_numpy(), rel=0.25)


@given(st.integers(1, 10_000), st.floats(0, 1))
@settings(max_examples=200, deadline=None)
def test_wilsons_interval_holds_the_share_and_stays_between_0_and_1(trials, share):
    low, high = wilson_interval(np.array([share]), np.array([trials]))
    assert 0 <= low[0] <= share <= high[0] <= 1
    assert low[0] < high[0]


def gains_by_hand(converted, probability, share):
    """Conversions found in the likeliest rows; a tie is found in proportion."""
    left, found = share * len(probability), 0.0
    for level in sorted(set(probability), reverse=True):
        inside = [c for c, p in zip(converted, probability, strict=True) if p == level]
        taken = min(left, len(inside))
        found += sum(inside) * taken / len(inside)
        left -= taken
    return found / sum(converted)


def test_gains_are_those_of_touching_the_likeliest_rows_with_ties_in_proportion():
    rows, probabilities = scored()
    for row in gains_data(rows, probabilities).iloc[::23].itertuples():
        if row.method == "ideal":
            expected = min(1.0, row.touched / rows["converted"].mean())
        else:
            values = probabilities[row.method]
            expected = gains_by_hand(rows["converted"], values, row.touched)
        assert row.found == pytest.approx(expected)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
@settings(max_examples=100, deadline=None)
def test_gains_rise_from_nothing_to_everything_and_never_pass_the_ideal(drawn):
    rows = pd.DataFrame({"converted": [outcome for _, outcome in drawn]})
    data = gains_data(rows, {"m": np.array([level / 5 for level, _ in drawn])})
    found = {method: part["found"].to_numpy() for method, part in data.groupby("method")}
    if not rows["converted"].any():
        assert np.isnan(found["m"]).all()
        return
    assert found["m"][[0, -1]].tolist() == [0.0, 1.0]
    assert (np.diff(found["m"]) >= -1e-12).all()
    assert (found["m"] <= found["ideal"] + 1e-9).all()


def test_area_under_the_gains_is_that_of_the_auc():
    rows, probabilities = scored(rows=200)
    rate = rows["converted"].mean()
    data = gains_data(rows, probabilities)
    for method, probability in probabilities.items():
        part = data[data["method"] == method]
        area = np.trapezoid(part["found"], part["touched"])
        auc = roc_auc_score(rows["converted"], probability)
        assert area == pytest.approx(auc * (1 - rate) + rate / 2, abs=1e-9)


def test_net_benefit_is_that_of_touching_rows_at_or_above_the_threshold():
    rows, probabilities = scored()
    converted = rows["converted"].to_numpy()
    for row in decision_data(rows, probabilities).iloc[::17].itertuples():
        if row.method == "nobody":
            assert row.net_benefit == 0
            continue
        values = probabilities.get(row.method, np.ones(len(rows)))
        touched = values >= row.threshold
        odds = row.threshold / (1 - row.threshold)
        benefit = ((touched & converted).sum() - odds * (touched & ~converted).sum()) / len(rows)
        assert row.net_benefit == pytest.approx(benefit)


def test_net_benefit_of_everybody_is_nil_at_the_rate_of_conversion():
    rows, probabilities = scored()
    everybody = decision_data(rows, probabilities).query("method == 'everybody'")
    at = np.interp(rows["converted"].mean(), everybody["threshold"], everybody["net_benefit"])
    assert at == pytest.approx(0.0, abs=1e-4)
    assert everybody["net_benefit"].iloc[0] == pytest.approx(rows["converted"].mean())


def test_a_sure_method_has_a_finite_decision_curve():
    rows, _ = scored(rows=50)
    data = decision_data(rows, {"sure": np.ones(50), "never": np.zeros(50)})
    assert np.isfinite(data["net_benefit"]).all()
    assert data["threshold"].max() == 0.99


@pytest.mark.parametrize(
    "data", [reliability_data, lift_data, precision_recall_data, gains_data, decision_data]
)
def test_rows_that_cannot_be_drawn_are_refused(data):
    rows, probabilities = scored(rows=20)
    with pytest.raises(ValueError, match="missing: "):
        data(rows.drop(columns="converted"), probabilities)
    with pytest.raises(ValueError, match="got 0 rows"):
        data(rows.head(0), {"mqbg": np.zeros(0)})
    with pytest.raises(ValueError, match="and 0 methods"):
        data(rows, {})
    with pytest.raises(ValueError, match="one probability per row"):
        data(rows, {"mqbg": np.zeros(3)})
