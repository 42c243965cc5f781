"""The forward split: train, a gap of one horizon, test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ...contract import BadInput

WARMUP_CUTOFFS = 3  # cut-offs before the test that a line needs to find the flow it starts from
MIN_TRAINING_CUTOFFS = 3  # with fewer the trees see one season of one portfolio


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
        gap: all cut-offs between training and test. What is registered learns from them too.
        outcomes_known_until: of what comes later no outcome is looked at; None for `test_from`.
    """

    train: tuple[datetime, ...]
    test: tuple[datetime, ...]
    test_from: datetime
    before_test: tuple[datetime, ...] = ()
    after_test: tuple[datetime, ...] = ()
    gap: tuple[datetime, ...] = ()
    outcomes_known_until: datetime | None = None

    @property
    def labelled(self) -> tuple[datetime, ...]:
        """Every cut-off whose whole horizon was observed, in order."""
        return tuple(sorted({*self.train, *self.gap, *self.before_test, *self.test}))

    @property
    def cutoffs(self) -> tuple[datetime, ...]:
        """All of them, in order."""
        return (*self.labelled, *self.after_test)

    def of_everything(self, end: datetime) -> Split:
        """The split that is registered: every label known at the end of observation is learned.

        Args:
            end: of observation.
        """
        return replace(
            self, train=self.labelled, gap=(), test=(), before_test=self.after_test, after_test=(),
            outcomes_known_until=end,
        )  # fmt: skip


def forward_split(
    cutoffs: Sequence[datetime], horizon_days: int, test_from: datetime | None
) -> Split:
    """Splits cut-offs so that every training label is known when the test begins.

    Args:
        cutoffs: ascending, each with its whole horizon observed.
        horizon_days: of the label; also the gap.
        test_from: first instant of the test; None takes the cut-off that leaves about two
            training cut-offs for each test cut-off, and three for training where it can.

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
    return Split(train, test, start, gap[-WARMUP_CUTOFFS:], gap=gap)


def _training_cutoffs(
    cutoffs: Sequence[datetime], horizon_days: int, start: datetime
) -> tuple[datetime, ...]:
    return tuple(at for at in cutoffs if at + timedelta(days=horizon_days) <= start)


def _part_balance(
    cutoffs: Sequence[datetime], horizon_days: int, start: datetime
) -> tuple[int, int]:
    train = len(_training_cutoffs(cutoffs, horizon_days, start))
    test = sum(at >= start for at in cutoffs)
    return min(train, MIN_TRAINING_CUTOFFS) if test else 0, min(train, 2 * test)
