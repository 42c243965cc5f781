"""The forward split: train, a gap of one horizon, test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ...contract import BadInput

WARMUP_CUTOFFS = 3  # cut-offs before the test that a line needs to find the flow it starts from


@dataclass(frozen=True, slots=True)
class Split:
    """Cut-offs to learn from and, at least one horizon later, cut-offs to be judged on.

    Calibrator and thresholds are learned inside the training cut-offs on accounts that the trees
    did not fit (see `fit.trees.fit_trees`), so the third part costs neither rows nor a second gap.

    Attributes:
        train: cut-offs whose labels are known by the start of the test.
        test: cut-offs to be judged on.
        test_from: when the test starts.
        before_test: the last cut-offs of the gap. Their labels reach into the test and are not
            looked at; how many groups they would qualify is known when the test starts.
        after_test: cut-offs whose horizon has not passed yet; for the same use.
    """

    train: tuple[datetime, ...]
    test: tuple[datetime, ...]
    test_from: datetime
    before_test: tuple[datetime, ...] = ()
    after_test: tuple[datetime, ...] = ()

    @property
    def cutoffs(self) -> tuple[datetime, ...]:
        """All of them, in order."""
        return (*self.train, *self.before_test, *self.test, *self.after_test)


def forward_split(
    cutoffs: Sequence[datetime], horizon_days: int, test_from: datetime | None
) -> Split:
    """Splits cut-offs so that every training label is known when the test begins.

    Args:
        cutoffs: ascending, each with its whole horizon observed.
        horizon_days: of the label; also the gap.
        test_from: first instant of the test; None takes the cut-off that leaves about two
            training cut-offs for each test cut-off.

    Raises:
        BadInput: one of the two parts would be empty.
    """
    start = test_from or max(cutoffs, key=lambda at: _part_balance(cutoffs, horizon_days, at))
    train = _training_cutoffs(cutoffs, horizon_days, start)
    test = tuple(at for at in cutoffs if at >= start)
    if not train or not test:
        raise BadInput(
            f"split: expected training cut-offs by {start - timedelta(days=horizon_days):%Y-%m-%d} "
            f"(one horizon of {horizon_days} days before the test from {start:%Y-%m-%d}) and test "
            f"cut-offs from then on, got {len(train)} and {len(test)} of the {len(cutoffs)} "
            f"from {cutoffs[0]:%Y-%m-%d} to {cutoffs[-1]:%Y-%m-%d}; bring a longer history, set a "
            "shorter [target] horizon_days, denser [snapshots], or another --test-from"
        )
    gap = tuple(at for at in cutoffs if train[-1] < at < start)
    return Split(train, test, start, gap[-WARMUP_CUTOFFS:])


def _training_cutoffs(
    cutoffs: Sequence[datetime], horizon_days: int, start: datetime
) -> tuple[datetime, ...]:
    return tuple(at for at in cutoffs if at + timedelta(days=horizon_days) <= start)


def _part_balance(cutoffs: Sequence[datetime], horizon_days: int, start: datetime) -> float:
    train = len(_training_cutoffs(cutoffs, horizon_days, start))
    test = sum(at >= start for at in cutoffs)
    return min(train, 2 * test)
