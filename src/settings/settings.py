"""All of `mqbg.toml` as one value."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass
from pydantic_core import to_jsonable_python

from .api import ApiSettings
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
from .field_types import SECTION, Text
from .imports import ImportSettings
from .learning import ExplainSettings, ModelSettings, ProbeSettings, ThresholdSettings
from .refusals import bad_input
from .source import SourceSettings
from .states import DELIVERY_SECTIONS, StateSettings, StoreSettings


@dataclass(frozen=True, slots=True, config=SECTION)
class Settings:
    """Everything `mqbg.toml` may say. An empty `roles` means the roles found in the data."""

    source: SourceSettings = field(default_factory=SourceSettings)
    target: TargetSettings = field(default_factory=TargetSettings)
    observation: ObservationSettings = field(default_factory=ObservationSettings)
    snapshots: SnapshotSettings = field(default_factory=SnapshotSettings)
    roles: Mapping[Text, RoleRequirement] = field(default_factory=dict)
    solutions: Mapping[Text, SolutionSettings] = field(default_factory=dict)
    kinds: Mapping[Text, ActivityKind] = field(default_factory=lambda: dict(DEFAULT_ACTIVITY_KINDS))
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
    imports: ImportSettings = field(default_factory=ImportSettings)

    @model_validator(mode="after")
    def _every_template_needs_a_role(self) -> Settings:
        if not self.roles:
            return self
        own = {f"solutions.{name}.roles": one.roles for name, one in self.solutions.items()}
        for table, roles in {"roles": {}, **own}.items():
            if not any(role.required for role in {**self.roles, **roles}.values()):
                raise ValueError(f"[{table}] needs at least one role with required = 1 or more")
        return self

    def reading_for(self, model: Settings) -> Settings:
        """A model's settings, for reading data that is to be scored by it.

        How files are written is a matter of the data at hand; whether spellings are joined is one
        of the model, which knows the joined ones alone.
        """
        normalise = self.source.normalise or model.source.normalise
        return replace(model, source=replace(self.source, normalise=normalise))

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
        BadInput: a key is unknown or a value does not fit; `where` begins the sentence.
    """
    try:
        return TypeAdapter(Settings).validate_python(_over_default_kinds(_fields_named(values)))
    except ValidationError as error:
        raise bad_input(error, Settings, source) from None


def _fields_named(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """`[import]` under the name of its field, which Python does not let be `import`."""
    return {"imports" if key == "import" else key: value for key, value in values.items()}


def _over_default_kinds(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    given = tree.get("kinds", {})
    if not isinstance(given, Mapping):
        return tree
    kinds = {name: _plain(kind) for name, kind in DEFAULT_ACTIVITY_KINDS.items()}
    for name, kind in given.items():
        kinds[name] = {**kinds.get(name, {}), **kind} if isinstance(kind, Mapping) else kind
    return {**tree, "kinds": kinds}


def settings_values(settings: Settings) -> dict[str, Any]:
    """The inverse of `settings_from`: plain values, ready for JSON (times as ISO text)."""
    return _plain(settings)


def model_settings_values(settings: Settings) -> dict[str, Any]:
    """The part of `settings_tree` that a model carries: nothing on what becomes of its scores.

    Delivery is the operator's, changes without a training, and its URLs may hold passwords. How
    exports are read has happened before.
    """
    values = settings_values(settings)
    return {section: value for section, value in values.items() if section not in DELIVERY_SECTIONS}


def _plain(section: Any) -> dict[str, Any]:
    """A dataclass as tables, lists and texts; what is None is left out."""
    return typing.cast("dict[str, Any]", to_jsonable_python(section, exclude_none=True))
