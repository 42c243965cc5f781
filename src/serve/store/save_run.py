"""A run into the store: states move, scores are kept, what is too old goes; all or nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from ...contract import BadInput
from ...settings import Settings
from ..batch.scoring import ScoreTables
from ..states import STATE_COLUMNS, TRANSITION_COLUMNS, StateUpdate, update_states
from .connection import Store
from .copy_rows import as_arrow, csv, flat, insert
from .schema import OF_RUN, runs, states, transitions


@dataclass(frozen=True)
class Remembered:
    """A run as the store keeps it.

    Attributes:
        scored: with the status of each group.
        transitions: of this run; columns `states.TRANSITION_COLUMNS`.
    """

    scored: ScoreTables
    transitions: pd.DataFrame


def require_order(connection: sa.Connection, as_of: datetime, *, replay: bool) -> None:
    """Makes sure that a run may come now: days go forward, and the latest one may be repeated.

    Raises:
        BadInput: the store has later runs, whose states rest on what was before them.
    """
    latest = connection.scalar(sa.select(sa.func.max(runs.c.as_of)))
    if latest is None or latest <= as_of or replay:
        return
    later = connection.scalar(
        sa.select(sa.func.count()).select_from(runs).where(runs.c.as_of > as_of)
    )
    raise BadInput(
        f"store: expected --as-of at or after its latest run, {latest:%Y-%m-%d %H:%M}, got "
        f"{as_of:%Y-%m-%d %H:%M}; take --no-store to keep nothing, or --replay to drop "
        f"the {later} later {'run' if later == 1 else 'runs'}, and then score those days again in "
        "order"
    )


@contextmanager
def remembered(
    store: Store,
    scored: ScoreTables,
    verdicts: pd.DataFrame,
    settings: Settings,
    as_of: datetime,
    *,
    replay: bool = False,
) -> Iterator[Remembered]:
    """Moves the states and keeps a run, if what is done meanwhile succeeds.

    A run of the same cut-off, and with `replay` every later one, gives way, with all that it did
    to the states. So repeating a run changes nothing, and repeating past days in order gives the
    same history.

    Args:
        store: held by `locking.locked`.
        scored: of one cut-off.
        verdicts: as `verdicts.verdicts_as_of` gives them.
        settings: [states] and [store] are read.
        as_of: the cut-off.
        replay: drop the runs after the cut-off.

    Yields:
        What is kept once the body is done.

    Raises:
        BadInput: the store has later runs, and `replay` is not given.
        StoreFailed: the database refused, went away, or has no room.
    """
    with store.begin() as connection:
        require_order(connection, as_of, replay=replay)
        _drop_from(connection, as_of)
        frame = scored.scores.to_pandas()
        done = update_states(states_now(connection), frame, verdicts, settings.states, as_of)
        told = _with_status(scored, done)
        _keep(connection, told, done, as_of)
        if settings.store.keep_days:
            _drop_before(connection, as_of - timedelta(days=settings.store.keep_days))
        yield Remembered(told, done.transitions)


@contextmanager
def remembered_if(
    store: Store | None,
    scored: ScoreTables,
    verdicts: pd.DataFrame,
    settings: Settings,
    as_of: datetime,
    *,
    replay: bool = False,
) -> Iterator[Remembered]:
    """The same where there is a store; without one the scores as they are."""
    if store is None:
        yield Remembered(scored, pd.DataFrame(columns=list(TRANSITION_COLUMNS)))
        return
    with remembered(store, scored, verdicts, settings, as_of, replay=replay) as kept:
        yield kept


def states_now(connection: sa.Connection) -> pd.DataFrame:
    """The latest state of each group that has one; columns `states.STATE_COLUMNS`."""
    last = sa.func.max(states.c.as_of).label("as_of")
    latest = sa.select(states.c.group_id, last).group_by(states.c.group_id).subquery()
    both = (states.c.group_id == latest.c.group_id) & (states.c.as_of == latest.c.as_of)
    rows = connection.execute(sa.select(states).join(latest, both)).all()
    return pd.DataFrame(rows, columns=list(STATE_COLUMNS))


def _with_status(scored: ScoreTables, done: StateUpdate) -> ScoreTables:
    table = scored.scores
    place = table.schema.get_field_index("status")
    status = pa.array(done.status.tolist(), pa.string())
    return replace(scored, scores=table.set_column(place, table.schema.field(place), status))


def _keep(connection: sa.Connection, told: ScoreTables, done: StateUpdate, as_of: datetime) -> None:
    for name, table in OF_RUN.items():
        insert(connection, table, getattr(told, name))
    for table, frame in ((states, done.states), (transitions, done.transitions)):
        insert(connection, table, as_arrow(table, frame))
    digest = hashlib.sha256(csv(flat(told.scores))).hexdigest()
    connection.execute(
        sa.insert(runs).values(
            as_of=as_of,
            model_version=told.scores["model_version"][0].as_py(),
            groups=told.scores.num_rows,
            digest=digest,
        )
    )


def _drop_from(connection: sa.Connection, as_of: datetime) -> None:
    for table in (*OF_RUN.values(), states, transitions, runs):
        connection.execute(sa.delete(table).where(table.c.as_of >= as_of))


def _drop_before(connection: sa.Connection, as_of: datetime) -> None:
    for table in (*OF_RUN.values(), runs):
        connection.execute(sa.delete(table).where(table.c.as_of < as_of))
