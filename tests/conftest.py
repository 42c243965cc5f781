"""Worlds of literal rows and random ones for every room, and a PostgreSQL server of our own."""

from __future__ import annotations

import atexit
import gc
import os
import pickle
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from filelock import FileLock
from hypothesis import HealthCheck, is_hypothesis_test
from hypothesis import settings as hypothesis_settings
from mqbg.contract import TABLES, schema
from mqbg.features import FeatureSource, feature_table, prepare_source
from mqbg.features.declare.catalogue import build_catalogue
from mqbg.features.declare.vocabulary import find_vocabulary
from mqbg.model.bundle_files import load_bundle, save_bundle
from mqbg.model.calibrators import Blend
from mqbg.model.comparable_snapshots import ComparableSnapshots
from mqbg.settings import Settings, settings_from_values
from mqbg.simulate import simulate
from mqbg.source import Source
from mqbg.support.disk_cache import CACHE_VARIABLE
from mqbg.support.duckdb_sessions import open_session
from mqbg.support.garbage import search_seldom

SLOW = "MQBG_SLOW"
SLOW_TESTS_RUN = os.environ.get(SLOW) == "1"

# A busy machine is no fault of the code: no example has a deadline, none is too slow to be drawn.
hypothesis_settings.register_profile(
    "no clock",
    max_examples=100 if SLOW_TESTS_RUN else 20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
hypothesis_settings.load_profile("no clock")

# Queries are compiled once for a run of the tests and all of its processes, in a folder that goes
# with it; no test reads what another run left, and those of the cache name a folder of their own.
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ[CACHE_VARIABLE] = tempfile.mkdtemp(prefix="mqbg-cache-")
    atexit.register(shutil.rmtree, os.environ[CACHE_VARIABLE], ignore_errors=True)

# Tests make few reference cycles, and modules and tests are never garbage: searched seldom.
search_seldom()

Row = dict[str, Any]
Tables = Mapping[str, Sequence[Row] | pa.Table]
LONG_AGO = datetime(2020, 1, 1)


def _completed(tables: Mapping[str, Sequence[Row]]) -> dict[str, list[Row]]:
    """The rows, and beside them whatever they refer to and do not say.

    Groups, contacts, accounts and solutions that are named somewhere exist (of account a1, for
    solution s1, since long ago); members are buyers since long ago; an activity is a web_visit
    with an id of its own.
    """
    full = {name: [dict(row) for row in tables.get(name, ())] for name in TABLES}
    for row in full["members"]:
        row.update({"role": "buyer", "joined_at": LONG_AGO, **row})
    for number, row in enumerate(full["activities"]):
        row.update({"activity_id": f"numbered-{number}", "kind": "web_visit", **row})
    named = (*full["members"], *full["activities"], *full["stage_events"], *full["verdicts"])
    _add_missing(full, "buying_groups", "group_id", named)
    _add_missing(full, "contacts", "contact_id", named)
    for row in full["buying_groups"]:
        row.update({"account_id": "a1", "solution_id": "s1", "created_at": LONG_AGO, **row})
    for row in full["contacts"]:
        row.update({"account_id": "a1", **row})
    _add_missing(full, "accounts", "account_id", (*full["buying_groups"], *full["contacts"]))
    _add_missing(full, "solutions", "solution_id", (*full["buying_groups"], *named))
    for row in (*full["accounts"], *full["solutions"]):
        row.setdefault("name", "some name")
    return full


def _add_missing(
    full: dict[str, list[Row]], table: str, key: str, referring: Sequence[Row]
) -> None:
    known = {row[key] for row in full[table]}
    named = dict.fromkeys(row[key] for row in referring if row.get(key) is not None)
    full[table] += [{key: name} for name in named if name not in known]


def _arrow(name: str, rows: Sequence[Row] | pa.Table) -> pa.Table:
    names = schema(name).names
    if isinstance(rows, pa.Table):
        wanted = schema(name).to_pyarrow()
        return pa.table(
            {
                column: rows[column] if column in rows.column_names else pa.nulls(len(rows), kind)
                for column, kind in zip(wanted.names, wanted.types, strict=True)
            }
        )
    plain = [{column: row.get(column) for column in names} for row in rows]
    return pa.Table.from_pylist(plain, schema(name).to_pyarrow())


def _open_tables(
    tables: Tables, settings: Settings | None = None, threads: int = 1
) -> FeatureSource:
    if not any(isinstance(rows, pa.Table) for rows in tables.values()):
        tables = _completed(tables)
    backend = _connect(threads)
    opened = {name: _copied(backend, name, _arrow(name, tables.get(name, ()))) for name in TABLES}
    return prepare_source(Source(backend, opened, {}, (), "test"), settings or Settings())


def _connect(threads: int) -> Any:
    """A session of its own, which sees no other's temporary tables and variables."""
    return ibis.duckdb.from_connection(open_session(threads))


def _copied(backend: Any, name: str, rows: pa.Table) -> ir.Table:
    """A table of the engine with these rows: as `create_table` makes it, in a quarter of the time.

    Nothing is asked of the engine: the names and types are the contract's.
    """
    backend.con.register("rows_to_copy", rows)
    backend.con.execute(f'CREATE TEMP TABLE "{name}" AS SELECT * FROM rows_to_copy')  # noqa: S608
    backend.con.unregister("rows_to_copy")
    place = ops.Namespace(catalog="temp", database="main")
    return ops.DatabaseTable(name, schema(name), backend, place).to_expr()


def _features_at(
    tables: Tables,
    as_of: datetime,
    settings: Settings | None = None,
    *,
    before: datetime | None = None,
    threads: int = 1,
    only: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
) -> dict[str, Row]:
    source = _open_tables(tables, settings, threads)
    words = build_catalogue(find_vocabulary(source, before or as_of), names)
    return _by_group(feature_table(source, words, [as_of], only=only))


def _by_group(table: pa.Table) -> dict[str, Row]:
    rows = {row["group_id"]: row for row in table.to_pylist()}
    assert len(rows) == table.num_rows
    return rows


def _bits(row: Row) -> Row:
    """A row in which numbers are equal only to the last bit, and NaN equals NaN."""
    return {name: v.hex() if isinstance(v, float) else v for name, v in row.items()}


KINDS = ("web_visit", "pricing_view", "meeting", "email_open", "email_sent", "call_made", "fax")
ROLES = ("decision_maker", "情報 システム", "user")
MICROSECOND = timedelta(microseconds=1)


def _random_tables(seed: int, as_of: datetime, groups: int = 6) -> dict[str, list[Row]]:
    """A small world that keeps the contract, with times that crowd around the edges of windows.

    Two accounts, two solutions, groups of 0 to 5 members, some of whom left, changed role, work
    elsewhere or have yet to join; activities of every scope, late, repeated and in the future.
    """
    draw = random.Random(seed)  # noqa: S311 - no secret

    def instant(earliest: int = 120, latest: int = 20) -> datetime:
        if draw.random() < 0.4:
            days = draw.choice((0, 1, 7, 14, 28, 30, 56, 90))
            return as_of - timedelta(days=days) + draw.choice((-1, 0, 1)) * MICROSECOND
        return as_of + timedelta(seconds=draw.randrange(-earliest * 86_400, latest * 86_400))

    group_ids = [f"g{number}" for number in range(groups)]
    contact_ids = [f"c{number}" for number in range(9)]
    group_rows = [
        {
            "group_id": group_id,
            "account_id": draw.choice(("a1", "a2")),
            "solution_id": draw.choice(("s1", "s2")),
            "created_at": instant(300, 0) if number else as_of - timedelta(days=200),
        }
        for number, group_id in enumerate(group_ids)
    ]
    members: list[Row] = []
    for number, group_id in enumerate(group_ids):
        for contact_id in draw.sample(contact_ids, number % 6):
            members += _memberships(draw, group_id, contact_id, as_of)
    doubts = random.Random(seed)  # noqa: S311 - beside `draw`, whose rows stay as they are
    for row in members:
        row["probability"] = doubts.choice((None, 1.0, 0.85, 0.3))
    activities = [
        {
            "activity_id": f"x{number}",
            "contact_id": draw.choice(contact_ids),
            "kind": draw.choice(KINDS),
            "occurred_at": instant(),
            "recorded_at": instant(30) if draw.random() < 0.3 else None,
            "group_id": draw.choice(group_ids) if draw.random() < 0.3 else None,
            "solution_id": draw.choice(("s1", "s2")) if draw.random() < 0.4 else None,
        }
        for number in range(120)
    ]
    for row in activities:
        if row["group_id"] and draw.random() < 0.3:
            row["contact_id"] = None
    for row in draw.sample(activities, 25):
        late = instant(40)
        activities.append({**row, "recorded_at": late, "kind": draw.choice(KINDS)})
    stages = ("discovery", "opportunity", "lost", "reopened", "discovery", "demo")
    return _completed(
        {
            "accounts": [
                {"account_id": "a1", "name": "甲", "industry": "steel", "employees": 120},
                {"account_id": "a2", "name": "B", "country": "US", "tier": "1"},
            ],
            "contacts": [
                {"contact_id": contact_id, "account_id": draw.choice(("a1", "a2"))}
                for contact_id in contact_ids
            ],
            "buying_groups": group_rows,
            "members": members,
            "activities": activities,
            "stage_events": [
                {
                    "group_id": draw.choice(group_ids[1:]),
                    "stage": draw.choice(stages),
                    "occurred_at": instant(150),
                }
                for _ in range(8)
            ],
            "verdicts": [
                {
                    "group_id": draw.choice(group_ids),
                    "decided_at": instant(),
                    "verdict": draw.choice(("accepted", "rejected")),
                }
                for _ in range(8)
            ],
            "answers": [
                {
                    "group_id": draw.choice(group_ids),
                    "question": draw.choice(("budget", "timing", "problem")),
                    "answer": "yes",
                    "answered_at": instant(),
                }
                for _ in range(10)
            ],
        }
    )


def _memberships(draw: random.Random, group_id: str, contact_id: str, as_of: datetime) -> list[Row]:
    """One or two rows of one member: there all along, gone, back, in another role, to come."""
    first = {"group_id": group_id, "contact_id": contact_id, "role": draw.choice(ROLES)}
    joined = as_of - timedelta(days=draw.randrange(100, 200))
    turn = (
        as_of
        - timedelta(days=draw.choice((0, 0, 5, 30, 90)))
        + draw.choice((-1, 0, 1)) * (MICROSECOND)
    )
    fate = draw.randrange(6)
    if fate == 0:
        return [{**first, "joined_at": turn, "left_at": None}]
    if fate == 1:
        return [{**first, "joined_at": joined, "left_at": turn}]
    if fate == 2:
        second = {**first, "role": draw.choice(ROLES), "joined_at": turn, "left_at": None}
        return [{**first, "joined_at": joined, "left_at": turn}, second]
    return [{**first, "joined_at": joined, "left_at": None}]


@pytest.fixture(scope="session")
def open_tables() -> Callable[..., FeatureSource]:
    """`open_tables(tables, settings, threads)`: rows, completed, as a prepared source."""
    return _open_tables


@pytest.fixture(scope="session")
def features_at() -> Callable[..., dict[str, Row]]:
    """`features_at(tables, as_of, settings, before=, threads=, only=, names=)`: by group_id.

    `only` are groups, `names` are features; all of both without. To name the few that a test reads
    saves most of the time that it takes, which goes into compiling and planning 200 columns.
    """
    return _features_at


@pytest.fixture(scope="session")
def random_tables() -> Callable[..., dict[str, list[Row]]]:
    """`random_tables(seed, as_of)`: rows of a small awkward world."""
    return _random_tables


@pytest.fixture(scope="session")
def bits() -> Callable[[Row], Row]:
    """`bits(row)`: for comparing to the last bit."""
    return _bits


# ---------------------------------------------------------------- made once for all test processes

Making = Callable[[Path], None]
SMALL_SETTINGS = """
[target]
horizon_days = 150
[observation]
until = "2025-12-01"
[snapshots]
start = "2024-12-01"
[model]
threads = 1
refits = 2
resamples = 20
few_conversions = 10
[thresholds]
held_out_nights = 3
[explain]
min_support = 5
"""
SMALL_TEST_FROM = "2025-07-01"
FEW_LABELS = Blend(
    trees_share=0.37,
    effective_conversions=37,
    slope=0.07,
    intercept=-5.3,
    mean_engagement=27.0,
    mean_completeness=0.5,
)
FEW_FEATURES = (
    *("inbound_30d", "high_intent_90d", "engagement_21", "days_since_inbound", "momentum_7d"),
    *("members", "members_joined_90d", "active_share_30d", "newly_awake", "joint_weeks_8w"),
    "logged_90d",
    *("completeness", "engaged_completeness", "rule_engagement", "outbound_30d"),
    *("group_age_days", "stage_changes", "verdicts_rejected", "questions_answered"),
    *("account_conversion_rate", "solution", "tier", "country"),
)
# `mqbg train` with few trees, one linear part to choose from and three plots, which leaves what it
# learned beside its other files. In a process of its own: MLflow keeps the store that it opened.
TRAIN = """
import cloudpickle
from mqbg.commands import training
from mqbg.commands.app import main
from mqbg.train.fit import linear, trees
from mqbg.train.report import run_folder

def kept(*arguments):
    with open("training.pickle", "wb") as file:
        cloudpickle.dump(trained := train(*arguments), file)
    return trained

def few_plots(trained):
    wanted = ("reliability", "lift", "precision_recall")
    return {name: plot for name, plot in plots(trained).items() if name in wanted}

trees.ROUNDS, linear.PENALTIES, linear.SHARES = 50, (1e-3,), (0.3,)
train, training._train_on_data = training._train_on_data, kept
plots, run_folder.draw_plots = run_folder.draw_plots, few_plots
main()
"""


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Making], Path]:
    """`shared_folder(name, make)`: a folder that the first process to ask fills, and all read."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent

    def folder(name: str, make: Making) -> Path:
        wanted = root / f"shared-{name}"
        with FileLock(f"{wanted}.lock"):
            if not (root / f"{wanted.name}.made").exists():
                shutil.rmtree(wanted, ignore_errors=True)
                wanted.mkdir()
                make(wanted)
                (root / f"{wanted.name}.made").touch()
        return wanted

    return folder


@pytest.fixture(scope="session")
def simulated(shared_folder) -> Callable[[int, int], Path]:
    """`simulated(groups, seed)`: the folder of that world; not to be written to."""

    def folder(groups: int, seed: int) -> Path:
        name = f"world-{groups}-{seed}"
        return (
            shared_folder(name, lambda made: simulate(made / "w", groups=groups, seed=seed)) / "w"
        )

    return folder


@pytest.fixture(scope="session")
def small_world(simulated) -> dict[str, pa.Table]:
    """The tables of a world of 200 groups."""
    return {name: pq.read_table(simulated(200, 13) / f"{name}.parquet") for name in TABLES}


@pytest.fixture(scope="session")
def small_champion(shared_folder, simulated, empty_mlflow) -> Path:
    """A working folder in which `mqbg train` learned from the small world; not to be written to.

    It has settings, figures.json, and in mlruns a registry with a champion. This is the one
    training by the command, and most others in the tests are the same. It has few trees, and one
    penalty and share of the linear part to choose from.
    """

    def train(folder: Path) -> None:
        (folder / "mqbg.toml").write_text(SMALL_SETTINGS)
        (folder / "mlruns").mkdir()
        shutil.copy(empty_mlflow, folder / "mlruns")
        unset = {"MLFLOW_TRACKING_URI", "MQBG_STORE_URL"}
        environment = {name: value for name, value in os.environ.items() if name not in unset}
        arguments = ["--test-from", SMALL_TEST_FROM, "--json", "figures.json"]
        ran = subprocess.run(
            [sys.executable, "-c", TRAIN, "train", str(simulated(200, 13)), *arguments],
            cwd=folder,
            env={**environment, "MQBG_STORE_URL": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr

    return shared_folder("champion", train)


@pytest.fixture(scope="session")
def small_training(small_champion):
    """The `TrainingResult` of `small_champion`."""
    return pickle.loads((small_champion / "training.pickle").read_bytes())  # noqa: S301 - ours


@pytest.fixture(scope="session")
def small_settings() -> Settings:
    """The settings of `small_champion`."""
    return settings_from_values(tomllib.loads(SMALL_SETTINGS), "small world")


@pytest.fixture(scope="session")
def small_bundle(small_training, tmp_path_factory):
    """The champion as if it had few labels: its trees share the score with the rule's."""
    folder = tmp_path_factory.mktemp("small-bundle")
    save_bundle(replace(small_training.bundle, blend=FEW_LABELS), folder)
    return load_bundle(folder)


