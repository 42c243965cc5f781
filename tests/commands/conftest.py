"""A working folder with a champion, and its scores at two cut-offs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

EARLIER, AS_OF = "2025-05-01", "2025-06-01"


@pytest.fixture(scope="session")
def world(simulated: Callable[[int, int], Path]) -> Path:
    """The tables of a world of 200 groups; not to be written to."""
    return simulated(200, 13)


@pytest.fixture(scope="session")
def trained(small_champion: Path) -> Path:
    """A working folder with settings, figures.json and a champion; not to be written to."""
    return small_champion


@pytest.fixture(scope="session")
def scored(trained: Path, world: Path, shared_folder: Callable[..., Path]) -> Path:
    """What `mqbg score` wrote, in a folder for each cut-off; not to be written to."""
    from mqbg.commands.app import main

    def score(folder: Path) -> None:
        for as_of in (EARLIER, AS_OF):
            arguments = ["score", str(world), "--as-of", as_of, "--out", str(folder / as_of)]
            with pytest.MonkeyPatch.context() as patch:
                patch.delenv("MLFLOW_TRACKING_URI", raising=False)
                patch.setenv("MQBG_STORE_URL", "")
                patch.chdir(trained)
                patch.setattr(sys, "argv", ["mqbg", *arguments])
                with pytest.raises(SystemExit) as ended:
                    main()
            assert not ended.value.code

    return shared_folder("scored", score)
