"""`mqbg check` of ten million activities: CPU time and peak memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow.parquet as pq

from .timing import mqbg

GROUPS = 63_000


def run() -> None:
    """Simulates a world and prints what its check costs.

    Raises:
        SystemExit: the check failed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        mqbg(folder, "simulate", "world", "--groups", str(GROUPS))
        rows = pq.read_metadata(folder / "world" / "activities.parquet").num_rows
        command = [str(Path(sys.executable).parent / "mqbg"), "check", "world"]
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command
        _pid, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
        print(
            f"mqbg check, {rows:,} activities: {used.ru_utime + used.ru_stime:.1f} CPU seconds, "
            f"{used.ru_maxrss / 1024:,.0f} MB at most"
        )
