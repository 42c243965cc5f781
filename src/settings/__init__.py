"""`mqbg.toml` as frozen dataclasses; each default is here and nowhere else (design.md)."""

from .api import API_KEYS, ApiSettings
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
from .imports import ImportSettings, TableMapping
from .instants import to_instant, to_utc
from .learning import ExplainSettings, ModelSettings, ProbeSettings, ThresholdSettings
from .load import load_settings
from .settings import Settings, model_settings_values, settings_from_values, settings_values
from .source import SourceSettings
from .states import DELIVERY_SECTIONS, STORE_URL, StateSettings, StoreSettings

__all__ = [
    "API_KEYS",
    "DEFAULT_ACTIVITY_KINDS",
    "DELIVERY_SECTIONS",
    "STORE_URL",
    "ActivityKind",
    "AlertSettings",
    "ApiSettings",
    "ExplainSettings",
    "FeatureSettings",
    "ImportSettings",
    "ModelSettings",
    "ObservationSettings",
    "ProbeSettings",
    "PushSettings",
    "RoleRequirement",
    "Settings",
    "SnapshotSettings",
    "SolutionSettings",
    "SourceSettings",
    "StateSettings",
    "StoreSettings",
    "TableMapping",
    "TargetSettings",
    "ThresholdSettings",
    "load_settings",
    "model_settings_values",
    "settings_from_values",
    "settings_values",
    "to_instant",
    "to_utc",
]  # fmt: skip
