"""Nights of a made-up world, each in a process of its own that may be killed.

Reads one JSON object a line, forks, and the child does that night's job: scores into the store,
pushes, alerts. Writes the child's id, then how it ended. Forking spares each night the imports.
A line may name a commit at which the child kills itself.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import sqlalchemy as sa
import world
from mqbg.serve.delivery.nightly_job import run_nightly_job
from mqbg.serve.store.connection import open_store
from mqbg.serve.store.job_lock import hold_job_lock
from mqbg.serve.store.save_run import save_run
from mqbg.settings import AlertSettings, PushSettings, Settings
from mqbg.settings.delivery import HubSpotSettings

FIRST = datetime(2025, 3, 1)
NO_VERDICTS = pd.DataFrame(columns=["group_id", "decided_at", "verdict", "reason", "reopened_at"])
LIMITS = {
    "requests_per_10_seconds": 100_000, "wait_seconds": 0.02, "tries": 6, "timeout_seconds": 5.0,
}  # fmt: skip


def settings_for(url: str) -> Settings:
    """Every retry at once, and alerts however old."""
    return Settings(
        push=PushSettings(
            max_attempts=1000, retry_minutes=0.0,
            hubspot=HubSpotSettings(url=url, notes=("qualified",), **LIMITS),
        ),
        alerts=AlertSettings(
            channels=("slack",), digest_above=1000, max_age_days=1000.0, fall_points=40.0, **LIMITS
        ),
    )  # fmt: skip


def as_of(number: int) -> datetime:
    """Of a night."""
    return FIRST + timedelta(days=number)


def tables(number: int, groups: int) -> Any:
    """Scores of a night; a third of the groups moves from night to night."""
    return world.scored(groups, as_of(number), seed=number, change=0.35)


def job(store_url: str, url: str, number: int, groups: int) -> bool:
    """One night; whether everything was accepted."""
    settings, at = settings_for(url), as_of(number)
    with (
        open_store(store_url) as store,
        hold_job_lock(store, f"night {number}"),
        save_run(store, tables(number, groups), NO_VERDICTS, settings, at) as kept,
    ):
        pass
    with open_store(store_url) as store:
        done = run_nightly_job(store, kept.scored, ["hubspot"], settings, lambda: at)
    return not any(one.failed for one in done)


def die_at_commit(number: int, *, done: bool) -> None:
    """Lets this process die by SIGKILL inside its commit of this number, from 1.

    Args:
        number: of the commit, in the order of the process.
        done: whether the database has made it last before the process dies.
    """
    seen = 0

    @sa.event.listens_for(sa.Engine, "commit")
    def die(connection: sa.Connection) -> None:
        nonlocal seen
        seen += 1
        if seen == number:
            if done:
                connection.dialect.do_commit(connection.connection)
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Forks a night for every line."""
    import stamina.instrumentation

    stamina.instrumentation.set_on_retry_hooks([])
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            status = 2
            try:
                given = json.loads(line)
                if commit := given.pop("dies_at_commit"):
                    die_at_commit(**commit)
                status = 0 if job(**given) else 1
            except BaseException:
                traceback.print_exc()
            os._exit(status)
        _say(child)
        _, status = os.waitpid(child, 0)
        _say(os.waitstatus_to_exitcode(status))


def _say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
