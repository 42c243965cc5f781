"""What is true in the simulated world: every number that a group's log-odds depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

ROLES = (
    "decision_maker",
    "champion",
    "technical_evaluator",
    "budget_holder",
    "user",
    "procurement",
)
PORTAL_KIND = "contract_portal_login"
KIND_STRENGTHS: Mapping[str, float] = {
    "web_visit": 0.12,
    "pricing_view": 1.5,
    "case_study_view": 0.9,
    "whitepaper_download": 0.2,
    "webinar_attended": 0.35,
    "event_attended": 0.4,
    "email_open": 0.0,
    "email_click": 0.15,
    "form_submitted": 0.5,
    "trial_login": 1.2,
    "meeting": 2.0,
    "inquiry": 1.8,
}
INBOUND_KINDS = tuple(KIND_STRENGTHS)
OUTBOUND_KINDS = ("email_sent", "call_made")
KINDS = (*INBOUND_KINDS, *OUTBOUND_KINDS, PORTAL_KIND)
INDUSTRIES = (
    "manufacturing",
    "finance",
    "retail",
    "logistics",
    "healthcare",
    "software",
    "construction",
    "energy",
)
TIERS = ("A", "B", "C")


@dataclass(frozen=True, slots=True)
class TrueParameters:
    """The true log-odds of a conversion within one week.

    At an instant t, over the members of the group at t, with D a member's decayed strength
    (sum of `strength` x 0.5 ** (age in days / `half_life_days`) over its activities that count
    for the group and occurred before t):

        log-odds = intercept + industry + tier + size + season
                 + sum over members of role_weight x (1 - exp(-D / saturation))
                 + coverage x share of the `key_roles` with an engaged member (D > engaged_above)
                 + synergy, if both `synergy_roles` have an engaged member

    The size term is `size` x clip(log10(employees) - size_centre, -1, 1); every effect is in
    log-odds, strengths are in units of `saturation`.
    """

    intercept: float = -8.25
    half_life_days: float = 60.0
    saturation: float = 3.2
    engaged_above: float = 1.15
    strength: Mapping[str, float] = field(default_factory=lambda: dict(KIND_STRENGTHS))
    role_weight: Mapping[str, float] = field(
        default_factory=lambda: dict(zip(ROLES, (2.2, 1.5, 0.7, 1.7, 0.2, 0.3), strict=True))
    )
    key_roles: tuple[str, ...] = ROLES[:4]
    coverage: float = 1.4
    synergy_roles: tuple[str, str] = ("decision_maker", "technical_evaluator")
    synergy: float = 0.8
    industry: Mapping[str, float] = field(
        default_factory=lambda: dict(
            zip(INDUSTRIES, (0.4, 0.2, -0.3, 0.0, -0.1, 0.3, -0.4, -0.1), strict=True)
        )
    )
    tier: Mapping[str, float] = field(
        default_factory=lambda: dict(zip(TIERS, (0.4, 0.1, -0.25), strict=True))
    )
    size: float = 0.25
    size_centre: float = 2.5
    # The Japanese fiscal year ends in March, its half in September.
    season: tuple[float, ...] = (
        -0.1, 0.2, 0.45, -0.3, -0.15, 0.0, 0.05, -0.2, 0.35, -0.15, 0.0, 0.05
    )  # fmt: skip

    def to_plain(self) -> dict[str, Any]:
        """Plain values, for `truth/parameters.json`."""
        return asdict(self)
