"""What follows a night's scores: pushes to every target, then alerts."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import pyarrow.compute as pc
import sqlalchemy as sa

from ...contract import BadInput
from ...settings import Settings
from ...support.progress import Progress, no_progress
from ..batch.scoring import ScoreTables
from ..store.connection import Store
from ..store.errors import StoreFailed
from ..store.job_lock import hold_job_lock
from ..store.schema import RUN_TABLES, runs
from .alerts.channels import require_channel_configured
from .alerts.dispatch import build_retry_policy, deliver_alerts, enqueue_alerts
from .outbox import outbox, provenance
from .outbox.deliver import DeliveryResult, deliver, unexpected_error_message
from .targets.endpoint import endpoint_of
from .targets.open_target import RECORD_BUILDERS, open_target, require_configured
from .targets.target import PushInputs, Target, TargetUnavailable

Clock = Callable[[], datetime]

MAX_DEAD_RECORDS = 20
"""Dead records that a result lists."""


@dataclass(frozen=True, slots=True)
class PushResult:
    """What became of one target's push.

    Attributes:
        target: its name, or that of a channel of alerts.
        changed: records whose payload was new or other than before.
        delivered: what was sent of them, and of what was left from before.
        dead: records that wait for `mqbg push --retry-dead`.
        dead_records: object_id and last reason of the first of them.
    """

    target: str
    changed: int
    delivered: DeliveryResult
    dead: int = 0
    dead_records: tuple[tuple[str, str], ...] = ()

    @property
    def failed(self) -> bool:
        """Whether anything was rejected or left, or waits for somebody to look at it."""
        delivered = self.delivered
        return bool(delivered.rejected or delivered.unsent or delivered.stop_reason or self.dead)


def require_targets_configured(targets: Sequence[str], settings: Settings) -> None:
    """Makes sure that every target and channel has its settings and secrets, before any scoring.

    Nobody is called: a service that is away must not keep the scores from being made.

    Raises:
        BadInput: there is no such target, one is named twice, or the settings or the environment
            lack what it needs.
    """
    _require_each_once("--to", "target", targets)
    _require_each_once("[alerts] channels", "channel", settings.alerts.channels)
    for name in targets:
        require_configured(name, settings)
    for channel in settings.alerts.channels:
        require_channel_configured(channel, settings.alerts)


def _require_each_once(option: str, kind: str, names: Sequence[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise BadInput(
                f"run: expected every {kind} once, got {option} with {name} {count} times; there "
                "is one of each, with the settings of its section"
            )


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
    progress: Progress = no_progress,
    *,
    resend_all: bool = False,
    allow_older: bool = False,
) -> PushResult:
    """Brings one target to what the scores say.

    The lock on the store is taken once the target has let us in: nobody waits for a login.

    Args:
        store: whose lock nobody in this process holds.
        target_name: of the target.
        scored: the tables of one cut-off.
        settings: [push] is read.
        clock: the time in UTC, without a zone.
        progress: called with a label and the share done.
        resend_all: send every record, changed or not: the target may point elsewhere than before.
        allow_older: the scores may be older than those that were sent.

    Raises:
        BadInput: the settings or the environment lack what the target needs, another job holds
            the store, the target points elsewhere than before, or the scores are older than those
            that were sent.
        StoreFailed: the store could not be written.
    """
    with ExitStack() as stack:
        target: Target | TargetUnavailable
        try:
            target = stack.enter_context(
                open_target(target_name, settings, unix_clock=lambda: _unix_seconds(clock()))
            )
        except TargetUnavailable as reason:  # its login lets us in no more
            target = reason
        wait_seconds = settings.store.lock_timeout_seconds
        stack.enter_context(
            hold_job_lock(store, f"push to {target_name}", wait_seconds=wait_seconds)
        )
        stack.enter_context(_garbage_collection_frozen())
        changed = _enqueue(
            store, target_name, scored, settings, resend_all=resend_all, allow_older=allow_older
        )
        delivered = _deliver_to_target(store, target_name, target, settings, clock, progress)
        return _push_result(store, target_name, changed, delivered)


def _enqueue(
    store: Store,
    target_name: str,
    scored: ScoreTables,
    settings: Settings,
    *,
    resend_all: bool,
    allow_older: bool,
) -> int:
    """Notes what the target should hold; how many records changed."""
    endpoint = endpoint_of(target_name, settings)
    with store.begin() as connection:
        inputs = load_push_inputs(connection, scored)
        as_of = scored.scores["as_of"][0].as_py()
        if resend_all:
            provenance.resend_all(connection, target_name)
        provenance.require_same_endpoint(connection, target_name, endpoint)
        if not allow_older:
            provenance.require_not_older(connection, target_name, as_of)
        desired, policy = (
            RECORD_BUILDERS[target_name](inputs, settings),
            build_retry_policy(settings),
        )
        changed = outbox.enqueue_changes(connection, target_name, desired, policy, as_of=as_of)
        provenance.keep_provenance(connection, target_name, endpoint, as_of)
        return changed


@contextmanager
def _garbage_collection_frozen() -> Iterator[None]:
    """Spares what is there by now from the search for garbage, which costs a fifth of a push."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _deliver_to_target(
    store: Store,
    target_name: str,
    target: Target | TargetUnavailable,
    settings: Settings,
    clock: Clock,
    progress: Progress,
) -> DeliveryResult:
    if isinstance(target, TargetUnavailable):
        with store.begin() as connection:
            waiting = outbox.count_by_state(connection, target_name).get("pending", 0)
        return DeliveryResult(unsent=waiting, stop_reason=str(target))
    retry_policy = build_retry_policy(settings)
    return deliver(store, target, now=clock(), retry_policy=retry_policy, progress=progress)


