"""The typical engaged member of each role, whom what-ifs put where somebody is missing."""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa

from ...features.declare.catalogue import Catalogue
from ...features.tables.feature_table import Snapshot
from ...model.bundle import ReferenceMember


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


def find_reference_members(
    engaged: pd.DataFrame, catalogue: Catalogue
) -> tuple[ReferenceMember, ...]:
    """The median engaged member of each role in snapshots that converted.

    Each signal's median is an observed value (the lower one of an even number), so counts stay
    whole. A role without an engaged member in any converted snapshot has no typical member.

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
            median = converted[names].quantile(0.5, interpolation="lower")
            members.append(
                ReferenceMember(
                    role.name,
                    {
                        name: None if np.isnan(median[name]) else float(median[name])
                        for name in names
                    },
                    len(converted),
                    len(rows[["group_id", "as_of"]].drop_duplicates()),
                )
            )
    return tuple(members)
