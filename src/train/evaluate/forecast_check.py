"""Whether what was to be expected of the thresholds came in on the test."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ...model.thresholds import Estimate, ThresholdPerformance

MEASURES = {
    "per_week": ("newly qualified a week", ".1f"),
    "precision": ("precision", ".0%"),
    "recall": ("recall", ".0%"),
    "value_per_week": ("value a week", ",.0f"),
}
"""Name of each measure, and how it is written."""


@dataclass(frozen=True)
class ForecastCheck:
    """One measure: what was to be expected before the test, and what came in on it.

    Attributes:
        measure: of `ThresholdPerformance`.
        forecast: before the test, without any of its outcomes.
        realised: on the test.
        held: whether chance explains the difference: the two 95 % intervals overlap.
    """

    measure: str
    forecast: Estimate
    realised: Estimate
    held: bool


def check_forecast(
    forecast: ThresholdPerformance | None, realised: ThresholdPerformance
) -> tuple[ForecastCheck, ...]:
    """A check of every measure that both have; without a forecast there is none."""
    if forecast is None:
        return ()
    checks = []
    for measure in MEASURES:
        expected, came = getattr(forecast, measure), getattr(realised, measure)
        if None in (expected.low, expected.high, came.low, came.high):
            continue
        held = expected.low <= came.high and came.low <= expected.high
        checks.append(ForecastCheck(measure, expected, came, held))
    return tuple(checks)


def forecast_sentence(checks: tuple[ForecastCheck, ...]) -> str:
    """What was expected, what came in and whether it held, for people; empty without checks."""
    if not checks:
        return ""
    shown = "; ".join(
        f"{MEASURES[check.measure][0]} {_estimate(check, check.forecast)} expected, "
        f"{_estimate(check, check.realised)} came in ({'held' if check.held else 'missed'})"
        for check in checks
    )
    held = sum(check.held for check in checks)
    return f"Of what was to be expected before the test {held} of {len(checks)} held: {shown}."


def checks_json(checks: tuple[ForecastCheck, ...]) -> list[dict[str, Any]]:
    """The checks as plain values."""
    return [asdict(check) for check in checks]


def _estimate(check: ForecastCheck, estimate: Estimate) -> str:
    written = MEASURES[check.measure][1]
    return f"{estimate.value:{written}} ({estimate.low:{written}} to {estimate.high:{written}})"
