"""What memory costs: Python looks for garbage seldom, and frees nothing when a command ends."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys
from collections.abc import Callable


def search_seldom() -> None:
    """Lets this process look for cycles of objects once for 50,000 new ones.

    A command imports some two million objects, and a body of many groups is hundreds of thousands
    that stay until its answer: by Python's own thresholds a tenth of a short command goes into
    searching through them, over and over, for nothing.
    """
    gc.set_threshold(50_000, 20, 50)


def exit_without_freeing(work: Callable[[], None]) -> None:
    """Does the work of this process and ends it, as Python would, but for its objects.

    Python takes up to a quarter of a short command to free each object of its libraries one by one;
    the system frees a process at once. All else is done first: threads end, and what was
    registered with `atexit` is called. An error that nobody caught ends the process as always.
    """
    status: int | None = None

    def leave() -> None:
        # What cannot be written (a pipe that is closed) Python says itself when it goes on to end.
        with contextlib.suppress(OSError, ValueError):
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            if status is not None:
                os._exit(status)

    atexit.register(leave)  # the first to be registered is the last to be called
    try:
        work()
        status = 0
    except SystemExit as ending:
        if ending.code is None or isinstance(ending.code, int):
            status = ending.code or 0
        raise
