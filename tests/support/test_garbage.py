"""A process that is left without freeing ends as any other, but for its objects."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from subprocess import PIPE
from typing import IO

import pytest

FULL = Path("/dev/full")

BEGINNING = """
import atexit, sys, threading, time
from mqbg.support.garbage import exit_without_freeing

class Told:
    def __del__(self):
        print("freed")

told = Told()
atexit.register(print, "registered before")

def work():
    atexit.register(print, "registered by the work")
    threading.Thread(target=lambda: (time.sleep(0.1), print("a thread"))).start()
    print("work")
"""
LEFT = ["work", "a thread", "registered by the work"]


def ended(ending: str, call: str = "exit_without_freeing(work)", out: int | IO[str] = PIPE):
    code = f"{BEGINNING}    {ending}\n{call}\n"
    return subprocess.run(
        [sys.executable, "-c", code], stdout=out, stderr=PIPE, text=True, check=False
    )


@pytest.mark.parametrize(
    ("ending", "status"), [("return", 0), ("sys.exit()", 0), ("sys.exit(0)", 0), ("sys.exit(3)", 3)]
)
def test_all_is_done_and_said_and_nothing_is_freed(ending, status):
    ran = ended(ending)
    assert (ran.returncode, ran.stdout.splitlines(), ran.stderr) == (status, LEFT, "")


@pytest.mark.parametrize("ending", ["sys.exit('a sentence')", "raise KeyError('a name')"])
def test_what_python_says_at_an_end_is_said(ending):
    ran, plain = ended(ending), ended(ending, call="work()")
    assert ran.returncode == plain.returncode == 1
    assert ran.stdout == plain.stdout
    assert ran.stderr.splitlines()[-1] == plain.stderr.splitlines()[-1]


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full, a file that is always full")
def test_output_that_cannot_be_written_is_no_success():
    with FULL.open("w") as full:
        ran, plain = ended("return", out=full), ended("return", call="work()", out=full)
    assert ran.returncode == plain.returncode != 0
    assert "No space left on device" in ran.stderr
