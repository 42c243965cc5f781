"""As a user would have it: train on what was known at an instant, score later, wait for outcomes.

The tables are cut at the instant (what became known later is gone), `mqbg train` learns from them,
`mqbg score` scores the whole tables month by month, and the outcomes of the horizon judge it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import ibis
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from mqbg.features.time_rules.tables_as_of import tables_as_of
from mqbg.source import open_source
from mqbg.train.fit.calibration_error import expected_calibration_error
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from . import congress
from .timing import mqbg, timed

KNOWN_UNTIL = datetime(2008, 4, 1)
SCORED_AT = tuple(datetime(2008, month, 1) for month in (4, 5, 6, 7))
HORIZON_DAYS, STAGE = 180, "advanced"
SETTINGS = congress.SETTINGS.replace('[observation]\nuntil = "2009-01-03"\n', "")


def run(data: Path) -> None:
    """Prints ROC AUC, average precision, calibration error and log loss of the later months."""
    if not data.is_dir():
        print(f"skipped: {data} is not there")
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "mqbg.toml").write_text(SETTINGS)
        cut_tables(data, folder / "known", KNOWN_UNTIL)
        with timed("mqbg train"):
            mqbg(folder, "train", "known", "--json", "figures.json")
        outs = [f"scores-{as_of:%Y-%m-%d}" for as_of in SCORED_AT]
        for out in outs:
            at = out.removeprefix("scores-")
            mqbg(folder, "score", str(data), "--as-of", at, "--out", out, "--no-store")
        _print_figures(realised(data, [folder / out for out in outs]))
        print(json.loads((folder / "figures.json").read_text())["signal"]["sentence"])


def cut_tables(data: Path, out: Path, known_until: datetime) -> None:
    """Writes the tables of a folder as they were known before an instant."""
    out.mkdir()
    with open_source(data) as source:
        groups = source.tables["buying_groups"]
        known = groups.filter(groups.created_at < ibis.literal(known_until)).group_id
        for name, rows in tables_as_of(source.tables, known_until).items():
            if "group_id" in rows.columns:
                in_known = rows.group_id.isin(known)
                rows = rows.filter(rows.group_id.isnull() | in_known)
            pq.write_table(rows.to_pyarrow(), out / f"{name}.parquet")


def realised(data: Path, scores: Sequence[Path]) -> pd.DataFrame:
    """The scored rows with what became of them: group_id, as_of, readiness, converted."""
    columns = ["group_id", "as_of", "readiness"]
    tables = [pq.read_table(folder / "scores.parquet", columns=columns) for folder in scores]
    rows = pd.concat([table.to_pandas() for table in tables], ignore_index=True)
    events = pq.read_table(data / "stage_events.parquet").to_pandas()
    joined = rows.reset_index().merge(events[events["stage"] == STAGE], on="group_id")
    after = joined["occurred_at"] - joined["as_of"]
    hit = (after >= pd.Timedelta(0)) & (after < pd.Timedelta(days=HORIZON_DAYS))
    return rows.assign(converted=rows.index.isin(joined.loc[hit, "index"]))


def _print_figures(rows: pd.DataFrame) -> None:
    converted = rows["converted"].to_numpy(bool)
    readiness = rows["readiness"].to_numpy(np.float64)
    print(
        f"{len(rows):,} rows, {converted.mean():.2%} converted, {readiness.mean():.2%} expected: "
        f"ROC AUC {roc_auc_score(converted, readiness):.3f}, "
        f"average precision {average_precision_score(converted, readiness):.3f}, "
        f"calibration error {expected_calibration_error(converted, readiness):.4f}, "
        f"log loss {log_loss(converted, readiness):.4f}"
    )
