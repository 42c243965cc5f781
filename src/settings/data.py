"""What the data means: the target, the instants, roles, kinds, windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class TargetSettings:
    """What counts as a conversion, and how far ahead the model looks.

    Readiness, thresholds and explanations are of `horizon_days`; each of `more_horizons_days` has
    a readiness of its own beside it.
    """

    stage: str = "opportunity"
    horizon_days: int = 90
    closed_stages: tuple[str, ...] = ("won", "lost")
    more_horizons_days: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ObservationSettings:
    """Where the data ends; None means the latest known timestamp in it."""

    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class SnapshotSettings:
    """The instants that training looks at; `start` None means the first that has a history."""

    every: Literal["1mo", "2w", "1w"] = "1mo"
    start: datetime | None = None


@dataclass(frozen=True, slots=True)
class RoleRequirement:
    """One line of a role template; `required` 0 means welcome, not needed for completeness."""

    required: int = 1
    weight: float = 100.0
    priority: int = 1


@dataclass(frozen=True, slots=True)
class SolutionSettings:
    """What one solution asks for beside the default template."""

    roles: Mapping[str, RoleRequirement] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ActivityKind:
    """One activity kind; the defaults are those of a kind that nobody has set."""

    points: float = 1.0
    direction: Literal["inbound", "outbound"] = "inbound"
    high_intent: bool = False
    family: str | None = None


def _inbound_kind(points: float, family: str, *, high_intent: bool = False) -> ActivityKind:
    return ActivityKind(float(points), "inbound", high_intent, family)


# Points lean on the market leader's public weights (field-notes.md) and on the Japanese practice
# that price, case-study and comparison pages are strong signals and an opened mail hardly one.
DEFAULT_ACTIVITY_KINDS: Mapping[str, ActivityKind] = {
    "web_visit": _inbound_kind(5, "web"),
    "pricing_view": _inbound_kind(40, "web", high_intent=True),
    "case_study_view": _inbound_kind(30, "web", high_intent=True),
    "whitepaper_download": _inbound_kind(20, "content"),
    "webinar_attended": _inbound_kind(40, "event"),
    "event_attended": _inbound_kind(60, "event"),
    "email_open": _inbound_kind(2, "email"),
    "email_click": _inbound_kind(10, "email"),
    "form_submitted": _inbound_kind(40, "form"),
    "trial_login": _inbound_kind(40, "product", high_intent=True),
    "meeting": _inbound_kind(60, "meeting", high_intent=True),
    "inquiry": _inbound_kind(60, "form", high_intent=True),
    "email_sent": ActivityKind(0.0, "outbound", False, "touch"),
    "call_made": ActivityKind(0.0, "outbound", False, "touch"),
}


@dataclass(frozen=True, slots=True)
class FeatureSettings:
    """What the catalogue's columns are measured over.

    Attributes:
        windows_days: of the counts, one column each; beside them some features have windows of
            their own, by definition.
        half_lives_days: of decayed engagement, one column each; the one in the middle is that of
            means, maxima and roles.
        fiscal_year_end_month: the buyers' fiscal year ends with it; 3 in most of Japan.
        roles_in_step: the two roles of whom the catalogue asks whether both were awake in the
            same fortnight.
    """

    windows_days: tuple[int, ...] = (7, 30, 90)
    half_lives_days: tuple[int, ...] = (7, 21, 60)
    fiscal_year_end_month: int = 3
    roles_in_step: tuple[str, ...] = ("decision_maker", "technical_evaluator")

    @property
    def half_life_days(self) -> int:
        """The half-life in the middle."""
        return self.half_lives_days[len(self.half_lives_days) // 2]
