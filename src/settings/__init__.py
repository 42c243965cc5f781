"""`mqbg.toml` as frozen dataclasses; each default stands here and nowhere else (design.md)."""

from .api import API_KEYS, Api
from .codec import instant_of, utc
from .data import KINDS, FeatureSettings, Kind, Observation, Role, Snapshots, Solution, Target
from .delivery import Alerts, Push
from .learning import Explain, Model, Probe, Thresholds
from .load import load_settings
from .settings import Settings, model_tree, settings_from, settings_tree
from .states import DELIVERY, STORE_URL, States, Store

__all__ = [
    "API_KEYS", "DELIVERY", "KINDS", "STORE_URL", "Alerts", "Api", "Explain", "FeatureSettings",
    "Kind", "Model", "Observation", "Probe", "Push", "Role", "Settings", "Snapshots", "Solution",
    "States", "Store", "Target", "Thresholds", "instant_of", "load_settings", "model_tree",
    "settings_from", "settings_tree", "utc",
]  # fmt: skip