@pytest.fixture(scope="session")
def small_model(small_world, small_settings, small_bundle):
    """(source, bundle) of the small world."""
    return _open_tables(small_world, small_settings), small_bundle


@pytest.fixture(scope="session")
def slim_model(small_world, small_settings, small_training):
    """(source, bundle) of the small world, with trees that read `FEW_FEATURES`.

    For tests of what is done with scores, whichever features make them: with a tenth of the
    columns, a group is scored in a fraction of the time.
    """
    from mqbg.train.fit.trees import booster_text, train_booster

    bundle, matrix = small_training.bundle, small_training.refit.training_matrix
    names = build_catalogue(bundle.vocabulary, FEW_FEATURES).feature_names
    places = [matrix.names.index(name) for name in names]
    categories = tuple(n for n, place in enumerate(places) if place in matrix.category_indices)
    few = replace(matrix, x=matrix.x[:, places], names=names, category_indices=categories)
    parameters = {"objective": "binary", "num_leaves": 7, "num_threads": 1, "verbosity": -1}

    def trees(step: int) -> str:
        rows = np.arange(0, len(few.x), step)
        return booster_text(train_booster(few, rows, parameters, rounds=20))

    slim = replace(
        bundle,
        comparable=compared_by(bundle.comparable, names),
        trees=trees(1),
        only_features=names,
        linear=None,
        blend=FEW_LABELS,
        refits=tuple(
            replace(one, trees=trees(2 + n), linear=None) for n, one in enumerate(bundle.refits)
        ),
    )
    return _open_tables(small_world, small_settings), slim


