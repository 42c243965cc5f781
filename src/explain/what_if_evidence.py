"""How sure a what-if is: snapshots like it, and what models of other accounts say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model.intervals import change_interval
from .shapley.coalition_aggregates import Floats
from .shapley.valuation import Valuation


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


def gather_evidence(valuation: Valuation, changes: Sequence[Change]) -> list[Evidence]:
    """What speaks for each change, in their order; those of many groups are valued together.

    Args:
        valuation: of the groups, with the features that the refits read.
        changes: what to look at.
    """
    bundle = valuation.bundle
    if not changes or not (bundle.refits or bundle.comparable):
        return [NO_EVIDENCE] * len(changes)
    matrix, before, after = _matrix(valuation, changes)
    found = [NO_EVIDENCE] * len(changes)
    if bundle.refits:
        found = _intervals(valuation, matrix, before, after)
    support = _support(valuation, changes, matrix[after])
    return [Evidence(one.low, one.high, count) for one, count in zip(found, support, strict=True)]


def _matrix(
    valuation: Valuation, changes: Sequence[Change]
) -> tuple[Floats, NDArray[np.intp], NDArray[np.intp]]:
    """Features of the groups before and after, and which row is which of each change.

    A group as it is belongs to each of its edits, and is valued once.
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
    matrix = np.empty((len(totals), len(valuation.bundle.catalogue.feature_names)))
    for rows, values in valuation.feature_matrices(sizes, np.stack(totals)):
        matrix[rows] = values
    before, after = np.array(places, dtype=np.intp).T
    return matrix, before, after


def _intervals(
    valuation: Valuation, matrix: Floats, before: NDArray[np.intp], after: NDArray[np.intp]
) -> list[Evidence]:
    bundle = valuation.bundle
    readiness = bundle.readiness(bundle.log_odds_of_matrix(matrix))
    by_refit = bundle.refitted_log_odds(matrix)
    low, high = change_interval(
        readiness[before], readiness[after], by_refit[:, after] - by_refit[:, before],
        paired=bundle.paired_refits,
    )  # fmt: skip
    points = zip((100 * low).tolist(), (100 * high).tolist(), strict=True)
    return [Evidence(lower, upper) for lower, upper in points]


def _support(
    valuation: Valuation, changes: Sequence[Change], after: Floats
) -> Sequence[int | None]:
    comparable = valuation.bundle.comparable
    if comparable is None:
        return [None] * len(changes)
    names = valuation.bundle.catalogue.feature_names
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
