"""What follows a night's scores: pushes to every target, then alerts."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

import pyarrow.compute as pc
import sqlalchemy as sa

from ...contract import BadInput
from ...settings import Settings
from ..batch.scoring import ScoreTables
from ..store.connection import Store
from ..store.schema import RUN_TABLES, runs
from .alerts.channels import open_channel
from .alerts.dispatch import build_retry_policy, deliver_alerts, enqueue_alerts
from .outbox import outbox
from .outbox.deliver import DeliveryResult, Progress, deliver
from .targets.open_target import RECORD_BUILDERS, open_target
from .targets.target import PushInputs, TargetUnavailable

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class PushResult:
    """What became of one target's push.

    Attributes:
        target: its name, or that of a channel of alerts.
        changed: records whose payload was new or other than before.
        delivered: what was sent of them, and of what was left from before.
        dead: records that wait for `mqbg push --retry-dead`.
    """

    target: str
    changed: int
    delivered: DeliveryResult
    dead: int

    @property
    def failed(self) -> bool:
        """Whether anything was rejected or left."""
        return bool(self.delivered.rejected or self.delivered.unsent or self.delivered.stop_reason)


def require_targets_open(targets: Sequence[str], settings: Settings) -> None:
    """Makes sure that every target and channel can be opened, before hours of scoring.

    Raises:
        BadInput: there is no such target, or the settings or the environment lack what it needs.
    """
    for name in targets:
        with suppress(TargetUnavailable), open_target(name, settings, unix_clock=lambda: 0.0):
            pass  # one that lets us in no more is told of when its turn comes
    for channel in settings.alerts.channels:
        with open_channel(channel, settings.alerts):
            pass


def load_push_inputs(connection: sa.Connection | None, scored: ScoreTables) -> PushInputs:
    """Scores with those of the cut-off before, where the store has it.

    Raises:
        BadInput: there are no scores, or they are of several cut-offs.
    """
    cutoffs = pc.unique(scored.scores["as_of"]).to_pylist()
    if len(cutoffs) != 1:
        raise BadInput(
            f"push: expected the scores of one cut-off, got {len(cutoffs)}; score again and push "
            "the folder that `mqbg score` wrote"
        )
    previous = {} if connection is None else load_previous_scores(connection, cutoffs[0])
    return PushInputs(scored, previous)


def load_previous_scores(connection: sa.Connection, as_of: datetime) -> dict[str, int]:
    """Score by group_id at the last cut-off before this one."""
    before = sa.select(sa.func.max(runs.c.as_of)).where(runs.c.as_of < as_of).scalar_subquery()
    table = RUN_TABLES["scores"]
    query = sa.select(table.c.group_id, table.c.score).where(table.c.as_of == before)
    return {row[0]: row[1] for row in connection.execute(query).all()}


def push(
    store: Store,
    target_name: str,
    scored: ScoreTables,
    settings: Settings,
    clock: Clock,
    progress: Progress = lambda _label, _share: None,
) -> PushResult:
    """Brings one target to what the scores say.

    Args:
        store: whose lock the caller holds.
        target_name: of the target.
        scored: the tables of one cut-off.
        settings: [push] is read.
        clock: the time in UTC, without a zone.
        progress: called with a label and the share done.

    Raises:
        BadInput: the settings or the environment lack what the target needs.
        StoreFailed: the store could not be written.
    """
    retry_policy = build_retry_policy(settings)
    with _garbage_collection_frozen():
        with store.begin() as connection:
            desired = RECORD_BUILDERS[target_name](load_push_inputs(connection, scored), settings)
            changed = outbox.enqueue_changes(connection, target_name, desired, retry_policy)
        del desired  # of 100,000 groups: not beside what is about to be sent
        delivered = _deliver_to_target(store, target_name, settings, clock, progress)
    return _push_result(store, target_name, changed, delivered)


@contextmanager
def _garbage_collection_frozen() -> Iterator[None]:
    """Spares what is there by now from the search for garbage, which costs a fifth of a push."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _deliver_to_target(
    store: Store, target_name: str, settings: Settings, clock: Clock, progress: Progress
) -> DeliveryResult:
    try:
        with open_target(
            target_name, settings, unix_clock=lambda: _unix_seconds(clock())
        ) as target:
            return deliver(
                store,
                target,
                now=clock(),
                retry_policy=build_retry_policy(settings),
                progress=progress,
            )
    except TargetUnavailable as reason:  # its login let us in no more
        with store.begin() as connection:
            waiting = outbox.count_by_state(connection, target_name).get("pending", 0)
        return DeliveryResult(unsent=waiting, stop_reason=str(reason))


def _unix_seconds(instant: datetime) -> float:
    return (instant - datetime(1970, 1, 1)).total_seconds()


def _push_result(
    store: Store, target_name: str, changed: int, delivered: DeliveryResult
) -> PushResult:
    with store.begin() as connection:
        dead = outbox.count_by_state(connection, target_name).get("dead", 0)
    return PushResult(target_name, changed, delivered, dead)


def send_alerts(
    store: Store, as_of: datetime, settings: Settings, clock: Clock
) -> list[PushResult]:
    """Sends the alerts of a run, and those of runs before that were cut off.

    Args:
        store: whose lock the caller holds.
        as_of: of the run.
        settings: [alerts] is read.
        clock: the time in UTC, without a zone.

    Raises:
        BadInput: a channel's environment variable is not set.
        StoreFailed: the store could not be written.
    """
    results = []
    for channel in settings.alerts.channels:
        with store.begin() as connection:
            planned = enqueue_alerts(connection, channel, as_of, settings)
        delivered = deliver_alerts(store, channel, settings, now=clock())
        results.append(_push_result(store, channel, planned, delivered))
    return results


def run_nightly_job(
    store: Store,
    scored: ScoreTables,
    targets: Sequence[str],
    settings: Settings,
    clock: Clock,
    progress: Progress = lambda _label, _share: None,
) -> list[PushResult]:
    """Pushes to every target, then alerts; one that fails never stops the others.

    Args:
        store: whose lock the caller holds.
        scored: the tables of one cut-off, which the store remembers.
        targets: their names.
        settings: [push] and [alerts] are read.
        clock: the time in UTC, without a zone.
        progress: called with a label and the share done.

    Raises:
        StoreFailed: the store could not be written.
    """
    results = []
    for name in targets:
        try:
            results.append(push(store, name, scored, settings, clock, progress))
        except BadInput as error:
            results.append(_push_result(store, name, 0, DeliveryResult(stop_reason=str(error))))
    if not settings.alerts.channels:
        return results
    return results + send_alerts(store, scored.scores["as_of"][0].as_py(), settings, clock)
