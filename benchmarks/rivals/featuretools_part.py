"""Seven features near the dozen, by featuretools with cut-off times, on a small part of the data.

A script that stands alone: featuretools is no dependency of the project, so the benchmark runs
this file with any interpreter that has it. It is spared much: scopes, copies and membership are
settled in the file it reads, and its windows are on the time of knowing, for it has one time only.

    PYTHON featuretools_part.py PART.parquet CUTOFF [CUTOFF ...]
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

INBOUND = "COUNT(activities WHERE direction = inbound)"
OUTBOUND = "COUNT(activities WHERE direction = outbound)"
HIGH_INTENT = "COUNT(activities WHERE high_intent = True)"
LAST_INBOUND = "TIME_SINCE_LAST(activities.known_at WHERE direction = inbound)"
WANTED: dict[str | None, tuple[str, ...]] = {  # of each training window
    "7 days": (INBOUND,),
    "30 days": (INBOUND, OUTBOUND, HIGH_INTENT),
    "90 days": (INBOUND,),
    None: (INBOUND, LAST_INBOUND),
}


def features(part: pd.DataFrame, as_ofs: Sequence[str]) -> pd.DataFrame:
    """Counts of three windows and of all time, touches, high intent and the time since the last.

    Args:
        part: group_id, known_at, direction, high_intent of activities.
        as_ofs: the cut-offs.

    Returns:
        One row per group and cut-off.
    """
    import featuretools as ft  # the only part that needs it

    entities = ft.EntitySet("part")
    entities.add_dataframe(
        dataframe_name="groups",
        dataframe=part[["group_id"]].drop_duplicates(),
        index="group_id",
    )
    entities.add_dataframe(
        dataframe_name="activities",
        dataframe=part.assign(row=range(len(part))),
        index="row",
        time_index="known_at",
        logical_types={"direction": "Categorical", "high_intent": "Boolean"},
    )
    entities.add_relationship("groups", "group_id", "activities", "group_id")
    entities.add_interesting_values(
        dataframe_name="activities",
        values={"direction": ["inbound", "outbound"], "high_intent": [True]},
    )
    when = pd.DataFrame({"time": pd.to_datetime(list(as_ofs))})
    cutoffs = part[["group_id"]].drop_duplicates().merge(when, how="cross")
    declared = ft.dfs(
        entityset=entities,
        target_dataframe_name="groups",
        agg_primitives=["count", "time_since_last"],
        where_primitives=["count", "time_since_last"],
        trans_primitives=[],
        features_only=True,
        max_depth=1,
    )
    named = {feature.get_name(): feature for feature in declared}
    matrices: list[pd.DataFrame] = [
        ft.calculate_feature_matrix(
            [named[name] for name in names],
            entities,
            cutoff_time=cutoffs,
            training_window=window,
            include_cutoff_time=False,
        )
        .add_suffix(f" in {window or 'all'}")
        .sort_index()
        for window, names in WANTED.items()
    ]
    return pd.concat(matrices, axis=1)


def main() -> None:
    """Prints seconds, rows and columns as JSON, or that featuretools is not there."""
    warnings.simplefilter("ignore")
    part = pd.read_parquet(Path(sys.argv[1]))
    start = time.perf_counter()
    try:
        matrix = features(part, sys.argv[2:])
    except ModuleNotFoundError as error:
        print(json.dumps({"missing": error.name}))
        return
    seconds = time.perf_counter() - start
    inbound = matrix[f"{INBOUND} in all"]
    answer = {
        "seconds": seconds,
        "rows": len(part),
        "columns": matrix.shape[1],
        "inbound_ever": int(inbound.sum()),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
