"""Records that are one: connected components, each named after its oldest record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components


def components(
    size: int, pairs: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]
) -> NDArray[np.int64]:
    """The component of each of `size` nodes, given pairs of nodes that are one.

    Returns:
        shape (size,); equal numbers are one component.
    """
    left = np.concatenate([one for one, _ in pairs]) if pairs else np.empty(0, np.int64)
    right = np.concatenate([two for _, two in pairs]) if pairs else np.empty(0, np.int64)
    graph = coo_matrix((np.ones(left.size, np.int8), (left, right)), shape=(size, size))
    return connected_components(graph, directed=False)[1].astype(np.int64)  # type: ignore[no-any-return]


class Groups:
    """Union-find over nodes that may carry marks of which a component holds at most one each kind.

    Args:
        marks: for each kind of mark, the mark of every node, None where it has none.
    """

    def __init__(self, *marks: Sequence[str | None]) -> None:
        size = len(marks[0])
        self._parent = list(range(size))
        self._marks = [list(kind) for kind in marks]

    def find(self, node: int) -> int:
        """The node that stands for a node's component."""
        while self._parent[node] != node:
            self._parent[node] = self._parent[self._parent[node]]
            node = self._parent[node]
        return node

    def join(self, one: int, other: int, *, force: bool = False) -> bool:
        """Join two components unless their marks differ; tells whether they are one now."""
        one, other = sorted((self.find(one), self.find(other)))
        if one == other:
            return True
        if not force and any(
            kind[one] is not None and kind[other] is not None and kind[one] != kind[other]
            for kind in self._marks
        ):
            return False
        self._parent[other] = one
        for kind in self._marks:
            kind[one] = kind[one] if kind[one] is not None else kind[other]
        return True

    def labels(self, nodes: Iterable[int]) -> list[int]:
        """The component of each node."""
        return [self.find(node) for node in nodes]
