"""The line between nurture and qualified, as plain numbers that travel in the bundle."""

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

NOBODY = 2.0
"""A line that no readiness reaches: no line is worth it, or can be shown to be."""

MONTHS = (
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
class Expected:
    """What a line brings, measured on rows with known outcomes (see `train.yields`).

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
        for item in fields(self):
            given = getattr(self, item.name)
            if isinstance(given, Mapping):  # as JSON gives it
                object.__setattr__(self, item.name, Estimate(**given))


@dataclass(frozen=True)
class Thresholds:
    """What groups must reach to qualify: one line, moved by segment and month.

    The line of a group is the pooled one of its day, moved on the log-odds scale of readiness by
    the shifts of its segment and of its month.

    Attributes:
        policy: how the line was chosen.
        completeness: 0..1; a group must be at or above it.
        pooled: readiness from which groups qualify before the first step of the schedule;
            `NOBODY` if no line holds what the policy asks for.
        least: readiness under which a line that follows the capacity never falls.
        segment: what the segments are values of; None without segments.
        segments: shift of each segment; one that is absent has the pooled line.
        months: shift of each month, 1 to 12; one that is absent has none.
        schedule: (ISO time, pooled readiness from then on), ascending; see `following`.
        expected: what the line brings; None where nobody measured it.
    """

    policy: Policy
    completeness: float
    pooled: float
    least: float = 0.0
    segment: Literal["tier", "solution", "country"] | None = None
    segments: Mapping[str, float] = field(default_factory=dict)
    months: Mapping[int, float] = field(default_factory=dict)
    schedule: tuple[tuple[str, float], ...] = ()
    expected: Expected | None = None

    def __post_init__(self) -> None:
        # JSON gives lists, text as keys and tables; what is read back must equal what was written.
        steps = tuple((str(at), float(line)) for at, line in self.schedule)
        object.__setattr__(self, "schedule", steps)
        months = {int(month): float(shift) for month, shift in self.months.items()}
        object.__setattr__(self, "months", months)
        if isinstance(self.expected, Mapping):
            object.__setattr__(self, "expected", Expected(**self.expected))

    @property
    def followed_until(self) -> datetime | None:
        """The last step of the schedule; its line holds from then on."""
        return datetime.fromisoformat(self.schedule[-1][0]) if self.schedule else None

    def base(self, as_of: datetime) -> float:
        """The pooled line of a day, before the shifts of month and segment."""
        line = self.pooled
        for at, followed in self.schedule:
            if datetime.fromisoformat(at) > as_of:
                break
            line = followed
        return line

    def shifts(self, segment_values: Sequence[Any], month: int) -> Floats:
        """Log-odds by which the line of each group lies above the pooled one, shape (groups,).

        Args:
            segment_values: of each group; a value that is unknown or missing has no shift.
            month: 1 to 12.
        """
        own = np.array([self.segments.get(value, 0.0) for value in segment_values], np.float64)
        return own + self.months.get(month, 0.0)

    def held(self, as_of: datetime) -> Thresholds:
        """The same with the line of a day held for ever, before it and after."""
        return replace(self, pooled=self.base(as_of), schedule=())

    def at(self, segment_values: Sequence[Any], as_of: datetime) -> Floats:
        """The readiness from which each group qualifies, shape (groups,).

        Args:
            segment_values: of each group, in the column that `segment` names; any values (None,
                say) without segments.
            as_of: the cut-off that groups are scored at.
        """
        return moved(self.base(as_of), self.shifts(segment_values, as_of.month))

    def qualifies(
        self,
        readiness: Floats,
        completeness: Floats,
        segment_values: Sequence[Any],
        as_of: datetime,
    ) -> NDArray[np.bool_]:
        """Whether each group reaches both its thresholds, shape (groups,)."""
        line = self.at(segment_values, as_of)
        return reaches(readiness, completeness, line, np.full(line.shape, self.completeness))

    def sentence(self, as_of: datetime) -> str:
        """The line of a day for those who plan with it, pooled over segments."""
        lines = {month: self._said(month, as_of) for month in range(1, 13)}
        usual = Counter(lines.values()).most_common(1)[0][0]
        if self.base(as_of) > 1:
            return (
                f"No group qualifies: at no line could the policy {self.policy!r} be shown to hold "
                "what it asks for; ask for less or bring a longer history."
            )
        special = [
            f"{line} in {MONTHS[month - 1]}" for month, line in lines.items() if line != usual
        ]
        most = f"{usual} in most months, {', '.join(special)}" if special else usual
        said = f"A group qualifies from readiness {most}, with completeness {self.completeness:.0%}"
        if self.segments:
            said += f"; the line differs by {self.segment}"
        if self.schedule:
            shift = self.shifts([None], as_of.month)
            followed = [float(moved(line, shift)[0]) for _, line in self.schedule]
            said += (
                f"; it follows the capacity, between {_percent(min(followed))} and "
                f"{_percent(max(followed))} since {self.schedule[0][0][:10]}"
            )
        return said + "."

    def _said(self, month: int, as_of: datetime) -> str:
        return _percent(float(moved(self.base(as_of), self.shifts([None], month))[0]))


def reaches(
    readiness: Floats, completeness: Floats, threshold: Floats, completeness_threshold: Floats
) -> NDArray[np.bool_]:
    """Whether each group is at or above both its lines, shape (groups,); what qualifying means."""
    return (readiness >= threshold) & (completeness >= completeness_threshold)


def moved(line: float, shift: Floats) -> Floats:
    """A readiness moved by shifts in log-odds, shape as `shift`; one above 1 stays there."""
    if line > 1:
        return np.full(shift.shape, line)
    # A line is the readiness of the group that set it: unmoved it must stay equal to the last
    # bit, moved it yields by a hair, so that rounding does not shut that group out.
    return np.where(shift == 0, line, expit(logit(line) + shift) * (1 - 1e-12))


def just_above(readiness: float) -> float:
    """The line that shuts out the group of this readiness, by more than `moved` ever yields."""
    return max(readiness, 1e-9) * (1 + 1e-9)


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.1 else f"{share:.1%}"
