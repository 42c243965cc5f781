"""What the data means: the target, the instants, roles, kinds, windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic.dataclasses import dataclass

from .field_types import SECTION, Flag, Instant, Number, Text, Whole, must

MAX_HORIZON_DAYS = 3650
MAX_WINDOW_DAYS = 3650


def _rise(days: tuple[int, ...], most: int) -> bool:
    """Each more than the one before, from 1 to `most`."""
    return days == tuple(sorted(set(days))) and all(1 <= day <= most for day in days)


_Spans = Annotated[
    tuple[Whole, ...],
    must(
        lambda days: len(days) >= 1 and _rise(days, MAX_WINDOW_DAYS),
        f"must be rising whole numbers from 1 to {MAX_WINDOW_DAYS}",
    ),
]


@dataclass(frozen=True, slots=True, config=SECTION)
class TargetSettings:
    """What counts as a conversion, and how far ahead the model looks.

    Attributes:
        stage: a group converts when a stage event first says it.
        horizon_days: within which it must come; readiness, thresholds and explanations are of it.
        closed_stages: that end a group's eligibility beside the target; all but `won` are losses.
        more_horizons_days: each has a readiness of its own, in the table `horizons`.
    """

    stage: Text = "opportunity"
    horizon_days: Annotated[Whole, Field(ge=1, le=MAX_HORIZON_DAYS)] = 90
    closed_stages: tuple[Text, ...] = ("won", "lost")
    more_horizons_days: tuple[Whole, ...] = ()

    @field_validator("more_horizons_days")
    @classmethod
    def _beside_the_horizon(cls, days: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        if not _rise(days, MAX_HORIZON_DAYS) or info.data.get("horizon_days") in days:
            raise ValueError(f"must rise to {MAX_HORIZON_DAYS} without horizon_days")
        return days


@dataclass(frozen=True, slots=True, config=SECTION)
class ObservationSettings:
    """Where the data begins and ends.

    Attributes:
        until: where it ends: horizons that reach beyond it are never labelled; None means the
            latest day of ordinary volume.
        since: no feature counts an activity before it; None means that training leaves out those
            that lie alone years before all others.
    """

    until: Instant | None = None
    since: Instant | None = None


@dataclass(frozen=True, slots=True, config=SECTION)
class SnapshotSettings:
    """The instants that training looks at.

    Attributes:
        every: the step between them.
        start: the first; None means the first that has a history.
    """

    every: Literal["1mo", "2w", "1w"] = "1mo"
    start: Instant | None = None


@dataclass(frozen=True, slots=True, config=SECTION)
class RoleRequirement:
    """One role of the template.

    Attributes:
        required: how many members a complete group has of it; 0 means welcome, not needed.
        weight: of its engagement in the rule score.
        priority: 1 is the role to fill first where several are missing.
    """

    required: Whole = 1
    weight: Number = 100.0
    priority: Whole = 1

    @model_validator(mode="after")
    def _counts(self) -> RoleRequirement:
        if self.required < 0 or self.weight < 0:
            raise ValueError("must not be negative")
        return self


@dataclass(frozen=True, slots=True, config=SECTION)
class SolutionSettings:
    """What one solution asks for beside the default template.

    Attributes:
        roles: that differ from the default template's, or come beside them.
    """

    roles: Mapping[Text, RoleRequirement] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, config=SECTION)
class ActivityKind:
    """One activity kind; the defaults are those of a kind that nobody has set.

    Attributes:
        points: of one activity in the rule score.
        direction: whether a contact did it ("inbound") or it was done to them ("outbound").
        high_intent: it speaks of a purchase near at hand, such as a look at prices.
        family: under which features count it; None makes the kind a family of its own.
    """

    points: Number = 1.0
    direction: Literal["inbound", "outbound"] = "inbound"
    high_intent: Flag = False
    family: Text | None = None


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
    "sales_email": ActivityKind(0.0, "outbound", False, "touch"),
    "sales_task": ActivityKind(0.0, "outbound", False, "touch"),
}


@dataclass(frozen=True, slots=True, config=SECTION)
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

    windows_days: _Spans = (7, 30, 90)
    half_lives_days: _Spans = (7, 21, 60)
    fiscal_year_end_month: Annotated[Whole, Field(ge=1, le=12)] = 3
    roles_in_step: Annotated[
        tuple[Text, ...],
        must(lambda roles: len(set(roles)) == len(roles) == 2, "must be two different roles"),
    ] = ("decision_maker", "technical_evaluator")

    @property
    def half_life_days(self) -> int:
        """The half-life in the middle."""
        return self.half_lives_days[len(self.half_lives_days) // 2]
