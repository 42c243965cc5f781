"""Batch scoring: every open group at a cut-off, with its stakeholders and actions (design.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

import pyarrow as pa

from ...contract import BadInput
from ...explain.language import Language
from ...explain.reasons import (
    features_by_name,
    reason_sentences,
    strongest_reasons,
)
from ...explain.shapley.stakeholders import NO_OTHER_IDS, group_stakeholders
from ...explain.shapley.theme_attribution import catalogue_themes
from ...features.tables.feature_source import FeatureSource
from ...features.tables.feature_table import open_snapshot
from ...features.time_rules.verdicts import latest_verdicts
from ...model.bundle import Bundle
from ...support.progress import Progress, no_progress
from .next_steps import without_steps_taken
from .night_decisions import NOTHING_DECIDED, NightDecision
from .score_rows import Row, explain_group, horizon_rows, score_rows
from .score_tables import SCORE_SCHEMAS
from .summary_inputs import (
    read_summary_inputs,
)
from .theme_contributions import theme_contributions
from .thresholds_in_force import thresholds_in_force


@dataclass(frozen=True)
class ScoreTables:
    """The tables that `mqbg score` writes (design.md); `tables` has their schemas."""

    scores: pa.Table
    stakeholders: pa.Table
    actions: pa.Table
    horizons: pa.Table
    themes: pa.Table
    summaries: pa.Table


@dataclass(frozen=True)
class ScoreRows:
    """What is found, before it is tables: rows as `pa.Table.to_pylist` gives them, themes apart.

    An answer of the API is made of rows; by way of Arrow they would take as long as its words.
    """

    scores: list[Row]
    stakeholders: list[Row]
    actions: list[Row]
    horizons: list[Row]
    themes: pa.Table
    summaries: list[Row]

    def tables(self) -> ScoreTables:
        """As tables."""
        tables = {
            name: pa.Table.from_pylist(getattr(self, name), schema)
            for name, schema in SCORE_SCHEMAS.items()
            if name != "themes"
        }
        return ScoreTables(**tables, themes=self.themes)


def score(
    source: FeatureSource,
    bundle: Bundle,
    as_of: datetime,
    *,
    model_version: str,
    language: Language,
    group_ids: Sequence[str] | None = None,
    decisions: Mapping[str, NightDecision] = NOTHING_DECIDED,
    stream_ids: Mapping[str, str] = NO_OTHER_IDS,
    progress: Progress = no_progress,
) -> ScoreRows:
    """Scores the groups that are open at a cut-off.

    Args:
        source: prepared with the bundle's settings.
        bundle: the model.
        as_of: the cut-off.
        model_version: written into the table.
        language: language of summaries, reasons and actions.
        group_ids: group ids to score; None for all. `rank` is among those scored.
        decisions: what the last night decided of groups, by group_id: threshold and status of
            these are as they were, unless sales gave a verdict since; those of others by
            `thresholds_in_force`.
        stream_ids: see `group_stakeholders`.
        progress: called with a label and the share done.

    Raises:
        BadInput: no group is open at the cut-off.
    """
    thresholds = bundle.thresholds
    if group_ids is None or not set(group_ids) <= set(decisions):
        thresholds = thresholds_in_force(source, bundle, as_of, progress)
    with open_snapshot(source, bundle.catalogue, as_of, group_ids) as snapshot:
        features = snapshot.features(before_games=True)
        if not features.num_rows:
            raise BadInput(_no_open_groups(source, as_of))
        groups = snapshot.group_rows
        inputs = read_summary_inputs(source, snapshot, bundle.settings.explain.contacted_days)
        stakeholders = [
            without_steps_taken(one, inputs.contacted)
            for one in group_stakeholders(snapshot, bundle, progress, stream_ids)
        ]
    matrix = bundle.feature_matrix(features)
    missing_roles = [group.missing_roles for group in stakeholders]
    reasons = strongest_reasons(bundle, features, missing_roles, matrix)
    verdicts = latest_verdicts(source, as_of)
    scores = score_rows(
        groups, features, matrix, stakeholders,
        [reason_sentences(one, features_by_name(bundle), language) for one in reasons],
        verdicts, bundle, thresholds, as_of, model_version,
    )  # fmt: skip
    for row in scores:
        if decided := decisions.get(row["group_id"]):
            row.update(decided.columns(verdicts.get(row["group_id"])))
    themes = catalogue_themes(bundle.catalogue)
    explained = [
        explain_group(group, row, of_group, inputs, themes, bundle, language)
        for group, row, of_group in zip(stakeholders, scores, reasons, strict=True)
    ]
    return ScoreRows(
        scores,
        list(chain.from_iterable(group.members for group in explained)),
        list(chain.from_iterable(group.actions for group in explained)),
        horizon_rows(matrix, scores, bundle, as_of),
        theme_contributions(stakeholders, themes, as_of),
        [group.summary for group in explained],
    )


def _no_open_groups(source: FeatureSource, as_of: datetime) -> str:
    groups = source.tables["buying_groups"]
    rows = source.query_runner.fetch(
        "first_created", lambda: groups.agg(at=groups.created_at.min())
    )
    first = rows["at"][0].as_py()
    return (
        f"score: expected groups that are open at {as_of:%Y-%m-%d %H:%M}, found none; the first "
        f"group was created at {first:%Y-%m-%d %H:%M}; choose an --as-of at which groups are open"
    )
