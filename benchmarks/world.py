"""A simulated world of 10,000 groups: how near the model comes to the truth it was made from."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from mqbg.features.time_rules.eligible_groups import cutoffs
from mqbg.settings import Settings
from mqbg.source import open_source
from mqbg.train.data.labels import converted_groups
from sklearn.metrics import roc_auc_score

from .congress import worst_sum
from .timing import mqbg, timed

GROUPS = 10_000


def run(_congress: Path) -> None:
    """Prints AUC of model and truth on the test rows, and who names the strongest member."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        mqbg(folder, "simulate", "world", "--groups", str(GROUPS))
        with timed("mqbg train"):
            mqbg(folder, "train", "world", "--json", "figures.json")
        tree = json.loads((folder / "figures.json").read_text())
        ours, error = (
            next(
                row["value"]
                for row in tree["figures"]
                if (row["population"], row["method"], row["figure"])
                == ("all accounts", "mqbg", figure)
            )
            for figure in ("roc_auc", "ece")
        )
        print(f"calibration error (15 bins): {error:.4f} (at most 0.015)")
        kept = tree["kept"]["per_week"]["value"]
        capacity = Settings().thresholds.capacity_per_week
        print(f"newly qualified a week on the test: {kept:.1f}, capacity {capacity:g}")
        first, last = tree["parameters"]["test_from"], tree["parameters"]["test_to"]
        truth = truth_auc(folder / "world", pd.Timestamp(first), pd.Timestamp(last))
        print(
            f"test ROC AUC: model {ours:.3f}, hazard of the week {truth.week:.3f}, hazards of the "
            f"whole horizon {truth.horizon:.3f}, which nobody could know"
        )
        with timed("mqbg score"):
            mqbg(folder, "score", "world", "--as-of", last, "--out", "scores")
        print(f"worst |base + contributions - log-odds|: {worst_sum(folder / 'scores'):.1e}")
        print_strongest(folder / "world", folder / "scores", pd.Timestamp(last))


@dataclass(frozen=True)
class TruthAuc:
    """ROC AUC of the truth on the rows of the test.

    Attributes:
        week: of the true log-odds of the week that begins then.
        horizon: of the true hazards of every week of the horizon.
    """

    week: float
    horizon: float


def truth_auc(world: Path, first: pd.Timestamp, last: pd.Timestamp) -> TruthAuc:
    """How well the truth ranks: as it is at the cut-off, and as it goes on in the horizon."""
    truth = pq.read_table(world / "truth" / "base.parquet").to_pandas()
    hazards = pq.read_table(world / "truth" / "hazard.parquet").to_pandas()
    settings, parts = Settings(), []
    with open_source(world) as source:
        for as_of in cutoffs(first.to_pydatetime(), last.to_pydatetime(), "1mo"):
            converted = converted_groups(
                source.tables["stage_events"], settings.target, as_of
            ).to_pylist()
            rows = truth[truth["as_of"] == as_of]
            chance = horizon_chance(hazards, pd.Timestamp(as_of), settings.target.horizon_days)
            parts.append(
                rows.assign(
                    converted=rows["group_id"].isin(converted),
                    chance=chance.reindex(rows["group_id"]).to_numpy(),
                )
            )
    rows = pd.concat(parts)
    return TruthAuc(
        float(roc_auc_score(rows["converted"], rows["log_odds"])),
        float(roc_auc_score(rows["converted"], rows["chance"])),
    )


def horizon_chance(hazards: pd.DataFrame, as_of: pd.Timestamp, days: int) -> pd.Series:
    """Chance of conversion in [as_of, as_of + days), by group, from what comes in these weeks.

    Args:
        hazards: group_id, week (its begin) and hazard, the chance to convert within the week.
        as_of: the cut-off.
        days: of the horizon; a week that it cuts counts for the share that is inside.
    """
    end = as_of + pd.Timedelta(days=days)
    week_end = hazards["week"] + pd.Timedelta(days=7)
    overlap = week_end.clip(upper=end) - hazards["week"].clip(lower=as_of)
    share = (overlap / pd.Timedelta(days=7)).clip(lower=0)
    survival = np.log1p(-hazards["hazard"]) * share
    return -np.expm1(survival.groupby(hazards["group_id"]).sum())


def print_strongest(world: Path, scores: Path, as_of: pd.Timestamp) -> None:
    """How often the strongest member is named right, in groups of two or more that matter."""
    truth = pq.read_table(world / "truth" / "shapley.parquet").to_pandas()
    truth = truth[truth["as_of"] == as_of].rename(columns={"contribution": "true"})
    ours = pq.read_table(scores / "stakeholders.parquet").to_pandas()
    both = truth.merge(
        ours[["group_id", "contact_id", "contribution", "activities_30d"]],
        on=["group_id", "contact_id"],
        validate="one_to_one",
    )
    matters = both.groupby("group_id")["true"].transform("max") > 0
    several = both.groupby("group_id")["true"].transform("size") > 1
    both = both[matters & several].sort_values(["group_id", "contact_id"])
    named = {
        what: _named_right(both, column)
        for what, column in (("mqbg", "contribution"), ("most active", "activities_30d"))
    }
    print(f"groups with two or more members: {both['group_id'].nunique():,}")
    for what, share in named.items():
        print(f"strongest member named right by {what}: {share:.1%}")
    print(f"ahead by {100 * (named['mqbg'] - named['most active']):.1f} points (at least 15)")


def _named_right(both: pd.DataFrame, column: str) -> float:
    """Share of groups whose first member by `column` has the highest true value."""
    best = both.groupby("group_id")["true"].max()
    chosen = both.loc[both.groupby("group_id")[column].idxmax()].set_index("group_id")["true"]
    return float(np.mean(chosen >= best - 1e-12))
