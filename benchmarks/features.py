"""The dozen features and the whole catalogue against scan, tuned SQL, pandas and featuretools."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from .agreement import disagreements
from .contestants import CONTESTANTS, OURS, OURS_WHOLE, PANDAS, TUNED, Run, run_apart
from .feature_data import CUTOFFS, SIZES, prepare, write_part
from .feature_report import Case, Part, promises, table
from .rivals import featuretools_part

THREADS = 2
SHORT = 30.0  # seconds: a contestant is repeated until it has had them ...
MOST_RUNS = 3  # ... or so many runs, and the best counts
PART_GROUPS = 600  # about 30,000 activities


def run(sizes: Sequence[str], scratch: Path | None, featuretools_python: Path | None) -> None:
    """Measures every contestant at each size and prints a Markdown table and the promises.

    Args:
        sizes: names of `SIZES`, small to large.
        scratch: folder that keeps the data between runs; None for a temporary one.
        featuretools_python: an interpreter that has featuretools; None for this one.
    """
    with ExitStack() as stack:
        folder = scratch or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        cases = [_measure(folder, size) for size in sizes]
        part = _featuretools(folder, sizes[0], featuretools_python)
    print()
    print(
        f"{os.cpu_count()} cores, {THREADS} threads, {len(CUTOFFS)} cut-offs. Time is of the best "
        f"of up to {MOST_RUNS} runs, fewer where they take more than {SHORT:.0f} s together; "
        "memory of the worst.\n"
    )
    print("\n".join([*table(cases, part), "", *promises(cases, part)]))


def _measure(folder: Path, size: str) -> Case:
    data = prepare(folder, SIZES[size])
    rows = pq.read_metadata(data / "activities.parquet").num_rows
    print(f"{size}: {rows:,} activities, {len(CUTOFFS)} cut-offs, {THREADS} threads", flush=True)
    outputs = {name: folder / f"made-{number}.parquet" for number, name in enumerate(CONTESTANTS)}
    runs = {}
    for name, out in outputs.items():
        runs[name] = _best(name, data, out)
        print(f"  {name}: {runs[name].seconds:.1f} s", flush=True)
    for name in (TUNED, PANDAS, OURS_WHOLE):
        lines = disagreements(pq.read_table(outputs[OURS]), pq.read_table(outputs[name]))
        print(f"  {OURS} and {name}: {'; '.join(lines) or 'equal'}", flush=True)
    return Case(rows, runs)


def _best(name: str, data: Path, out: Path) -> Run:
    """The fastest of some runs, with the highest peak among them."""
    runs: list[Run] = []
    while len(runs) < MOST_RUNS and sum(one.seconds for one in runs) < SHORT:
        runs.append(run_apart(name, data, out, THREADS))
    best = min(runs, key=lambda one: one.seconds)
    return Run(best.seconds, best.cpu_seconds, max(r.peak_bytes for r in runs), best.columns)


def _featuretools(folder: Path, size: str, python: Path | None) -> Part | None:
    """Runs featuretools on a part of the smallest size; None, after saying why, without it."""
    file = folder / "part.parquet"
    write_part(prepare(folder, SIZES[size]), file, PART_GROUPS)
    script = str(featuretools_part.__file__)
    # -I: nothing of this environment may reach the other interpreter.
    command = [str(python or sys.executable), "-I", script, str(file), *map(str, CUTOFFS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - named by the caller
    if done.returncode:
        print(f"featuretools: failed: {done.stderr.strip().splitlines()[-1]}")
        return None
    answer = json.loads(done.stdout)
    if "missing" in answer:
        print(f"featuretools: {answer['missing']} is not installed")
        return None
    expected = _inbound_before(pd.read_parquet(file), CUTOFFS)
    equal = "equal" if answer["inbound_ever"] == expected else f"{expected:,} expected"
    print(f"featuretools: {answer['inbound_ever']:,} inbound activities counted, {equal}")
    return Part(answer["seconds"], answer["rows"], answer["columns"])


def _inbound_before(part: pd.DataFrame, as_ofs: Sequence[datetime]) -> int:
    inbound = part["known_at"][part["direction"] == "inbound"]
    return sum(int((inbound < as_of).sum()) for as_of in as_ofs)
