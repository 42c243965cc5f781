"""Linear parts of raw scores by compiled code: a tenth of the time of the array calls."""

from __future__ import annotations

from ...model.linear import RegressionStack
from .layout import Floats


def add_regressions(stack: RegressionStack, values: Floats, scratch: Floats, out: Floats) -> None:
    """The log-odds of rows by each regression, as `regression_log_odds` has them.

    Numba compiles at the first use on a machine, and keeps the code for later processes.

    Args:
        stack: the regressions.
        values: shape (features, rows), C-contiguous.
        scratch: shape (features, rows or more), C-contiguous; overwritten.
        out: shape (regressions, rows); overwritten.
    """
    from .regression_kernel import add_terms, take_logarithms

    take_logarithms(values, scratch)
    add_terms(
        scratch, stack.intercepts, stack.starts, stack.columns, stack.centre, stack.scale,
        stack.slope, out,
    )  # fmt: skip
