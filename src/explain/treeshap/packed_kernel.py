"""The compiled loops of `packed_trees`; importing this module compiles them, or loads them.

They are in a module of their own, so that a process that scores small trees loads no others.
Numba's cache does not notice a change in `layout.py`: touch this file after one.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from ...support.compiling import compiled
from .layout import DE_BRUIJN, Array, Floats

BLOCK_ROWS = 256

_ALL_BITS = np.uint64(0xFFFFFFFFFFFFFFFF)
_ZERO, _ONE, _TOP_SIX = np.uint64(0), np.uint64(1), np.uint64(58)
_BRUIJN = np.uint64(DE_BRUIJN)
_ROWS = numba.types.Array(numba.float64, 2, "A", readonly=True)
_ENDS = numba.types.Array(numba.int64, 2, "C", readonly=True)
_PLACES = numba.types.Array(numba.int64, 1, "C", readonly=True)
_BITS = numba.types.Array(numba.uint64, 1, "C", readonly=True)
_FLOATS = numba.types.Array(numba.float64, 1, "C", readonly=True)


@compiled()
def _is_in(category: float, bits: Any) -> bool:
    """Whether a category is in a set of up to 64; NaN is in none."""
    known = (category > -1.0) & (category < 64.0)
    bit = np.uint64(np.int64(category if known else 0.0))
    return bool(known & ((bits >> bit) & _ONE))


@compiled()
def _slot(reach: Any) -> Any:
    """Where the value of the leftmost leaf in reach is, from the first slot of a tree."""
    lowest = reach & (_ZERO - reach)
    return np.int64((lowest * _BRUIJN) >> _TOP_SIX)


@compiled()
def _score_row(
    x: Floats, ends: Array, first_slot: Array, output: Array, thresholds: Floats, sets: Array,
    masks: Array, features: Array, slots: Floats, out: Floats,
) -> None:  # fmt: skip
    """One row alone, whose leaves in reach stay in a register."""
    for number in range(out.shape[1]):
        out[0, number] = 0.0
    first = 0
    for tree in range(output.size):
        reach = _ALL_BITS
        for node in range(first, ends[tree, 0]):
            stays = x[0, features[node]] <= thresholds[node]
            reach &= _ALL_BITS if stays else masks[node]
        for node in range(ends[tree, 0], ends[tree, 1]):
            goes = x[0, features[node]] > thresholds[node]
            reach &= masks[node] if goes else _ALL_BITS
        for node in range(ends[tree, 1], ends[tree, 2]):
            stays = _is_in(x[0, features[node]], sets[node])
            reach &= _ALL_BITS if stays else masks[node]
        first = ends[tree, 2]
        out[0, output[tree]] += slots[first_slot[tree] + _slot(reach)]


@compiled()
def _score_block(
    columns: Floats, rows: int, ends: Array, first_slot: Array, output: Array, thresholds: Floats,
    sets: Array, masks: Array, features: Array, slots: Floats, reach: Array, total: Floats,
) -> None:  # fmt: skip
    """Rows side by side: node after node, each for all rows."""
    total[:] = 0.0
    first = 0
    for tree in range(output.size):
        for row in range(rows):
            reach[row] = _ALL_BITS
        for node in range(first, ends[tree, 0]):
            feature, threshold, mask = features[node], thresholds[node], masks[node]
            for row in range(rows):
                reach[row] &= _ALL_BITS if columns[feature, row] <= threshold else mask
        for node in range(ends[tree, 0], ends[tree, 1]):
            feature, threshold, mask = features[node], thresholds[node], masks[node]
            for row in range(rows):
                reach[row] &= mask if columns[feature, row] > threshold else _ALL_BITS
        for node in range(ends[tree, 1], ends[tree, 2]):
            feature, bits, mask = features[node], sets[node], masks[node]
            for row in range(rows):
                reach[row] &= _ALL_BITS if _is_in(columns[feature, row], bits) else mask
        first = ends[tree, 2]
        number, slot = output[tree], first_slot[tree]
        for row in range(rows):
            total[number, row] += slots[slot + _slot(reach[row])]


@compiled(
    numba.void(
        _ROWS, _ENDS, _PLACES, _PLACES, _FLOATS, _BITS, _BITS, _PLACES, _FLOATS,
        numba.float64[:, :],
    )
)  # fmt: skip
def predict(
    x: Floats, ends: Array, first_slot: Array, output: Array, thresholds: Floats, sets: Array,
    masks: Array, features: Array, slots: Floats, out: Floats,
) -> None:  # fmt: skip
    """Adds the leaves that each row reaches, tree by tree as LightGBM does, so bit for bit.

    A row's leaf is the leftmost one that no node takes out of its reach: Lucchese et al.,
    QuickScorer, SIGIR 2015.

    Args:
        x: shape (rows, features).
        ends: see `PackedTrees`, as for those that follow.
        first_slot: of each tree.
        output: of each tree.
        thresholds: of each node.
        sets: of each node.
        masks: of each node.
        features: of each node.
        slots: values of leaves.
        out: shape (rows, outputs); overwritten.
    """
    if x.shape[0] == 1:
        _score_row(
            x, ends, first_slot, output, thresholds, sets, masks, features, slots, out
        )  # fmt: skip
        return
    # Whole vectors of rows: the odd rows of a loop cost as much as many.
    block = min(BLOCK_ROWS, (x.shape[0] + 7) // 8 * 8)
    columns = np.zeros((x.shape[1], block))
    reach = np.empty(block, np.uint64)
    total = np.empty((out.shape[1], block))
    for start in range(0, x.shape[0], BLOCK_ROWS):
        rows = min(BLOCK_ROWS, x.shape[0] - start)
        for feature in range(x.shape[1]):
            for row in range(rows):
                columns[feature, row] = x[start + row, feature]
        lanes = (rows + 7) // 8 * 8
        _score_block(
            columns, lanes, ends, first_slot, output, thresholds, sets, masks, features, slots,
            reach, total,
        )  # fmt: skip
        for row in range(rows):
            for number in range(out.shape[1]):
                out[start + row, number] = total[number, row]
