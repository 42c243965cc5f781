"""A working folder with a champion, made once by the command itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SETTINGS = """
[model]
resamples = 20
refits = 2
threads = 1
few_conversions = 10
[snapshots]
start = "2024-06-01"
"""


@pytest.fixture(scope="session")
def world(simulated: Callable[[int, int], Path]) -> Path:
    """The tables of a world of 300 groups; not to be written to."""
    return simulated(300, 3)


@pytest.fixture(scope="session")
def trained(world: Path, shared_folder: Callable[..., Path]) -> Path:
    """A working folder with settings, figures.json and a champion; not to be written to."""

    def train(folder: Path) -> None:
        (folder / "mqbg.toml").write_text(SETTINGS)
        unset = {"MLFLOW_TRACKING_URI", "MQBG_STORE_URL"}
        environment = {name: value for name, value in os.environ.items() if name not in unset}
        code = "from mqbg.commands.app import main; main()"
        ran = subprocess.run(
            [sys.executable, "-c", code, "train", str(world), "--json", "figures.json"],
            cwd=folder,
            env={**environment, "MQBG_STORE_URL": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr

    return shared_folder("champion", train)
