"""A server of a small world: its model, a store with one run, and the bodies of its groups."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stderr
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
import structlog
from mqbg.contract import TABLES
from mqbg.explain.language import load_language
from mqbg.features.time_rules.tables_as_of import rows_of_group
from mqbg.model.registry import RegisteredBundle
from mqbg.serve.api.app import create_app
from mqbg.serve.api.connections import create_http_server
from mqbg.serve.api.group_tables import ROW_LIST_KEYS, SINGLE_ROW_KEYS
from mqbg.serve.api.keys import ApiKeys, KeyRing, load_keys
from mqbg.serve.api.middleware import Metrics, configure_json_logging
from mqbg.serve.api.score_cache import ScoreCache
from mqbg.serve.api.scorer import prepare_for_serving
from mqbg.serve.api.server_state import ServerState
from mqbg.serve.api.worker_processes import create_worker_pool
from mqbg.serve.batch.scoring import ScoreTables, score
from mqbg.serve.store.connection import open_store
from mqbg.serve.store.save_run import save_run
from mqbg.settings import ApiSettings, Settings, StoreSettings

WaitForLines = Callable[[int], list[dict[str, Any]]]
AS_OF = datetime(2025, 7, 1)
NO_VERDICTS = pd.DataFrame(columns=["group_id", "decided_at", "verdict", "reason", "reopened_at"])
READER, SCORER, BOTH = "reader-key-0123456789", "scorer-key-0123456789", "both-key-0123456789"
ENVIRONMENT = {
    "MQBG_API_KEYS": f"reader:read:{READER},scorer:score:{SCORER},both:read+score:{BOTH}"
}


@dataclass
class Held:
    """A champion that no registry keeps; `next` is what a refresh finds."""

    model: RegisteredBundle
    next: RegisteredBundle | None = None

    def refresh(self, adopt) -> bool:
        found, self.next = self.next, None
        if found is not None:
            adopt(found)
            self.model = found
        return found is not None


def _say_nothing() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@pytest.fixture(scope="package", autouse=True)
def _quiet():
    """Lines of requests come after the answer, and would stand among those of the tests."""
    _say_nothing()


@pytest.fixture
def lines_of_requests(_quiet, tmp_path) -> Callable[[], AbstractContextManager[WaitForLines]]:
    """`with lines_of_requests() as lines: ...; lines(2)`: two lines, written after the answers.

    They go to a file: what is written while pytest's own capture is read gets lost.
    """

    @contextmanager
    def written() -> Iterator[WaitForLines]:
        path = tmp_path / "stderr"
        with path.open("w", buffering=1, encoding="utf-8") as errors, redirect_stderr(errors):
            configure_json_logging(logging.INFO)
            yield partial(_lines_of, path)
            _say_nothing()

    return written


def _lines_of(path: Path, count: int) -> list[dict[str, Any]]:
    until = time.monotonic() + 120
    while (text := path.read_text(encoding="utf-8")).count("\n") < count:
        assert time.monotonic() < until, f"expected {count} lines, got {text!r}"
        time.sleep(0.01)
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="session")
def as_of():
    return AS_OF


@pytest.fixture(scope="package")
def model(small_model):
    """The small model as requests are scored by."""
    _source, bundle = small_model
    return prepare_for_serving(RegisteredBundle(bundle, "mqbg", "7", "run"), threads=1)


@pytest.fixture(scope="package")
def scored(small_model, model):
    """The batch's scores of all groups, by the lines that requests are held against."""
    source, _bundle = small_model
    language = load_language("en")
    return score(source, model.bundle, AS_OF, model_version="7", language=language).tables()


@pytest.fixture(scope="package")
def keep():
    """`keep(url, scored, as_of)`: remembers a run in a store, and gives it as it stands there."""

    def keep(url: str, scored: ScoreTables, at: datetime = AS_OF) -> ScoreTables:
        with (
            open_store(url) as store,
            save_run(store, scored, NO_VERDICTS, Settings(), at) as kept,
        ):
            return kept.scored

    return keep


@pytest.fixture(scope="package")
def _kept(tmp_path_factory, scored, keep):
    url = f"sqlite:///{tmp_path_factory.mktemp('api')}/store.sqlite"
    return url, keep(url, scored)


@pytest.fixture(scope="package")
def store_url(_kept):
    """A store with one run."""
    return _kept[0]


