"""How a model is learned, judged and explained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class ThresholdSettings:
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
class ModelSettings:
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
class ExplainSettings:
    """The stakeholder game and the what-ifs.

    Attributes:
        max_sets: up to so many distinct sets of members every one is computed; above, sampled.
        standard_error: sampling stops when every member's error is below it (log-odds) ...
        max_pairs: ... or after so many antithetic pairs of permutations.
        dependence_share: a member whose leaving costs at least this share of the readiness that
            the whole group adds is a single point of failure.
        min_support: a what-if needs at least so many training snapshots like it.
        language: of summaries, reasons and actions, a file of `explain/language` ...
        languages_folder: ... or of this folder, whose files add languages and override ours.
    """

    max_sets: int = 1024
    standard_error: float = 0.02
    max_pairs: int = 256
    dependence_share: float = 0.5
    min_support: int = 20
    language: str = "en"
    languages_folder: str = ""


@dataclass(frozen=True, slots=True)
class ProbeSettings:
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
