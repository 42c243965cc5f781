"""A run into the store: states move, scores are kept, what is too old goes; all or nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from ...contract import BadInput
from ...model.states import (
    QUALIFIED,
    STATE_COLUMNS,
    StateUpdate,
    update_states,
)
from ...settings import Settings
from ..batch.capacity_at_night import CapacityAtNight
from ..batch.scoring import ScoreTables
from .changed_rows import store_changed_rows
from .connection import Store
from .copy_rows import frame_to_arrow, insert_rows, prepare_rows
from .schema import DIGEST, RANKINGS, STORED_TABLES, UNTIL_RUN, runs, states, transitions

_BATCH_TABLE = {name: "scores" if name == RANKINGS else name for name in STORED_TABLES}
"""The table of the batch that each table of the store is of."""


@dataclass(frozen=True)
class SavedRun:
    """A run as the store keeps it.

    Attributes:
        scored: with the status of each group.
        transitions: of this run; columns `states.TRANSITION_COLUMNS`.
    """

    scored: ScoreTables
    transitions: pd.DataFrame


def require_chronological(connection: sa.Connection, as_of: datetime, *, replay: bool) -> None:
    """Makes sure that a run may come now: days go forward, and the latest one may be repeated.

    Raises:
        BadInput: the store has later runs, whose states rest on what was before them.
    """
    latest = connection.scalar(sa.select(sa.func.max(runs.c.as_of)))
    if latest is None or latest <= as_of or replay:
        return
    later_runs = connection.scalar(
        sa.select(sa.func.count()).select_from(runs).where(runs.c.as_of > as_of)
    )
    raise BadInput(
        f"store: expected --as-of at or after its latest run, {latest:%Y-%m-%d %H:%M}, got "
        f"{as_of:%Y-%m-%d %H:%M}; take --no-store to keep nothing, or --replay to drop "
        f"the {later_runs} later {'run' if later_runs == 1 else 'runs'}, and then score those days "
        "again in order"
    )


@contextmanager
def save_run(
    store: Store,
    scored: ScoreTables,
    verdicts: pd.DataFrame,
    settings: Settings,
    as_of: datetime,
    *,
    replay: bool = False,
    capacity: CapacityAtNight | None = None,
) -> Iterator[SavedRun]:
    """Moves the states and keeps a run, if what is done meanwhile succeeds.

    A run of the same cut-off, and with `replay` every later one, gives way, with all that it did
    to the states. So repeating a run changes nothing, and repeating past days in order gives the
    same history.

    Args:
        store: held by `job_lock.hold_job_lock`.
        scored: of one cut-off.
        verdicts: as `time_rules.verdicts.verdicts_as_of` gives them.
        settings: [states] and [store] are read.
        as_of: the cut-off.
        replay: drop the runs after the cut-off.
        capacity: what sales can take, where the thresholds follow it: the run then lets in as many
            groups as the runs before it left room for, and `threshold` becomes the readiness of
            the last of them.

    Yields:
        What is kept once the body is done.

    Raises:
        BadInput: the store has later runs, and `replay` is not given.
        StoreFailed: the database refused, went away, or has no room.
    """
    with store.begin() as connection:
        require_chronological(connection, as_of, replay=replay)
        _delete_from(connection, as_of)
        scores_frame = scored.scores.to_pandas()
        quota = (
            None
            if capacity is None
            else capacity.quota(load_new_entries(connection), scores_frame["group_id"], as_of)
        )
        moved_states = update_states(
            load_latest_states(connection), scores_frame, verdicts, settings.states, as_of, quota
        )
        scored_with_status = _with_status(scored, moved_states)
        _write_run(connection, scored_with_status, moved_states, as_of)
        if settings.store.retention_days:
            _delete_before(connection, as_of - timedelta(days=settings.store.retention_days))
        yield SavedRun(scored_with_status, moved_states.transitions)


def load_latest_states(connection: sa.Connection) -> pd.DataFrame:
    """The latest state of each group that has one; columns `states.STATE_COLUMNS`."""
    latest_as_of = sa.func.max(states.c.as_of).label("as_of")
    latest = sa.select(states.c.group_id, latest_as_of).group_by(states.c.group_id).subquery()
    is_latest = (states.c.group_id == latest.c.group_id) & (states.c.as_of == latest.c.as_of)
    rows = connection.execute(sa.select(states).join(latest, is_latest)).all()
    return pd.DataFrame(rows, columns=list(STATE_COLUMNS))


def load_new_entries(connection: sa.Connection) -> list[tuple[datetime, list[str]]]:
    """Each run in order of time, with the ids of the groups that newly qualified in it."""
    entered = sa.select(transitions.c.as_of, transitions.c.group_id).where(
        transitions.c.to_status == QUALIFIED
    )
    entries: dict[datetime, list[str]] = {
        as_of: [] for as_of in connection.scalars(sa.select(runs.c.as_of).order_by(runs.c.as_of))
    }
    for as_of, group_id in connection.execute(entered):
        entries[as_of].append(group_id)
    return list(entries.items())


def _with_status(scored: ScoreTables, moved_states: StateUpdate) -> ScoreTables:
    table = scored.scores
    for name, values in (
        ("status", moved_states.status.tolist()),
        ("threshold", moved_states.threshold.tolist()),
    ):
        index = table.schema.get_field_index(name)
        field = table.schema.field(index)
        table = table.set_column(index, field, pa.array(values, field.type))
    return replace(scored, scores=table)


def _write_run(
    connection: sa.Connection, scored: ScoreTables, moved_states: StateUpdate, as_of: datetime
) -> None:
    latest_as_of = connection.scalar(sa.select(sa.func.max(runs.c.run_id)))
    run_id, digest = (latest_as_of or 0) + 1, hashlib.sha256()
    connection.execute(
        sa.insert(runs).values(
            run_id=run_id,
            as_of=as_of,
            model_version=scored.scores["model_version"][0].as_py(),
            groups=scored.scores.num_rows,
            digest="",
            rows_kept=True,
        )
    )
    with ThreadPoolExecutor(1) as worker:  # makes the rows of the next table meanwhile
        contents = worker.map(
            lambda name: prepare_rows(name, getattr(scored, _BATCH_TABLE[name])), STORED_TABLES
        )
        for table, rows in zip(STORED_TABLES.values(), contents, strict=True):
            digest.update(b"".join(rows[DIGEST].to_pylist()))
            store_changed_rows(connection, table, rows, run_id)
    this = runs.c.run_id == run_id
    connection.execute(sa.update(runs).where(this).values(digest=digest.hexdigest()))
    for table, frame in ((states, moved_states.states), (transitions, moved_states.transitions)):
        insert_rows(connection, table, frame_to_arrow(table, frame))


def _delete_from(connection: sa.Connection, as_of: datetime) -> None:
    """Undoes runs: by their foreign keys all that they did goes, and what they ended goes on."""
    connection.execute(sa.delete(runs).where(runs.c.as_of >= as_of))


def _delete_before(connection: sa.Connection, as_of: datetime) -> None:
    """Drops the rows that no run from this instant on has."""
    first = connection.scalar(sa.select(sa.func.min(runs.c.run_id)).where(runs.c.as_of >= as_of))
    for table in STORED_TABLES.values():
        connection.execute(sa.delete(table).where(table.c[UNTIL_RUN] <= first))
    connection.execute(sa.update(runs).where(runs.c.run_id < first).values(rows_kept=False))