@pytest.fixture(scope="package")
def stored(_kept):
    """The tables of that run: with the states of the store, where nobody gave a verdict."""
    return _kept[1]


@pytest.fixture(scope="package")
def body_of(small_model):
    """`body_of(group_id)`: what a client would send of a group of the world."""
    source, _bundle = small_model

    def body(group_id: str) -> dict[str, Any]:
        rows = {
            name: [_plain(row) for row in table.to_pylist()]
            for name, table in rows_of_group(source.contract_tables, group_id).items()
            if name in TABLES
        }
        (group,) = [row for row in rows["buying_groups"] if row["group_id"] == group_id]
        first = {
            "account": ("accounts", "account_id"),
            "solution": ("solutions", "solution_id"),
            "buying_group": ("buying_groups", "group_id"),
        }
        found: dict[str, Any] = {"as_of": AS_OF.isoformat()}
        for key, (table, column) in first.items():
            assert SINGLE_ROW_KEYS[key] == table
            (found[key],) = [row for row in rows[table] if row[column] == group[column]]
            rows[table] = [row for row in rows[table] if row[column] != group[column]]
        return found | {key: rows[table] for key, table in ROW_LIST_KEYS.items()}

    return body


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() + "Z" if isinstance(value, datetime) else value
        for name, value in row.items()
        if value is not None
    }


@pytest.fixture(scope="package")
def settings(store_url):
    """Of the small server: room for the whole small world in a body."""
    return Settings(
        store=StoreSettings(url=store_url),
        api=ApiSettings(max_rows=20_000, waiting=2, workers=1, processes=1),
    )


@contextmanager
def _standing(settings: Settings, keys: ApiKeys, model: RegisteredBundle) -> Iterator[ServerState]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MQBG_STORE_URL", raising=False)
        shelf = ScoreCache(settings)
    workers = create_worker_pool(settings)
    try:
        workers.adopt(model)
        standing = ServerState(
            settings, KeyRing(keys, settings.api), Held(model), shelf, workers, Metrics()
        )
        standing.score_cache.refresh()
        yield standing
    finally:
        workers.close()


@contextmanager
def _running(app, api: ApiSettings) -> Iterator[str]:
    """A real server on loopback, in a thread of its own; gives its address."""
    server = create_http_server(app, api)
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.005)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@pytest.fixture(scope="package")
def client_of(model):
    """`with client_of(settings, keys, pages) as client`: asks such a server."""

    @contextmanager
    def client(settings, keys=None, pages=None):
        with (
            _standing(settings, keys or ApiKeys(), model) as standing,
            _running(create_app(standing, pages), settings.api) as url,
            httpx.Client(base_url=url, timeout=60) as asking,
        ):
            asking.standing = standing
            yield asking

    return client


@pytest.fixture(scope="package")
def client(client_of, settings):
    """A server without keys, the same for all tests: they leave it as it was."""
    with client_of(settings) as asking:
        yield asking


@pytest.fixture(scope="session")
def keys():
    """Three keys: of the scopes read, score, and both."""
    return load_keys(ApiSettings(), ENVIRONMENT)


@pytest.fixture(scope="session")
def bearer():
    """`bearer(name)`: the header of one of the keys."""
    known = {"reader": READER, "scorer": SCORER, "both": BOTH}
    return lambda name: {"Authorization": f"Bearer {known[name]}"}


@pytest.fixture(scope="session")
def posted():
    """`posted(client, body)`: the answer to a body, given as a tree, text or bytes."""

    def post(client, body, **headers):
        content = body if isinstance(body, str | bytes) else json.dumps(body)
        return client.post(
            "/v1/score", content=content, headers={"Content-Type": "application/json", **headers}
        )

    return post


@pytest.fixture
def with_limits(settings):
    """`with_limits(max_members=2)`: the settings with other limits."""
    return lambda **limits: replace(settings, api=replace(settings.api, **limits))


@pytest.fixture(scope="session")
def pages_folder(tmp_path_factory) -> Path:
    """A folder as `mqbg report` leaves it, and something else that lies there."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "groups").mkdir()
    for name in ("index.html", "model.html", "style.css", "groups/g1-0.html"):
        (folder / name).write_text(f"<p>{name}")
    (folder / "private.txt").write_text("private")
    (folder.parent / "outside.html").write_text("outside")
    return folder
