"""`mqbg.toml` as frozen dataclasses; each default stands here and nowhere else (design.md)."""

from ..tree import instant_of, utc
from .data import KINDS, FeatureSettings, Kind, Observation, Role, Snapshots, Solution, Target
from .learning import Explain, Model, Probe, Thresholds
from .reading import load_settings
from .whole import Settings, settings_from, settings_tree

__all__ = [
    "KINDS", "Explain", "FeatureSettings", "Kind", "Model", "Observation", "Probe", "Role",
    "Settings", "Snapshots", "Solution", "Target", "Thresholds", "instant_of", "load_settings",
    "settings_from", "settings_tree", "utc",
]  # fmt: skip
