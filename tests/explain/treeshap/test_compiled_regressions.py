"""Linear parts by compiled code have the bits of the array calls."""

from __future__ import annotations

import numpy as np
import pytest
from mqbg.explain.treeshap import add_regressions
from mqbg.model.linear import (
    BLOCK_ROWS,
    LinearPart,
    LinearTerm,
    Regressions,
    regression_log_odds,
)

FEATURES = 7
SEED = 31


def part(draw, terms):
    chosen = sorted(draw.choice(FEATURES, terms, replace=False).tolist())
    return LinearPart(
        0.5,
        draw.normal(),
        tuple(
            LinearTerm(str(one), draw.normal(), draw.random() + 0.1, draw.normal(), 0.0)
            for one in chosen
        ),
    )


@pytest.mark.parametrize("rows", [0, 1, 3, BLOCK_ROWS, BLOCK_ROWS + 5])
@pytest.mark.parametrize("terms", [(), (0,), (FEATURES,), (3, 0, FEATURES, 1)])
def test_each_row_gets_the_same_bits_by_each_regression(rows, terms):
    draw = np.random.default_rng(SEED)
    column = {str(place): place for place in range(FEATURES)}
    regressions = [part(draw, count).regression(column) for count in terms]
    matrix = draw.normal(size=(rows, FEATURES)) * 10.0 ** draw.integers(-3, 9, (rows, FEATURES))
    awkward = draw.choice([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e300], matrix.shape)
    matrix = np.where(draw.random(matrix.shape) < 0.3, awkward, matrix)
    for row in np.flatnonzero(draw.random(max(rows, 1)) < 0.3)[1:]:  # some come again
        matrix[row] = matrix[row - 1]
    for layout in (matrix, np.asfortranarray(matrix)):
        found = Regressions(tuple(regressions)).log_odds(layout, add_regressions)
        assert found.shape == (len(terms), rows)
        assert found.tobytes() == regression_log_odds(regressions, matrix).tobytes()
