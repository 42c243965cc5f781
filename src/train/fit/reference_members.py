"""The reference member of each role, whom what-ifs put where somebody is missing."""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from scipy.stats import rankdata

from ...features.declare.catalogue import Catalogue
from ...features.tables.feature_table import Snapshot
from ...model.bundle import ReferenceMember

Floats = NDArray[np.float64]


def engaged_members(snapshot: Snapshot, catalogue: Catalogue, converted: pa.Array) -> pd.DataFrame:
    """Member rows with inbound activity in the last 30 days, of groups of both outcomes.

    Returns:
        group_id, as_of, role, converted, then the signals; in order of group_id and contact_id.
    """
    engaged = snapshot.members.filter(
        snapshot.members.contact_id.notnull(), snapshot.members.inbound_30d > 0
    )
    names = [signal.name for signal in catalogue.signals]
    rows = engaged.order_by("group_id", "contact_id").select(
        "group_id", "role", *names, as_of=ibis.literal(snapshot.as_of, "timestamp(6)")
    )
    frame: pd.DataFrame = rows.to_pyarrow().to_pandas()
    return frame.assign(converted=frame["group_id"].isin(converted.to_pylist()))


MEDOID_CANDIDATES = 64
"""Members nearest to the median, among whom the medoid is looked for."""


def find_reference_members(
    engaged: pd.DataFrame, catalogue: Catalogue
) -> tuple[ReferenceMember, ...]:
    """The medoid of the engaged members of each role in snapshots that converted.

    It is a real one: the member from whom all others are least far away. Medians of each signal by
    itself make somebody who cannot be: active this week, and silent since months. A role without an
    engaged member in any converted snapshot has no reference member.

    Args:
        engaged: rows of `engaged_members`, of the training cut-offs.
        catalogue: gives the signals and roles.
    """
    names = [signal.name for signal in catalogue.signals]
    members = []
    for role in catalogue.vocabulary.template.roles:
        rows = engaged[engaged["role"] == role.name]
        converted = rows[rows["converted"]]
        if len(converted):
            signals = converted[names].to_numpy(np.float64, na_value=np.nan)
            chosen = signals[medoid(signals)]
            members.append(
                ReferenceMember(
                    role.name,
                    {
                        name: None if np.isnan(value) else float(value)
                        for name, value in zip(names, chosen, strict=True)
                    },
                    len(converted),
                    len(rows[["group_id", "as_of"]].drop_duplicates()),
                )
            )
    return tuple(members)


def medoid(signals: Floats) -> int:
    """Place of the row with the least sum of distances to all others; of equal ones the first.

    Signals count by their ranks, so that none counts more for its unit; a missing one lies below
    all others. The distance is the sum of absolute differences, which the median of each signal
    makes least, so the medoid is looked for among the rows nearest to it.

    Args:
        signals: shape (members, signals); NaN where missing.
    """
    ranks = np.column_stack(
        [
            rankdata(np.where(np.isnan(column), -np.inf, column), method="average")
            for column in signals.T
        ]
    )
    from_median = np.abs(ranks - np.median(ranks, axis=0)).sum(axis=1)
    nearest = np.sort(np.argsort(from_median, kind="stable")[:MEDOID_CANDIDATES])
    distances = [float(np.abs(ranks - ranks[place]).sum()) for place in nearest]
    return int(nearest[int(np.argmin(distances))])
