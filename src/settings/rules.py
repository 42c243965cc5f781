"""Values that have the right type and still cannot be meant."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..contract import BadInput
from .data import RoleRequirement
from .delivery_rules import alert_rules, api_rules, push_rules
from .settings import Settings

MAX_HORIZON_DAYS = 3650
MAX_WINDOW_DAYS = 3650
MAX_DAYS = 36_500


def _template_roles(settings: Settings) -> Iterator[tuple[str, RoleRequirement]]:
    """Every line of every template, with the name of its table in the file."""
    for name, role in settings.roles.items():
        yield f"roles.{name}", role
    for solution_id, solution in settings.solutions.items():
        for name, role in solution.roles.items():
            yield f"solutions.{solution_id}.roles.{name}", role


def require_plausible(settings: Settings, source: str) -> None:
    """Values that have the right type and still cannot be meant."""
    for rules in (
        _model_rules,
        _threshold_rules,
        _feature_rules,
        _probe_rules,
        _template_rules,
        _state_rules,
        _store_rules,
        lambda settings: push_rules(settings.push),
        lambda settings: alert_rules(settings.alerts),
        lambda settings: api_rules(settings.api),
    ):
        for holds, sentence in rules(settings):
            if not holds:
                raise BadInput(f"{source}: {sentence}")


def _model_rules(settings: Settings) -> tuple[tuple[bool, str], ...]:
    """Rules of the target, the fit and the explanations."""
    return (
        (
            0 < settings.target.horizon_days <= MAX_HORIZON_DAYS,
            f"[target] horizon_days must be 1 to {MAX_HORIZON_DAYS}",
        ),
        (
            all(
                0 < days <= MAX_HORIZON_DAYS and days != settings.target.horizon_days
                for days in settings.target.more_horizons_days
            )
            and settings.target.more_horizons_days
            == tuple(sorted(set(settings.target.more_horizons_days))),
            f"[target] more_horizons_days must rise to {MAX_HORIZON_DAYS} without horizon_days",
        ),
        (settings.model.seed >= 0, "[model] seed must not be negative"),
        (settings.model.few_conversions > 0, "[model] few_conversions must be at least 1"),
        (
            settings.model.expected_rate is None or 0 < settings.model.expected_rate < 1,
            "[model] expected_rate must be over 0 and under 1",
        ),
        (settings.model.tuning_minutes > 0, "[model] tuning_minutes must be over 0"),
        (
            re.fullmatch(r"[\w .-]+", settings.model.registered_name) is not None,
            "[model] registered_name must be letters, digits, spaces, dots, dashes and underscores",
        ),
        (settings.model.threads > 0, "[model] threads must be at least 1"),
        (settings.model.resamples > 1, "[model] resamples must be at least 2"),
        (settings.explain.max_sets > 1, "[explain] max_sets must be at least 2"),
        (settings.explain.standard_error > 0, "[explain] standard_error must be over 0"),
        (settings.explain.max_pairs > 1, "[explain] max_pairs must be at least 2"),
    )


def _threshold_rules(settings: Settings) -> tuple[tuple[bool, str], ...]:
    """Rules of the line between nurture and qualified."""
    thresholds = settings.thresholds
    gain, cost = thresholds.gain, thresholds.cost
    return (
        (thresholds.capacity_per_week > 0, "[thresholds] capacity_per_week must be above 0"),
        (0 <= thresholds.completeness <= 1, "[thresholds] completeness must be 0 to 1"),
        (
            set(thresholds.capacity_by_month) <= {str(month) for month in range(1, 13)},
            '[thresholds.capacity_by_month] must have the months "1" to "12" as keys',
        ),
        *(
            (capacity > 0, f"[thresholds.{table}] {key} must be above 0 groups a week")
            for table in ("capacity_by_month", "capacity_by_segment")
            for key, capacity in getattr(thresholds, table).items()
        ),
        (
            not thresholds.capacity_by_segment or thresholds.segment != "none",
            '[thresholds.capacity_by_segment] needs segment = "tier", "solution" or "country"',
        ),
        (
            (gain is None) == (cost is None),
            "[thresholds] gain and cost go together: set both or none",
        ),
        (
            gain is None or cost is None or 0 < cost < gain,
            "[thresholds] cost must be above 0 and below gain, or no touch can pay",
        ),
        (0 < thresholds.precision < 1, "[thresholds] precision must be over 0 and under 1"),
        (
            0.5 <= thresholds.confidence < 1,
            "[thresholds] confidence must be 0.5 or more and under 1",
        ),
        (thresholds.shrinkage >= 0, "[thresholds] shrinkage must not be negative"),
    )


def _feature_rules(settings: Settings) -> tuple[tuple[bool, str], ...]:
    """Rules of windows, half-lives and what else shapes a column."""
    return (
        *(
            (
                spans == tuple(sorted(set(spans)))
                and len(spans) >= 1
                and spans[0] >= 1
                and spans[-1] <= MAX_WINDOW_DAYS,
                f"[features] {name} must be rising whole numbers from 1 to {MAX_WINDOW_DAYS}",
            )
            for name, spans in [
                ("windows_days", settings.features.windows_days),
                ("half_lives_days", settings.features.half_lives_days),
            ]
        ),
        (
            1 <= settings.features.fiscal_year_end_month <= 12,
            "[features] fiscal_year_end_month must be 1 to 12",
        ),
        (
            len(set(settings.features.roles_in_step)) == len(settings.features.roles_in_step) == 2,
            "[features] roles_in_step must be two different roles",
        ),
    )


def _probe_rules(settings: Settings) -> tuple[tuple[bool, str], ...]:
    """Rules of the leak probes."""
    return (
        (0.5 < settings.probe.feature_auc <= 1, "[probe] feature_auc must be over 0.5, up to 1"),
        (settings.probe.min_conversions > 0, "[probe] min_conversions must be at least 1"),
        (settings.probe.recorded_delay_days > 0, "[probe] recorded_delay_days must be over 0"),
        (settings.probe.placeholder_groups > 0, "[probe] placeholder_groups must be at least 1"),
        *(
            (0 < getattr(settings.probe, name) <= 1, f"[probe] {name} must be over 0, up to 1")
            for name in (
                "kind_share",
                "backfilled_share",
                "filled_difference",
                "members_at_outcome",
                "placeholder_share",
            )
        ),
    )


def _state_rules(settings: Settings) -> tuple[tuple[bool, str], ...]:
    """Rules of how groups move between states."""
    states = settings.states
    return (
        (0 < states.leave_below <= 1, "[states] leave_below must be over 0, up to 1"),
        *(
            (0 <= getattr(states, name) <= MAX_DAYS, f"[states] {name} must be 0 to {MAX_DAYS}")
            for name in ("dwell_days", "recycle_days", "alert_pause_days")
        ),
    )


def _store_rules(settings: Settings) -> tuple[tuple[bool, str], ...]:
    """Rules of where scores are kept; how the URL is read is the store's own matter."""
    store = settings.store
    return (
        (0 <= store.retention_days <= MAX_DAYS, f"[store] retention_days must be 0 to {MAX_DAYS}"),
        (0 <= store.lock_timeout_seconds <= 3600, "[store] lock_timeout_seconds must be 0 to 3600"),
    )


def _template_rules(settings: Settings) -> tuple[tuple[bool, str], ...]:
    """Rules of the role templates."""
    return (
        *(
            (role.required >= 0 and role.weight >= 0, f"[{name}] must not be negative")
            for name, role in _template_roles(settings)
        ),
        *(
            (
                not settings.roles
                or any(role.required for role in {**settings.roles, **special}.values()),
                f"[{place}] needs at least one role with required = 1 or more",
            )
            for place, special in [
                ("roles", {}),
                *((f"solutions.{key}.roles", s.roles) for key, s in settings.solutions.items()),
            ]
        ),
    )
