"""What training looks at: features and outcomes of every group at every cut-off."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
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
from ..fit.horizons import Outcomes
from ..fit.reference_members import engaged_members
from .labels import converted_groups

Progress = Callable[[str, float], None]

SEGMENTS = ("tier", "industry", "country")
"""Category features by which figures and thresholds are told apart, beside the solution."""


@dataclass(frozen=True)
class Snapshots:
    """Features and outcomes of every cut-off.

    Attributes:
        features: the feature table, in order of as_of and group_id.
        keys: group_id, account_id, solution_id, as_of, converted; the same rows.
        engaged: member rows of engaged members, with as_of and converted (see `typical`).
        further: shape (rows,) for each further horizon in days: converted within it.
    """

    features: pa.Table
    keys: pd.DataFrame
    engaged: pd.DataFrame
    further: Mapping[int, NDArray[np.bool_]]

    def at(self, cutoffs: Sequence[datetime]) -> Snapshots:
        """The rows of some cut-offs."""
        chosen = self.keys["as_of"].isin(cutoffs).to_numpy()
        return Snapshots(
            self.features.filter(pa.array(chosen)),
            self.keys[chosen].reset_index(drop=True),
            self.engaged[self.engaged["as_of"].isin(cutoffs)],
            {days: converted[chosen] for days, converted in self.further.items()},
        )

    @property
    def converted(self) -> NDArray[np.bool_]:
        """Whether each row converted within the model's own horizon, shape (rows,)."""
        return self.keys["converted"].to_numpy(dtype=bool)

    def numbers(self, name: str) -> NDArray[np.float64]:
        """A feature, shape (rows,)."""
        return np.asarray(self.features[name].to_numpy(), dtype=np.float64)

    def described(self) -> pd.DataFrame:
        """The keys with what figures and thresholds tell groups apart by.

        Returns:
            group_id, account_id, solution_id, as_of, converted, completeness, tier, industry,
            country (texts or None) and group_size (members).
        """
        return self.keys.assign(
            completeness=self.numbers("completeness"),
            group_size=self.numbers("members").astype(np.int64),
            **{name: self.features[name].to_pylist() for name in SEGMENTS},
        )

    def outcomes(self, until: datetime) -> tuple[Outcomes, ...]:
        """Those of the further horizons; known are the ones that had passed by `until`."""
        return tuple(
            Outcomes(
                days,
                converted,
                (self.keys["as_of"] + timedelta(days=days) <= until).to_numpy(dtype=bool),
            )
            for days, converted in self.further.items()
        )


def collect(
    source: FeatureSource, words: Catalogue, cutoffs: Sequence[datetime], progress: Progress
) -> Snapshots:
    """Features, outcomes and engaged members at every cut-off.

    Raises:
        BadInput: no cut-off has an eligible group.
    """
    target, stages = source.settings.target, source.tables["stage_events"]
    further: dict[int, list[NDArray[np.bool_]]] = {days: [] for days in target.more_horizons_days}
    features, keys, engaged = [], [], []
    for number, as_of in enumerate(cutoffs):
        progress("snapshots", number / len(cutoffs))
        converted = converted_groups(stages, target, as_of)
        with open_snapshot(source, words, as_of) as at:
            table = at.features()
            features.append(table)
            keys.append(_keys(at, table, converted))
            engaged.append(engaged_members(at, words, converted))
        for days, parts in further.items():
            within = converted_groups(stages, replace(target, horizon_days=days), as_of)
            parts.append(_is_in(table, within))
    progress("snapshots", 1.0)
    if not sum(len(part) for part in keys):
        raise BadInput(
            f"train: expected groups that were open between {cutoffs[0]:%Y-%m-%d} and "
            f"{cutoffs[-1]:%Y-%m-%d}, found none; check created_at in buying_groups and the stages"
        )
    return Snapshots(
        pa.concat_tables(features),
        pd.concat(keys, ignore_index=True),
        pd.concat(engaged),
        {days: np.concatenate(parts) for days, parts in further.items()},
    )


def _keys(at: Snapshot, features: pa.Table, converted: pa.Array) -> pd.DataFrame:
    groups = at.groups.select("group_id", "account_id", "solution_id").order_by("group_id")
    known = groups.to_pyarrow()
    return pd.DataFrame(
        {
            "group_id": features["group_id"].to_pylist(),
            "account_id": known["account_id"].to_pylist(),
            "solution_id": known["solution_id"].to_pylist(),
            "as_of": pd.Series([at.as_of] * features.num_rows, dtype="datetime64[us]"),
            "converted": _is_in(features, converted),
        }
    )


def _is_in(features: pa.Table, group_ids: pa.Array) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = pc.is_in(features["group_id"], value_set=group_ids).to_numpy()
    return found


def fingerprint(source: FeatureSource) -> str:
    """A digest of the tables' contents, whatever the order of their rows."""
    digest = hashlib.sha256()
    for name, table in source.tables.items():
        row = table.select(
            whole=ibis.array([table[c].cast("string").fill_null("\x00") for c in table.columns])
            .join("\x1f")
            .hash()
        )
        sums = row.agg(
            rows=row.count(), low=(row.whole & 0xFFFFFFFF).sum(), high=(row.whole >> 32).sum()
        )
        digest.update(repr((name, sums.to_pyarrow().to_pylist())).encode())
    return digest.hexdigest()[:16]
