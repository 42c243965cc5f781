"""Work of a benchmark shared out among processes, one for each core, with a bar."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

from mqbg.source.staging import Source
from mqbg.support.terminal import ERRORS, progress_shown

Item = TypeVar("Item")
Result = TypeVar("Result")

LINES = 10  # said where there is no terminal for a bar


def in_processes(
    label: str,
    work: Callable[[Item], Result],
    items: Sequence[Item],
    done: Callable[[Result], None] = lambda _result: None,
) -> list[Result]:
    """The results of all items, in their order.

    Each process uses one thread: DuckDB plans a query, and LightGBM a small tree, on one only, so
    two processes of one thread are done sooner than one of two.

    Args:
        label: of the bar.
        work: a function of a module; it and its items are sent to the processes.
        items: what to do, of about equal size.
        done: called with each result as it comes, in their order.
    """
    results: list[Result] = []
    pool = ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn"))
    with progress_shown() as progress, pool:
        progress(label, 0.0)
        for result in pool.map(work, items):
            results.append(result)
            done(result)
            progress(label, len(results) / len(items))
            _say(label, len(results), len(items))
    return results


def _say(label: str, count: int, total: int) -> None:
    """A line now and then where no bar is seen."""
    if not ERRORS.is_terminal and (count * LINES // total) > ((count - 1) * LINES // total):
        print(f"{label}: {count} of {total}", file=sys.stderr, flush=True)


def without_bars(source: Source) -> None:
    """Keeps DuckDB from drawing bars of its own, as it does in a process without a main module."""
    source.backend.con.execute("SET enable_progress_bar = false")
