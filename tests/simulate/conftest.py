from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from mqbg.simulate import simulate

GROUPS = 600
SEED = 11


class Written:
    """A simulated folder, its tables read once each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[str, pd.DataFrame] = {}

    def __getitem__(self, table: str) -> pd.DataFrame:
        if table not in self._read:
            self._read[table] = pd.read_parquet(self.folder / f"{table}.parquet")
        return self._read[table].copy()


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("simulated") / "world"
    simulate(folder, groups=GROUPS, seed=SEED)
    return Written(folder)
