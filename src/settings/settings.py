"""All of `mqbg.toml` as one value."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .api import Api
from .codec import build, plain
from .data import KINDS, FeatureSettings, Kind, Observation, Role, Snapshots, Solution, Target
from .delivery import Alerts, Push
from .learning import Explain, Model, Probe, Thresholds
from .states import DELIVERY, States, Store


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything `mqbg.toml` may say. An empty `roles` means the roles found in the data."""

    target: Target = field(default_factory=Target)
    observation: Observation = field(default_factory=Observation)
    snapshots: Snapshots = field(default_factory=Snapshots)
    roles: Mapping[str, Role] = field(default_factory=dict)
    solutions: Mapping[str, Solution] = field(default_factory=dict)
    kinds: Mapping[str, Kind] = field(default_factory=lambda: dict(KINDS))
    features: FeatureSettings = field(default_factory=FeatureSettings)
    thresholds: Thresholds = field(default_factory=Thresholds)
    model: Model = field(default_factory=Model)
    explain: Explain = field(default_factory=Explain)
    probe: Probe = field(default_factory=Probe)
    states: States = field(default_factory=States)
    store: Store = field(default_factory=Store)
    push: Push = field(default_factory=Push)
    alerts: Alerts = field(default_factory=Alerts)
    api: Api = field(default_factory=Api)

    def kind(self, name: str) -> Kind:
        """The settings of a kind; one that nobody has set is its own family."""
        found = self.kinds.get(name, Kind())
        return (
            found if found.family else Kind(found.points, found.direction, found.high_intent, name)
        )


def settings_from(tree: Mapping[str, Any], where: str) -> Settings:
    """Settings from a tree of plain values, as TOML or JSON gives it.

    Kinds are laid over the default kinds, key by key, so that a file says only what differs.

    Raises:
        BadInput: a key is unknown or a value does not fit; `where` begins the sentence.
    """
    kinds = {name: plain(kind) for name, kind in KINDS.items()}
    given = tree.get("kinds", {})
    if isinstance(given, Mapping):
        for name, kind in given.items():
            kinds[name] = {**kinds.get(name, {}), **kind} if isinstance(kind, Mapping) else kind
    merged = {**tree, "kinds": kinds if isinstance(given, Mapping) else given}
    return typing.cast("Settings", build(Settings, merged, (), where))


def settings_tree(settings: Settings) -> dict[str, Any]:
    """The inverse of `settings_from`: plain values, ready for JSON (times as ISO text)."""
    return typing.cast("dict[str, Any]", plain(settings))


def model_tree(settings: Settings) -> dict[str, Any]:
    """The part of `settings_tree` that a model carries: nothing on what becomes of its scores.

    Delivery is the operator's, changes without a training, and its URLs may hold passwords.
    """
    tree = settings_tree(settings)
    return {section: value for section, value in tree.items() if section not in DELIVERY}
