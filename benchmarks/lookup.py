"""Features of one group, looked up in a prepared source: asked is less than 50 ms."""

from __future__ import annotations

import statistics
import tempfile
import time
from datetime import datetime
from pathlib import Path

from mqbg.features import feature_table, find_vocabulary, prepare_source
from mqbg.features.declare import catalogue
from mqbg.settings import Settings
from mqbg.source import open_source

from .timing import mqbg

AS_OF = datetime(2025, 9, 1)
TIMES = 21


def run(_congress: Path) -> None:
    """Prints the median and the least time of one group, the first one left out."""
    with tempfile.TemporaryDirectory() as scratch:
        mqbg(Path(scratch), "simulate", "world", "--groups", "3000")
        with open_source(Path(scratch) / "world", threads=2) as source:
            prepared = prepare_source(source, Settings())
            words = catalogue(find_vocabulary(prepared, AS_OF))
            ids = feature_table(prepared, words, [AS_OF])["group_id"].to_pylist()
            taken = []
            for group_id in ids[:TIMES]:
                start = time.perf_counter()
                feature_table(prepared, words, [AS_OF], only=[group_id])
                taken.append(1e3 * (time.perf_counter() - start))
    print(
        f"{len(words.feature_names)} features of one group: {statistics.median(taken[1:]):.0f} ms",
        end="",
    )
    print(f", at least {min(taken[1:]):.0f} ms (asked: under 50)")
