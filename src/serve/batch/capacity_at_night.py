"""What sales can take on the night of a batch, by what earlier nights let in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ...features.tables.feature_source import FeatureSource
from ...model.bundle import Bundle
from ...model.entry_budget import EntryQuota, budget_after, teams
from ...model.threshold_update import SEGMENT_COLUMNS
from ...settings import ThresholdSettings


@dataclass(frozen=True)
class CapacityAtNight:
    """The capacities of a model, and whose they are.

    Attributes:
        settings: the thresholds' of the model.
        floor: readiness under which no group enters.
        segments: of each group that there is, by group_id; empty without segments.
    """

    settings: ThresholdSettings
    floor: float
    segments: Mapping[str, str | None] = field(default_factory=dict)

    def quota(
        self,
        earlier: Sequence[tuple[datetime, Sequence[str]]],
        group_ids: Iterable[str],
        as_of: datetime,
    ) -> EntryQuota:
        """What a run may let in.

        Args:
            earlier: the runs before it in order of time, with the group_id of each new entry.
            group_ids: of the rows of the run, in their order.
            as_of: of the run.
        """
        by_team = (
            (at, Counter(teams((self.segments.get(one) for one in entered), self.settings)))
            for at, entered in earlier
        )
        budget = budget_after(self.settings, by_team).advance(as_of)
        team = teams((self.segments.get(one) for one in group_ids), self.settings)
        return EntryQuota(team, budget, self.floor)


def capacity_at_night(source: FeatureSource, bundle: Bundle) -> CapacityAtNight | None:
    """The capacities that a model's thresholds follow; None where they follow none."""
    settings, thresholds = bundle.settings.thresholds, bundle.thresholds
    if thresholds.policy != "capacity":
        return None
    segments = (
        _segments_by_group(source, SEGMENT_COLUMNS[thresholds.segment])
        if thresholds.segment is not None and settings.capacity_by_segment
        else {}
    )
    return CapacityAtNight(settings, thresholds.floor, segments)


def _segments_by_group(source: FeatureSource, column: str) -> dict[str, str | None]:
    groups, accounts = source.tables["buying_groups"], source.tables["accounts"]
    if column == "solution_id":
        rows = groups.select("group_id", segment=groups.solution_id)
    else:
        owners = accounts.select("account_id", segment=accounts[column])
        rows = groups.left_join(owners, "account_id").select("group_id", "segment")
    return {row["group_id"]: row["segment"] for row in rows.to_pyarrow().to_pylist()}
