"""What training looks at: features and outcomes of every group at every cut-off."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ...contract import BadInput
from ...features.declare.catalogue import Catalogue
from ...features.tables.feature_source import FeatureSource
from ...features.tables.feature_table import Snapshot, open_snapshot
from ...support.progress import Progress
from ..fit.horizons import HorizonOutcomes
from ..fit.reference_members import engaged_members
from .labels import converted_groups

SEGMENT_FEATURES = ("tier", "industry", "country")
"""Category features by which figures and thresholds are split, beside the solution."""


@dataclass(frozen=True)
class SnapshotTable:
    """Features and outcomes of every cut-off.

    Attributes:
        features: the feature table, in order of as_of and group_id.
        keys: group_id, account_id, solution_id, as_of, converted; the same rows.
        engaged_members: member rows of engaged members, with as_of and converted (see
            `reference_members`).
        converted_by_horizon: shape (rows,) for each further horizon in days: converted within it.
    """

    features: pa.Table
    keys: pd.DataFrame
    engaged_members: pd.DataFrame
    converted_by_horizon: Mapping[int, NDArray[np.bool_]]

    def at_cutoffs(self, cutoffs: Sequence[datetime]) -> SnapshotTable:
        """The rows of some cut-offs."""
        chosen = self.keys["as_of"].isin(cutoffs).to_numpy()
        return SnapshotTable(
            self.features.filter(pa.array(chosen)),
            self.keys[chosen].reset_index(drop=True),
            self.engaged_members[self.engaged_members["as_of"].isin(cutoffs)],
            {days: converted[chosen] for days, converted in self.converted_by_horizon.items()},
        )

    @property
    def converted(self) -> NDArray[np.bool_]:
        """Whether each row converted within the model's own horizon, shape (rows,)."""
        return self.keys["converted"].to_numpy(dtype=bool)

    def feature_values(self, name: str) -> NDArray[np.float64]:
        """A feature, shape (rows,)."""
        return np.asarray(self.features[name].to_numpy(), dtype=np.float64)

    def keys_with_segments(self) -> pd.DataFrame:
        """The keys with what figures and thresholds tell groups apart by.

        Returns:
            group_id, account_id, solution_id, as_of, converted, completeness, engagement (the
            rule score), tier, industry, country (texts or None) and group_size (members).
        """
        return self.keys.assign(
            completeness=self.feature_values("completeness"),
            engagement=self.feature_values("rule_engagement"),
            group_size=self.feature_values("members").astype(np.int64),
            **{name: self.features[name].to_pylist() for name in SEGMENT_FEATURES},
        )

    def horizon_outcomes(self, observed_until: datetime) -> tuple[HorizonOutcomes, ...]:
        """Those of the further horizons; known are the ones that had passed by `observed_until`."""
        return tuple(
            HorizonOutcomes(
                days,
                converted,
                (self.keys["as_of"] + timedelta(days=days) <= observed_until).to_numpy(dtype=bool),
            )
            for days, converted in self.converted_by_horizon.items()
        )


def collect_snapshots(
    source: FeatureSource,
    catalogue: Catalogue,
    cutoffs: Sequence[datetime],
    progress: Progress,
    *,
    members: bool = True,
) -> SnapshotTable:
    """Features, outcomes and engaged members at every cut-off.

    Args:
        source: prepared tables with their settings.
        catalogue: of the features.
        cutoffs: the cut-offs.
        progress: called with a label and the share done.
        members: whether engaged members are asked for; without, their table has no row.

    Raises:
        BadInput: no cut-off has an eligible group.
    """
    target, stage_events = source.settings.target, source.tables["stage_events"]
    converted_by_horizon: dict[int, list[NDArray[np.bool_]]] = {
        days: [] for days in target.more_horizons_days
    }
    features, keys, engaged = [], [], []
    for number, as_of in enumerate(cutoffs):
        progress("snapshots", number / len(cutoffs))
        converted = converted_groups(stage_events, target, as_of)
        with open_snapshot(source, catalogue, as_of) as snapshot:
            if members:  # first: the features of very many groups are made of the rows it keeps
                engaged.append(engaged_members(snapshot, catalogue, converted))
            table = snapshot.features()
            features.append(table)
            keys.append(_snapshot_keys(snapshot, table, converted))
        for days, parts in converted_by_horizon.items():
            converted_within = converted_groups(
                stage_events, replace(target, horizon_days=days, more_horizons_days=()), as_of
            )
            parts.append(_rows_of_groups(table, converted_within))
    progress("snapshots", 1.0)
    if not sum(len(part) for part in keys):
        raise BadInput(
            f"train: expected groups that were open between {cutoffs[0]:%Y-%m-%d} and "
            f"{cutoffs[-1]:%Y-%m-%d}, found none; check created_at in buying_groups and the stages"
        )
    return SnapshotTable(
        pa.concat_tables(features),
        pd.concat(keys, ignore_index=True),
        pd.concat(engaged) if engaged else pd.DataFrame(columns=["group_id", "as_of"]),
        {days: np.concatenate(parts) for days, parts in converted_by_horizon.items()},
    )


def _snapshot_keys(snapshot: Snapshot, features: pa.Table, converted: pa.Array) -> pd.DataFrame:
    groups = snapshot.groups.select("group_id", "account_id", "solution_id").order_by("group_id")
    group_columns = groups.to_pyarrow()
    return pd.DataFrame(
        {
            "group_id": features["group_id"].to_pylist(),
            "account_id": group_columns["account_id"].to_pylist(),
            "solution_id": group_columns["solution_id"].to_pylist(),
            "as_of": pd.Series([snapshot.as_of] * features.num_rows, dtype="datetime64[us]"),
            "converted": _rows_of_groups(features, converted),
        }
    )


def _rows_of_groups(features: pa.Table, group_ids: pa.Array) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = pc.is_in(features["group_id"], value_set=group_ids).to_numpy()
    return mask


def data_fingerprint(source: FeatureSource) -> str:
    """A digest of the tables' contents, whatever the order of their rows."""
    digest = hashlib.sha256()
    for name, table in source.tables.items():
        row_hashes = table.select(
            row_hash=ibis.array([table[c].cast("string").fill_null("\x00") for c in table.columns])
            .join("\x1f")
            .hash()
        )
        sums = row_hashes.agg(
            rows=row_hashes.count(),
            low=(row_hashes.row_hash & 0xFFFFFFFF).sum(),
            high=(row_hashes.row_hash >> 32).sum(),
        )
        digest.update(repr((name, sums.to_pyarrow().to_pylist())).encode())
    return digest.hexdigest()[:16]
