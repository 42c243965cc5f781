"""Which of a member's signals carried their contribution: the contribution by theme.

Of each member two steps are looked at, the first (alone in the group) and the last (joining all the
others); their mean comes near to the Shapley value (`python -m benchmarks game`). For each step the
difference of TreeSHAP between after and before is the difference in log-odds, feature by feature.
What it gives to features that the step leaves as they are, and what is left to the contribution
itself, is shared out by size, so that the themes of a member sum to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...features.declare.catalogue import Catalogue
from ...model.bundle import Bundle
from ..group_members import GroupMembers
from .coalition_aggregates import Aggregator, Floats, GroupTotals
from .game import Outcome


@dataclass(frozen=True)
class MarginalCoalitions:
    """The first and the last step of each type of member of one group.

    Attributes:
        group: the members.
        outcome: their contributions.
        types: shape (members,); alike members are of one type.
        aggregates: shape (2 + 2 types, terms): nobody, everyone, each type without one of its
            members, each type's member alone.
    """

    group: GroupMembers
    outcome: Outcome
    types: NDArray[np.intp]
    aggregates: Floats

    @property
    def everyone(self) -> Floats:
        """Totals of the whole group, shape (terms,)."""
        totals: Floats = self.aggregates[1]
        return totals

    def without(self, member_index: int) -> Floats:
        """Totals of the group without a member, shape (terms,)."""
        totals: Floats = self.aggregates[2 + self.types[member_index]]
        return totals


def marginal_coalitions(
    aggregator: Aggregator, group: GroupMembers, totals: GroupTotals, outcome: Outcome
) -> MarginalCoalitions:
    """The coalitions that `contributions_by_theme` asks about."""
    alone = aggregator.alone(group.base, group.terms[totals.representatives])
    coalitions = np.concatenate(
        [group.base[None, :], totals.everyone[None, :], totals.without, alone]
    )
    return MarginalCoalitions(group, outcome, totals.types, coalitions)


def catalogue_themes(catalogue: Catalogue) -> tuple[str, ...]:
    """The catalogue's themes, in its order."""
    return tuple(dict.fromkeys(feature.theme for feature in catalogue.features))


def contributions_by_theme(
    bundle: Bundle, batch: Sequence[MarginalCoalitions], matrix: Floats
) -> Iterator[Floats]:
    """Contributions of each group's members by theme, shape (members, themes).

    Args:
        bundle: the model.
        batch: groups to do together.
        matrix: the features of all their coalitions, shape (coalitions, features); of those that
            the model does not read, it does not matter what they are.
    """
    treeshap = bundle.contributions(matrix)
    of_theme = _theme_mask(bundle)
    ends = np.cumsum([len(one.aggregates) for one in batch])[:-1]
    for group, group_treeshap, values in zip(
        batch, np.split(treeshap, ends), np.split(matrix, ends), strict=True
    ):
        moved, changed = _marginal_changes(group_treeshap, values)
        moved_themes, changed_themes = (
            (moved @ of_theme)[group.types],
            (changed @ of_theme)[group.types],
        )
        yield reconcile_themes(moved_themes, changed_themes, group.outcome.contribution)


def _theme_mask(bundle: Bundle) -> Floats:
    """1 where a feature that the model reads is of a theme, shape (features, themes)."""
    place = {theme: number for number, theme in enumerate(catalogue_themes(bundle.catalogue))}
    mask = np.zeros((len(bundle.catalogue.features), len(place)))
    for index, feature in enumerate(bundle.catalogue.features):
        if feature.name in bundle.used_features:
            mask[index, place[feature.theme]] = 1.0
    return mask


def _marginal_changes(treeshap: Floats, values: Floats) -> tuple[Floats, Floats]:
    """What each type's first and last step move, feature by feature; shapes (types, features).

    Args:
        treeshap: shape (2 + 2 types, features); TreeSHAP of the coalitions of `MarginalCoalitions`.
        values: the same rows' features.

    Returns:
        The mean change of TreeSHAP over the two steps, of features that the step changes, and how
        many of the two steps change each feature.
    """
    types = (len(treeshap) - 2) // 2
    moved = np.zeros((types, treeshap.shape[1]))
    changed = np.zeros_like(moved)
    first, last = slice(2 + types, None), slice(2, 2 + types)
    for before, after in ((slice(0, 1), first), (last, slice(1, 2))):
        both_missing = np.isnan(values[before]) & np.isnan(values[after])
        differs = (values[before] != values[after]) & ~both_missing
        moved += np.where(differs, treeshap[after] - treeshap[before], 0.0) / 2
        changed += differs
    return moved, changed


def reconcile_themes(moved: Floats, changed: Floats, contribution: Floats) -> Floats:
    """Themes that sum to each member's contribution, shape (members, themes).

    The rest is shared out by the size of what each theme moves; where nothing moves, by how many
    features it changes; and where nothing changes, evenly.

    Args:
        moved: shape (members, themes); log-odds.
        changed: shape (members, themes); features.
        contribution: shape (members,).
    """
    size = np.abs(moved)
    size = np.where(size.any(axis=1, keepdims=True), size, changed)
    size = np.where(size.any(axis=1, keepdims=True), size, 1.0)
    remainder = contribution - moved.sum(axis=1)
    themes: Floats = moved + remainder[:, None] * size / size.sum(axis=1, keepdims=True)
    return themes
