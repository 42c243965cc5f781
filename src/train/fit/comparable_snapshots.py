"""Which training snapshots a bundle keeps for its what-ifs, and how near is alike."""

from __future__ import annotations

import math
import zlib

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...model.comparable_snapshots import ComparableSnapshots, RoleSnapshots, squared_distances
from ...model.linear import logarithm, standardised
from ..data.snapshots import SnapshotTable
from .trees import TrainingMatrix

COMPARED_FEATURES = 20
"""Those by which the trees gained most; further ones hardly move a score."""

MAX_DRAWN = 300  # snapshots of a role that a bundle keeps
ORDINARY_SHARE = 0.9
"""Of the training's own snapshots, the share that is to find enough others like it."""

DECIMALS = 3  # of what is kept: it is compared, not added
MIN_SCALE = 1e-9
RULE_FEATURES = ("rule_engagement", "completeness")  # what ranks without trees

Floats = NDArray[np.float64]


def find_comparable_snapshots(
    training: SnapshotTable, rows: TrainingMatrix, trees: str, min_support: int, seed: int
) -> ComparableSnapshots | None:
    """Some snapshots of each role that had an engaged member, and the radius of being alike.

    The radius of a role is such that nine in ten of its snapshots have at least `min_support` of
    other groups inside it. An edited group that has fewer lies where groups hardly ever are.

    Args:
        training: the training rows.
        rows: the same as the trees read them.
        trees: LightGBM text; empty where the rule score alone ranks.
        min_support: how many snapshots like it a what-if needs.
        seed: of the draw.

    Returns:
        None where nothing varies that could be compared.
    """
    columns = _compared_columns(rows, trees)
    if not columns:
        return None
    logarithms = [logarithm(rows.x[:, column]) for column in columns]
    centre = [float(np.nanmean(values)) for values in logarithms]
    scale = [float(np.nanstd(values)) for values in logarithms]
    compared = np.column_stack(
        [
            standardised(rows.x[:, column], middle, width)
            for column, middle, width in zip(columns, centre, scale, strict=True)
        ]
    ).round(DECIMALS)
    roles = []
    for role, places in _rows_by_role(training).items():
        if len(places) >= min_support:
            draw = np.random.default_rng([seed, zlib.crc32(role.encode())])
            drawn = np.sort(draw.permutation(places)[:MAX_DRAWN])
            needed = math.ceil(min_support * len(drawn) / len(places))
            radius = _radius(compared[drawn], rows.group_id[drawn], needed)
            kept = tuple(tuple(row) for row in compared[drawn].tolist())
            roles.append(RoleSnapshots(role, len(places), kept, radius))
    names = tuple(rows.names[column] for column in columns)
    return ComparableSnapshots(names, tuple(centre), tuple(scale), tuple(roles))


def _compared_columns(rows: TrainingMatrix, trees: str) -> list[int]:
    """Places of the numbers that the trees gained most by, of those that vary."""
    if trees:
        gain = lgb.Booster(model_str=trees).feature_importance("gain")
    else:
        gain = np.isin(rows.names, RULE_FEATURES).astype(np.float64)
    found = []
    for column in np.argsort(-gain, kind="stable").tolist():
        known = rows.x[~np.isnan(rows.x[:, column]), column]
        varies = known.size > 0 and float(logarithm(known).std()) > MIN_SCALE
        if gain[column] > 0 and varies and column not in rows.category_indices:
            found.append(column)
    return found[:COMPARED_FEATURES]


def _rows_by_role(training: SnapshotTable) -> dict[str, NDArray[np.intp]]:
    """Places of the training rows with an engaged member, by that member's role."""
    keys = training.keys[["group_id", "as_of"]].assign(place=np.arange(len(training.keys)))
    engaged = training.engaged_members[["group_id", "as_of", "role"]].drop_duplicates()
    engaged = engaged.assign(as_of=engaged["as_of"].astype(keys["as_of"].dtype))
    placed = pd.merge(engaged, keys, on=["group_id", "as_of"]).sort_values("place")
    return {str(role): part.to_numpy(np.intp) for role, part in placed.groupby("role")["place"]}


def _radius(compared: Floats, group_id: NDArray[np.object_], needed: int) -> float:
    """Within which nine in ten have as many of other groups as are needed."""
    distance = squared_distances(compared, compared)
    distance[group_id[:, None] == group_id[None, :]] = np.inf
    if needed > len(compared):
        return 0.0
    nearest = np.sort(distance, axis=1)[:, needed - 1]
    nearest = nearest[np.isfinite(nearest)]
    return float(np.quantile(nearest, ORDINARY_SHARE)) if nearest.size else 0.0
