"""A store with some nights, and a stand-in for chats."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest
from mqbg.serve.batch.scoring import ScoreTables
from mqbg.serve.store.connection import Store, open_store
from mqbg.serve.store.save_run import save_run
from mqbg.settings import Settings

sys.path.insert(0, str(Path(__file__).parents[1]))  # crm.py and world.py

import crm as stand_in
import world

NO_VERDICTS = pd.DataFrame(columns=["group_id", "decided_at", "verdict", "reason", "reopened_at"])


@pytest.fixture
def store(empty_store, tmp_path) -> Iterator[Store]:
    """An empty store on SQLite."""
    path = shutil.copy(empty_store, tmp_path / "store.sqlite")
    with open_store(f"sqlite:///{path}") as store:
        yield store


@pytest.fixture
def night(store) -> Callable[..., ScoreTables]:
    """`night(as_of, groups, **columns)`: a run into the store."""

    def run(as_of: datetime, groups: list[str], members: int = 2, **columns) -> ScoreTables:
        columns = {"readiness": 0.9, "score": 90, "completeness": 1.0} | columns
        tables = world.scored(groups, as_of, members=members, **columns)
        with save_run(store, tables, NO_VERDICTS, Settings(), as_of) as kept:
            return kept.scored

    return run


@pytest.fixture
def stand(monkeypatch) -> Iterator[Callable[..., stand_in.Crm]]:
    """`stand(mood=..., seed=...)`: a running stand-in, whose hooks the environment names."""
    with ExitStack() as stack:

        def start(**options) -> stand_in.Crm:
            crm = stack.enter_context(stand_in.standing_in(stand_in.Crm(**options)))
            monkeypatch.setenv("MQBG_SLACK_URL", f"{crm.url}/hook/slack/hidden")
            monkeypatch.setenv("MQBG_TEAMS_URL", f"{crm.url}/hook/teams?sig=hidden")
            return crm

        yield start
