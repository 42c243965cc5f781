"""LightGBM's model text as arrays that compiled code reads."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...support.disk_cache import read_cache, write_cache
from .layout import (
    CATEGORY,
    DE_BRUIJN,
    MAX_BITSET_LEAVES,
    NAN_LEFT,
    NAN_RIGHT,
    NODE,
    TREE,
    ZERO_LEFT,
    ZERO_RIGHT,
    ZERO_THRESHOLD,
)

# Bits of LightGBM's decision_type, and the missing types in bits 2 and 3.
_CATEGORICAL, _DEFAULT_LEFT = 1, 2
_MISSING_ZERO, _MISSING_NAN = 1, 2


LINEAR = "the model has linear trees"


class UnsupportedTreesError(ValueError):
    """The model has something that the arrays cannot say; its text is the reason."""


@dataclass(frozen=True)
class Forest:
    """The trees of one model.

    Attributes:
        features: columns that a row has.
        outputs: numbers that a row gets; 1 unless the model is of several classes.
        trees: records of `layout.TREE`, in LightGBM's order.
        nodes: records of `layout.NODE`, those of a tree together.
        words: bit sets of the categories that go left.
        leaves: value of each leaf.
        slots: the same in the order of `layout.DE_BRUIJN`, 64 for each 64 leaves.
        expected: shape (outputs,); mean of the trees over the rows that they were trained on.
    """

    features: int
    outputs: int
    trees: NDArray[Any]
    nodes: NDArray[Any]
    words: NDArray[np.uint32]
    leaves: NDArray[np.float64]
    slots: NDArray[np.float64]
    expected: NDArray[np.float64]


@dataclass(frozen=True)
class _Tree:
    """One tree: its nodes, leaves, words of categories, its mean, features on the longest path."""

    nodes: NDArray[Any]
    leaves: NDArray[np.float64]
    words: NDArray[np.uint32]
    slots: NDArray[np.float64]
    expected: float
    width: int


def parse_forest(text: str) -> Forest:
    """The trees in a model's text, as `Booster.model_to_string` writes it.

    The arrays are kept in the user's cache folder: a model is read many times.

    Raises:
        NotCoveredError: linear trees, counts of rows that are absent or zero, or nodes in an order
            that LightGBM does not write.
    """
    key = f"forest {sha256(text.encode()).hexdigest()}"
    if kept := read_cache(key):
        return _forest_from_bytes(kept)
    forest = _parse(text)
    write_cache(key, _forest_to_bytes(forest))
    return forest


def stack_forests(forests: Sequence[Forest]) -> Forest:
    """Forests over the same features as one, in which each is an output of its own.

    Args:
        forests: of one output each, one or more.

    Raises:
        UnsupportedTreesError: they differ in their features, or one has several outputs.
    """
    if any(one.outputs != 1 or one.features != forests[0].features for one in forests):
        raise UnsupportedTreesError("the models differ in their features, or have several outputs")
    trees, nodes = [], []
    node = leaf = slot = word = 0
    for output, forest in enumerate(forests):
        trees.append(forest.trees.copy())
        nodes.append(forest.nodes.copy())
        trees[-1]["first_node"] += node
        trees[-1]["first_leaf"] += leaf
        trees[-1]["first_slot"] += slot
        trees[-1]["output"] = output
        nodes[-1]["first_word"] += word
        node, leaf = node + forest.nodes.size, leaf + forest.leaves.size
        slot, word = slot + forest.slots.size, word + forest.words.size
    words, leaves, slots, expected = (
        np.concatenate([getattr(forest, name) for forest in forests])
        for name in ("words", "leaves", "slots", "expected")
    )
    return Forest(
        forests[0].features, len(forests), _concatenate(trees, TREE), _concatenate(nodes, NODE),
        words, leaves, slots, expected,
    )  # fmt: skip


def _forest_to_bytes(forest: Forest) -> bytes:
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **vars(forest))
    return file.getvalue()


def _forest_from_bytes(content: bytes) -> Forest:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        values: dict[str, Any] = dict(arrays)
    for name, kind in (("trees", TREE), ("nodes", NODE)):
        values[name] = values[name].view(kind)  # the file does not say that fields are aligned
    for name in ("features", "outputs"):
        values[name] = int(values[name])
    return Forest(**values)


def _parse(text: str) -> Forest:
    head, *sections = text.partition("\nend of trees")[0].split("\nTree=")
    header = _key_values(head)
    outputs = int(header["num_tree_per_iteration"])
    trees = [_tree(_key_values(section)) for section in sections]
    expected = np.zeros(outputs)
    for index, tree in enumerate(trees):
        expected[index % outputs] += tree.expected
    return Forest(
        features=int(header["max_feature_idx"]) + 1,
        outputs=outputs,
        trees=_tree_records(trees, outputs),
        nodes=_concatenate([tree.nodes for tree in trees], NODE),
        # One more, so that there is always a first word to read.
        words=_concatenate([*(tree.words for tree in trees), np.zeros(1, np.uint32)], np.uint32),
        leaves=_concatenate([tree.leaves for tree in trees], np.float64),
        slots=_concatenate([tree.slots for tree in trees], np.float64),
        expected=expected,
    )


def _key_values(section: str) -> dict[str, str]:
    """The lines `key=value`."""
    return dict(line.split("=", 1) for line in section.splitlines() if "=" in line)


def _concatenate(parts: Sequence[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.empty(0, dtype)


def _tree_records(trees: Sequence[_Tree], outputs: int) -> NDArray[Any]:
    """Records of `TREE`; moves the words that the nodes point at to where they are joined."""
    records = np.zeros(len(trees), TREE)
    node = leaf = slot = word = 0
    for index, tree in enumerate(trees):
        tree.nodes["first_word"] += word
        points = (tree.width + 1) // 2
        records[index] = (
            node, tree.nodes.size, leaf, tree.leaves.size, slot, points, index % outputs
        )  # fmt: skip
        node, leaf = node + tree.nodes.size, leaf + tree.leaves.size
        slot, word = slot + tree.slots.size, word + tree.words.size
    return records


def _tree(fields: Mapping[str, str]) -> _Tree:
    if fields.get("is_linear", "0") != "0":
        raise UnsupportedTreesError(LINEAR)
    leaves = _parse_numbers(fields["leaf_value"], np.float64)
    if int(fields["num_leaves"]) == 1:
        nodes = np.empty(0, NODE)
        expected, width = float(leaves[0]), 0
        words = np.empty(0, np.uint32)
    else:
        words = _parse_numbers(fields.get("cat_threshold", ""), np.uint32)
        nodes = _nodes(fields)
        rows = _row_counts(fields)
        _add_shares(nodes, rows)
        width = _add_paths(nodes)
        expected = float(np.sum(rows[nodes.size :] / rows[0] * leaves))
    return _Tree(nodes, leaves, words, _add_leaf_ranges(nodes, leaves), expected, width)


def _parse_numbers(text: str, dtype: Any) -> NDArray[Any]:
    return np.array(text.split(), dtype=dtype)


def _nodes(fields: Mapping[str, str]) -> NDArray[Any]:
    """Features, kinds, thresholds and children, as LightGBM gives them."""
    feature = _parse_numbers(fields["split_feature"], np.int32)
    nodes = np.zeros(feature.size, NODE)
    nodes["feature"] = feature
    nodes["left"] = _parse_numbers(fields["left_child"], np.int32)
    nodes["right"] = _parse_numbers(fields["right_child"], np.int32)
    children = np.stack([nodes["left"], nodes["right"]])
    if ((children >= 0) & (children <= np.arange(feature.size))).any():
        raise UnsupportedTreesError("a node of the model comes before its parent")
    decision = _parse_numbers(fields["decision_type"], np.int32)
    threshold = _parse_numbers(fields["threshold"], np.float64)
    categorical = (decision & _CATEGORICAL) != 0
    nodes["kind"] = np.where(categorical, CATEGORY, _split_kinds(threshold, decision))
    nodes["threshold"] = _thresholds_around_zero(threshold)
    if categorical.any():
        bounds = _parse_numbers(fields["cat_boundaries"], np.int32)
        which = threshold[categorical].astype(np.intp)
        nodes["first_word"][categorical] = bounds[which]
        nodes["words"][categorical] = bounds[which + 1] - bounds[which]
    return nodes


def _split_kinds(threshold: NDArray[np.float64], decision: NDArray[np.int32]) -> NDArray[np.int32]:
    """Kinds of numerical splits (LightGBM's NumericalDecision).

    Where zero is missing and goes where the threshold would send it anyway, it needs no kind of
    its own. Where nothing was missing in training, NaN counts as zero.
    """
    default_left = (decision & _DEFAULT_LEFT) != 0
    missing = (decision >> 2) & 3
    zero_left = threshold >= 0
    nan_left = np.where(
        (missing == _MISSING_NAN) | (missing == _MISSING_ZERO), default_left, zero_left
    )
    zero_is_missing = (missing == _MISSING_ZERO) & (default_left != zero_left)
    return np.where(
        zero_is_missing,
        np.where(default_left, ZERO_LEFT, ZERO_RIGHT),
        np.where(nan_left, NAN_LEFT, NAN_RIGHT),
    )


def _thresholds_around_zero(threshold: NDArray[np.float64]) -> NDArray[np.float64]:
    """Thresholds that send what LightGBM reads as zero where they send zero.

    Its predictor rounds a value within `ZERO_THRESHOLD` of zero to zero before it compares; we
    move a threshold in there to the edge instead.
    """
    below = np.nextafter(-ZERO_THRESHOLD, -np.inf)
    inside = (threshold >= -ZERO_THRESHOLD) & (threshold <= ZERO_THRESHOLD)
    return np.where(inside, np.where(threshold >= 0, ZERO_THRESHOLD, below), threshold)


def _row_counts(fields: Mapping[str, str]) -> NDArray[np.float64]:
    """Training rows of each node, then of each leaf."""
    counts = np.concatenate(
        [
            _parse_numbers(fields.get("internal_count", ""), np.float64),
            _parse_numbers(fields.get("leaf_count", ""), np.float64),
        ]
    )
    if counts.size != 2 * int(fields["num_leaves"]) - 1 or (counts <= 0).any():
        raise UnsupportedTreesError("a node of the model counts no training rows")
    return counts


def _add_shares(nodes: NDArray[Any], rows: NDArray[np.float64]) -> None:
    for side in ("left", "right"):
        child = nodes[side]
        below = rows[np.where(child >= 0, child, nodes.size + ~child)]
        nodes[f"{side}_share"] = below / rows[: nodes.size]


def _add_paths(nodes: NDArray[Any]) -> int:
    """Fills in what came before on each path; returns the most distinct features on one."""
    left, right, feature = (
        nodes[split_feature].tolist() for split_feature in ("left", "right", "feature")
    )
    shares = nodes["left_share"].tolist(), nodes["right_share"].tolist()
    # For each node: feature -> (its last node, whether the path left that to the left, share).
    paths: list[dict[int, tuple[int, int, float]]] = [{} for _ in left]
    before, before_left, share_before = [], [], []
    for index, (path, split_feature) in enumerate(zip(paths, feature, strict=True)):
        last, to_left, share = path.get(split_feature, (-1, 0, 1.0))
        before.append(last)
        before_left.append(to_left)
        share_before.append(share)
        if left[index] >= 0:
            paths[left[index]] = {**path, split_feature: (index, 1, share * shares[0][index])}
        if right[index] >= 0:
            paths[right[index]] = {**path, split_feature: (index, 0, share * shares[1][index])}
    nodes["before"], nodes["before_left"], nodes["share_before"] = before, before_left, share_before
    return max(len(path) + (name not in path) for path, name in zip(paths, feature, strict=True))


def _add_leaf_ranges(nodes: NDArray[Any], leaves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fills in the leaves below each node, numbered from the left; returns the slots."""
    left, right = nodes["left"].tolist(), nodes["right"].tolist()
    count = [1] * len(left)
    for index in reversed(range(len(left))):
        count[index] = sum(count[c] if c >= 0 else 1 for c in (left[index], right[index]))
    order = np.zeros(leaves.size, np.intp)  # of each leaf, from the left
    start = [0] * len(left)
    for index, children in enumerate(zip(left, right, strict=True)):
        first = start[index]
        for child in children:
            if child >= 0:
                start[child] = first
                first += count[child]
            else:
                order[~child] = first
                first += 1
    nodes["first_leaf"] = start
    nodes["left_leaves"] = [count[child] if child >= 0 else 1 for child in left]
    if leaves.size > MAX_BITSET_LEAVES:
        return np.empty(0)
    slots = np.zeros(-(-leaves.size // 64) * 64)
    slots[order // 64 * 64 + _SLOT_OF_BIT[order % 64]] = leaves
    return slots


# Where the kernels look for a leaf, of which they know the bit alone.
_SLOT_OF_BIT = np.array([((DE_BRUIJN << bit) % 2**64) >> 58 for bit in range(64)])
