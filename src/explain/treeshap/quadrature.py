"""Gauss-Legendre points on [0, 1]: n of them are exact for polynomials of degree 2 n - 1."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray


@cache
def quadrature(max_points: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points and weights of the rules with 1 to `max_points` points, one rule after the other.

    The rule with n points begins at n (n - 1) / 2.
    """
    rules = [np.polynomial.legendre.leggauss(count) for count in range(1, max_points + 1)]
    points = [(rule[0] + 1) / 2 for rule in rules]
    weights = [rule[1] / 2 for rule in rules]
    return np.concatenate([[], *points]), np.concatenate([[], *weights])
