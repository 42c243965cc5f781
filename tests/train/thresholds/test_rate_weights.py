from __future__ import annotations

import numpy as np
import pytest
from mqbg.train.thresholds.rate_weights import RateWeights, rate_weights


@pytest.mark.parametrize("expected", [0.05, 0.2, 0.7])
def test_so_many_of_the_rows_convert_as_are_expected(expected):
    converted = np.arange(50) % 5 == 0
    hits, cases = rate_weights(converted, expected).apply(10.0, 50.0)
    assert hits / cases == pytest.approx(expected)
    assert cases == pytest.approx(50)


@pytest.mark.parametrize("converted", [np.zeros(3, bool), np.ones(3, bool), np.zeros(0, bool)])
def test_rows_of_one_outcome_and_no_expectation_count_as_they_are(converted):
    assert rate_weights(converted, 0.5) == RateWeights()
    assert rate_weights(np.array([True, False]), None) == RateWeights()