def compared_by(
    comparable: ComparableSnapshots | None, names: Sequence[str]
) -> ComparableSnapshots | None:
    """The same snapshots, compared by these features alone."""
    if comparable is None:
        return None
    places = [place for place, name in enumerate(comparable.features) if name in names]

    def kept(values: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(values[place] for place in places)

    roles = tuple(replace(role, rows=tuple(map(kept, role.rows))) for role in comparable.roles)
    few = (kept(part) for part in (comparable.features, comparable.centre, comparable.scale))
    return ComparableSnapshots(*few, roles)


@pytest.fixture(scope="session")
def empty_mlflow(shared_folder) -> Path:
    """The file of an MLflow store that holds nothing, to copy: to make one takes seconds."""

    def make(folder: Path) -> None:
        from mqbg.model.registry import connect_mlflow

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
            connect_mlflow().MlflowClient().search_experiments()

    return shared_folder("mlflow", make) / "mlflow.db"


def pytest_collection_finish() -> None:
    """Takes modules and collected tests, a million objects, out of every later search."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Gives them back: what is left at the end of a process is reported as leaked."""
    gc.unfreeze()


# ---------------------------------------------------------------- what takes long

ROOMS_WITH_CHAMPION = {"commands", "explain", "serve"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips what is marked slow unless it is asked for, and orders the rooms for two workers.

    Properties that are not slow themselves run in either run: those that set no number of examples
    draw twenty in the quick one and a hundred in the slow.

    Whole programs take minutes, and would leave one worker alone at the end: they come first.
    Then the rooms that need `small_champion`: each worker begins with a half of its own, so one
    trains while the other tests what needs no champion, and neither waits.
    """
    here = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        room = item.path.relative_to(here).parts[0] if item.path.is_relative_to(here) else ""
        return 0 if room == item.path.name else 1 if room in ROOMS_WITH_CHAMPION else 2

    items.sort(key=place)
    for item in items:
        if SLOW_TESTS_RUN and is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker("slow")
        elif not SLOW_TESTS_RUN and item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason=f"slow: set {SLOW}=1 to run it"))


# ---------------------------------------------------------------- PostgreSQL, where installed

PASSWORD = "Geheim:ni@/%?&#=x"  # noqa: S105 - of a server that lives as long as the tests
STARTED_IN = 60  # seconds
_NUMBERS = count(1)


@dataclass(frozen=True)
class Database:
    """One database of the server."""

    url: str

    def run(self, *statements: str) -> None:
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def answer(self, query: str) -> Any:
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(query).fetchone()[0]

    def empty(self) -> None:
        """Ends its sessions and takes everything out of it, as a new one is."""
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            schemas = connection.execute(
                "SELECT nspname FROM pg_namespace"
                " WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
            ).fetchall()
            for (schema,) in schemas:
                connection.execute(f'DROP SCHEMA "{schema}" CASCADE')
            connection.execute("CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC")
            connection.execute(f"ALTER DATABASE {connection.info.dbname} RESET ALL")

    def load(self, tables: Mapping[str, pa.Table]) -> Database:
        """Make the tables, each type as its nearest in PostgreSQL."""
        from adbc_driver_postgresql import dbapi

        with dbapi.connect(self.url) as connection, connection.cursor() as cursor:
            cursor.execute("SET client_encoding = 'UTF8'")  # Arrow's, whatever the database's
            for name, table in tables.items():
                cursor.adbc_ingest(name, table, mode="create")
            connection.commit()
        return self


@dataclass(frozen=True)
class Server:
    """A running server."""

    port: int
    process: subprocess.Popen[bytes]

    def url(self, database: str = "postgres", user: str = "owner", password: str = PASSWORD) -> str:
        return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def database(self, options: str = "") -> Database:
        name = f"db{next(_NUMBERS)}"
        Database(self.url()).run(f"CREATE DATABASE {name} {options}")
        return Database(self.url(name))


def _program(name: str) -> str | None:
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    newest_first = sorted(versions, key=lambda path: float(path.parent.name), reverse=True)
    found = [path / name for path in newest_first if (path / name).is_file()]
    return shutil.which(name) or (str(found[0]) if found else None)


def _unprivileged() -> dict[str, Any]:
    """Whom to run the server as: PostgreSQL refuses to be root."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get("postgres") or names["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def _running() -> Iterator[Server]:
    initdb, postgres = _program("initdb"), _program("postgres")
    if initdb is None or postgres is None:
        pytest.skip("PostgreSQL (initdb, postgres) is not installed")
    pytest.importorskip(
        "adbc_driver_postgresql", reason="the driver adbc-driver-postgresql is not installed"
    )
    who = _unprivileged()
    # Not below tmp_path: another user may not enter there.
    folder = Path(tempfile.mkdtemp(prefix="mqbg-postgres-"))
    try:
        secret = folder / "password"
        secret.write_text(PASSWORD)
        if who:
            for path in (folder, secret):
                os.chown(path, who["user"], who["group"])
        cluster = str(folder / "cluster")
        subprocess.run(
            [
                *(initdb, "-D", cluster, "-U", "owner", "-A", "scram-sha-256", "-E", "UTF8"),
                *("--locale=C", "--no-sync", f"--pwfile={secret}"),
            ],
            check=True,
            capture_output=True,
            cwd=folder,
            **who,
        )
        port = _free_port()
        options = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"]
        arguments = [word for option in options for word in ("-c", option)]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [postgres, "-D", cluster, "-p", str(port), *arguments],
                stdout=log,
                stderr=log,
                cwd=folder,
                **who,
            )
            try:
                _wait(process, port, folder / "log")
                yield Server(port, process)
            finally:
                process.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
                process.wait(STARTED_IN)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    import psycopg

    url = Server(port, process).url()
    until = time.monotonic() + STARTED_IN
    while True:
        try:
            psycopg.connect(url).close()
            return
        except psycopg.Error:
            if process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"PostgreSQL did not start: {log.read_text()}") from None
            time.sleep(0.1)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server of this test process."""
    with _running() as running:
        yield running


@pytest.fixture
def another_server() -> Iterator[Server]:
    """A server that a test may bring down."""
    with _running() as running:
        yield running


@pytest.fixture(scope="session")
def free_databases() -> list[Database]:
    """Those that tests are done with: to make one takes a tenth of a second."""
    return []


@pytest.fixture
def database(server, free_databases) -> Iterator[Database]:
    """An empty database."""
    database = free_databases.pop() if free_databases else server.database()
    yield database
    database.empty()
    free_databases.append(database)
