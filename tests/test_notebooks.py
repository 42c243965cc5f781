"""Every notebook runs top to bottom on a small world, alone, and leaves nothing behind."""

from __future__ import annotations

import ast
import json
import os
import re
from importlib.util import find_spec
from pathlib import Path

import mqbg
import pytest

NOTEBOOKS = sorted(Path(__file__).parents[1].glob("notebooks/*.ipynb"))
EXECUTED = Path(__file__).parents[1] / "build" / "notebooks"
OPTION = "MQBG_NOTEBOOKS"
TITLES = {
    "01": "looking at the data",
    "02": "features and their worth",
    "03": "train and compare in mlflow",
    "04": "why this group",
    "05": "choosing thresholds with sales",
    "06": "has it drifted",
}
GROUPS = "300"
# Half the history: notebooks shall run, their figures are tested elsewhere. So small a world has
# few labels; they are not blended, so that every cell has something to show.
CONFIG = """
[snapshots]
start = "2024-10-01"
[model]
threads = 1
few_conversions = 10
"""
SECONDS = 300  # for one cell; a whole notebook takes about a minute on an idle machine


def _missing() -> str | None:
    if os.environ.get(OPTION) != "1":
        return f"notebooks take minutes: set {OPTION}=1 to run them"
    if any(find_spec(name) is None for name in ("nbclient", "ipykernel")):
        return 'nbclient or ipykernel is not installed: pip install "mqbg[notebooks]"'
    return None


slow = pytest.mark.skipif(_missing() is not None, reason=_missing() or "")
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path, kind):
    book = json.loads(path.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == kind]


def python(cell):
    return ast.parse(re.sub(r"^%.*$", "", cell, flags=re.MULTILINE))


def run(path, folder, monkeypatch, **environment):
    """Runs a notebook in a folder, as if somebody opened it there; the notebook with its outputs.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell fails.
    """
    import nbformat
    from nbclient import NotebookClient

    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    book = nbformat.read(path, as_version=4)
    client = NotebookClient(
        book, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    return client.execute()


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """An empty folder to run in; settings and caches of Jupyter are elsewhere."""
    config = tmp_path / "mqbg-for-notebooks.toml"
    config.write_text(CONFIG)
    for name in ("MQBG_DATA", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MQBG_CONFIG", str(config))
    monkeypatch.setenv("MQBG_NOTEBOOKS_GROUPS", GROUPS)
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"):
        own = tmp_path / "jupyter" / name.lower()
        own.mkdir(parents=True)
        monkeypatch.setenv(name, str(own))
    # Jupyter's own way of saying so: paths of the platform, which it will use one day anyway.
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


# ---------------------------------------------------------------- as they are stored


def test_the_tour_has_six_parts():
    assert {path.stem[:2]: path.stem[3:].replace("_", " ") for path in NOTEBOOKS} == TITLES


@each
def test_the_first_words_are_its_title(path):
    [title] = cells(path, "markdown")[0].splitlines()[:1]
    assert title.lower().startswith(f"# {path.stem[:2]} {TITLES[path.stem[:2]]}")


@each
def test_the_first_cell_names_data_and_settings(path):
    names = {
        target.id
        for node in python(cells(path, "code")[0]).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert {"DATA", "CONFIG", "settings"} <= names


@each
def test_a_notebook_uses_the_python_api_alone(path):
    nodes = [node for cell in cells(path, "code") for node in ast.walk(python(cell))]
    imported = {
        alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names
    }
    assert "mqbg" in imported
    assert not {name for name in imported if name.startswith("mqbg.")}
    modules = {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    assert not {name for name in modules if name.split(".")[0] == "mqbg"}
    used = {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "mqbg"
    }
    assert used <= set(mqbg.__all__)
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    assert "bundle" not in attributes
    assert not {name for name in attributes if name.startswith("_")}


@each
def test_a_notebook_defines_nothing(path):
    definitions = (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)
    for cell in cells(path, "code"):
        assert not [node for node in ast.walk(python(cell)) if isinstance(node, definitions)]


# ---------------------------------------------------------------- as they run


def keep_for_the_site(executed, name):
    """`make site` shows notebooks with the outputs of this run."""
    import nbformat

    EXECUTED.mkdir(parents=True, exist_ok=True)
    nbformat.write(executed, EXECUTED / name)


@slow
@each
def test_a_notebook_runs_top_to_bottom_and_leaves_nothing_behind(path, alone, monkeypatch):
    done = run(path, alone, monkeypatch)
    numbers = [cell["execution_count"] for cell in done["cells"] if cell["cell_type"] == "code"]
    assert numbers == list(range(1, len(numbers) + 1))
    assert not list(alone.iterdir())
    keep_for_the_site(done, path.name)


@slow
def test_a_notebook_reads_the_folder_that_is_named(alone, tmp_path, monkeypatch):
    mqbg.simulate(tmp_path / "ours", groups=120, seed=3)
    done = run(NOTEBOOKS[0], alone, monkeypatch, MQBG_DATA=str(tmp_path / "ours"))
    assert f"{tmp_path / 'ours'} follows the contract" in json.dumps(done)
