"""A store, a stand-in for the CRMs, and made-up nights."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from mqbg.serve.delivery.outbox.outbox import RetryPolicy
from mqbg.serve.store.connection import Store, open_store

sys.path.insert(0, str(Path(__file__).parent))  # crm.py and world.py are no packages' modules

import crm as stand_in


@pytest.fixture
def patience() -> RetryPolicy:
    """Three refusals, due again at once."""
    return RetryPolicy(3, timedelta(0))


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory) -> Path:
    """The file of an empty store."""
    path = tmp_path_factory.mktemp("store") / "empty.sqlite"
    with open_store(f"sqlite:///{path}"):
        return path


@pytest.fixture
def store(empty_store, tmp_path) -> Iterator[Store]:
    """An empty store on SQLite."""
    path = shutil.copy(empty_store, tmp_path / "store.sqlite")
    with open_store(f"sqlite:///{path}") as store:
        yield store


@pytest.fixture
def stand() -> Iterator[Callable[..., stand_in.Crm]]:
    """`stand(mood=..., seed=...)`: a running stand-in."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(stand_in.standing_in(stand_in.Crm(**options)))


@pytest.fixture(autouse=True)
def token(monkeypatch) -> None:
    """What every service here lets in."""
    for service in ("HUBSPOT", "SALESFORCE", "DYNAMICS"):
        monkeypatch.setenv(f"MQBG_{service}_TOKEN", stand_in.TOKEN)
    monkeypatch.setenv("MQBG_WEBHOOK_SECRET", "hush")
