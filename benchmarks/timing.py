"""Wall-clock times of named steps."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Prints how long the block took."""
    start = time.perf_counter()
    yield
    print(f"{what}: {time.perf_counter() - start:.1f} s", flush=True)


def mqbg(folder: Path, *arguments: str) -> str:
    """Runs the command in a folder and returns what it prints; its bars are seen on a terminal.

    Raises:
        SystemExit: it failed; its messages are shown.
    """
    command: Sequence[str] = [str(Path(sys.executable).parent / "mqbg"), *arguments]
    errors = None if sys.stderr.isatty() else subprocess.PIPE
    done = subprocess.run(  # noqa: S603 - our own command
        command, cwd=folder, stdout=subprocess.PIPE, stderr=errors, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr or ''}")
    return done.stdout
