"""Two trainings on the test rows that both have: neither has learned from any of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..evaluate.comparison import POPULATIONS, differences
from .mlflow_versions import KEYS, ROWS_FILE, Training, read_rows

Progress = Callable[[str, float], None]

TARGET = ("target.stage", "target.horizon_days")
TOUCHED = "touched_per_snapshot"
MIN_RESAMPLES = 1000  # the ends of an interval decide here; of 200 draws they are the fifth ones
SAME_DATA = 0.5  # share of conversions that two trainings on one data source agree on at least


@dataclass(frozen=True)
class Paired:
    """Two trainings on the test rows that both have, so that neither has learned from any.

    Attributes:
        ours: the one from whose figures the other's are taken away.
        theirs: the other.
        obstacle: why they cannot be compared; empty if they can.
        figures: per figure value, low, high of the difference; empty with an obstacle.
        rows: test rows that both have.
        conversions: among them.
        accounts: behind them.
        revised: rows whose outcome the later training knew otherwise; its word counts.
    """

    ours: Training
    theirs: Training
    obstacle: str = ""
    figures: pd.DataFrame = field(default_factory=pd.DataFrame)
    rows: int = 0
    conversions: int = 0
    accounts: int = 0
    revised: int = 0

    @property
    def only_ours(self) -> tuple[str, ...]:
        """Features that `theirs` does not read."""
        return _without(self.ours.features, self.theirs.features)

    @property
    def only_theirs(self) -> tuple[str, ...]:
        """Features that `ours` does not read."""
        return _without(self.theirs.features, self.ours.features)


def _without(names: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    taken = set(others)
    return tuple(name for name in names if name not in taken)


def pair(
    ours: Training,
    theirs: Training,
    our_rows: pd.DataFrame | None,
    their_rows: pd.DataFrame | None,
    *,
    resamples: int,
    seed: int,
) -> Paired:
    """Two trainings on the test rows that both have, with a bootstrap over accounts.

    Where they differ in what sales can touch or in an outcome, the later training knows better.

    Args:
        ours: the one whose figures come first in each difference.
        theirs: the other.
        our_rows: what `read_rows` gave for `ours`.
        their_rows: what `read_rows` gave for `theirs`.
        resamples: draws behind each interval.
        seed: of the draws.
    """
    if obstacle := _obstacle(ours, theirs, our_rows, their_rows):
        return Paired(ours, theirs, obstacle)
    if our_rows is None or their_rows is None:  # _obstacle has said it; this is for the types
        return Paired(ours, theirs, "no test rows")
    shared = our_rows.merge(their_rows, on=KEYS, suffixes=("", "_theirs"), validate="one_to_one")
    shared = shared.sort_values(KEYS, ignore_index=True)  # whose rows came first decides no tie
    if obstacle := _obstacle_of_rows(shared):
        return Paired(ours, theirs, obstacle, rows=len(shared))
    later = ours if ours.trained_at >= theirs.trained_at else theirs
    revised = int((shared["converted"] != shared["converted_theirs"]).sum())
    converted = shared["converted" if later is ours else "converted_theirs"]
    # Marked as seen, so that no time goes into the figures of accounts that neither has seen.
    rows = shared[["account_id", *KEYS]].assign(converted=converted, seen=True)
    found = differences(
        rows,
        {ours.name: _floats(shared["readiness"]), theirs.name: _floats(shared["readiness_theirs"])},
        model=ours.name,
        touched_per_snapshot=_touched(later),
        resamples=resamples,
        seed=seed,
    )
    everyone = found[found["population"].eq(POPULATIONS[0])].set_index("figure")
    return Paired(
        ours,
        theirs,
        figures=everyone[["value", "low", "high"]],
        rows=len(rows),
        conversions=int(converted.sum()),
        accounts=rows["account_id"].nunique(),
        revised=revised,
    )


def _floats(column: pd.Series[Any]) -> NDArray[np.float64]:
    return column.to_numpy(np.float64)


def _touched(training: Training) -> int:
    """How many groups sales can touch at a snapshot; 0 if the run does not say."""
    try:
        return int(training.parameters[TOUCHED])
    except (KeyError, ValueError):
        return 0


def _obstacle(
    ours: Training,
    theirs: Training,
    our_rows: pd.DataFrame | None,
    their_rows: pd.DataFrame | None,
) -> str:
    for training, rows in ((ours, our_rows), (theirs, their_rows)):
        if rows is None:
            return f"{training.name} has no test rows that can be read ({ROWS_FILE} of its run)"
        if _touched(training) < 1:
            return f"the run of {training.name} does not say {TOUCHED}"
    if _target(ours) != _target(theirs):
        return (
            f"{ours.name} predicts {_target(ours)}, {theirs.name} predicts {_target(theirs)}, so "
            "their chances are not of the same thing"
        )
    return ""


def _target(training: Training) -> str:
    stage, days = (training.parameters.get(key, "(not said)") for key in TARGET)
    return f"{stage} within {days} days"


def _obstacle_of_rows(shared: pd.DataFrame) -> str:
    """Why rows with the same keys are nothing to compare on."""
    if shared.empty:
        return "no test row of one is a test row of the other"
    ours, theirs = shared["converted"], shared["converted_theirs"]
    either = int((ours | theirs).sum())
    same_accounts = shared["account_id"].eq(shared["account_id_theirs"]).mean()
    if int((ours & theirs).sum()) < SAME_DATA * either or same_accounts < SAME_DATA:
        return (
            f"their {len(shared):,} shared test rows are of other data: of {either:,} conversions "
            f"in either, {int((ours & theirs).sum()):,} are in both"
        )
    return ""


def pairs_against(
    mlflow: Any,
    client: Any,
    trainings: Sequence[Training],
    reference: Training,
    *,
    resamples: int,
    seed: int,
    progress: Progress,
) -> list[Paired]:
    """Each of the trainings against one, in the order given, on what their runs have logged.

    Args:
        mlflow: the module, connected.
        client: of MLflow.
        trainings: those to compare.
        reference: what they are compared with.
        resamples: draws behind each interval.
        seed: of the draws.
        progress: takes a label and the share done.
    """
    their_rows = read_rows(mlflow, client, reference)
    pairs = []
    for done, ours in enumerate(trainings):
        progress("compare", done / len(trainings))
        our_rows = read_rows(mlflow, client, ours)
        pairs.append(pair(ours, reference, our_rows, their_rows, resamples=resamples, seed=seed))
    progress("compare", 1.0)
    return pairs
