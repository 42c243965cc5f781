"""The script, the secrets and the figures of docs/night.md are what they say."""

from __future__ import annotations

import configparser
import re
import subprocess
from pathlib import Path

import pytest
from mqbg.serve.api.middleware import Metrics

TEXT = (Path(__file__).parents[1] / "docs" / "night.md").read_text(encoding="utf-8")
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
