"""`mqbg.toml` as frozen dataclasses; each default stands here and nowhere else (design.md)."""

from __future__ import annotations

import re
import tomllib
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from .contract import BadInput
from .tree import build, instant_of, plain, utc

MAX_HORIZON_DAYS = 3650
MAX_WINDOW_DAYS = 3650


@dataclass(frozen=True, slots=True)
class Target:
    """What counts as a conversion, and how far ahead the model looks.

    Readiness, thresholds and explanations are of `horizon_days`; each of `more_horizons_days` has
    a readiness of its own beside it.
    """

    stage: str = "opportunity"
    horizon_days: int = 90
    closed_stages: tuple[str, ...] = ("won", "lost")
    more_horizons_days: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Observation:
    """Where the data ends; None means the latest known timestamp in it."""

    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Snapshots:
    """The instants that training looks at; `start` None means the first that has a history."""

    every: Literal["1mo", "2w", "1w"] = "1mo"
    start: datetime | None = None


@dataclass(frozen=True, slots=True)
class Role:
    """One line of a role template; `required` 0 means welcome, not needed for completeness."""

    required: int = 1
    weight: float = 100.0
    priority: int = 1


@dataclass(frozen=True, slots=True)
class Solution:
    """What one solution asks for beside the default template."""

    roles: Mapping[str, Role] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kind:
    """One activity kind; the defaults are those of a kind that nobody has set."""

    points: float = 1.0
    direction: Literal["inbound", "outbound"] = "inbound"
    high_intent: bool = False
    family: str | None = None


def _kind(points: float, family: str, *, high_intent: bool = False) -> Kind:
    return Kind(float(points), "inbound", high_intent, family)


# Points lean on the market leader's public weights (field-notes.md) and on the Japanese practice
# that price, case-study and comparison pages are strong signals and an opened mail hardly one.
KINDS: Mapping[str, Kind] = {
    "web_visit": _kind(5, "web"),
    "pricing_view": _kind(40, "web", high_intent=True),
    "case_study_view": _kind(30, "web", high_intent=True),
    "whitepaper_download": _kind(20, "content"),
    "webinar_attended": _kind(40, "event"),
    "event_attended": _kind(60, "event"),
    "email_open": _kind(2, "email"),
    "email_click": _kind(10, "email"),
    "form_submitted": _kind(40, "form"),
    "trial_login": _kind(40, "product", high_intent=True),
    "meeting": _kind(60, "meeting", high_intent=True),
    "inquiry": _kind(60, "form", high_intent=True),
    "email_sent": Kind(0.0, "outbound", False, "touch"),
    "call_made": Kind(0.0, "outbound", False, "touch"),
}


