"""Two trainings on the test rows that both have: neither has learned from any of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...support.progress import Progress
from ..evaluate.comparison import POPULATIONS, paired_differences
from .mlflow_versions import ROWS_FILE, SNAPSHOT_KEYS, LoggedTraining, read_test_rows

TARGET_PARAMETERS = ("target.stage", "target.horizon_days")
CAPACITY_PARAMETER = "touched_per_snapshot"
MIN_RESAMPLES = 1000  # the ends of an interval decide here; of 200 draws they are the fifth ones
MIN_OUTCOME_AGREEMENT = (
    0.5  # share of conversions that two trainings on one data source agree on at least
)


@dataclass(frozen=True)
class PairedComparison:
    """Two trainings on the test rows that both have, so that neither has learned from any.

    Attributes:
        candidate: the one from whose figures the other's are taken away.
        reference: the other.
        obstacle: why they cannot be compared; empty if they can.
        figures: per figure value, low, high of the difference; empty with an obstacle.
        rows: test rows that both have.
        conversions: among them.
        accounts: behind them.
        revised_outcomes: rows whose outcome the later training knew otherwise; its word counts.
    """

    candidate: LoggedTraining
    reference: LoggedTraining
    obstacle: str = ""
    figures: pd.DataFrame = field(default_factory=pd.DataFrame)
    rows: int = 0
    conversions: int = 0
    accounts: int = 0
    revised_outcomes: int = 0

    @property
    def only_in_candidate(self) -> tuple[str, ...]:
        """Features that `theirs` does not read."""
        return _only_in(self.candidate.features, self.reference.features)

    @property
    def only_in_reference(self) -> tuple[str, ...]:
        """Features that `ours` does not read."""
        return _only_in(self.reference.features, self.candidate.features)


def _only_in(names: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    taken = set(others)
    return tuple(name for name in names if name not in taken)


def compare_pair(
    candidate: LoggedTraining,
    reference: LoggedTraining,
    candidate_rows: pd.DataFrame | None,
    reference_rows: pd.DataFrame | None,
    *,
    resamples: int,
    seed: int,
) -> PairedComparison:
    """Two trainings on the test rows that both have, with a bootstrap over accounts.

    Where they differ in what sales can touch or in an outcome, the later training knows better.

    Args:
        candidate: the one whose figures come first in each difference.
        reference: the other.
        candidate_rows: what `read_test_rows` gave for `candidate`.
        reference_rows: what `read_test_rows` gave for `reference`.
        resamples: draws behind each interval.
        seed: of the draws.
    """
    if obstacle := _obstacle(candidate, reference, candidate_rows, reference_rows):
        return PairedComparison(candidate, reference, obstacle)
    if (
        candidate_rows is None or reference_rows is None
    ):  # _obstacle has said it; this is for the types
        return PairedComparison(candidate, reference, "no test rows")
    shared = candidate_rows.merge(
        reference_rows, on=SNAPSHOT_KEYS, suffixes=("", "_theirs"), validate="one_to_one"
    )
    shared = shared.sort_values(
        SNAPSHOT_KEYS, ignore_index=True
    )  # whose rows came first decides no tie
    if obstacle := _row_obstacle(shared):
        return PairedComparison(candidate, reference, obstacle, rows=len(shared))
    later = candidate if candidate.trained_at >= reference.trained_at else reference
    revised = int((shared["converted"] != shared["converted_theirs"]).sum())
    converted = shared["converted" if later is candidate else "converted_theirs"]
    # Marked as seen, so that no time goes into the figures of accounts that neither has seen.
    rows = shared[["account_id", *SNAPSHOT_KEYS]].assign(converted=converted, seen=True)
    figures = paired_differences(
        rows,
        {
            candidate.name: _floats(shared["readiness"]),
            reference.name: _floats(shared["readiness_theirs"]),
        },
        model=candidate.name,
        touched_per_snapshot=_touched_per_snapshot(later),
        resamples=resamples,
        seed=seed,
    )
    all_accounts = figures[figures["population"].eq(POPULATIONS[0])].set_index("figure")
    return PairedComparison(
        candidate,
        reference,
        figures=all_accounts[["value", "low", "high"]],
        rows=len(rows),
        conversions=int(converted.sum()),
        accounts=rows["account_id"].nunique(),
        revised_outcomes=revised,
    )


def _floats(column: pd.Series[Any]) -> NDArray[np.float64]:
    return column.to_numpy(np.float64)


def _touched_per_snapshot(training: LoggedTraining) -> int:
    """How many groups sales can touch at a snapshot; 0 if the run does not say."""
    try:
        return int(training.parameters[CAPACITY_PARAMETER])
    except (KeyError, ValueError):
        return 0


def _obstacle(
    candidate: LoggedTraining,
    reference: LoggedTraining,
    candidate_rows: pd.DataFrame | None,
    reference_rows: pd.DataFrame | None,
) -> str:
    for training, rows in ((candidate, candidate_rows), (reference, reference_rows)):
        if rows is None:
            return f"{training.name} has no test rows that can be read ({ROWS_FILE} of its run)"
        if _touched_per_snapshot(training) < 1:
            return f"the run of {training.name} does not say {CAPACITY_PARAMETER}"
    if _target_sentence(candidate) != _target_sentence(reference):
        return (
            f"{candidate.name} predicts {_target_sentence(candidate)}, {reference.name} predicts "
            f"{_target_sentence(reference)}, so their chances are not of the same thing"
        )
    return ""


def _target_sentence(training: LoggedTraining) -> str:
    stage, days = (training.parameters.get(key, "(not said)") for key in TARGET_PARAMETERS)
    return f"{stage} within {days} days"


def _row_obstacle(shared: pd.DataFrame) -> str:
    """Why rows with the same keys are nothing to compare on."""
    if shared.empty:
        return "no test row of one is a test row of the other"
    candidate_converted, reference_converted = shared["converted"], shared["converted_theirs"]
    either = int((candidate_converted | reference_converted).sum())
    same_accounts = shared["account_id"].eq(shared["account_id_theirs"]).mean()
    if (
        int((candidate_converted & reference_converted).sum()) < MIN_OUTCOME_AGREEMENT * either
        or same_accounts < MIN_OUTCOME_AGREEMENT
    ):
        return (
            f"their {len(shared):,} shared test rows are of other data: of {either:,} conversions "
            f"in either, {int((candidate_converted & reference_converted).sum()):,} are in both"
        )
    return ""


def compare_with_reference(
    mlflow: Any,
    client: Any,
    trainings: Sequence[LoggedTraining],
    reference: LoggedTraining,
    *,
    resamples: int,
    seed: int,
    progress: Progress,
) -> list[PairedComparison]:
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
    reference_rows = read_test_rows(mlflow, client, reference)
    pairs = []
    for done, candidate in enumerate(trainings):
        progress("compare", done / len(trainings))
        candidate_rows = read_test_rows(mlflow, client, candidate)
        pairs.append(
            compare_pair(
                candidate, reference, candidate_rows, reference_rows, resamples=resamples, seed=seed
            )
        )
    progress("compare", 1.0)
    return pairs
