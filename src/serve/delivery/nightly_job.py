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
from ..store.schema import OF_RUN, runs
from .alerts.channels import opened_channel
from .alerts.dispatch import deliver_alerts, patience_of, plan_alerts
from .outbox import outbox
from .outbox.deliver import Delivered, Progress, deliver
from .targets.open_target import RECORDS, opened_target
from .targets.target import Given, Stopped

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of one target's push.

    Attributes:
        target: its name, or that of a channel of alerts.
        changed: records whose payload was new or other than before.
        delivered: what was sent of them, and of what was left from before.
        dead: records that wait for `mqbg push --retry-dead`.
    """

    target: str
    changed: int
    delivered: Delivered
    dead: int

    @property
    def failed(self) -> bool:
        """Whether anything was rejected or left."""
        return bool(self.delivered.rejected or self.delivered.left or self.delivered.stopped)


def require_ready(targets: Sequence[str], settings: Settings) -> None:
    """Makes sure that every target and channel can be opened, before hours of scoring.

    Raises:
        BadInput: there is no such target, or the settings or the environment lack what it needs.
    """
    for name in targets:
        with suppress(Stopped), opened_target(name, settings, seconds=lambda: 0.0):
            pass  # one that lets us in no more is told of when its turn comes
    for channel in settings.alerts.channels:
        with opened_channel(channel, settings.alerts):
            pass


def given_of(connection: sa.Connection | None, scored: ScoreTables) -> Given:
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
    previous = {} if connection is None else previous_scores(connection, cutoffs[0])
    return Given(scored, previous)


def previous_scores(connection: sa.Connection, as_of: datetime) -> dict[str, int]:
    """Score by group_id at the last cut-off before this one."""
    before = sa.select(sa.func.max(runs.c.as_of)).where(runs.c.as_of < as_of).scalar_subquery()
    table = OF_RUN["scores"]
    query = sa.select(table.c.group_id, table.c.score).where(table.c.as_of == before)
    return {row[0]: row[1] for row in connection.execute(query).all()}


def push(
    store: Store,
    name: str,
    scored: ScoreTables,
    settings: Settings,
    clock: Clock,
    progress: Progress = lambda _label, _share: None,
) -> Pushed:
    """Brings one target to what the scores say.

    Args:
        store: whose lock the caller holds.
        name: of the target.
        scored: the tables of one cut-off.
        settings: [push] is read.
        clock: the time in UTC, without a zone.
        progress: called with a label and the share done.

    Raises:
        BadInput: the settings or the environment lack what the target needs.
        StoreFailed: the store could not be written.
    """
    patience = patience_of(settings)
    with _without_searching():
        with store.begin() as connection:
            records = RECORDS[name](given_of(connection, scored), settings)
            changed = outbox.plan(connection, name, records, patience)
        del records  # of 100,000 groups: not beside what is about to be sent
        delivered = _delivered(store, name, settings, clock, progress)
    return _told(store, name, changed, delivered)


@contextmanager
def _without_searching() -> Iterator[None]:
    """Spares what is there by now from the search for garbage, which costs a fifth of a push."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _delivered(
    store: Store, name: str, settings: Settings, clock: Clock, progress: Progress
) -> Delivered:
    try:
        with opened_target(name, settings, seconds=lambda: _seconds(clock())) as target:
            return deliver(
                store, target, now=clock(), patience=patience_of(settings), progress=progress
            )
    except Stopped as reason:  # its login let us in no more
        with store.begin() as connection:
            waiting = outbox.counts(connection, name).get("pending", 0)
        return Delivered(left=waiting, stopped=str(reason))


def _seconds(instant: datetime) -> float:
    return (instant - datetime(1970, 1, 1)).total_seconds()


def _told(store: Store, name: str, changed: int, delivered: Delivered) -> Pushed:
    with store.begin() as connection:
        dead = outbox.counts(connection, name).get("dead", 0)
    return Pushed(name, changed, delivered, dead)


def tell(store: Store, as_of: datetime, settings: Settings, clock: Clock) -> list[Pushed]:
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
    told = []
    for channel in settings.alerts.channels:
        with store.begin() as connection:
            new = plan_alerts(connection, channel, as_of, settings)
        delivered = deliver_alerts(store, channel, settings, now=clock())
        told.append(_told(store, channel, new, delivered))
    return told


def night(
    store: Store,
    scored: ScoreTables,
    targets: Sequence[str],
    settings: Settings,
    clock: Clock,
    progress: Progress = lambda _label, _share: None,
) -> list[Pushed]:
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
    done = []
    for name in targets:
        try:
            done.append(push(store, name, scored, settings, clock, progress))
        except BadInput as error:
            done.append(_told(store, name, 0, Delivered(stopped=str(error))))
    if not settings.alerts.channels:
        return done
    return done + tell(store, scored.scores["as_of"][0].as_py(), settings, clock)
