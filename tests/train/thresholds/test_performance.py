import numpy as np
import pandas as pd
import pytest
from mqbg.model.thresholds import UNREACHABLE, Estimate, Thresholds
from mqbg.settings import StateSettings, ThresholdSettings
from mqbg.train.report.threshold_charts import plot_threshold_curve
from mqbg.train.thresholds.learn import learn_thresholds
from mqbg.train.thresholds.performance import (
    forecast_performance,
    measure_performance,
    qualified_per_week,
    threshold_curve,
)

HOW = {"resamples": 200, "seed": 3}
BY_CROSSING = {**HOW, "states": StateSettings(leave_below=1.0, dwell_days=0.0)}
PAID = ThresholdSettings(gain=100, cost=10)
LINE = Thresholds("value", completeness=0.5, pooled=0.5)


def rows_of(*cases):
    """Rows from (group, account, snapshot number, readiness, converted), two weeks apart."""
    rows = pd.DataFrame(
        cases, columns=["group_id", "account_id", "number", "readiness", "converted"]
    )
    rows["as_of"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(14 * rows["number"], unit="D")
    return rows.assign(completeness=1.0)


SMALL = rows_of(
    ("a", "A", 0, 0.9, True), ("a", "A", 1, 0.9, True),  # in stock: found, not new
    ("b", "A", 0, 0.2, False), ("b", "A", 1, 0.8, True),  # new, converts
    ("c", "B", 1, 0.6, False),  # new, does not
    ("d", "B", 0, 0.1, True), ("d", "B", 1, 0.3, True),  # converts, never qualified
)  # fmt: skip


def random_rows(seed=1, groups=200, months=4):
    draws = np.random.default_rng(seed)
    return rows_of(
        *(
            (f"G{group}", f"A{group % 50}", month, ready, bool(draws.random() < ready))
            for group in range(groups)
            for month, ready in enumerate(draws.random(months))
        )
    )


def values(found):
    return [getattr(found, name).value for name in ("per_week", "precision", "recall")]


def test_figures_of_a_line_are_those_that_one_counts_by_hand():
    got = measure_performance(SMALL, LINE, PAID, **HOW)
    assert values(got) == [1.0, 0.5, pytest.approx(2 / 3)]
    assert got.value_per_week.value == (100 * 1 - 10 * 2) / 2


def test_value_is_unknown_without_gain_and_cost():
    got = measure_performance(SMALL, LINE, ThresholdSettings(), **HOW)
    assert got.value_per_week == Estimate(None, None, None)


def test_where_nobody_qualifies_there_is_no_precision():
    nobody = Thresholds("precision", completeness=0.5, pooled=UNREACHABLE)
    assert values(measure_performance(SMALL, nobody, PAID, **HOW)) == [0.0, None, 0.0]


def test_without_a_conversion_there_is_no_recall():
    none = SMALL.assign(converted=False)
    assert values(measure_performance(none, LINE, PAID, **HOW)) == [1.0, 0.0, None]


def test_each_snapshot_counts_by_its_own_line():
    step = SMALL["as_of"].max().isoformat()
    looser = Thresholds("capacity", 0.5, 0.5, schedule=((step, 0.25),))
    assert qualified_per_week(SMALL, looser) == 1.5
    assert qualified_per_week(SMALL, LINE) == 1.0


def test_intervals_hold_the_figure_and_the_seed_fixes_them():
    rows = random_rows()
    got = measure_performance(rows, LINE, PAID, **HOW)
    for one in (got.per_week, got.precision, got.recall, got.value_per_week):
        assert one.low < one.value < one.high
    assert measure_performance(rows, LINE, PAID, **HOW) == got
    assert measure_performance(rows, LINE, PAID, resamples=200, seed=4) != got


@pytest.mark.slow
def test_the_interval_is_as_wide_as_a_bootstrap_of_whole_accounts_by_hand():
    rows = random_rows(groups=120, months=3)
    draws = np.random.default_rng(9)
    parts = dict(list(rows.groupby("account_id")))
    drawn = []
    for _ in range(200):
        again = pd.concat(
            part.assign(group_id=part["group_id"] + f"_{number}")
            for number, part in enumerate(parts[n] for n in draws.choice(list(parts), len(parts)))
        )
        drawn.append(qualified_per_week(again, LINE))
    by_hand = np.quantile(drawn, [0.025, 0.975])
    got = measure_performance(
        rows, LINE, PAID, **{**BY_CROSSING, "resamples": 1000, "seed": 1}
    ).per_week
    assert [got.low, got.high] == pytest.approx(by_hand, rel=0.08)


def test_every_point_of_the_curve_is_what_that_line_brings():
    rows = random_rows(groups=30)
    curve = threshold_curve(rows, LINE, PAID, **HOW)
    assert len(curve) == rows["readiness"].nunique()
    for point in curve.iloc[::10].itertuples():
        line = Thresholds("value", 0.5, point.readiness)
        got = measure_performance(rows, line, PAID, **BY_CROSSING)
        for name in ("per_week", "precision", "recall", "value_per_week"):
            one = getattr(got, name)
            for end, value in [("", one.value), ("_low", one.low), ("_high", one.high)]:
                came = getattr(point, name + end)
                assert np.isnan(came) if value is None else came == pytest.approx(value)


def test_recall_falls_as_the_line_rises():
    curve = threshold_curve(random_rows(), LINE, PAID, **HOW)
    assert (curve["recall"].diff().dropna() <= 0).all()
    assert len(curve) <= 200


def test_a_promise_takes_quality_from_the_past_and_volume_from_late():
    late = random_rows(seed=2, groups=400).drop(columns="converted")
    late["as_of"] += pd.Timedelta(weeks=52)
    past = random_rows(seed=1)
    step = late["as_of"].max().isoformat()
    line = Thresholds("capacity", 0.5, 0.9, schedule=((step, 0.5),))
    settings = ThresholdSettings(capacity_per_week=4, gain=100, cost=10)
    got = forecast_performance(past, late, line, settings, **HOW)
    begins_at_half = Thresholds("capacity", 0.5, 0.5)
    held = measure_performance(past, begins_at_half, settings, **HOW)
    assert (got.precision, got.recall) == (held.precision, held.recall)
    assert got.per_week.value == 4
    per_touch = held.value_per_week.value / held.per_week.value
    assert got.value_per_week.value == pytest.approx(per_touch * got.per_week.value)


def test_by_capacity_no_more_enter_than_sales_can_take():
    rows, line = random_rows(groups=300), Thresholds("capacity", 0.5, 0.5)
    for capacity in (2.0, 5.0):
        settings = ThresholdSettings(capacity_per_week=capacity)
        assert measure_performance(rows, line, settings, **HOW).per_week.value == capacity


@pytest.mark.slow
def test_a_line_drawn_by_outcomes_is_measured_on_accounts_that_did_not_draw_it():
    draws = np.random.default_rng(3)
    asked = ThresholdSettings(policy="value", gain=10, cost=4, shrinkage=0)
    promised, in_sample = [], []
    for _ in range(12):  # readiness says nothing: a touch loses 1 on average
        rows = random_rows(groups=60, months=2)
        rows = rows.assign(
            readiness=draws.random(len(rows)), converted=draws.random(len(rows)) < 0.3
        )
        line = learn_thresholds(rows, asked)
        promised.append(forecast_performance(rows, rows, line, asked, **HOW).value_per_week.value)
        in_sample.append(measure_performance(rows, line, asked, **HOW).value_per_week.value)
    assert np.mean(in_sample) > 0
    assert np.mean(promised) <= 0


def test_rows_without_outcomes_are_refused():
    with pytest.raises(ValueError, match=r"missing: \['converted'\]"):
        measure_performance(SMALL.drop(columns="converted"), LINE, PAID, **HOW)


def test_the_figure_shows_value_only_where_it_is_known(tmp_path):
    rows = random_rows(groups=40)
    for paid, panels in ((PAID, 4), (ThresholdSettings(), 3)):
        figure = plot_threshold_curve(threshold_curve(rows, LINE, paid, **HOW), readiness=0.5)
        assert len(figure.axes) == panels
        figure.savefig(tmp_path / "curve.png")


def test_the_figure_of_no_line_is_refused():
    empty = threshold_curve(SMALL.assign(completeness=0.1), LINE, PAID, **HOW)
    with pytest.raises(ValueError, match="at least one line"):
        plot_threshold_curve(empty, readiness=0.5)
