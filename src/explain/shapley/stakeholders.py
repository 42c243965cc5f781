"""Plays the stakeholder game of every group at a moment, with its what-ifs."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ...features.tables.feature_table import Snapshot
from ...model.bundle import Bundle
from ..group_members import Group, GroupMembers, group_members_at, reference_member_terms
from ..what_if_evidence import (
    Change,
    ChangedGroups,
    Evidence,
    changed_groups,
    gather_evidence,
)
from ..what_ifs import (
    Action,
    RoleCoverage,
    WhatIf,
    build_what_ifs,
    rank_actions,
    role_coverage,
    stack_what_ifs,
)
from .coalition_aggregates import Aggregator, Floats, GroupTotals
from .game import ROWS_PER_BATCH, Game, Outcome, play_games, stakeholder_game
from .theme_attribution import MarginalCoalitions, contributions_by_theme, marginal_coalitions
from .valuation import Valuation

NO_OTHER_IDS: Mapping[str, str] = {}


@dataclass(frozen=True)
class GroupStakeholders:
    """One group's members and what they add.

    Attributes:
        group: the members.
        role_coverage: the template's roles and who fills them.
        outcome: contributions, base and log-odds.
        points: shape (members,); contributions in score points.
        points_per_log_odds: between the base and everyone.
        contributions_by_theme: shape (members, themes); contributions by the theme of the signals
            that carried them, in log-odds, in the order of `catalogue_themes`.
        if_leaves: shape (members,); change of the score, in points, without the member.
        single_point_index: place of the member on whom the score depends, None where there is none.
        actions: steps that go with a higher score, best first.
    """

    group: Group
    role_coverage: tuple[RoleCoverage, ...]
    outcome: Outcome
    points: Floats
    points_per_log_odds: float
    contributions_by_theme: Floats
    if_leaves: Floats
    single_point_index: int | None
    actions: tuple[Action, ...]

    @property
    def missing_roles(self) -> tuple[str, ...]:
        """Required roles with fewer members than required, by priority, then by name."""
        missing = sorted(
            (role for role in self.role_coverage if role.missing),
            key=lambda role: (role.requirement.priority, role.name),
        )
        return tuple(role.name for role in missing)


def group_stakeholders(
    snapshot: Snapshot,
    bundle: Bundle,
    progress: Callable[[str, float], None],
    stream_ids: Mapping[str, str] = NO_OTHER_IDS,
) -> Iterator[GroupStakeholders]:
    """The stakeholders of every group at a moment, in order of group_id.

    Args:
        snapshot: the moment, open.
        bundle: the model.
        progress: called with a label and the share done.
        stream_ids: ids by which games are sampled, where they are others, by group_id.
    """
    aggregator = Aggregator(bundle.catalogue.terms)
    reference_terms = reference_member_terms(bundle)
    group_rows = snapshot.group_rows
    solutions = dict(
        zip(group_rows["group_id"].to_pylist(), group_rows["solution_id"].to_pylist(), strict=True)
    )
    engaged_term = [term.name for term in bundle.catalogue.terms].index("active_members_30d")
    inputs: dict[str, _GameInputs] = {}
    started: deque[str] = deque()
    finished: dict[str, GroupStakeholders] = {}

    def games() -> Iterator[tuple[str, Game]]:
        for group in group_members_at(snapshot):
            solution, engaged = solutions[group.group_id], group.terms[:, engaged_term]
            coverage = role_coverage(
                bundle.vocabulary.template, group, solution, snapshot.as_of, engaged
            )
            totals = aggregator.group_totals(group.base, group.terms)
            what_ifs = build_what_ifs(aggregator, group, totals, coverage, reference_terms, engaged)
            inputs[group.group_id] = _GameInputs(group, totals, coverage, what_ifs)
            started.append(group.group_id)
            stream_id = stream_ids.get(group.group_id, group.group_id)
            yield group.group_id, stakeholder_game(
                aggregator, group.base, group.terms, bundle.settings.explain,
                partial(_group_rng, bundle.settings.model.seed, stream_id),
                stack_what_ifs(what_ifs, group.base.size), totals,
            )  # fmt: skip

    valuation = Valuation(bundle, snapshot.fact_rows())
    of_refits = valuation.of_refits
    played = play_games(games(), valuation, ROWS_PER_BATCH)
    reported = 0
    for marginal in _batches(
        marginal_coalitions(aggregator, inputs[key].group, inputs[key].totals, outcome)
        for key, outcome in played
    ):
        of_batch = [inputs.pop(one.group.group_id) for one in marginal]
        for found in _stakeholders_of_batch(bundle, of_refits, marginal, of_batch):
            finished[found.group.group_id] = found
            # A sampled game takes several turns; the groups after it wait for it.
            while started and started[0] in finished:
                reported += 1
                progress("stakeholders", reported / len(solutions))
                yield finished.pop(started.popleft())


def _batches(groups: Iterator[MarginalCoalitions]) -> Iterator[list[MarginalCoalitions]]:
    """Groups whose steps are worth one call."""
    batch: list[MarginalCoalitions] = []
    rows = 0
    for group in groups:
        batch.append(group)
        rows += len(group.aggregates)
        if rows >= ROWS_PER_BATCH:
            yield batch
            batch, rows = [], 0
    if batch:
        yield batch


def _stakeholders_of_batch(
    bundle: Bundle,
    valuation: Valuation,
    marginal: Sequence[MarginalCoalitions],
    inputs: Sequence[_GameInputs],
) -> Iterator[GroupStakeholders]:
    """What is found of groups whose games have ended, in their order."""
    valued = [_value_what_ifs(*one, bundle) for one in zip(marginal, inputs, strict=True)]
    changed = changed_groups([change for one in valued for change in one.changes])
    of_changes, of_steps = _feature_matrices(valuation, changed, marginal)
    evidence = iter(gather_evidence(bundle, changed, of_changes))
    for one, themes in zip(valued, contributions_by_theme(bundle, marginal, of_steps), strict=True):
        of_group = [next(evidence) for _change in one.changes]
        yield _stakeholders_of_group(one, themes, of_group, bundle)


def _feature_matrices(
    valuation: Valuation, changed: ChangedGroups, marginal: Sequence[MarginalCoalitions]
) -> tuple[Floats, Floats]:
    """Features of changed groups, and of first and last steps.

    They are made in one pass: of a few rows, two passes take twice as long.
    """
    sizes = [(one.group.group_id, len(one.aggregates)) for one in marginal]
    rows = np.vstack([*changed.totals, *(one.aggregates for one in marginal)])
    both = valuation.feature_matrix([*changed.sizes, *sizes], rows)
    return both[: len(changed.totals)], both[len(changed.totals) :]


def _group_rng(seed: int, group_id: str) -> np.random.Generator:
    """A group's own stream: its answer depends on the seed and its id, never on its batch."""
    return np.random.default_rng([seed, zlib.crc32(group_id.encode())])


