"""A small model of a simulated world, for what needs any model at all."""

from __future__ import annotations

from datetime import datetime

import pyarrow.parquet as pq
import pytest
from mqbg.contract import TABLES
from mqbg.settings import (
    ExplainSettings,
    ModelSettings,
    ObservationSettings,
    Settings,
    SnapshotSettings,
    TargetSettings,
)
from mqbg.simulate import simulate
from mqbg.train.fit import trees as fit
from mqbg.train.training import train

SETTINGS = Settings(
    target=TargetSettings(horizon_days=150),
    observation=ObservationSettings(datetime(2025, 12, 1)),
    snapshots=SnapshotSettings(start=datetime(2024, 12, 1)),
    model=ModelSettings(threads=1, resamples=2, ablation=False),
    explain=ExplainSettings(min_support=5),
)


@pytest.fixture(scope="package")
def small_model(tmp_path_factory, open_tables):
    """(source, bundle) of a world of 200 groups."""
    out = tmp_path_factory.mktemp("small") / "world"
    simulate(out, groups=200, seed=13)
    source = open_tables(
        {name: pq.read_table(out / f"{name}.parquet") for name in TABLES}, SETTINGS
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "ROUNDS", 25)
        trained = train(source, test_from=datetime(2025, 7, 1), progress=lambda *_: None)
    return source, trained.bundle
