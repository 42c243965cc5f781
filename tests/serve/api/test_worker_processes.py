"""Bodies are scored by other processes, with the answers that one process gives."""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest
from mqbg.serve.api import worker_processes
from mqbg.serve.api.examples import REQUEST
from mqbg.serve.api.middleware import RemoteFailure
from mqbg.serve.api.problem_details import HttpProblem
from mqbg.serve.api.worker_processes import WorkerProcesses, create_worker_pool, usable_processors
from mqbg.serve.api.workers import WorkerThreads
from mqbg.settings import ApiSettings, Settings


def pool_of(processes, **limits):
    pool = create_worker_pool(Settings(api=ApiSettings(processes=processes, **limits)))
    pool.close()
    return pool


def test_one_process_is_that_which_answers_and_more_are_others():
    assert isinstance(pool_of(1), WorkerThreads)
    assert isinstance(pool_of(2), WorkerProcesses)
    assert (pool_of(1).processes, pool_of(3).processes) == (0, 3)


@pytest.mark.parametrize(("processors", "processes"), [(1, 0), (2, 2), (64, 4)])
def test_by_default_there_are_as_many_as_processors_up_to_four(monkeypatch, processors, processes):
    monkeypatch.setattr(worker_processes, "usable_processors", lambda: processors)
    assert pool_of(0).processes == processes


@pytest.mark.skipif(sys.platform != "linux", reason="Linux says which processors are usable")
def test_processors_that_this_process_may_not_use_do_not_count(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {3})
    assert usable_processors() == 1


@pytest.mark.parametrize(
    "error",
    [
        HttpProblem(422, "expected", {"Retry-After": "1"}),
        RemoteFailure("ValueError", "scorer.py:1"),
    ],
)
def test_a_refusal_comes_from_another_process_as_it_was(error):
    received = pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
    assert type(received) is type(error)
    assert vars(received) == vars(error)


def test_an_error_that_nobody_expected_leaves_a_process_without_its_text(monkeypatch):
    class Broken:
        def score_body(self, _body, _model):
            raise ValueError("Mai Ito, mai@example.com")

    monkeypatch.setattr(worker_processes, "_held", (Broken(), None))
    with pytest.raises(RemoteFailure) as failed:
        worker_processes._score_body(b"{}")
    assert failed.value.error == "ValueError"
    assert "test_worker_processes.py:" in failed.value.at
    assert "Mai" not in pickle.dumps(failed.value).decode("latin-1")


def children():
    """The processes that score, which this one has started."""
    return [one for one in multiprocessing.active_children() if "SpawnProcess" in one.name]


@pytest.mark.slow
def test_processes_answer_as_one_does_and_end_with_the_server(
    client_of, client, with_limits, posted, body_of, scored, monkeypatch
):
    group_id = scored.scores["group_id"][0].as_py()
    monkeypatch.setattr(worker_processes, "SHARED_BYTES", 3000)
    own = {key: value for key, value in REQUEST.items() if key not in ("as_of", "language")}
    groups = [{**own, "account": {**own["account"], "name": f"Aoba {n}"}} for n in range(4)]
    lists = [
        {"as_of": REQUEST["as_of"], "groups": some}
        for some in (
            groups,
            [*groups, {}],
            groups[:1] * 2,
            [{"account": None, "padding": "x" * 3000}],
            [*groups, {**own, "as_of": "2025-07-01"}],
            [{"account": {}, "padding": "x" * 9}] * 501,
        )
    ]
    bodies = [body_of(group_id), REQUEST, *lists, {"as_of": "2025-07-01"}, "[]", "{", "{" * 3000]
    expected = [posted(client, body) for body in bodies]
    assert [answer.status_code for answer in expected] == [200] * 6 + [422] * 6
    before = set(children())
    with client_of(with_limits(processes=2)) as several:
        started = set(children()) - before
        assert len(started) == 2
        for process in started:
            os.kill(process.pid, signal.SIGINT)  # as Ctrl-C does, which the server itself gets too
        for answer, body in zip(expected, bodies, strict=True):
            found = posted(several, body)
            assert found.status_code == answer.status_code
            without_id = [a.json() for a in (found, answer)]
            for one in without_id:
                one.pop("request_id", None)
            assert without_id[0] == without_id[1]
        assert "mqbg_scoring_processes 2.0" in several.get("/metrics").text
        assert set(children()) >= started
    assert not started & set(children())


@pytest.mark.slow
def test_every_process_is_warmed_up_before_one_is_asked(model):
    before = {process.pid for process in children()}
    workers = WorkerProcesses(Settings(), 3)
    try:
        workers.adopt(model)
        assert workers.pids == {process.pid for process in children()} - before
        assert len(workers.pids) == 3
    finally:
        workers.close()


@pytest.mark.slow
def test_processes_that_come_to_an_end_are_replaced(client_of, with_limits, posted, caplog, model):
    caplog.set_level(logging.ERROR, "mqbg.serve")
    with client_of(with_limits(processes=2)) as client:
        victims = children()
        os.kill(victims[0].pid, signal.SIGKILL)  # while it has nothing to do
        victims[0].join()
        assert posted(client, REQUEST).status_code in (200, 503)
        assert posted(client, REQUEST).status_code == 200
        assert not set(victims) & set(children())
        assert [record.getMessage() for record in caplog.records] == [
            "a process that scores came to an end; others are started in its place"
        ]

        victims, answers = children(), []
        for process in victims:
            os.kill(process.pid, signal.SIGSTOP)
        asking = threading.Thread(target=lambda: answers.append(posted(client, REQUEST)))
        asking.start()
        until = time.monotonic() + 120
        while not client.standing.workers.in_progress:
            assert time.monotonic() < until
            time.sleep(0.01)
        for process in victims:
            os.kill(process.pid, signal.SIGKILL)
        asking.join()
        assert answers[0].status_code == 503
        assert answers[0].headers["retry-after"] == "1"
        assert "send the request again" in answers[0].json()["detail"]

        former = set(children())
        client.standing.workers.adopt(replace(model, version="8"))
        assert posted(client, REQUEST).json()["score"]["model_version"] == "8"
        until = time.monotonic() + 120
        while former & set(children()):  # they have nothing left to do
            assert time.monotonic() < until
            time.sleep(0.05)
    assert children() == []


ORPHAN = """
import multiprocessing, os, sys, threading, time
from mqbg.serve.api.worker_processes import _end_with_server

def child(path):
    threading.Thread(target=_end_with_server, daemon=True).start()
    with open(path, "w") as file:
        file.write(str(os.getpid()))
    time.sleep(600)

if __name__ == "__main__":
    multiprocessing.get_context("spawn").Process(target=child, args=(sys.argv[1],)).start()
    time.sleep(600)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc says what runs")
def test_a_process_ends_when_its_server_is_killed(tmp_path):
    script, started = tmp_path / "server.py", tmp_path / "pid"
    script.write_text(ORPHAN)
    until = time.monotonic() + 120
    with subprocess.Popen([sys.executable, script, started]) as server:
        while not (started.exists() and started.read_text()):
            assert time.monotonic() < until
            time.sleep(0.05)
        server.kill()
    while os.path.exists(f"/proc/{started.read_text()}"):
        assert time.monotonic() < until
        time.sleep(0.05)
