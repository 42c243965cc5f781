"""Plays the stakeholder game of every group at a moment, with its what-ifs."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ...features.tables.feature_table import Snapshot
from ...model.bundle import Bundle
from ..group_members import Group, GroupMembers, members_of, typical_terms
from ..what_ifs import Action, Edit, RoleState, actions, edited_totals, edits, role_states
from .coalition_aggregates import Floats, Totals
from .game import Game, Outcome, play, stakeholder_game
from .theme_attribution import Steps, by_theme, steps_of
from .valuation import Valuation

ROWS_PER_BATCH = 16_384  # some 20 MB of totals: more would only leave the cache


@dataclass(frozen=True)
class Stakeholders:
    """One group's members and what they add.

    Attributes:
        group: the members.
        states: the template's roles and who fills them.
        outcome: contributions, base and log-odds.
        points: shape (members,); contributions in score points.
        points_per_log_odds: between the base and everyone.
        by_theme: shape (members, themes); contributions by the theme of the signals that carried
            them, in log-odds, in the order of `carried.themes_of`.
        if_leaves: shape (members,); change of the score, in points, without the member.
        single_point: place of the member on whom the score depends, None where there is none.
        actions: steps that go with a higher score, best first.
    """

    group: Group
    states: tuple[RoleState, ...]
    outcome: Outcome
    points: Floats
    points_per_log_odds: float
    by_theme: Floats
    if_leaves: Floats
    single_point: int | None
    actions: tuple[Action, ...]

    @property
    def missing_roles(self) -> tuple[str, ...]:
        """Required roles with fewer members than required, by priority, then by name."""
        lacking = sorted(
            (state for state in self.states if state.missing),
            key=lambda state: (state.line.priority, state.name),
        )
        return tuple(state.name for state in lacking)


def stakeholders(
    at: Snapshot, bundle: Bundle, progress: Callable[[str, float], None]
) -> Iterator[Stakeholders]:
    """The stakeholders of every group at a moment, in order of group_id.

    Args:
        at: the moment, open.
        bundle: the model.
        progress: called with a label and the share done.
    """
    totals = Totals(bundle.catalogue.terms)
    typical = typical_terms(bundle)
    pairs = at.group_rows
    solutions = dict(
        zip(pairs["group_id"].to_pylist(), pairs["solution_id"].to_pylist(), strict=True)
    )
    awake = [term.name for term in bundle.catalogue.terms].index("active_members_30d")
    plans: dict[str, tuple[GroupMembers, tuple[RoleState, ...], list[Edit]]] = {}
    begun: deque[str] = deque()
    done: dict[str, Stakeholders] = {}

    def games() -> Iterator[tuple[str, Game]]:
        for group in members_of(at):
            solution, engaged = solutions[group.group_id], group.terms[:, awake]
            states = role_states(bundle.vocabulary.template, group, solution, at.as_of, engaged)
            found = edits(totals, group, states, typical, engaged)
            plans[group.group_id] = group, states, found
            begun.append(group.group_id)
            yield group.group_id, stakeholder_game(
                totals, group.base, group.terms, bundle.settings.explain,
                _random(bundle.settings.model.seed, group.group_id),
                edited_totals(found, group.base.size),
            )  # fmt: skip

    valuation = Valuation(bundle, at.fact_rows())
    played = play(games(), valuation, ROWS_PER_BATCH)
    told = 0
    for steps in _batches(steps_of(totals, plans[key][0], outcome) for key, outcome in played):
        for one, themes in zip(steps, by_theme(valuation, steps), strict=True):
            group, states, found = plans.pop(one.group.group_id)
            done[group.group_id] = _summed_up(group, states, found, one.outcome, themes, bundle)
            # A sampled game takes several turns; the groups after it wait for it.
            while begun and begun[0] in done:
                told += 1
                progress("stakeholders", told / len(solutions))
                yield done.pop(begun.popleft())


def _batches(steps: Iterator[Steps]) -> Iterator[list[Steps]]:
    """Groups whose steps are worth one call."""
    batch: list[Steps] = []
    rows = 0
    for one in steps:
        batch.append(one)
        rows += len(one.totals)
        if rows >= ROWS_PER_BATCH:
            yield batch
            batch, rows = [], 0
    if batch:
        yield batch


def _random(seed: int, group_id: str) -> np.random.Generator:
    """A group's own stream: its answer depends on the seed and its id, never on its batch."""
    return np.random.default_rng([seed, zlib.crc32(group_id.encode())])


def _summed_up(
    group: GroupMembers,
    states: tuple[RoleState, ...],
    found: list[Edit],
    outcome: Outcome,
    themes: Floats,
    bundle: Bundle,
) -> Stakeholders:
    base, score = bundle.points(np.array([outcome.base, outcome.everyone]))
    moved = outcome.everyone - outcome.base
    per_log_odds = float((score - base) / moved) if moved else 0.0
    if_leaves = bundle.points(outcome.without) - score
    single = _single_point(if_leaves, score - base, bundle.settings.explain.dependence_share)
    gains = bundle.points(outcome.extra) - score
    steps = actions(found, gains, states, single, group, -if_leaves, bundle)
    return Stakeholders(
        group.named, states, outcome, outcome.contribution * per_log_odds, per_log_odds, themes,
        if_leaves, single, tuple(steps),
    )  # fmt: skip


def _single_point(if_leaves: Floats, added: float, share: float) -> int | None:
    """The member without whom at least `share` of what the group adds is gone.

    A group that adds less than a point depends on nobody.
    """
    if not if_leaves.size or added < 1.0:
        return None
    worst = int(np.argmin(if_leaves))
    return worst if -if_leaves[worst] >= share * added else None
