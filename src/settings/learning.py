"""How a model is learned, judged and explained."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic.dataclasses import dataclass

from .field_types import (
    SECTION,
    AtLeastTwo,
    Count,
    Flag,
    Number,
    NumberFromZero,
    NumberOverZero,
    OpenShare,
    Share,
    Text,
    Whole,
    WholeFromZero,
    must,
)

_RegisteredName = Annotated[
    Text,
    must(
        lambda name: re.fullmatch(r"[\w .-]+", name) is not None,
        "must be letters, digits, spaces, dots, dashes and underscores",
    ),
]
_MONTHS = {str(month) for month in range(1, 13)}
_Capacity = Annotated[Number, must(lambda groups: groups > 0, "must be above 0")]
_OwnCapacity = Annotated[Number, must(lambda groups: groups > 0, "must be above 0 groups a week")]


@dataclass(frozen=True, slots=True, config=SECTION)
class ThresholdSettings:
    """How the threshold between nurture and qualified is learned.

    Attributes:
        policy: what decides: the groups that sales can take, what a conversion gains against
            what a touch costs, or the share of qualified groups that converts.
        capacity_per_week: groups that sales can take.
        completeness: that a group must have, 0..1.
        segment: whose values have thresholds of their own.
        capacity_by_month: groups a week in the months "1" to "12"; a month that is absent takes
            `capacity_per_week`.
        capacity_by_segment: groups a week that a segment's own team takes, beside
            `capacity_per_week` for all others; an absent segment shares the pooled threshold.
        gain: of a conversion, in account currency; policy "value" needs it ...
        cost: ... and that of one touch, in the same currency.
        precision: share of the newly qualified that must convert within the horizon.
        confidence: of the one-sided bound that holds `precision`.
        shrinkage: a segment's own threshold counts half where this many cases speak for it.
        held_out_nights: nights at the end of the test that training scores and replays, to measure
            what the nightly job brings; 0 measures it at the cut-offs alone.
    """

    policy: Literal["capacity", "value", "precision"] = "capacity"
    capacity_per_week: _Capacity = 20.0
    completeness: Annotated[Number, Field(ge=0, le=1)] = 0.6
    segment: Literal["none", "tier", "solution", "country"] = "none"
    capacity_by_month: Annotated[
        Mapping[Text, _OwnCapacity],
        must(lambda months: set(months) <= _MONTHS, 'must have the months "1" to "12" as keys'),
    ] = field(default_factory=dict)
    capacity_by_segment: Mapping[Text, _OwnCapacity] = field(default_factory=dict)
    gain: Number | None = None
    cost: Number | None = None
    precision: OpenShare = 0.3
    confidence: Annotated[Number, Field(ge=0.5, lt=1)] = 0.95
    shrinkage: NumberFromZero = 20.0
    held_out_nights: WholeFromZero = 14

    @field_validator("capacity_by_segment")
    @classmethod
    def _of_a_segment(
        cls, capacities: Mapping[str, float], info: ValidationInfo
    ) -> Mapping[str, float]:
        if capacities and info.data.get("segment") == "none":
            raise ValueError('needs segment = "tier", "solution" or "country"')
        return capacities

    @model_validator(mode="after")
    def _a_touch_can_pay(self) -> ThresholdSettings:
        if (self.gain is None) != (self.cost is None):
            raise ValueError("gain and cost go together: set both or none")
        if self.gain is not None and self.cost is not None and not 0 < self.cost < self.gain:
            raise ValueError("cost must be above 0 and below gain, or no touch can pay")
        return self


@dataclass(frozen=True, slots=True, config=SECTION)
class ModelSettings:
    """The fit.

    Attributes:
        seed: of everything that draws.
        threads: of LightGBM and DuckDB; results do not depend on it.
        registered_name: the model's name in the MLflow registry.
        resamples: draws behind each interval.
        ablation: measure what each theme of features is worth by refitting without it.
        weights: what a group counts that is in n snapshots: n ("rows"), the root of n
            ("root"), or once ("groups").
        monotone: hold the trees to the plausible directions of the catalogue; the cost is shown.
        few_conversions: with fewer converted groups the trees are blended with the rule score.
        expected_rate: the share of open groups that convert within the horizon, where it is known
            to be another than in training; readiness is moved to it.
        refits: to halves of the accounts, in pairs, behind the interval of a readiness; 0 takes
            the Venn-Abers interval, which knows only how many labels there are at a score.
        tuning_minutes: after so long `--trials` starts no further trial.
    """

    seed: WholeFromZero = 7
    threads: Count = 2
    registered_name: _RegisteredName = "mqbg"
    resamples: AtLeastTwo = 200
    ablation: Flag = True
    weights: Literal["rows", "root", "groups"] = "root"
    monotone: Flag = False
    few_conversions: Count = 100
    expected_rate: OpenShare | None = None
    refits: WholeFromZero = 10
    tuning_minutes: NumberOverZero = 10.0


@dataclass(frozen=True, slots=True, config=SECTION)
class ExplainSettings:
    """The stakeholder game and the what-ifs.

    Attributes:
        max_sets: up to this many distinct sets of members every one is computed; above, sampled.
        standard_error: sampling stops when every member's error is below it (log-odds) ...
        max_pairs: ... or after this many antithetic pairs of permutations.
        dependence_share: a member whose leaving costs at least this share of the readiness that
            the whole group adds is a single point of failure.
        min_support: a what-if needs at least this many training snapshots like it.
        min_step_points: a next step is named that is worth at least this many score points ...
        min_step_share: ... and at least this share of the group's score.
        contacted_days: whom we contacted (outbound) in the last so many days, no step asks to
            contact.
        language: of summaries, reasons and actions, a file of `explain/language` ...
        languages_folder: ... or of this folder, whose files add languages and override ours.
    """

    max_sets: AtLeastTwo = 1024
    standard_error: NumberOverZero = 0.02
    max_pairs: AtLeastTwo = 256
    dependence_share: Number = 0.5
    min_support: Whole = 20
    min_step_points: NumberFromZero = 1.0
    min_step_share: Annotated[Number, Field(ge=0, le=1)] = 0.05
    contacted_days: WholeFromZero = 14
    language: Text = "en"
    languages_folder: Text = ""


@dataclass(frozen=True, slots=True, config=SECTION)
class ProbeSettings:
    """From where on a leak probe warns (see `train.probes`).

    Shares are compared by the cautious end of their 95 % interval, so small counts do not warn.

    Attributes:
        feature_auc: a single feature that ranks outcomes at least so well, in either direction; one
            with 0.97 is always named.
        min_conversions: nothing else is said of a feature, a back-filled kind or members unless it
            is known of this many converted groups; a column that is filled for fewer converted
            accounts is judged by an exact test.
        kind_share: groups that had a kind before the cut-off and then converted; it must also
            lie nearer to all than to the share of all groups.
        backfilled_share: activities of the horizon before a conversion that were recorded after
            it, beyond the same share of groups that did not convert.
        recorded_delay_days: the slowest tenth of a kind's activities are recorded so late.
        filled_difference: how much more often a column is filled where groups converted.
        members_at_outcome: members of converted groups who joined on the day of the conversion,
            or converted groups without a member before it.
        joins_after_stage: members who joined within three days after a change of the group's stage;
            chance must be rarer than one in a thousand, too.
        join_shift_auc: what the AUC of the number of filled roles loses where everybody joins a
            week later.
        placeholder_groups: this many groups make an account of one outcome suspect ...
        placeholder_share: ... or such a share of all groups.
    """

    feature_auc: Annotated[Number, Field(gt=0.5, le=1)] = 0.9
    min_conversions: Count = 20
    kind_share: Share = 0.6
    backfilled_share: Share = 0.2
    recorded_delay_days: NumberOverZero = 7.0
    filled_difference: Share = 0.3
    members_at_outcome: Share = 0.2
    joins_after_stage: Share = 0.2
    join_shift_auc: Share = 0.05
    placeholder_groups: Count = 1000
    placeholder_share: Share = 0.2
