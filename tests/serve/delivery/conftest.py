"""A store, a stand-in for the CRMs, and made-up nights."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from mqbg.serve.delivery.outbox import outbox
from mqbg.serve.delivery.outbox.deliver import deliver
from mqbg.serve.delivery.outbox.outbox import RetryPolicy
from mqbg.serve.delivery.outbox.outbox_table import outbox as table
from mqbg.serve.delivery.targets.open_target import RECORD_BUILDERS, open_target
from mqbg.serve.delivery.targets.target import PushInputs
from mqbg.serve.store.connection import Store, open_store
from mqbg.settings import Settings
from mqbg.settings.delivery import (
    DynamicsSettings,
    HubSpotSettings,
    PushSettings,
    SalesforceSettings,
    WebhookSettings,
)

sys.path.insert(0, str(Path(__file__).parent))  # crm.py and world.py are no packages' modules

import crm as stand_in
from world import AS_OF, scored


@pytest.fixture
def patience() -> RetryPolicy:
    """Three refusals, due again at once."""
    return RetryPolicy(3, timedelta(0))


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


QUICK = {
    "requests_per_10_seconds": 100_000, "timeout_seconds": 2.0, "wait_seconds": 0.01, "tries": 2,
    "connections": 1,
}  # fmt: skip
SECTIONS = {
    "hubspot": HubSpotSettings, "salesforce": SalesforceSettings, "dynamics": DynamicsSettings,
}  # fmt: skip


@pytest.fixture
def push(store, patience, monkeypatch):
    """`push(name, crm, groups, **settings)` plans and delivers, quickly."""

    def run(name, crm, groups, **own):
        if name == "webhook":
            monkeypatch.setenv("MQBG_WEBHOOK_URL", f"{crm.url}/hook/x?sig=hidden")
            section = WebhookSettings(**(QUICK | own))
        else:
            section = SECTIONS[name](**(QUICK | {"url": crm.url} | own))
        settings = Settings(push=PushSettings(**{name: section}))
        with open_target(name, settings, unix_clock=lambda: 0.0) as target:
            with store.begin() as connection:
                records = RECORD_BUILDERS[name](PushInputs(scored(groups), {}), settings)
                outbox.enqueue_changes(connection, name, records, patience)
            return deliver(store, target, now=AS_OF, retry_policy=patience)

    return run


@pytest.fixture
def rows(store):
    """`rows()`: state, attempts and reason by object_id."""

    def read():
        with store.begin() as connection:
            found = connection.execute(sa.select(table)).all()
        return {row.object_id: (row.state, row.attempts, row.last_error) for row in found}

    return read
