"""The main job on data/congress110: real groups, five minutes, AUC 0.75, average precision 0.17."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from .timing import mqbg, timed

SETTINGS = """
[target]
stage = "advanced"
horizon_days = 180
[observation]
until = "2009-01-03"
[snapshots]
every = "1mo"
start = "2007-03-01"
[roles.sponsor]
required = 1
[roles.cosponsor]
required = 1
"""


def run(data: Path) -> None:
    """Prints times of each command, the test figures, and the worst sum of contributions."""
    if not data.is_dir():
        print(f"skipped: {data} is not there")
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder, start = Path(scratch), time.perf_counter()
        (folder / "mqbg.toml").write_text(SETTINGS)
        with timed("mqbg check"):
            mqbg(folder, "check", str(data))
        with timed("mqbg train"):
            mqbg(folder, "train", str(data), "--test-from", "2008-04-01", "--json", "figures.json")
        with timed("mqbg score"):
            mqbg(folder, "score", str(data), "--as-of", "2008-05-01", "--out", "scores")
        group = pq.read_table(folder / "scores" / "scores.parquet").sort_by("rank")["group_id"][0]
        with timed("mqbg explain"):
            mqbg(folder, "explain", str(data), group.as_py(), "--as-of", "2008-05-01")
        print(f"the whole: {time.perf_counter() - start:.1f} s (at most 300)")
        _print_figures(folder)
        print(f"worst |base + contributions - log-odds|: {worst_sum(folder / 'scores'):.1e}")


def _print_figures(folder: Path) -> None:
    tree = json.loads((folder / "figures.json").read_text())
    for row in tree["figures"]:
        wanted = row["figure"] in {"roc_auc", "average_precision"}
        if wanted and row["population"] == "all accounts" and row["method"] == "mqbg":
            print(f"{row['figure']}: {row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})")


def worst_sum(scores: Path) -> float:
    """Largest gap between base plus contributions and the log-odds, over all groups."""
    table = pq.read_table(scores / "scores.parquet").to_pandas().set_index("group_id")
    parts = pq.read_table(scores / "stakeholders.parquet").to_pandas()
    added = parts.groupby("group_id")["contribution"].sum().reindex(table.index, fill_value=0.0)
    return float(np.abs(table["base_log_odds"] + added - table["log_odds"]).max())
