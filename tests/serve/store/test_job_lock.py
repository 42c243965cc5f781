"""Two jobs at once: the second learns who holds the store."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys

import pytest
from mqbg.contract import BadInput
from mqbg.serve.store.connection import open_store
from mqbg.serve.store.job_lock import hold_job_lock

HOLDS = """
import sys
from mqbg.serve.store.job_lock import hold_job_lock
from mqbg.serve.store.connection import open_store
with open_store(sys.argv[1]) as store, hold_job_lock(store, "a job as of 2024-06-01 00:00"):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def other_job(url):
    """A job of another process, which holds the store until it is told to end, or dies."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, url],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_job_is_told_who_holds_the_store_and_an_end_or_a_death_frees_it(url, other_job):
    who = f"process {other_job.pid} on {socket.gethostname()} (a job as of 2024-06-01 00:00)"
    with open_store(url) as store:
        with pytest.raises(BadInput, match=re.escape(f"the only job, but {who} holds it")):
            hold(store)
        assert "Geheim" not in store.redacted_url
        os.kill(other_job.pid, signal.SIGKILL)
        other_job.wait()
        hold(store, wait_seconds=60)  # a database server may need a moment to see that it is gone


def hold(store, wait_seconds=0.0):
    with hold_job_lock(store, "this test", wait_seconds=wait_seconds):
        pass


def test_one_process_cannot_hold_it_twice(store):
    with (
        hold_job_lock(store, "the first"),
        pytest.raises(BadInput, match=r"\(the first\) holds it"),
    ):
        hold(store)
    hold(store)


def test_a_job_that_fails_frees_the_store(store):
    with pytest.raises(ZeroDivisionError), hold_job_lock(store, "a failure"):
        raise ZeroDivisionError
    hold(store)


def test_transactions_pass_while_the_store_is_held(store, everything):
    with hold_job_lock(store, "work"):
        assert everything(store)["runs"] == []
