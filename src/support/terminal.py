"""What people see while a command runs: progress on a terminal, logs, all on stderr."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from ..support.progress import no_progress

if TYPE_CHECKING:
    from rich.progress import TaskID

# Bars and handlers of rich are imported where a terminal shows them: every command starts here.

ERRORS = Console(stderr=True)
PIPE_WIDTH = 140  # columns of tables that go to a file or a pipe, where there is no width to fit


def results() -> Console:
    """Where results go: stdout."""
    console = Console()
    return console if console.is_terminal else Console(width=PIPE_WIDTH)


@contextmanager
def progress_shown() -> Iterator[Callable[[str, float], None]]:
    """A function that takes a label and the share done; bars only on a terminal."""
    if not ERRORS.is_terminal:
        yield no_progress
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<14}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=ERRORS) as bars:
        tasks: dict[str, TaskID] = {}

        def update(label: str, share: float) -> None:
            if label not in tasks:
                tasks[label] = bars.add_task(label, total=1.0)
            bars.update(tasks[label], completed=share)

        yield update


def log_to_stderr() -> None:
    """Sends our logs to stderr, from INFO up; other libraries' from WARNING up."""
    handler: logging.Handler
    if ERRORS.is_terminal:
        from rich.logging import RichHandler

        handler = RichHandler(console=ERRORS, show_time=False, show_path=False)
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("mqbg").setLevel(logging.INFO)
