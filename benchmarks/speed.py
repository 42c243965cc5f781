"""Simulating 10,000 groups: under 60 s, at least a million activities, the same bytes again."""

from __future__ import annotations

import filecmp
import tempfile
from pathlib import Path

import pyarrow.parquet as pq

from .timing import mqbg, timed


def run(_congress: Path) -> None:
    """Prints the time, the number of activities, and whether a second run gave the same bytes."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with timed("mqbg simulate, 10,000 groups"):
            mqbg(folder, "simulate", "one", "--groups", "10000")
        rows = pq.read_metadata(folder / "one" / "activities.parquet").num_rows
        print(f"activities: {rows:,}")
        mqbg(folder, "simulate", "two", "--groups", "10000")
        names = [str(p.relative_to(folder / "one")) for p in (folder / "one").rglob("*.*")]
        _, differ, failed = filecmp.cmpfiles(folder / "one", folder / "two", names, shallow=False)
        print(f"files that differ in a second run: {len(differ) + len(failed)} of {len(names)}")