def _unix_seconds(instant: datetime) -> float:
    return (instant - datetime(1970, 1, 1)).total_seconds()


def _push_result(
    store: Store, target_name: str, changed: int, delivered: DeliveryResult
) -> PushResult:
    with store.begin() as connection:
        dead = outbox.count_by_state(connection, target_name).get("dead", 0)
        dead_records = outbox.load_dead_records(connection, target_name, MAX_DEAD_RECORDS)
    return PushResult(target_name, changed, delivered, dead, tuple(dead_records))


def _guarded(name: str, work: Callable[[], PushResult]) -> PushResult:
    """What became of one target or channel, whatever it raised: the others go on."""
    try:
        return work()
    except (BadInput, StoreFailed, TargetUnavailable) as error:
        reason = str(error)
    except Exception as error:
        reason = unexpected_error_message(name, error)
    return PushResult(name, 0, DeliveryResult(stop_reason=reason))


def send_alerts(
    store: Store, as_of: datetime, settings: Settings, clock: Clock
) -> list[PushResult]:
    """Sends the alerts of a run, and those of runs before that were cut off.

    A channel that fails never stops the others.

    Args:
        store: whose lock nobody in this process holds.
        as_of: of the run.
        settings: [alerts] is read.
        clock: the time in UTC, without a zone.
    """

    def send_to(channel: str) -> PushResult:
        wait_seconds = settings.store.lock_timeout_seconds
        with hold_job_lock(store, f"alerts to {channel}", wait_seconds=wait_seconds):
            with store.begin() as connection:
                planned = enqueue_alerts(connection, channel, as_of, settings)
            delivered = deliver_alerts(store, channel, settings, now=clock())
            return _push_result(store, channel, planned, delivered)

    return [_guarded(channel, partial(send_to, channel)) for channel in settings.alerts.channels]


def run_nightly_job(
    store: Store,
    scored: ScoreTables,
    targets: Sequence[str],
    settings: Settings,
    clock: Clock,
    progress: Progress = no_progress,
    *,
    allow_older: bool = False,
) -> list[PushResult]:
    """Pushes to every target, then alerts; one that fails never stops the others.

    Args:
        store: whose lock nobody in this process holds.
        scored: the tables of one cut-off, which the store remembers.
        targets: their names.
        settings: [push] and [alerts] are read.
        clock: the time in UTC, without a zone.
        progress: called with a label and the share done.
        allow_older: the scores may be older than those that were sent, as of a day scored again.

    Returns:
        One result for each target and channel; what stopped one is its stop_reason.
    """
    results = [
        _guarded(
            name,
            partial(push, store, name, scored, settings, clock, progress, allow_older=allow_older),
        )
        for name in targets
    ]
    if not settings.alerts.channels or not scored.scores.num_rows:
        return results
    return results + send_alerts(store, scored.scores["as_of"][0].as_py(), settings, clock)
