"""Records that are one: joined step by step, the surest first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


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
