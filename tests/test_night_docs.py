"""The script, the secrets and the figures of docs/night.md are what they say."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
from pathlib import Path

import pytest
from mqbg.serve.api.middleware import Metrics

TEXT = (Path(__file__).parents[1] / "docs" / "night.md").read_text(encoding="utf-8")
CURL = """#!/bin/sh
echo "$*" >> {log}
exit 22
"""
STUB = """#!/bin/sh
echo "$1 token=$MQBG_HUBSPOT_TOKEN $*" >> {log}
[ "$1" = run ] && exit {status}
exit 0
"""


def blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def night(tmp_path):
    """`night(status)`: the script where `mqbg run` ends so; its status and what it called."""
    (script,) = [text for text in blocks("sh") if text.startswith("#!/bin/sh")]
    (tmp_path / "night.sh").write_text(script)
    (tmp_path / "secrets.env").write_text("MQBG_HUBSPOT_TOKEN='a $b \"c\"'\n")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    log, stub = tmp_path / "log", tmp_path / ".venv" / "bin" / "mqbg"

    def run(status):
        log.write_text("")
        stub.write_text(STUB.format(log=log, status=status))
        stub.chmod(0o755)
        done = subprocess.run(
            ["sh", tmp_path / "night.sh", "2025-09-01"], check=False, capture_output=True
        )
        return done.returncode, log.read_text().splitlines()

    return run


@pytest.mark.parametrize(("status", "commands"), [(0, 2), (1, 2), (2, 1)])
def test_pages_are_made_unless_nothing_was_written_and_the_status_is_kept(night, status, commands):
    ended, called = night(status)
    assert ended == status
    assert [line.split()[0] for line in called] == ["run", "report"][:commands]


def test_secrets_reach_the_command_as_they_are_written(night):
    _status, called = night(0)
    assert called[0] == (
        'run token=a $b "c" run data --as-of 2025-09-01 --out scores --to hubspot '
        "--json last-night.json"
    )


@pytest.fixture
def pinged(tmp_path, monkeypatch):
    """`pinged()`: what `curl` was called with, each time; it fails, as where nobody answers."""
    monkeypatch.delenv("HEALTHCHECK_URL", raising=False)
    folder, log = tmp_path / "bin", tmp_path / "pings"
    folder.mkdir()
    log.touch()
    (folder / "curl").write_text(CURL.format(log=log))
    (folder / "curl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return lambda: log.read_text().splitlines()


@pytest.fixture
def watched_night(night, tmp_path):
    """`night`, with a dead-man's switch among the secrets."""
    with (tmp_path / "secrets.env").open("a") as secrets:
        secrets.write("HEALTHCHECK_URL='https://hc.invalid/night'\n")
    return night


@pytest.mark.parametrize("status", [0, 1, 2])
def test_the_dead_mans_switch_is_told_the_status(watched_night, pinged, status):
    watched_night(status)
    (called,) = pinged()
    assert called.split()[-1] == f"https://hc.invalid/night/{status}"


def test_a_dead_mans_switch_that_does_not_answer_leaves_the_status(watched_night, pinged):
    ended, _called = watched_night(0)
    assert (ended, len(pinged())) == (0, 1)


def test_without_a_dead_mans_switch_nobody_is_told(night, pinged):
    night(1)
    assert pinged() == []


def test_cron_mails_what_failed_to_somebody():
    (table,) = blocks("cron")
    lines = [line for line in table.splitlines() if not line.startswith("#")]
    assert re.fullmatch(r"MAILTO=\S+@\S+", lines[0])  # it holds for the lines below it
    assert any("night.sh" in line for line in lines[1:])


def test_the_unit_that_a_failure_starts_is_on_the_page():
    units = dict(re.findall(r"`/etc/systemd/system/([^`]+)`[^`]*```ini\n(.*?)```", TEXT, re.DOTALL))
    assert list(units.values()) == blocks("ini")
    started = re.findall(r"^OnFailure=(.+)$", "".join(units.values()), re.MULTILINE)
    assert started
    assert {re.sub(r"@.*\.", "@.", name) for name in started} <= set(units)


def test_figures_that_alarms_read_are_there():
    named = set(re.findall(r"\bmqbg_\w+", "".join(blocks("yaml"))))
    told = bytes(Metrics().to_response().body).decode()
    # A counter with labels has no line before it counts; its kind is told from the beginning.
    missing = {name for name in named if name.removesuffix("_total") not in told}
    assert (named - missing, missing) == (named, set())
    assert len(named) == 3


@pytest.mark.parametrize("unit", blocks("ini"))
def test_units_name_programs_by_whole_paths(unit):
    parsed = configparser.RawConfigParser(strict=True)
    parsed.optionxform = str
    parsed.read_string(unit)
    if parsed.has_section("Service"):
        assert parsed["Service"]["ExecStart"].startswith("/")
