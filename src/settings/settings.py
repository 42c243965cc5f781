"""All of `mqbg.toml` as one value."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .api import ApiSettings
from .codec import from_plain, to_plain
from .data import (
    DEFAULT_ACTIVITY_KINDS,
    ActivityKind,
    FeatureSettings,
    ObservationSettings,
    RoleRequirement,
    SnapshotSettings,
    SolutionSettings,
    TargetSettings,
)
from .delivery import AlertSettings, PushSettings
from .learning import ExplainSettings, ModelSettings, ProbeSettings, ThresholdSettings
from .states import DELIVERY_SECTIONS, StateSettings, StoreSettings


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything `mqbg.toml` may say. An empty `roles` means the roles found in the data."""

    target: TargetSettings = field(default_factory=TargetSettings)
    observation: ObservationSettings = field(default_factory=ObservationSettings)
    snapshots: SnapshotSettings = field(default_factory=SnapshotSettings)
    roles: Mapping[str, RoleRequirement] = field(default_factory=dict)
    solutions: Mapping[str, SolutionSettings] = field(default_factory=dict)
    kinds: Mapping[str, ActivityKind] = field(default_factory=lambda: dict(DEFAULT_ACTIVITY_KINDS))
    features: FeatureSettings = field(default_factory=FeatureSettings)
    thresholds: ThresholdSettings = field(default_factory=ThresholdSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    explain: ExplainSettings = field(default_factory=ExplainSettings)
    probe: ProbeSettings = field(default_factory=ProbeSettings)
    states: StateSettings = field(default_factory=StateSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    push: PushSettings = field(default_factory=PushSettings)
    alerts: AlertSettings = field(default_factory=AlertSettings)
    api: ApiSettings = field(default_factory=ApiSettings)

    def activity_kind(self, name: str) -> ActivityKind:
        """The settings of a kind; one that nobody has set is its own family."""
        found = self.kinds.get(name, ActivityKind())
        return (
            found
            if found.family
            else ActivityKind(found.points, found.direction, found.high_intent, name)
        )


def settings_from_values(values: Mapping[str, Any], source: str) -> Settings:
    """Settings from a tree of plain values, as TOML or JSON gives it.

    Kinds are laid over the default kinds, key by key, so that a file says only what differs.

    Raises:
        BadInput: a key is unknown or a value does not fit; `source` begins the sentence.
    """
    kinds = {name: to_plain(kind) for name, kind in DEFAULT_ACTIVITY_KINDS.items()}
    given = values.get("kinds", {})
    if isinstance(given, Mapping):
        for name, kind in given.items():
            kinds[name] = {**kinds.get(name, {}), **kind} if isinstance(kind, Mapping) else kind
    merged = {**values, "kinds": kinds if isinstance(given, Mapping) else given}
    return typing.cast("Settings", from_plain(Settings, merged, (), source))


def settings_values(settings: Settings) -> dict[str, Any]:
    """The inverse of `settings_from_values`: plain values, ready for JSON (times as ISO text)."""
    return typing.cast("dict[str, Any]", to_plain(settings))


def model_settings_values(settings: Settings) -> dict[str, Any]:
    """The part of `settings_values` that a model carries: nothing on what becomes of its scores.

    Delivery is the operator's, changes without a training, and its URLs may hold passwords.
    """
    values = settings_values(settings)
    return {section: value for section, value in values.items() if section not in DELIVERY_SECTIONS}
