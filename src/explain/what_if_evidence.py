"""How sure a what-if is: snapshots like it, and what models of other accounts say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model.bundle import Bundle
from ..model.intervals import change_interval
from .shapley.coalition_aggregates import Floats


@dataclass(frozen=True)
class Change:
    """A group before and after an edit, as totals of its terms.

    Attributes:
        group_id: of the group.
        before: shape (terms,); the same array where it is the same for several changes.
        after: shape (terms,).
        role: of the person whom the edit puts in; None where it puts in nobody.
    """

    group_id: str
    before: Floats
    after: Floats
    role: str | None = None


@dataclass(frozen=True)
class Evidence:
    """What speaks for a change of the score.

    Attributes:
        low: lower end of its 80 % interval, score points; None without refits.
        high: upper end.
        support: training snapshots like the edited group; None where the model keeps none.
    """

    low: float | None = None
    high: float | None = None
    support: int | None = None

    @property
    def covers_zero(self) -> bool:
        """Whether a model of other accounts may see no gain; never so without refits."""
        return self.low is not None and self.low <= 0


NO_EVIDENCE = Evidence()


@dataclass(frozen=True)
class ChangedGroups:
    """Groups before and after changes, each once: a group as it is belongs to each of its edits.

    Attributes:
        changes: what is looked at.
        sizes: group_id and how many rows it has, in the order of the rows.
        totals: shape (terms,), of each row.
        before: the row of each change before it, shape (changes,).
        after: the one after it.
    """

    changes: tuple[Change, ...]
    sizes: list[tuple[str, int]]
    totals: list[Floats]
    before: NDArray[np.intp]
    after: NDArray[np.intp]


def changed_groups(changes: Sequence[Change]) -> ChangedGroups:
    """The rows of which `gather_evidence` reads the features.

    Args:
        changes: what to look at, those of a group one after the other.
    """
    totals: list[Floats] = []
    sizes: list[tuple[str, int]] = []
    places: list[tuple[int, int]] = []
    known: dict[int, int] = {}  # rows of the group at hand, by the identity of their totals
    for change in changes:
        if not sizes or sizes[-1][0] != change.group_id:
            sizes.append((change.group_id, 0))
            known = {}
        for one in (change.before, change.after):
            if id(one) not in known:
                known[id(one)] = len(totals)
                totals.append(one)
        sizes[-1] = (change.group_id, len(known))
        places.append((known[id(change.before)], known[id(change.after)]))
    before, after = np.array(places, dtype=np.intp).reshape(-1, 2).T
    return ChangedGroups(tuple(changes), sizes, totals, before, after)


def gather_evidence(bundle: Bundle, changed: ChangedGroups, matrix: Floats) -> list[Evidence]:
    """What speaks for each change, in their order; those of many groups are valued together.

    Args:
        bundle: the model.
        changed: what to look at.
        matrix: shape (rows of `changed`, features), with the features that the refits read.
    """
    found = [NO_EVIDENCE] * len(changed.changes)
    if not found:
        return found
    if bundle.refits:
        found = _intervals(bundle, matrix, changed.before, changed.after)
    support = _support(bundle, changed.changes, matrix[changed.after])
    return [Evidence(one.low, one.high, count) for one, count in zip(found, support, strict=True)]


def _intervals(
    bundle: Bundle, matrix: Floats, before: NDArray[np.intp], after: NDArray[np.intp]
) -> list[Evidence]:
    readiness = bundle.readiness(bundle.log_odds_of_matrix(matrix))
    by_refit = bundle.refitted_log_odds(matrix)
    low, high = change_interval(
        readiness[before], readiness[after], by_refit[:, after] - by_refit[:, before],
        paired=bundle.paired_refits,
    )  # fmt: skip
    points = zip((100 * low).tolist(), (100 * high).tolist(), strict=True)
    return [Evidence(lower, upper) for lower, upper in points]


def _support(bundle: Bundle, changes: Sequence[Change], after: Floats) -> Sequence[int | None]:
    comparable = bundle.comparable
    if comparable is None:
        return [None] * len(changes)
    names = bundle.catalogue.feature_names
    rows = comparable.standardised(after, {name: place for place, name in enumerate(names)})
    support = np.zeros(len(changes), np.int64)
    role: NDArray[np.object_] = np.array([one.role for one in changes], dtype=object)
    for kept in comparable.roles:
        in_role = role == kept.role
        if in_role.any():
            support[in_role] = kept.count(rows[in_role])
    return [
        None if one.role is None else int(count)
        for one, count in zip(changes, support, strict=True)
    ]
