"""What commands import, which is what they make people wait for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from mqbg.simulate import simulate


def imported_by(folder: Path, *arguments: str) -> set[str]:
    """Packages in memory when a command has ended."""
    code = (
        "import json, sys\n"
        "from mqbg.commands.app import main\n"
        "names, sys.argv = sys.argv[1], ['mqbg', *sys.argv[2:]]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "packages = sorted({name.split('.')[0] for name in sys.modules})\n"
        "json.dump(packages, open(names, 'w'))\n"
    )
    names = folder / "imported.json"
    environment = {**os.environ, "MQBG_STORE_URL": ""}
    environment.pop("MLFLOW_TRACKING_URI", None)
    ran = subprocess.run(
        [sys.executable, "-c", code, str(names), *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return set(json.loads(names.read_text()))


@pytest.fixture(scope="module")
def working_folder(tmp_path_factory):
    """A folder with a world and a champion."""
    folder = tmp_path_factory.mktemp("start")
    simulate(folder / "world", groups=300, seed=3)
    (folder / "mqbg.toml").write_text("[model]\nresamples = 2\nablation = false\n")
    imported_by(folder, "train", "world")
    return folder


def test_help_imports_neither_engines_nor_settings(tmp_path):
    heavy = {"ibis", "duckdb", "numpy", "pandas", "lightgbm", "mlflow", "sqlalchemy"}
    assert not imported_by(tmp_path, "--help") & heavy


@pytest.mark.parametrize("room", ["contract", "settings", "commands", "commands.app"])
def test_the_lowest_rooms_import_no_engine(room):
    code = f"import sys, mqbg.{room}; print({{'ibis', 'lightgbm', 'mlflow'}} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"


def test_a_check_imports_neither_trees_nor_mlflow(working_folder):
    assert not imported_by(working_folder, "check", "world") & {"lightgbm", "mlflow", "sklearn"}


def test_an_explanation_from_a_local_registry_imports_neither_mlflow_nor_lightgbm(working_folder):
    scoring = imported_by(
        working_folder, "score", "world", "--as-of", "2025-09-01", "--out", "out", "--no-store"
    )
    group = pq.read_table(working_folder / "out" / "scores.parquet")["group_id"][0].as_py()
    explaining = imported_by(working_folder, "explain", "world", group, "--as-of", "2025-09-01")
    for imported in (scoring, explaining):
        assert not imported & {"mlflow", "lightgbm", "sklearn"}
