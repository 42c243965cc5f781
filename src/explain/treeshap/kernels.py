"""The compiled loops: nodes outside, a block of rows inside, so that rows share instructions.

All kernels are in one module, since numba's cache of a kernel does not notice a change in a
function of another file; nor does it notice one in `layout.py`, so touch this file after that.
Slices of arrays cost a reference count each, so the loops index instead. Importing this module
compiles the kernels, or loads them from the cache.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from ...support.compiling import compiled
from .layout import (
    CATEGORY,
    DE_BRUIJN,
    MAX_BITSET_LEAVES,
    NAN_LEFT,
    NAN_RIGHT,
    NODE,
    TREE,
    ZERO_RIGHT,
    ZERO_THRESHOLD,
    Array,
    Floats,
)

BLOCK_ROWS = 256

_ALL_BITS = np.uint64(0xFFFFFFFFFFFFFFFF)
_TOP_SIX = np.uint64(58)
_BRUIJN = np.uint64(DE_BRUIJN)
_FLOATS = numba.types.Array(numba.float64, 1, "C", readonly=True)
_ROWS = numba.types.Array(numba.float64, 2, "A", readonly=True)
_NODES = numba.types.Array(numba.from_dtype(NODE), 1, "C", readonly=True)
_TREES = numba.types.Array(numba.from_dtype(TREE), 1, "C", readonly=True)
_WORDS = numba.types.Array(numba.uint32, 1, "C", readonly=True)


@compiled()
def _in_set(value: float, node: Any, words: Array) -> bool:
    """Whether a category is among those that go left (LightGBM's CategoricalDecision)."""
    known = (value > -1.0) & (value < 32.0 * node.words)  # NaN is not
    category = np.int64(value if known else 0.0)
    word = words[node.first_word + (category >> 5)]
    return bool(known & ((word >> np.uint32(category & 31)) & np.uint32(1)))


@compiled()
def _goes_left(value: float, node: Any, words: Array) -> bool:
    """Where one value goes (LightGBM's Decision)."""
    kind = node.kind
    if kind == NAN_RIGHT:
        return bool(value <= node.threshold)
    if kind == NAN_LEFT:
        return not value > node.threshold
    if kind == CATEGORY:
        return _in_set(value, node, words)
    if kind == ZERO_RIGHT:
        return bool(value <= node.threshold) and not abs(value) <= ZERO_THRESHOLD
    return not value > node.threshold or abs(value) <= ZERO_THRESHOLD


@compiled()
def _decide_category(columns: Floats, rows: int, node: Any, words: Array, left: Array) -> None:
    """As `_in_set`; a set of up to 64 categories stays in a register."""
    feature = node.feature
    if node.words > 2:
        for row in range(rows):
            left[row] = _in_set(columns[feature, row], node, words)
        return
    bits = np.uint64(words[node.first_word])
    if node.words == 2:
        bits |= np.uint64(words[node.first_word + 1]) << np.uint64(32)
    for row in range(rows):
        value = columns[feature, row]
        known = (value > -1.0) & (value < 32.0 * node.words)
        category = np.uint64(np.int64(value if known else 0.0))
        left[row] = known & ((bits >> category) & np.uint64(1))


@compiled()
def _decide(columns: Floats, rows: int, node: Any, words: Array, left: Array) -> None:
    """Fills `left` with 1 for the rows that a node sends left, 0 for the others.

    The same as `_goes_left`, with a loop for each kind, so that each has no branches.
    """
    feature, threshold = node.feature, node.threshold
    if node.kind == NAN_RIGHT:
        for row in range(rows):
            left[row] = columns[feature, row] <= threshold
    elif node.kind == NAN_LEFT:
        for row in range(rows):
            left[row] = not columns[feature, row] > threshold
    elif node.kind == CATEGORY:
        _decide_category(columns, rows, node, words, left)
    elif node.kind == ZERO_RIGHT:
        for row in range(rows):
            value = columns[feature, row]
            left[row] = (value <= threshold) & (not abs(value) <= ZERO_THRESHOLD)
    else:
        for row in range(rows):
            value = columns[feature, row]
            left[row] = (not value > threshold) | (abs(value) <= ZERO_THRESHOLD)


@compiled()
def _lanes(rows: int) -> int:
    """One row alone, or a whole number of vectors: the odd rows of a loop cost as much as many."""
    return rows if rows <= 1 else (rows + 7) // 8 * 8


@compiled()
def _load(x: Floats, start: int, rows: int, columns: Floats) -> int:
    """Copies a block of rows, turned so that the values of one feature are neighbours.

    Returns how many rows to work on; those after the last are zero.
    """
    lanes = _lanes(rows)
    for feature in range(x.shape[1]):
        for row in range(rows):
            columns[feature, row] = x[start + row, feature]
        for row in range(rows, lanes):
            columns[feature, row] = 0.0
    return lanes


@compiled()
def _add_by_walking(
    columns: Floats, rows: int, tree: Any, nodes: Array, words: Array, leaves: Floats,
    total: Floats,
) -> None:  # fmt: skip
    for row in range(rows):
        place = 0 if tree.nodes else -1
        while place >= 0:
            node = nodes[tree.first_node + place]
            place = node.left if _goes_left(columns[node.feature, row], node, words) else node.right
        total[row] += leaves[tree.first_leaf + ~place]


@compiled()
def _mask_outside(first: int, last: int) -> Any:
    """Bits outside first to last, of which some are in the word."""
    low, high = max(first, 0), min(last, 63)
    return ~((_ALL_BITS >> np.uint64(63 - (high - low))) << np.uint64(low))


@compiled()
def _mask_unreachable(
    columns: Floats, rows: int, node: Any, words: Array, left: Array, reach: Array
) -> None:
    """Takes the leaves left of a node out of reach of the rows that go right."""
    feature, threshold, kind = node.feature, node.threshold, node.kind
    if kind != NAN_RIGHT and kind != NAN_LEFT:
        _decide(columns, rows, node, words, left)
    last = node.first_leaf + node.left_leaves - 1
    for word in range(node.first_leaf >> 6, (last >> 6) + 1):
        mask = _mask_outside(node.first_leaf - 64 * word, last - 64 * word)
        if kind == NAN_RIGHT:
            for row in range(rows):
                stays = columns[feature, row] <= threshold
                reach[word, row] &= _ALL_BITS if stays else mask
        elif kind == NAN_LEFT:
            for row in range(rows):
                stays = not columns[feature, row] > threshold
                reach[word, row] &= _ALL_BITS if stays else mask
        else:
            for row in range(rows):
                reach[word, row] &= _ALL_BITS if left[row] else mask


@compiled()
def _add_by_bits(
    columns: Floats, rows: int, tree: Any, nodes: Array, words: Array, slots: Floats,
    left: Array, reach: Array, leaf: Floats, total: Floats,
) -> None:  # fmt: skip
    """A row's leaf is the leftmost one that no node takes out of its reach.

    Lucchese et al., QuickScorer, SIGIR 2015.
    """
    width = (tree.leaves + 63) // 64
    for word in range(width):
        for row in range(rows):
            reach[word, row] = _ALL_BITS
    for place in range(tree.first_node, tree.first_node + tree.nodes):
        _mask_unreachable(columns, rows, nodes[place], words, left, reach)
    for word in range(width - 1, -1, -1):
        first = np.uint64(tree.first_slot + 64 * word)
        for row in range(rows):
            lowest = reach[word, row] & (np.uint64(0) - reach[word, row])
            value = slots[first + ((lowest * _BRUIJN) >> _TOP_SIX)]
            leaf[row] = value if lowest else leaf[row]
    for row in range(rows):
        total[row] += leaf[row]


PREDICT = numba.void(_ROWS, _TREES, _NODES, _WORDS, _FLOATS, _FLOATS, numba.float64[:, :])
"""Of `predict`, which is compiled when it is first wanted: `packed_trees` scores most models."""


def predict(
    x: Floats, trees: Array, nodes: Array, words: Array, leaves: Floats, slots: Floats,
    out: Floats,
) -> None:  # fmt: skip
    """Adds the leaves that each row reaches, tree by tree as LightGBM does, so bit for bit.

    Args:
        x: shape (rows, features).
        trees: records of `TREE`.
        nodes: records of `NODE`.
        words: bit sets of categories.
        leaves: value of each leaf.
        slots: the same in the order of `DE_BRUIJN`, 64 for each 64 leaves.
        out: shape (rows, outputs); overwritten.
    """
    outputs = out.shape[1]
    block = _lanes(min(BLOCK_ROWS, x.shape[0]))
    columns = np.empty((x.shape[1], block))
    total = np.empty((outputs, block))
    left = np.empty(block, np.uint8)
    reach = np.empty((MAX_BITSET_LEAVES // 64, block), np.uint64)
    leaf = np.empty(block)
    for start in range(0, x.shape[0], BLOCK_ROWS):
        rows = min(BLOCK_ROWS, x.shape[0] - start)
        lanes = _load(x, start, rows, columns)
        total[:] = 0.0
        for which in range(trees.size):
            tree = trees[which]
            here = total[tree.output]
            if rows == 1 or tree.leaves > MAX_BITSET_LEAVES:
                _add_by_walking(columns, rows, tree, nodes, words, leaves, here)
            else:
                _add_by_bits(columns, lanes, tree, nodes, words, slots, left, reach, leaf, here)
        for row in range(rows):
            for output in range(outputs):
                out[start + row, output] = total[output, row]


@compiled()
def _satisfied(
    columns: Floats, rows: int, tree: Any, nodes: Array, words: Array, left: Array,
    above: Floats, hot: Floats,
) -> None:  # fmt: skip
    """Which splits of a node's feature each row satisfies.

    `above`: 1 where the row satisfies all those on the path to the node. `hot`: 1 where it
    also goes left here; so above - hot is 1 where it also goes right.
    """
    for place in range(tree.nodes):
        node = nodes[tree.first_node + place]
        _decide(columns, rows, node, words, left)
        if node.before < 0:
            for row in range(rows):
                above[place, row] = 1.0
        elif node.before_left:
            for row in range(rows):
                above[place, row] = hot[node.before, row]
        else:
            for row in range(rows):
                above[place, row] = above[node.before, row] - hot[node.before, row]
        for row in range(rows):
            hot[place, row] = above[place, row] * left[row]


@compiled(fastmath={"contract"})
def _downward_pass(
    point: float, rows: int, tree: Any, nodes: Array, leaves: Floats, above: Floats,
    hot: Floats, product: Floats,
) -> None:  # fmt: skip
    """The integrand's product of z (1 - t) + o t on the path to each node; at leaves times value.

    `product` has one row for each node and then one for each leaf; the root's is given.
    """
    rest = 1.0 - point
    for place in range(tree.nodes):
        node = nodes[tree.first_node + place]
        left, right, left_times, right_times = node.left, node.right, 1.0, 1.0
        if left < 0:
            left_times, left = leaves[tree.first_leaf + ~left], tree.nodes + ~left
        if right < 0:
            right_times, right = leaves[tree.first_leaf + ~right], tree.nodes + ~right
        # The factor of this feature so far is replaced: we divide by it where the row still
        # satisfies it; where not, only z shrinks.
        satisfied = 1.0 / (node.share_before * rest + point)
        cold_left, cold_right = node.left_share * left_times, node.right_share * right_times
        base = node.share_before * rest * satisfied
        step_left, step_right = point * satisfied * left_times, point * satisfied * right_times
        if node.before < 0:
            for row in range(rows):
                product[left, row] = product[place, row] * (
                    cold_left * base + hot[place, row] * step_left
                )
                product[right, row] = product[place, row] * (
                    cold_right * base + step_right - hot[place, row] * step_right
                )
        else:
            more_left = cold_left * base - cold_left
            more_right = cold_right * base - cold_right + step_right
            for row in range(rows):
                product[left, row] = product[place, row] * (
                    cold_left + above[place, row] * more_left + hot[place, row] * step_left
                )
                product[right, row] = product[place, row] * (
                    cold_right + above[place, row] * more_right - hot[place, row] * step_right
                )


@compiled(fastmath={"contract"})
def _upward_pass(
    point: float, rows: int, tree: Any, nodes: Array, above: Floats, hot: Floats,
    product: Floats, phi: Floats,
) -> None:  # fmt: skip
    """Adds (o - z) / (z (1 - t) + o t) times the leaves below, from the lowest nodes up.

    Each node adds what its own split changes of that quotient for its feature; along a path the
    changes add up to the quotient at the leaf. `product` becomes the sum of the leaves below.
    """
    rest = 1.0 - point
    for backwards in range(tree.nodes):
        place = tree.nodes - 1 - backwards
        node = nodes[tree.first_node + place]
        left = node.left if node.left >= 0 else tree.nodes + ~node.left
        right = node.right if node.right >= 0 else tree.nodes + ~node.right
        feature = node.feature
        share = node.share_before
        share_left, share_right = share * node.left_share, share * node.right_share
        before = (1.0 - share) / (share * rest + point)
        on_left = (1.0 - share_left) / (share_left * rest + point)
        on_right = (1.0 - share_right) / (share_right * rest + point)
        off = -1.0 / rest
        if node.before < 0:
            for row in range(rows):
                phi[feature, row] += product[left, row] * (
                    off + hot[place, row] * (on_left - off)
                ) + product[right, row] * (on_right - hot[place, row] * (on_right - off))
                product[place, row] = product[left, row] + product[right, row]
        else:
            for row in range(rows):
                phi[feature, row] += product[left, row] * (
                    above[place, row] * (off - before) + hot[place, row] * (on_left - off)
                ) + product[right, row] * (
                    above[place, row] * (on_right - before) - hot[place, row] * (on_right - off)
                )
                product[place, row] = product[left, row] + product[right, row]


@compiled(
    numba.void(
        _ROWS, _TREES, _NODES, _WORDS, _FLOATS, _FLOATS, _FLOATS, numba.int64,
        numba.float64[:, :, :],
    ),
)  # fmt: skip
def contributions(
    x: Floats, trees: Array, nodes: Array, words: Array, leaves: Floats, points: Floats,
    weights: Floats, max_nodes: int, out: Floats,
) -> None:  # fmt: skip
    """Path-dependent TreeSHAP by Gauss-Legendre quadrature.

    Args:
        x: shape (rows, features).
        trees: records of `TREE`.
        nodes: records of `NODE`.
        words: bit sets of categories.
        leaves: value of each leaf.
        points: in (0, 1); those of the rule with n points begin at n (n - 1) / 2.
        weights: of the points.
        max_nodes: of any tree.
        out: shape (rows, outputs, features); overwritten.
    """
    block = _lanes(min(BLOCK_ROWS, x.shape[0]))
    outputs, features = out.shape[1], out.shape[2]
    columns = np.empty((x.shape[1], block))
    phi = np.empty((outputs, features, block))
    left = np.empty(block, np.uint8)
    above = np.empty((max_nodes, block))
    hot = np.empty((max_nodes, block))
    product = np.empty((2 * max_nodes + 1, block))
    for start in range(0, x.shape[0], BLOCK_ROWS):
        rows = min(BLOCK_ROWS, x.shape[0] - start)
        lanes = _load(x, start, rows, columns)
        phi[:] = 0.0
        for which in range(trees.size):
            tree = trees[which]
            _satisfied(columns, lanes, tree, nodes, words, left, above, hot)
            first = tree.points * (tree.points - 1) // 2
            for number in range(first, first + tree.points):
                for row in range(lanes):
                    product[0, row] = weights[number]
                _downward_pass(points[number], lanes, tree, nodes, leaves, above, hot, product)
                _upward_pass(
                    points[number], lanes, tree, nodes, above, hot, product, phi[tree.output]
                )
        for row in range(rows):
            for output in range(outputs):
                for feature in range(features):
                    out[start + row, output, feature] = phi[output, feature, row]
