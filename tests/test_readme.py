"""The README's commands run as they stand there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.strip().splitlines()
]
BIN = Path(sys.executable).parent


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("make ")])
def test_targets_named_in_the_readme_exist(command):
    done = subprocess.run(
        ["make", "--dry-run", *command.split()[1:]], cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_commands_on_tables_run_one_after_the_other(tmp_path):
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    ran = []
    for command in (c for c in COMMANDS if c.startswith(".venv/bin/mqbg ")):
        if "$GROUP_ID" in command:
            scores = pq.read_table(tmp_path / "data" / "scores" / "scores.parquet")
            environment["GROUP_ID"] = scores["group_id"][0].as_py()
        arguments = [os.path.expandvars(a) if "$" not in a else environment["GROUP_ID"]
                     for a in shlex.split(command)]  # fmt: skip
        arguments[0] = str(BIN / "mqbg")
        if arguments[1] == "serve":
            answers_over_http([*arguments, "--port", "0"], tmp_path, environment)
            ran.append("serve")
            continue
        done = subprocess.run(
            arguments, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        ran.append(shlex.split(command)[1])
    assert ran == [
        *("simulate", "check", "probe", "train", "score", "report", "features", "explain"),
        *("train", "compare", "promote", "rollback", "features", "run", "push", "serve"),
    ]
    assert (tmp_path / "data" / "report" / "index.html").is_file()


def answers_over_http(command, folder, environment):
    """Starts the server, asks for the page and for groups, and stops it in order."""
    with subprocess.Popen(
        command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            url = next(line.split()[0] for line in server.stderr if line.startswith("http://"))
            with httpx.Client(base_url=url, follow_redirects=True, timeout=60) as client:
                assert "<html" in client.get("/").text
                assert client.get("/v1/groups?status=qualified&limit=20").json()["groups"]
                assert client.get("/readyz").json()["status"] == "ready"
        finally:
            server.terminate()
        assert server.wait(60) in (0, -15)


def test_every_command_of_the_readme_is_known():
    kinds = ("make ", ".venv/bin/mqbg ", ".venv/bin/mlflow ui ", "curl ")
    assert [c for c in COMMANDS if not c.startswith(kinds)] == []
