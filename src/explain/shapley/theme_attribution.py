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
from ..group_members import GroupMembers
from .coalition_aggregates import Floats, Totals, alike, stack
from .game import Outcome
from .valuation import Valuation


@dataclass(frozen=True)
class Steps:
    """The first and the last step of each type of member of one group.

    Attributes:
        group: the members.
        outcome: their contributions.
        types: shape (members,); alike members are of one type.
        totals: shape (2 + 2 types, terms): nobody, everyone, each type without one of its
            members, each type's member alone.
    """

    group: GroupMembers
    outcome: Outcome
    types: NDArray[np.intp]
    totals: Floats


def steps_of(totals: Totals, group: GroupMembers, outcome: Outcome) -> Steps:
    """The coalitions that `by_theme` asks about."""
    first, types = alike(group.terms)
    everyone = totals.prefixes(group.base, group.terms)[-1:]
    without = totals.without_each(group.base, group.terms)[first]
    alone = [totals.add(group.base[None, :], group.terms[place]) for place in first]
    width = group.base.size
    return Steps(
        group, outcome, types, stack([group.base[None, :], everyone, without, *alone], width)
    )


def themes_of(catalogue: Catalogue) -> tuple[str, ...]:
    """The catalogue's themes, in its order."""
    return tuple(dict.fromkeys(feature.theme for feature in catalogue.features))


def by_theme(valuation: Valuation, several: Sequence[Steps]) -> Iterator[Floats]:
    """Contributions of each group's members by theme, shape (members, themes).

    Args:
        valuation: of the groups.
        several: groups to do together.
    """
    sizes = [(one.group.group_id, len(one.totals)) for one in several]
    totals = np.concatenate([one.totals for one in several])
    features = valuation.bundle.catalogue.features
    read = np.empty((len(totals), len(features)))
    parts = np.empty_like(read)
    for rows, matrix in valuation.matrices(sizes, totals):
        read[rows], parts[rows] = matrix, valuation.bundle.contributions(matrix)
    themes = themes_of(valuation.bundle.catalogue)
    of_theme = np.array([[f.theme == theme for theme in themes] for f in features], np.float64)
    ends = np.cumsum([size for _key, size in sizes])[:-1]
    for one, mine, values in zip(several, np.split(parts, ends), np.split(read, ends), strict=True):
        moved, changed = _steps(mine, values)
        shares, touched = (moved @ of_theme)[one.types], (changed @ of_theme)[one.types]
        yield reconciled(shares, touched, one.outcome.contribution)


def _steps(parts: Floats, values: Floats) -> tuple[Floats, Floats]:
    """What each type's first and last step move, feature by feature; shapes (types, features).

    Args:
        parts: shape (2 + 2 types, features); TreeSHAP of the coalitions of `Steps`.
        values: the same rows' features.

    Returns:
        The mean change of TreeSHAP over the two steps, of features that the step changes, and how
        many of the two steps change each feature.
    """
    types = (len(parts) - 2) // 2
    moved = np.zeros((types, parts.shape[1]))
    changed = np.zeros_like(moved)
    first, last = slice(2 + types, None), slice(2, 2 + types)
    for before, after in ((slice(0, 1), first), (last, slice(1, 2))):
        both_missing = np.isnan(values[before]) & np.isnan(values[after])
        differs = (values[before] != values[after]) & ~both_missing
        moved += np.where(differs, parts[after] - parts[before], 0.0) / 2
        changed += differs
    return moved, changed


def reconciled(moved: Floats, changed: Floats, contribution: Floats) -> Floats:
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
    rest = contribution - moved.sum(axis=1)
    whole: Floats = moved + rest[:, None] * size / size.sum(axis=1, keepdims=True)
    return whole
