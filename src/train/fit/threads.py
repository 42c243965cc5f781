"""Fits that do not need each other, side by side, and linear algebra on one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import lightgbm as lgb
import numpy as np
from threadpoolctl import threadpool_limits

Item = TypeVar("Item")
Result = TypeVar("Result")


def fit_side_by_side(
    fit: Callable[[Item, int], Result], items: Sequence[Item], threads: int
) -> Iterator[Result]:
    """The results in the order of the items, each as soon as it and those before it are there.

    LightGBM lets go of the interpreter while it works. Two fits of one thread are done sooner than
    one after the other on two: on ten thousand rows two threads wait for each other most of the
    time, the more so on a machine that has other work.

    Args:
        fit: called with an item and the threads that it may use; gives the same at any number.
        items: what to fit.
        threads: of all fits together.
    """
    side_by_side = max(1, min(threads, len(items)))
    each = max(1, threads // side_by_side)
    pool = ThreadPoolExecutor(side_by_side, initializer=_silence_lightgbm)
    with linear_algebra_on_one_thread(), pool:
        yield from pool.map(lambda item: fit(item, each), items)


@contextmanager
def linear_algebra_on_one_thread() -> Iterator[None]:
    """A block whose products of matrices are computed by the thread that asks for them.

    The threads of BLAS wait for each other by going round in circles. On regressions of some
    thousand rows that is most of the CPU time, and on a machine that has other work of the wall
    time, too. Their sums also depend on how many they are.
    """
    with threadpool_limits(1, user_api="blas"):
        yield


def _silence_lightgbm() -> None:
    """Lets LightGBM print nothing in this thread.

    It keeps the level for each thread, and sets it where something is made: a model that goes on in
    another thread than it began in would print that it finds no further splits.
    """
    lgb.Dataset(np.zeros((2, 1)), params={"verbosity": -1}).construct()
