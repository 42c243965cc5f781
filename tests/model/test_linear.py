from __future__ import annotations

import numpy as np
import pytest
from mqbg.model.linear import CLIP, Regression, regression_log_odds

TERMS = 200  # so many that sums in pairs would come out otherwise


@pytest.mark.parametrize("rows", [1, 2, 3, 255, 257])  # one row alone, in a block and after one
def test_terms_are_added_from_the_first_to_the_last_however_many_rows_there_are(rows):
    draw = np.random.default_rng(8)
    matrix = draw.normal(scale=100.0, size=(257, TERMS))[:rows]
    matrix[draw.random(matrix.shape) < 0.1] = np.nan
    centre, scale, slope = (draw.uniform(0.5, 2.0, (TERMS, 1)) for _ in range(3))
    slope *= 10.0 ** draw.integers(-6, 6, (TERMS, 1))
    regression = Regression(0.3, np.arange(TERMS), centre, scale, slope, np.zeros((TERMS, 1)))
    amounts = np.copysign(np.log1p(np.abs(matrix)), matrix)
    standard = np.clip((amounts - centre.T) / scale.T, -CLIP, CLIP)
    terms = np.where(np.isnan(standard), 0.0, standard) * slope.T
    expected = []
    for first, *others in terms.tolist():
        total = first + 0.3
        for term in others:
            total += term
        expected.append(total)
    assert regression_log_odds([regression], matrix)[0].tolist() == expected
