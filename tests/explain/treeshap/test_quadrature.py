"""The rules integrate what the contributions need."""

from __future__ import annotations

import numpy as np
import pytest
from mqbg.explain.treeshap.quadrature import quadrature


@pytest.mark.parametrize("count", [1, 2, 5, 12])
def test_n_points_are_exact_up_to_degree_2n_minus_1(count):
    points, weights = quadrature(count)
    rule = slice(count * (count - 1) // 2, count * (count + 1) // 2)
    for degree in range(2 * count):
        assert weights[rule] @ points[rule] ** degree == pytest.approx(1 / (degree + 1), rel=1e-13)


def test_trees_without_splits_need_no_points():
    points, weights = quadrature(0)
    assert points.size == weights.size == 0
    assert points.dtype == np.float64