@dataclass(frozen=True, slots=True)
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

    windows_days: tuple[int, ...] = (7, 30, 90)
    half_lives_days: tuple[int, ...] = (7, 21, 60)
    fiscal_year_end_month: int = 3
    roles_in_step: tuple[str, ...] = ("decision_maker", "technical_evaluator")

    @property
    def half_life_days(self) -> int:
        """The half-life in the middle."""
        return self.half_lives_days[len(self.half_lives_days) // 2]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How the line between nurture and qualified is drawn.

    Attributes:
        policy: what decides: the groups that sales can take, what a conversion gains against
            what a touch costs, or the share of qualified groups that converts.
        capacity_per_week: groups that sales can take.
        completeness: that a group must have, 0..1.
        segment: whose values have lines of their own.
        capacity_by_month: groups a week in the months "1" to "12"; a month that is absent takes
            `capacity_per_week`.
        capacity_by_segment: groups a week that a segment's own team takes, beside
            `capacity_per_week` for all others; a segment that is absent shares the pooled line.
        gain: of a conversion, in account currency; policy "value" needs it ...
        cost: ... and that of one touch, in the same currency.
        precision: share of the newly qualified that must convert within the horizon.
        confidence: of the one-sided bound that holds `precision`.
        shrinkage: a segment's own line counts half where so many cases speak for it.
    """

    policy: Literal["capacity", "value", "precision"] = "capacity"
    capacity_per_week: float = 20.0
    completeness: float = 0.6
    segment: Literal["none", "tier", "solution", "country"] = "none"
    capacity_by_month: Mapping[str, float] = field(default_factory=dict)
    capacity_by_segment: Mapping[str, float] = field(default_factory=dict)
    gain: float | None = None
    cost: float | None = None
    precision: float = 0.3
    confidence: float = 0.95
    shrinkage: float = 20.0


@dataclass(frozen=True, slots=True)
class Model:
    """The fit.

    Attributes:
        seed: of everything that draws.
        threads: of LightGBM and DuckDB; results do not depend on it.
        registered_name: the model's name in the MLflow registry.
        resamples: draws behind each interval.
        ablation: measure what each theme of features is worth by refitting without it.
        weights: what a group counts that stands in n snapshots: n ("rows"), the root of n
            ("root"), or once ("groups").
        monotone: hold the trees to the plausible directions of the catalogue; the cost is shown.
        few_conversions: with fewer converted groups the trees are blended with the rule score.
        expected_rate: the share of open groups that convert within the horizon, where it is known
            to be another than in training; readiness is moved to it.
        tuning_minutes: after so long `--trials` starts no further trial.
    """

    seed: int = 7
    threads: int = 2
    registered_name: str = "mqbg"
    resamples: int = 200
    ablation: bool = True
    weights: Literal["rows", "root", "groups"] = "root"
    monotone: bool = False
    few_conversions: int = 100
    expected_rate: float | None = None
    tuning_minutes: float = 10.0


@dataclass(frozen=True, slots=True)
class Explain:
    """The stakeholder game and the what-ifs.

    Attributes:
        max_sets: up to so many distinct sets of members every one is computed; above, sampled.
        standard_error: sampling stops when every member's error is below it (log-odds) ...
        max_pairs: ... or after so many antithetic pairs of permutations.
        dependence_share: a member whose leaving costs at least this share of the readiness that
            the whole group adds is a single point of failure.
        min_support: a what-if needs at least so many training snapshots like it.
        language: of summaries, reasons and actions, a file of `explain/languages`.
    """

    max_sets: int = 1024
    standard_error: float = 0.02
    max_pairs: int = 64
    dependence_share: float = 0.5
    min_support: int = 20
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Probe:
    """From where on a leak probe warns (see `train.probes`).

    Shares are compared by the cautious end of their 95 % interval, so small counts do not warn.

    Attributes:
        feature_auc: a single feature that ranks outcomes at least so well, in either direction.
        min_conversions: nothing is said of a feature, a back-filled kind, a column or members
            unless it is known of so many converted groups (of a column: accounts or contacts).
        kind_share: groups that had a kind before the cut-off and then converted; it must also
            lie nearer to all than to the share of all groups.
        backfilled_share: activities of the horizon before a conversion that were recorded after
            it, beyond the same share of groups that did not convert.
        recorded_delay_days: the slowest tenth of a kind's activities are recorded so late.
        filled_difference: how much more often a column is filled where groups converted.
        members_at_outcome: members of converted groups who joined on the day of the conversion,
            or converted groups without a member before it.
        placeholder_groups: so many groups make an account of one outcome suspect ...
        placeholder_share: ... or such a share of all groups.
    """

    feature_auc: float = 0.9
    min_conversions: int = 20
    kind_share: float = 0.6
    backfilled_share: float = 0.2
    recorded_delay_days: float = 7.0
    filled_difference: float = 0.3
    members_at_outcome: float = 0.2
    placeholder_groups: int = 1000
    placeholder_share: float = 0.2


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything `mqbg.toml` may say. An empty `roles` means the roles found in the data."""

    target: Target = Target()
    observation: Observation = Observation()
    snapshots: Snapshots = Snapshots()
    roles: Mapping[str, Role] = field(default_factory=dict)
    solutions: Mapping[str, Solution] = field(default_factory=dict)
    kinds: Mapping[str, Kind] = field(default_factory=lambda: dict(KINDS))
    features: FeatureSettings = FeatureSettings()
    thresholds: Thresholds = Thresholds()
    model: Model = Model()
    explain: Explain = Explain()
    probe: Probe = Probe()

    def kind(self, name: str) -> Kind:
        """The settings of a kind; one that nobody has set is its own family."""
        found = self.kinds.get(name, Kind())
        return (
            found if found.family else Kind(found.points, found.direction, found.high_intent, name)
        )


def load_settings(path: Path | None) -> Settings:
    """Settings from a TOML file; None gives the defaults.

    Raises:
        BadInput: the file is absent or not TOML, a key is unknown, or a value does not fit.
    """
    if path is None:
        return Settings()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise BadInput(f"settings: expected a TOML file at {path}, found none there") from None
    except OSError as error:
        raise BadInput(
            f"settings: expected a TOML file at {path}, could not read it: {error.strerror}"
        ) from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: expected UTF-8 text, {error.reason}; save it as UTF-8") from None
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path}: expected TOML, got: {error}") from None
    settings = settings_from(tree, str(path))
    _refuse_nonsense(settings, str(path))
    return settings


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


