"""The store on SQLite: writing a night, a night without changes, reading while it is written."""

from __future__ import annotations

import resource
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from mqbg.serve.batch.score_tables import SCORE_SCHEMAS
from mqbg.serve.batch.scoring import ScoreTables
from mqbg.serve.store.connection import Store, open_store
from mqbg.serve.store.queries import GroupFilter, load_group, load_groups_page
from mqbg.serve.store.save_run import save_run
from mqbg.settings import Settings

from .push import AS_OF, _scored

GROUPS = 100_000
MEMBERS, THEMES, STEPS = 4, 9, 6  # of a group, of a member, of a group: as the demo has them
DAY = timedelta(days=1)
READ_SECONDS = 5.0
NO_VERDICTS = pd.DataFrame(columns=["group_id", "decided_at", "verdict", "reason", "reopened_at"])


def run(groups: int = GROUPS, seconds: float = READ_SECONDS) -> None:
    """Prints seconds, sizes, growth and reads a second."""
    scored = made(groups)
    rows = sum(getattr(scored, name).num_rows for name in SCORE_SCHEMAS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.sqlite"
        url = f"sqlite:///{path}"
        print(f"{groups:,} groups, {rows:,} rows: {_timed(url, scored, AS_OF)}")
        size = path.stat().st_size
        print(f"file: {size / 1e6:,.1f} MB")
        print(f"a night without changes: {_timed(url, at(scored, AS_OF + DAY), AS_OF + DAY)}")
        grown = path.stat().st_size - size
        print(f"the file grew by {grown:,} bytes, {grown / size:.3%}")
        later = AS_OF + 2 * DAY
        print(f"ranks of all and scores of 5 % changed: {_timed(url, moved(scored, later), later)}")
        print(f"the file grew by {(path.stat().st_size - size - grown) / size:.1%}")
        with open_store(url, read_only=True) as store:
            print(f"one group, nothing else going on: {_reads(store, groups, later, seconds)}")
            print(
                f"one group, a night being written: {_while_written(url, store, scored, seconds)}"
            )
            for what, which in (
                ("all", GroupFilter()),
                ("qualified", GroupFilter(status=["qualified"])),
            ):
                print(f"a page of 50, {what}: {_pages(store, which, later + DAY)}")


def made(groups: int) -> ScoreTables:
    """A night's rows in all tables, with the texts that real ones have."""
    draw = np.random.default_rng(11)
    scored = _scored(groups)
    ids = scored.scores["group_id"].to_pylist()
    people = [f"{group_id}-{number}" for group_id in ids for number in range(MEMBERS)]
    points = np.round(draw.normal(0, 5, len(people)), 6)
    kinds = [["pricing_view", "meeting"], ["webinar"], [], ["email_open", "web_visit"]]
    stakeholders = _table(
        "stakeholders",
        group_id=np.repeat(ids, MEMBERS),
        contact_id=people,
        role=["decision_maker", "champion", "user", "buyer"] * groups,
        contribution=points / 20,
        contribution_se=np.zeros(len(people)),
        points=points,
        last_activity_at=[AS_OF - DAY * int(days) for days in draw.integers(1, 300, len(people))],
        last_activity_kind=["meeting", None, "web_visit", "webinar"] * groups,
        activities_30d=draw.integers(0, 40, len(people)),
        top_kinds=kinds * groups,
        if_leaves=-points,
        summary=[f"{one} looked at prices and came to a webinar on 3 May.\n" * 4 for one in people],
    )  # fmt: skip
    actions = _table(
        "actions",
        group_id=np.repeat(ids, STEPS),
        action=["fill_role", "wake_member", "engage_role"] * 2 * groups,
        role=["champion", None, "user"] * 2 * groups,
        points=np.round(draw.uniform(0, 20, STEPS * groups), 3),
        support=draw.integers(1, 5000, STEPS * groups),
        text=["Win over somebody in the role champion: +4.1.", "Call again.", "Ask."] * 2 * groups,
    )  # fmt: skip
    themes = _table(
        "themes",
        group_id=np.repeat(ids, MEMBERS * THEMES),
        contact_id=np.repeat(people, THEMES),
        theme=[f"theme_{number}" for number in range(THEMES)] * len(people),
        contribution=draw.normal(0, 0.1, len(people) * THEMES),
        points=draw.normal(0, 2, len(people) * THEMES),
    )
    horizons = _table(
        "horizons", group_id=ids, horizon_days=[90] * groups, readiness=scored.scores["readiness"]
    )
    summaries = _table(
        "summaries",
        group_id=ids,
        summary=[f"Group {one}: four members, two of them active.\n" * 12 for one in ids],
    )
    rank = np.argsort(np.argsort(-scored.scores["readiness"].to_numpy(), kind="stable")) + 1
    scores = _with(scored.scores, rank=rank, threshold=np.full(groups, 0.3))
    scores = _with(scores, completeness_threshold=np.full(groups, 0.6))
    return at(ScoreTables(scores, stakeholders, actions, horizons, themes, summaries), AS_OF)


def at(scored: ScoreTables, as_of: datetime) -> ScoreTables:
    """The same rows as those of another cut-off."""
    tables = {name: getattr(scored, name) for name in SCORE_SCHEMAS}
    return ScoreTables(
        **{
            name: _with(table, as_of=pa.repeat(pa.scalar(as_of, pa.timestamp("us")), len(table)))
            for name, table in tables.items()
        }
    )


def moved(scored: ScoreTables, as_of: datetime) -> ScoreTables:
    """Every 20th group has another score, all have another rank and threshold."""
    old = scored.scores["log_odds"].to_numpy(zero_copy_only=False)
    count = old.size
    log_odds = np.where(np.arange(count) % 20 == 0, 1.0, 0.0)
    rank = np.roll(scored.scores["rank"].to_numpy(), 1)
    scores = _with(scored.scores, log_odds=log_odds, rank=rank, threshold=np.full(count, 0.31))
    unchanged = np.arange(count) % 20 != 0
    scores = _with(scores, log_odds=pa.array(log_odds, mask=unchanged))
    return at(replace(scored, scores=scores), as_of)


def _table(name: str, **columns: object) -> pa.Table:
    count = len(columns["group_id"])  # type: ignore[arg-type]
    arrays = [
        pa.array(columns[field.name], field.type)
        if isinstance(columns.get(field.name), list | np.ndarray)
        else columns.get(field.name, pa.nulls(count, field.type))
        for field in SCORE_SCHEMAS[name]
    ]
    return pa.table(arrays, schema=SCORE_SCHEMAS[name])


def _with(table: pa.Table, **columns: object) -> pa.Table:
    for name, values in columns.items():
        place = table.schema.get_field_index(name)
        field = table.schema.field(place)
        array = values if isinstance(values, pa.Array) else pa.array(values, field.type)
        table = table.set_column(place, field, array)
    return table


def keep(url: str, scored: ScoreTables, as_of: datetime) -> None:
    """Keeps a night as the job does."""
    with open_store(url) as store, save_run(store, scored, NO_VERDICTS, Settings(), as_of):
        pass


def _timed(url: str, scored: ScoreTables, as_of: datetime) -> str:
    wall, cpu = time.perf_counter(), _cpu()
    keep(url, scored, as_of)
    return f"{time.perf_counter() - wall:.1f} s wall, {_cpu() - cpu:.1f} s CPU"


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _reads(store: Store, groups: int, as_of: datetime, seconds: float) -> str:
    draw, took = np.random.default_rng(3), []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        begun = time.perf_counter()
        with store.reading() as connection:
            found = load_group(connection, f"0065g00000{int(draw.integers(groups)):08d}", as_of)
        if found is None:
            raise SystemExit("a group was not found")
        took.append(time.perf_counter() - begun)
    return _told(took)


def _while_written(url: str, store: Store, scored: ScoreTables, seconds: float) -> str:
    """Reads while a transaction writes a whole night, and holds it open until they are done."""
    groups, later = scored.scores.num_rows, AS_OF + 3 * DAY
    changed = _with(scored.summaries, summary=["another text"] * groups)
    night = at(replace(scored, summaries=changed), later)
    begun, done = threading.Event(), threading.Event()

    def write() -> None:
        with ExitStack() as stack:
            store = stack.enter_context(open_store(url))
            begun.set()
            stack.enter_context(save_run(store, night, NO_VERDICTS, Settings(), later))
            done.wait()

    writer = threading.Thread(target=write)
    writer.start()
    begun.wait()
    told = _reads(store, groups, AS_OF + 2 * DAY, seconds)
    done.set()
    writer.join()
    return told


def _pages(store: Store, which: GroupFilter, as_of: datetime) -> str:
    took = []
    for number in range(20):
        begun = time.perf_counter()
        with store.reading() as connection:
            load_groups_page(connection, as_of, group_filter=which, limit=50, offset=50 * number)
        took.append(time.perf_counter() - begun)
    return _told(took)


def _told(took: list[float]) -> str:
    half, most = np.quantile(took, [0.5, 0.99]) * 1000
    return f"{len(took) / sum(took):,.0f} a second, p50 {half:.2f} ms, p99 {most:.2f} ms"
