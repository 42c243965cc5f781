"""What commands cost before they are done: CPU seconds of the second run of each."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

RUNS = 3
SCORED_WORLD_GROUPS = 2_000  # of which some 1,400 are open at the end and scored
PROMISED = {"--help": 0.4, "check": 1.5, "explain": 4.0, "score": 8.0}


def run() -> None:
    """Makes two demonstrations and runs the commands on them; the least of some runs is printed."""
    with tempfile.TemporaryDirectory() as scratch:
        demo, larger = (_Demonstration(Path(scratch) / name) for name in ("demo", "larger"))
        scores = demo.make()
        group = scores["group_id"][0].as_py()
        demo.measure("--help")
        demo.measure("check", "demo/data")
        demo.measure("explain", "demo/data", group, "--as-of", _as_of(scores))
        scores = larger.make("--groups", str(SCORED_WORLD_GROUPS))
        larger.measure(
            "score", "demo/data", "--as-of", _as_of(scores), "--out", "scores", "--no-store"
        )
        print(f"groups scored: {scores.num_rows:,}")


@dataclass(frozen=True)
class _Demonstration:
    """A folder in which `mqbg demo` ran."""

    folder: Path

    def make(self, *options: str) -> pa.Table:
        """The scores that `mqbg demo` made."""
        self.folder.mkdir()
        self._cpu_seconds("demo", *options)
        return pq.read_table(self.folder / "demo" / "scores" / "scores.parquet")

    def measure(self, name: str, *arguments: str) -> None:
        """Prints the CPU seconds of one command on its tables."""
        taken = [self._cpu_seconds(name, *arguments) for _ in range(RUNS + 1)][1:]
        print(f"mqbg {name}: {min(taken):.2f} CPU s (promised {PROMISED[name]})", flush=True)

    def _cpu_seconds(self, *arguments: str) -> float:
        """User and system time of one command."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = Path(sys.executable).with_name("mqbg")
        environment = dict(os.environ)
        environment.pop("MLFLOW_TRACKING_URI", None)
        registry = self.folder / "demo" / "mlruns" / "mlflow.db"
        if registry.exists():
            environment["MLFLOW_TRACKING_URI"] = f"sqlite:///{registry}"
        subprocess.run(  # noqa: S603
            [command, *arguments], cwd=self.folder, env=environment, check=True, capture_output=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _as_of(scores: pa.Table) -> str:
    return f"{scores['as_of'][0].as_py():%Y-%m-%d}"