def _lines(settings: Settings) -> Iterator[tuple[str, Role]]:
    """Every line of every template, with the name of its table in the file."""
    for name, role in settings.roles.items():
        yield f"roles.{name}", role
    for solution_id, solution in settings.solutions.items():
        for name, role in solution.roles.items():
            yield f"solutions.{solution_id}.roles.{name}", role


def _refuse_nonsense(settings: Settings, where: str) -> None:
    """Values that have the right type and still cannot be meant."""
    for rules in (
        _of_the_model,
        _of_the_thresholds,
        _of_the_features,
        _of_the_probes,
        _of_the_templates,
    ):
        for holds, sentence in rules(settings):
            if not holds:
                raise BadInput(f"{where}: {sentence}")


def _of_the_model(settings: Settings) -> tuple[tuple[bool, str], ...]:
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


def _of_the_thresholds(settings: Settings) -> tuple[tuple[bool, str], ...]:
    """Rules of the line between nurture and qualified."""
    lines = settings.thresholds
    gain, cost = lines.gain, lines.cost
    return (
        (lines.capacity_per_week > 0, "[thresholds] capacity_per_week must be above 0"),
        (0 <= lines.completeness <= 1, "[thresholds] completeness must be 0 to 1"),
        (
            set(lines.capacity_by_month) <= {str(month) for month in range(1, 13)},
            '[thresholds.capacity_by_month] must have the months "1" to "12" as keys',
        ),
        *(
            (capacity > 0, f"[thresholds.{table}] {key} must be above 0 groups a week")
            for table in ("capacity_by_month", "capacity_by_segment")
            for key, capacity in getattr(lines, table).items()
        ),
        (
            not lines.capacity_by_segment or lines.segment != "none",
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
        (0 < lines.precision < 1, "[thresholds] precision must be over 0 and under 1"),
        (0.5 <= lines.confidence < 1, "[thresholds] confidence must be 0.5 or more and under 1"),
        (lines.shrinkage >= 0, "[thresholds] shrinkage must not be negative"),
    )


def _of_the_features(settings: Settings) -> tuple[tuple[bool, str], ...]:
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


def _of_the_probes(settings: Settings) -> tuple[tuple[bool, str], ...]:
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


def _of_the_templates(settings: Settings) -> tuple[tuple[bool, str], ...]:
    """Rules of the role templates."""
    return (
        *(
            (role.required >= 0 and role.weight >= 0, f"[{name}] must not be negative")
            for name, role in _lines(settings)
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


__all__ = [
    "KINDS", "Settings", "instant_of", "load_settings", "settings_from", "settings_tree", "utc",
]  # fmt: skip
