"""Small trees, packed so that scoring them reads little memory and meets few branches.

What a prediction asks of a node is a third of its record, and a group of one request is scored
while the records of all refits fall out of the cache. In any order the nodes of a tree leave the
same leaf in reach (see `kernels`), so that nodes of one kind are put together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .forest import Forest
from .layout import CATEGORY, NAN_LEFT, NAN_RIGHT, Floats

KINDS = np.array([NAN_RIGHT, NAN_LEFT, CATEGORY])
"""Kinds of splits, in the order of the nodes of each tree."""

_MAX_LEAVES, _MAX_WORDS = 64, 2  # leaves of a tree and categories of a split fit into 64 bits
_ONE, _ALL_BITS = np.uint64(1), np.uint64(0xFFFFFFFFFFFFFFFF)


@dataclass(frozen=True, eq=False)
class PackedTrees:
    """The trees of a model.

    Attributes:
        ends: shape (trees, kinds); where the nodes of each kind end, from the first of the model.
        first_slot: shape (trees,); of the slots of each tree.
        output: shape (trees,); the number of a row that each adds to.
        thresholds: shape (nodes,).
        sets: shape (nodes,); bits of the categories that go left.
        masks: shape (nodes,); bits of the leaves that stay in reach of a row that goes right.
        features: shape (nodes,).
        slots: value of each leaf, 64 for each tree in the order of `layout.DE_BRUIJN`.
    """

    ends: NDArray[np.int64]
    first_slot: NDArray[np.int64]
    output: NDArray[np.int64]
    thresholds: Floats
    sets: NDArray[np.uint64]
    masks: NDArray[np.uint64]
    features: NDArray[np.int64]
    slots: Floats


def pack_trees(forest: Forest) -> PackedTrees | None:
    """The trees of a forest, packed; None where one is too large or splits in a rarer way."""
    trees, nodes = forest.trees, forest.nodes
    kind = nodes["kind"]
    if (
        (trees["leaves"] > _MAX_LEAVES).any()
        or (nodes["words"] > _MAX_WORDS).any()
        or not np.isin(kind, KINDS).all()
    ):
        return None
    rank = np.searchsorted(KINDS, kind)  # the kinds are in the order of their numbers
    place = np.repeat(np.arange(trees.size), trees["nodes"]) * KINDS.size + rank
    order = np.argsort(place, kind="stable")
    ends = np.searchsorted(place[order], np.arange(trees.size * KINDS.size), side="right")
    return PackedTrees(
        ends.reshape(trees.size, KINDS.size).astype(np.int64),
        trees["first_slot"].astype(np.int64),
        trees["output"].astype(np.int64),
        nodes["threshold"][order],
        _category_sets(nodes, forest.words)[order],
        _masks(nodes)[order],
        nodes["feature"][order].astype(np.int64),
        forest.slots,
    )


def _category_sets(nodes: NDArray[Any], words: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Bits of the categories that each node sends left; none where it splits a number."""
    found = np.zeros(nodes.size, np.uint64)
    for number in range(_MAX_WORDS):
        has_word = nodes["words"] > number
        word = words[nodes["first_word"][has_word] + number].astype(np.uint64)
        found[has_word] |= word << np.uint64(32 * number)
    return found


def _masks(nodes: NDArray[Any]) -> NDArray[np.uint64]:
    """Bits of all leaves but those left of each node, of which there are fewer than 64."""
    left = (_ONE << nodes["left_leaves"].astype(np.uint64)) - _ONE
    masks: NDArray[np.uint64] = _ALL_BITS ^ (left << nodes["first_leaf"].astype(np.uint64))
    return masks
