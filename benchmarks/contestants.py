"""One contestant in a process of its own, so that its peak memory is its own.

    python -m benchmarks.contestants NAME DATA OUT THREADS

prints seconds, CPU seconds, peak bytes and the columns made as JSON, and writes the dozen to OUT
when the clock has stopped. Imports are not timed.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from . import ours
from .feature_data import CUTOFFS
from .rivals import DOZEN, scan, tuned_sql, vectorised_pandas

Contestant = Callable[[Path, Path, int], pa.Table | None]


def _scan(data: Path, _out: Path, threads: int) -> None:
    scan.scan(data, threads)


def _tuned_sql(data: Path, out: Path, threads: int) -> pa.Table:
    return tuned_sql.features(data, CUTOFFS, threads, out.parent / "spill")


def _pandas(data: Path, _out: Path, threads: int) -> pa.Table:
    return vectorised_pandas.features(data, CUTOFFS, threads)


def _ours(data: Path, _out: Path, threads: int) -> pa.Table:
    return ours.features(data, CUTOFFS, threads, DOZEN)


def _ours_whole(data: Path, _out: Path, threads: int) -> pa.Table:
    return ours.features(data, CUTOFFS, threads)


SCAN, TUNED, PANDAS = "scan of the columns (the floor)", "tuned SQL by hand", "pandas, vectorised"
OURS, OURS_WHOLE = "mqbg, the same dozen", "mqbg, whole catalogue"
CONTESTANTS: dict[str, Contestant] = {
    SCAN: _scan,
    TUNED: _tuned_sql,
    OURS: _ours,
    OURS_WHOLE: _ours_whole,
    PANDAS: _pandas,
}


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one contestant.

    Attributes:
        seconds: on the wall, from closed files to a table in memory.
        cpu_seconds: of all threads in that time.
        peak_bytes: the most memory that the process ever held.
        columns: features made.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    columns: int


def run_apart(name: str, data: Path, out: Path, threads: int) -> Run:
    """Runs a contestant in a new process; its dozen stands in `out` afterwards.

    Raises:
        SystemExit: it failed; its messages are shown.
    """
    command = [sys.executable, "-m", __spec__.name, name, str(data), str(out), str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if done.returncode:
        raise SystemExit(f"{name} ended with {done.returncode}:\n{done.stderr}")
    return Run(**json.loads(done.stdout))


def _peak_bytes() -> int:
    """Peak of resident memory. Linux carries the parent's peak into ru_maxrss, not into VmHWM."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS: in bytes


def main() -> None:
    """Runs the contestant that the command line names."""
    name, data, out, threads = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    start, cpu_start = time.perf_counter(), time.process_time()
    table = CONTESTANTS[name](data, out, threads)
    run = {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu_start,
        "peak_bytes": _peak_bytes(),
        "columns": 0 if table is None else table.num_columns - 2,
    }
    if table is not None:
        pq.write_table(table.select(["group_id", "as_of", *DOZEN]), out)
    print(json.dumps(run))


if __name__ == "__main__":
    main()
