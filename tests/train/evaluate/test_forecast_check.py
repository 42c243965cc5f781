"""What was to be expected of thresholds beside what came in."""

from __future__ import annotations

from mqbg.model.thresholds import Estimate, ThresholdPerformance
from mqbg.train.evaluate.forecast_check import check_forecast, checks_json, forecast_sentence

NOTHING = Estimate(None, None, None)


def performance(per_week, precision=(0.3, 0.2, 0.4), value=None):
    return ThresholdPerformance(
        Estimate(*per_week), Estimate(*precision), NOTHING,
        NOTHING if value is None else Estimate(*value),
    )  # fmt: skip


def test_a_forecast_holds_where_the_intervals_overlap():
    expected = performance((7.9, 6.5, 9.0), (0.30, 0.20, 0.40))
    came = performance((12.9, 11.0, 14.0), (0.45, 0.40, 0.50))
    assert [(c.measure, c.held) for c in check_forecast(expected, came)] == [
        ("per_week", False), ("precision", True),
    ]  # fmt: skip


def test_without_a_forecast_nothing_is_checked():
    assert check_forecast(None, performance((1, 0, 2))) == ()
    assert forecast_sentence(()) == ""


def test_a_measure_that_one_of_both_lacks_is_not_checked():
    paid = performance((7.0, 6.0, 8.0), value=(100.0, 50.0, 150.0))
    checks = check_forecast(paid, performance((7.0, 6.0, 8.0)))
    assert [check.measure for check in checks] == ["per_week", "precision"]


def test_the_sentence_gives_both_figures_and_says_what_held():
    checks = check_forecast(
        performance((7.9, 6.5, 9.0)), performance((12.9, 11.0, 14.0), (0.25, 0.2, 0.3))
    )
    assert forecast_sentence(checks) == (
        "Of what was to be expected before the test 1 of 2 held: newly qualified a week 7.9 (6.5 "
        "to 9.0) expected, 12.9 (11.0 to 14.0) came in (missed); precision 30% (20% to 40%) "
        "expected, 25% (20% to 30%) came in (held)."
    )


def test_the_checks_are_plain_values_for_json():
    (first, *_) = checks_json(check_forecast(performance((7, 6, 9)), performance((8, 6, 9))))
    assert first == {
        "measure": "per_week",
        "forecast": {"value": 7, "low": 6, "high": 9},
        "realised": {"value": 8, "low": 6, "high": 9},
        "held": True,
    }
