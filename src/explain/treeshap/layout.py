"""How trees lie in memory: the records that the parser writes and the kernels read."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float64]

# Kinds of splits. Those of numbers differ in where a missing value goes, and in whether zero is
# missing as well.
NAN_RIGHT, NAN_LEFT, ZERO_RIGHT, ZERO_LEFT, CATEGORY = range(5)

# LightGBM's kZeroThreshold, a float in C++: nearer to zero than this is zero.
ZERO_THRESHOLD = float(np.float32(1e-35))

# Up to this many leaves, bits mark those in reach; in larger trees rows walk from node to node.
MAX_BITSET_LEAVES = 1024

# A bit times this de Bruijn number has another top six bits for each of the 64 bits.
DE_BRUIJN = 0x03F79D71B4CB0A89

NODE = np.dtype(
    [
        ("threshold", np.float64),
        ("left_share", np.float64),  # rows of the left child, as a share of this node's
        ("right_share", np.float64),
        ("share_before", np.float64),  # product of the shares of `feature` on the path so far
        ("feature", np.int32),
        ("kind", np.int32),
        ("left", np.int32),  # a node of the same tree, or ~leaf
        ("right", np.int32),
        ("before", np.int32),  # the nearest node above that splits `feature`, or -1
        ("before_left", np.int32),  # 1 where the path leaves that node to the left
        ("first_leaf", np.int32),  # of those below, numbered from the left
        ("left_leaves", np.int32),  # how many are out of reach going right
        ("first_word", np.int32),  # of the categories that go left
        ("words", np.int32),
    ],
    align=True,
)

TREE = np.dtype(
    [
        ("first_node", np.int32),
        ("nodes", np.int32),
        ("first_leaf", np.int32),
        ("leaves", np.int32),
        ("first_slot", np.int32),  # of its leaves in the order of `DE_BRUIJN`
        ("points", np.int32),  # of the quadrature: half the features on its longest path
        ("output", np.int32),  # the class that it adds to
    ],
    align=True,
)
