"""The commands of docs/getting-started.md run as they are written there, on made-up exports."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

TEXT = (Path(__file__).parents[1] / "docs" / "getting-started.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent
_SECTION = TEXT.split("## Try it on made-up exports")[1].split("\n## ")[0]
PREPARE, *BLOCKS = [
    block.strip().splitlines() for block in re.findall(r"```sh\n(.*?)```", _SECTION, re.DOTALL)
]


def run(command: str, folder: Path) -> None:
    arguments = shlex.split(command)
    assert arguments[0] == "mqbg"
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    done = subprocess.run(
        [str(BIN / "mqbg"), *arguments[1:]], cwd=folder, env=environment, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def test_the_guide_goes_from_three_exports_to_scores_with_three_commands_each():
    assert len(PREPARE) == 1
    assert [[shlex.split(line)[1] for line in block] for block in BLOCKS] == [
        ["init", "train", "score"]
    ] * 3


FEWER = ("--groups 1200", "--groups 120")
"""A tenth of the guide's groups go through the same commands in a tenth of the time."""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guide")
    assert FEWER[0] in PREPARE[0]
    run(PREPARE[0].replace(*FEWER), folder)
    return folder / "world"


@pytest.mark.slow
@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: shlex.split(block[0])[2].split("/")[-1])
def test_the_commands_of_the_guide_end_with_scores(block, world, tmp_path):
    (tmp_path / "world").symlink_to(world)
    for command in block:
        run(command, tmp_path)
    scores = pq.read_table(tmp_path / "scores" / "scores.parquet")
    assert scores.num_rows > 20
    assert scores["rank"].null_count == 0
