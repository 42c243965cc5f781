"""Training snapshots to compare an edited group with: how many were like it?

A what-if asks the model of a group that is not there. Where no group of the training was like it,
the answer is a guess. So of each role some of the training snapshots with an engaged member in it
are kept, in the features that the trees gained most by, and those near the edited group count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .linear import standardised

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RoleSnapshots:
    """Training snapshots with an engaged member in a role.

    Attributes:
        role: the role's name.
        snapshots: how many there were.
        rows: those that were drawn, in standardised features, shape (drawn, features).
        radius: mean squared difference within which a snapshot is like another one.
    """

    role: str
    snapshots: int
    rows: tuple[tuple[float, ...], ...]
    radius: float

    def count(self, standardised_rows: Floats) -> NDArray[np.int64]:
        """How many of them are like each row, shape (rows,); each drawn one speaks for its share.

        Args:
            standardised_rows: shape (rows, features).
        """
        near = squared_distances(standardised_rows, self._drawn) <= self.radius
        share = self.snapshots / len(self.rows)
        return np.asarray(np.round(near.sum(axis=1) * share), np.int64)

    @cached_property
    def _drawn(self) -> Floats:
        """The rows as an array: to make it takes longer than to compare with it."""
        return np.array(self.rows)


@dataclass(frozen=True, slots=True)
class ComparableSnapshots:
    """What an edited group is compared with.

    Attributes:
        features: those that are compared, by name.
        centre: mean of each one's logarithm, sign(x) * log(1 + |x|).
        scale: its standard deviation.
        roles: of each role that has enough of them.
    """

    features: tuple[str, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    roles: tuple[RoleSnapshots, ...]

    def standardised(self, matrix: Floats, column: Mapping[str, int]) -> Floats:
        """Rows as they are compared, shape (rows, features compared); missing ones are average.

        Args:
            matrix: shape (rows, features).
            column: place of each feature by name.
        """
        parts = zip(self.features, self.centre, self.scale, strict=True)
        return np.column_stack(
            [standardised(matrix[:, column[name]], centre, scale) for name, centre, scale in parts]
        )


def squared_distances(rows: Floats, others: Floats) -> Floats:
    """Mean over the features of the squared difference, shape (rows, others)."""
    distance = np.zeros((len(rows), len(others)))
    for one, other in zip(rows.T, others.T, strict=True):
        distance += (one[:, None] - other[None, :]) ** 2
    return np.asarray(distance / rows.shape[1], np.float64)


def comparable_from_dict(fields: Mapping[str, object] | None) -> ComparableSnapshots | None:
    """What `dataclasses.asdict` and JSON made of one; None of a bundle that has none."""
    if fields is None:
        return None
    roles = tuple(
        RoleSnapshots(
            str(role["role"]), int(role["snapshots"]), tuple(map(tuple, role["rows"])),
            float(role["radius"]),
        )
        for role in fields["roles"]  # type: ignore[attr-defined]
    )  # fmt: skip
    features, centre, scale = (tuple(fields[name]) for name in ("features", "centre", "scale"))  # type: ignore[arg-type, var-annotated]
    return ComparableSnapshots(features, centre, scale, roles)
