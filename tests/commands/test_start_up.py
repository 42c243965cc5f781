"""What commands import, which is what they make people wait for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from mqbg.support.disk_cache import CACHE_VARIABLE


def imported_by(names: Path, *commands: list[str], folder: Path | None = None) -> set[str]:
    """Packages in memory when the commands have ended; `names` is where they are written."""
    code = (
        "import json, sys\n"
        "from mqbg.commands.app import main\n"
        "names, commands = sys.argv[1], json.loads(sys.argv[2])\n"
        "for sys.argv in commands:\n"
        "    try:\n        main()\n    except SystemExit as end:\n        assert not end.code\n"
        "packages = sorted({name.split('.')[0] for name in sys.modules})\n"
        "json.dump(packages, open(names, 'w'))\n"
    )
    environment = {**os.environ, "MQBG_STORE_URL": ""}
    environment.pop("MLFLOW_TRACKING_URI", None)
    ran = subprocess.run(
        [sys.executable, "-c", code, str(names), json.dumps([["mqbg", *one] for one in commands])],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return set(json.loads(names.read_text()))


def test_help_imports_neither_engines_nor_settings(tmp_path):
    heavy = {"ibis", "duckdb", "numpy", "pandas", "lightgbm", "mlflow", "sqlalchemy"}
    assert not imported_by(tmp_path / "imported.json", ["--help"]) & heavy


@pytest.mark.parametrize("room", ["contract", "settings", "commands", "commands.app"])
def test_the_lowest_rooms_import_no_engine(room):
    code = f"import sys, mqbg.{room}; print({{'ibis', 'lightgbm', 'mlflow'}} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"


def test_a_check_imports_neither_trees_nor_mlflow(world, tmp_path):
    imported = imported_by(tmp_path / "imported.json", ["check", str(world)])
    assert not imported & {"lightgbm", "mlflow", "sklearn"}


@pytest.mark.slow
def test_a_second_check_of_sound_data_imports_no_ibis(world, tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    names = tmp_path / "imported.json"
    assert "ibis" in imported_by(names, ["check", str(world)])
    assert not imported_by(names, ["check", str(world)]) & {"ibis", "pandas", "sqlglot"}


@pytest.mark.slow
def test_an_explanation_from_a_local_registry_imports_neither_mlflow_nor_lightgbm(
    world, trained, scored, tmp_path
):
    group = pq.read_table(scored / "2025-06-01" / "scores.parquet")["group_id"][0].as_py()
    explain = ["explain", str(world), group, "--as-of", "2025-06-01"]
    imported = imported_by(tmp_path / "imported.json", explain, folder=trained)
    assert not imported & {"mlflow", "lightgbm", "sklearn"}


@pytest.mark.slow
def test_scores_that_no_store_keeps_import_nothing_of_a_database(world, trained, tmp_path):
    out = str(tmp_path / "out")
    score = ["score", str(world), "--as-of", "2025-06-01", "--no-store", "--out", out]
    imported = imported_by(tmp_path / "imported.json", score, folder=trained)
    assert not imported & {"mlflow", "lightgbm", "sklearn", "sqlalchemy"}


@pytest.mark.parametrize(("given", "threads"), [(None, "1"), ("2", "2")])
def test_a_command_multiplies_matrices_on_one_thread_unless_it_is_told(given, threads):
    code = (
        "import os, sys\n"
        "from mqbg.commands.app import main\n"
        "sys.argv = ['mqbg', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "import numpy, threadpoolctl\n"
        "pools = threadpoolctl.threadpool_info()\n"
        "used = {one['num_threads'] for one in pools if one['user_api'] == 'blas'}\n"
        "print(os.environ['OPENBLAS_NUM_THREADS'], max(used))\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"}
    if given is not None:
        environment["OPENBLAS_NUM_THREADS"] = given
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    told, used = ran.stdout.splitlines()[-1].split()
    assert told == threads
    assert int(used) <= int(threads)  # a machine may have fewer processors
