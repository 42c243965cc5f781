"""What commands cost before they are done: CPU seconds of the second run of each."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow.parquet as pq

RUNS = 3
PROMISED = {"--help": 0.4, "check": 1.5, "explain": 4.0, "score": 8.0}


def run() -> None:
    """Makes the demonstration, then runs each command on it; the least of some runs is printed."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _cpu_seconds(folder, "demo")
        tracking = f"sqlite:///{folder / 'demo' / 'mlruns' / 'mlflow.db'}"
        os.environ["MLFLOW_TRACKING_URI"] = tracking
        scores = pq.read_table(folder / "demo" / "scores" / "scores.parquet")
        as_of = f"{scores['as_of'][0].as_py():%Y-%m-%d}"
        group = scores["group_id"][0].as_py()
        at = ("demo/data", "--as-of", as_of)
        commands = {
            "--help": ("--help",),
            "check": ("check", "demo/data"),
            "explain": ("explain", "demo/data", group, "--as-of", as_of),
            "score": ("score", *at, "--out", "scores", "--no-store"),
        }
        for name, arguments in commands.items():
            taken = [_cpu_seconds(folder, *arguments) for _ in range(RUNS + 1)][1:]
            print(f"mqbg {name}: {min(taken):.2f} CPU s (promised {PROMISED[name]})")
        print(f"groups scored: {scores.num_rows:,}")


def _cpu_seconds(folder: Path, *arguments: str) -> float:
    """User and system time of one command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = Path(sys.executable).with_name("mqbg")
    subprocess.run([command, *arguments], cwd=folder, check=True, capture_output=True)  # noqa: S603
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