@dataclass(frozen=True, slots=True)
class _GameInputs:
    """What a group's game is played with."""

    group: GroupMembers
    totals: GroupTotals
    coverage: tuple[RoleCoverage, ...]
    what_ifs: list[WhatIf]


@dataclass(frozen=True)
class _ValuedWhatIfs:
    """A group's what-ifs that go with a gain, and what they and the game say.

    `changes` are those of the what-ifs, then that of the member on whom the group depends.
    """

    group: Group
    coverage: tuple[RoleCoverage, ...]
    outcome: Outcome
    what_ifs: tuple[WhatIf, ...]
    gains: Floats
    if_leaves: Floats
    per_log_odds: float
    single_point_index: int | None
    changes: tuple[Change, ...]


def _value_what_ifs(
    coalitions: MarginalCoalitions, inputs: _GameInputs, bundle: Bundle
) -> _ValuedWhatIfs:
    group, outcome, what_ifs = coalitions.group, coalitions.outcome, inputs.what_ifs
    whole = np.array([outcome.base, outcome.everyone])
    points = bundle.score_points(np.concatenate([whole, outcome.without, outcome.extra_log_odds]))
    base, score = points[:2]
    added = outcome.everyone - outcome.base
    if_leaves = points[2 : 2 + outcome.without.size] - score
    single_point_index = _single_point(
        if_leaves, score - base, bundle.settings.explain.dependence_share
    )
    gains = points[2 + outcome.without.size :] - score
    helpful = np.flatnonzero(gains > 0)
    everyone = coalitions.everyone
    changes = [
        Change(group.group_id, everyone, what_ifs[place].aggregates, what_ifs[place].role)
        for place in helpful
    ]
    if single_point_index is not None:
        without = coalitions.without(single_point_index)
        changes.append(Change(group.group_id, without, everyone))
    return _ValuedWhatIfs(
        group.without_terms, inputs.coverage, outcome, tuple(what_ifs[place] for place in helpful),
        gains[helpful], if_leaves, float((score - base) / added) if added else 0.0,
        single_point_index, tuple(changes),
    )  # fmt: skip


def _stakeholders_of_group(
    valued: _ValuedWhatIfs, themes: Floats, evidence: list[Evidence], bundle: Bundle
) -> GroupStakeholders:
    outcome, if_leaves = valued.outcome, valued.if_leaves
    count = len(valued.what_ifs)
    steps = rank_actions(
        valued.what_ifs, valued.gains, valued.coverage, valued.single_point_index, valued.group,
        -if_leaves, bundle, evidence[:count], *evidence[count:],
    )  # fmt: skip
    return GroupStakeholders(
        valued.group, valued.coverage, outcome, outcome.contribution * valued.per_log_odds,
        valued.per_log_odds, themes, if_leaves, valued.single_point_index, tuple(steps),
    )  # fmt: skip


def _single_point(if_leaves: Floats, added: float, share: float) -> int | None:
    """The member without whom at least `share` of what the group adds is gone.

    A group that adds less than a point depends on nobody.
    """
    if not if_leaves.size or added < 1.0:
        return None
    worst = int(np.argmin(if_leaves))
    return worst if -if_leaves[worst] >= share * added else None
