"""What a training learns from: tables, cut-offs, columns, and the rows of each cut-off."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from ...contract import BadInput
from ...features.declare.catalogue import Catalogue, build_catalogue
from ...features.declare.vocabulary import find_vocabulary, require_known_roles
from ...features.tables.feature_source import FeatureSource, without_lone_activities
from ...features.time_rules.eligible_groups import (
    end_of_observation,
    later_cutoffs,
    start_of_groups,
    training_cutoffs,
)
from ...settings import Settings
from ...support.progress import Progress
from ..thresholds.learn import require_known_segments, require_policy
from .labels import require_target_stage
from .snapshots import SnapshotTable, collect_snapshots, data_fingerprint
from .split import MIN_TRAINING_CUTOFFS, Split, forward_split

MIN_CONVERTED_GROUPS = 30


@dataclass(frozen=True)
class TrainingData:
    """What a training learns from and is judged on.

    Attributes:
        source: prepared tables with their settings.
        split: the cut-offs of each part.
        catalogue: the columns that are known by the start of the test.
        snapshots: the rows of all cut-offs.
        fingerprint: of the data.
    """

    source: FeatureSource
    split: Split
    catalogue: Catalogue
    snapshots: SnapshotTable
    fingerprint: str

    @property
    def settings(self) -> Settings:
        """Those of the source."""
        return self.source.settings

    @property
    def training(self) -> SnapshotTable:
        """The rows of the part to learn from."""
        return self.snapshots.at_cutoffs(self.split.train)

    def with_columns_known_at(self, end: datetime, progress: Progress) -> TrainingData:
        """The same with the columns of the whole data; itself where they are the same.

        Departments alone are no reason to read the tables again: the rarest of them change places
        with every month, and no column is named after one.
        """
        vocabulary = find_vocabulary(self.source, end)
        before = self.catalogue.vocabulary
        same_values = vocabulary.template == before.template and (
            vocabulary.uncertain_roles == before.uncertain_roles
        )
        if same_values and all(
            set(getattr(vocabulary, part)) == set(getattr(before, part))
            for part in ("families", "questions")
        ):
            return self
        catalogue = build_catalogue(vocabulary)
        snapshots = collect_snapshots(self.source, catalogue, self.split.cutoffs, progress)
        return replace(self, catalogue=catalogue, snapshots=snapshots)


def collect_training_data(
    source: FeatureSource, test_from: datetime | None, progress: Progress
) -> TrainingData:
    """Rows of every cut-off of a training.

    Args:
        source: prepared tables with their settings.
        test_from: first instant of the test part; None chooses it (see `forward_split`).
        progress: called with a label and the share done.

    Raises:
        BadInput: too little history, no such target stage, no known role, or a part without an
            open group.
    """
    source = without_lone_activities(source)
    settings = source.settings
    require_policy(settings.thresholds)
    require_target_stage(source.tables["stage_events"], settings.target)
    split, catalogue = split_and_catalogue(source, test_from)
    snapshots = collect_snapshots(source, catalogue, split.cutoffs, progress)
    _require_open_groups(snapshots, split)
    data = TrainingData(source, split, catalogue, snapshots, data_fingerprint(source))
    require_known_segments(data.training.keys_with_segments(), settings.thresholds)
    return data


def split_and_catalogue(
    source: FeatureSource, test_from: datetime | None
) -> tuple[Split, Catalogue]:
    """The cut-offs of each part, and the columns that are known by the start of the test.

    Args:
        source: prepared tables with their settings.
        test_from: as in `train`.

    Raises:
        BadInput: too little history for a training, or no known role.
    """
    settings = source.settings
    end = end_of_observation(source.tables, settings)
    instants = training_cutoffs(settings, start_of_groups(source.tables), end)
    split = forward_split(instants, settings.target.horizon_days, test_from)
    require_known_roles(source, split.test_from)
    feature_catalogue = build_catalogue(find_vocabulary(source, split.test_from))
    if settings.thresholds.policy == "capacity":
        return replace(
            split, after_test=later_cutoffs(settings, split.test[-1], end)
        ), feature_catalogue
    # No other policy follows the flow of snapshots whose outcomes nobody knows yet.
    return replace(split, before_test=()), feature_catalogue


def _require_open_groups(snapshots: SnapshotTable, split: Split) -> None:
    for part, cutoffs in (("training", split.train), ("test", split.test)):
        if not len(snapshots.at_cutoffs(cutoffs).keys):
            raise BadInput(
                f"train: expected groups that were open in the {part} part, from "
                f"{cutoffs[0]:%Y-%m-%d} to {cutoffs[-1]:%Y-%m-%d}, found none; bring a longer "
                "history or set another --test-from"
            )


def thin_training_sentence(split: Split, training: SnapshotTable) -> str:
    """What the part to learn from lacks, and what to do; empty where it has enough.

    Args:
        split: its training cut-offs.
        training: their rows.
    """
    groups = int(training.keys.loc[training.converted, "group_id"].nunique())
    lacks = []
    if len(split.train) < MIN_TRAINING_CUTOFFS:
        lacks.append(f"{len(split.train)} of {MIN_TRAINING_CUTOFFS} cut-offs")
    if groups < MIN_CONVERTED_GROUPS:
        lacks.append(f"{groups} of {MIN_CONVERTED_GROUPS} converted groups")
    if not lacks:
        return ""
    return (
        f"the judged model learns from {' and '.join(lacks)} that it should have, so its figures "
        "say less than they could of what is registered; bring a longer history, set denser "
        "[snapshots] or a shorter [target] horizon_days"
    )
