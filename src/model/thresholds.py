"""The threshold between nurture and qualified, as plain numbers that travel in the bundle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

Policy = Literal["capacity", "value", "precision"]
Floats = NDArray[np.float64]

UNREACHABLE = 2.0
"""A threshold that no readiness reaches: no threshold is worth it, or can be shown to be."""

MONTH_NAMES = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; None where there is nothing to divide by."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class ThresholdPerformance:
    """What a threshold brings, measured on rows with known outcomes.

    See `train.thresholds.performance`.

    per_week        newly qualified groups a week
    precision       share of the newly qualified that convert within the horizon
    recall          share of the groups that convert that were qualified before
    value_per_week  gain of their conversions less the cost of touching them, in account
                    currency; None without gain and cost in the settings
    """

    per_week: Estimate
    precision: Estimate
    recall: Estimate
    value_per_week: Estimate

    def __post_init__(self) -> None:
        for measure in fields(self):
            value = getattr(self, measure.name)
            if isinstance(value, Mapping):  # as JSON gives it
                object.__setattr__(self, measure.name, Estimate(**value))


@dataclass(frozen=True)
class Thresholds:
    """What groups must reach to qualify: one threshold, moved by segment and month.

    The threshold of a group is the pooled one of its day, moved on the log-odds scale of readiness
    by the shifts of its segment and of its month.

    Attributes:
        policy: how the threshold was chosen.
        completeness: 0..1; a group must be at or above it.
        pooled: readiness from which groups qualify before the first step of the schedule;
            `UNREACHABLE` if no threshold holds what the policy asks for.
        floor: readiness under which a threshold that follows the capacity never falls.
        segment: what the segments are values of; None without segments.
        segment_shifts: shift of each segment; one that is absent has the pooled threshold.
        month_shifts: shift of each month, 1 to 12; one that is absent has none.
        schedule: (ISO time, pooled readiness from then on), ascending; see `threshold_update`.
        forecast: what the threshold brings; None where nobody measured it.
    """

    policy: Policy
    completeness: float
    pooled: float
    floor: float = 0.0
    segment: Literal["tier", "solution", "country"] | None = None
    segment_shifts: Mapping[str, float] = field(default_factory=dict)
    month_shifts: Mapping[int, float] = field(default_factory=dict)
    schedule: tuple[tuple[str, float], ...] = ()
    forecast: ThresholdPerformance | None = None

    def __post_init__(self) -> None:
        # JSON gives lists, text as keys and tables; what is read back must equal what was written.
        schedule = tuple((str(at), float(line)) for at, line in self.schedule)
        object.__setattr__(self, "schedule", schedule)
        month_shifts = {int(month): float(shift) for month, shift in self.month_shifts.items()}
        object.__setattr__(self, "month_shifts", month_shifts)
        if isinstance(self.forecast, Mapping):
            object.__setattr__(self, "forecast", ThresholdPerformance(**self.forecast))

    @property
    def updated_until(self) -> datetime | None:
        """The last step of the schedule; its threshold holds from then on."""
        return datetime.fromisoformat(self.schedule[-1][0]) if self.schedule else None

    def pooled_at(self, as_of: datetime) -> float:
        """The pooled threshold of a day, before the shifts of month and segment."""
        threshold = self.pooled
        for starts_at, scheduled in self.schedule:
            if datetime.fromisoformat(starts_at) > as_of:
                break
            threshold = scheduled
        return threshold

    def shifts_from_pooled(self, segment_values: Sequence[Any], month: int) -> Floats:
        """Log-odds by which the threshold of each group lies above the pooled one, shape (groups,).

        Args:
            segment_values: of each group; a value that is unknown or missing has no shift.
            month: 1 to 12.
        """
        segment_shifts = np.array(
            [self.segment_shifts.get(value, 0.0) for value in segment_values], np.float64
        )
        return segment_shifts + self.month_shifts.get(month, 0.0)

    def frozen_at(self, as_of: datetime) -> Thresholds:
        """The same with the threshold of a day held for ever, before it and after."""
        return replace(self, pooled=self.pooled_at(as_of), schedule=())

    def readiness_thresholds(self, segment_values: Sequence[Any], as_of: datetime) -> Floats:
        """The readiness from which each group qualifies, shape (groups,).

        Args:
            segment_values: of each group, in the column that `segment` names; any values (None,
                say) without segments.
            as_of: the cut-off that groups are scored at.
        """
        return shift_threshold(
            self.pooled_at(as_of), self.shifts_from_pooled(segment_values, as_of.month)
        )

    def qualifies(
        self,
        readiness: Floats,
        completeness: Floats,
        segment_values: Sequence[Any],
        as_of: datetime,
    ) -> NDArray[np.bool_]:
        """Whether each group reaches both its thresholds, shape (groups,)."""
        threshold = self.readiness_thresholds(segment_values, as_of)
        return meets_thresholds(
            readiness, completeness, threshold, np.full(threshold.shape, self.completeness)
        )

    def description(self, as_of: datetime) -> str:
        """The threshold of a day for those who plan with it, pooled over segments."""
        by_month = {month: self._formatted_threshold(month, as_of) for month in range(1, 13)}
        most_common = Counter(by_month.values()).most_common(1)[0][0]
        if self.pooled_at(as_of) > 1:
            return (
                f"No group qualifies: at no line could the policy {self.policy!r} be shown to hold "
                "what it asks for; ask for less or bring a longer history."
            )
        exceptions = [
            f"{threshold} in {MONTH_NAMES[month - 1]}"
            for month, threshold in by_month.items()
            if threshold != most_common
        ]
        by_month_text = (
            f"{most_common} in most months, {', '.join(exceptions)}" if exceptions else most_common
        )
        text = (
            f"A group qualifies from readiness {by_month_text}, "
            f"with completeness {self.completeness:.0%}"
        )
        if self.segment_shifts:
            text += f"; the line differs by {self.segment}"
        if self.schedule:
            shift = self.shifts_from_pooled([None], as_of.month)
            scheduled = [float(shift_threshold(line, shift)[0]) for _, line in self.schedule]
            text += (
                f"; it follows the capacity, between {_format_percent(min(scheduled))} and "
                f"{_format_percent(max(scheduled))} since {self.schedule[0][0][:10]}"
            )
        return text + "."

    def _formatted_threshold(self, month: int, as_of: datetime) -> str:
        return _format_percent(
            float(shift_threshold(self.pooled_at(as_of), self.shifts_from_pooled([None], month))[0])
        )


def meets_thresholds(
    readiness: Floats, completeness: Floats, threshold: Floats, completeness_threshold: Floats
) -> NDArray[np.bool_]:
    """What qualifying means: at or above both thresholds, shape (groups,)."""
    return (readiness >= threshold) & (completeness >= completeness_threshold)


def shift_threshold(threshold: float, shift: Floats) -> Floats:
    """A readiness moved by shifts in log-odds, shape as `shift`; one above 1 stays there."""
    if threshold > 1:
        return np.full(shift.shape, threshold)
    # A threshold is the readiness of the group that set it: unmoved it must stay equal to the last
    # bit, moved it yields by a hair, so that rounding does not shut that group out.
    return np.where(shift == 0, threshold, expit(logit(threshold) + shift) * (1 - 1e-12))


def just_above(readiness: float) -> float:
    """The threshold that shuts out the group of this readiness, whatever the shift."""
    return max(readiness, 1e-9) * (1 + 1e-9)


def _format_percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.1 else f"{share:.1%}"
