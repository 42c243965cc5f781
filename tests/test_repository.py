"""The repository keeps its own rules: rooms, packages, documents."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src"

# What each room may import of ours (design.md, rooms). A room may always import itself.
MAY_IMPORT = {
    "__init__": set(),
    "contract": set(),
    "support": {"contract"},
    "settings": {"contract", "support"},
    "source": {"contract", "settings", "support"},
    "simulate": {"contract", "support"},
    "features": {"contract", "settings", "source", "support"},
    "model": {"contract", "settings", "source", "features", "support"},
    "train": {"contract", "settings", "source", "features", "model", "support"},
    "explain": {"contract", "settings", "source", "features", "model", "support"},
    "serve": {"contract", "settings", "source", "features", "model", "explain", "support"},
}
WIRES_ALL = {"commands"}
# Who made which version champion, and when; when a push may be tried again; how long requests take.
MAY_READ_THE_CLOCK = {
    SRC / "commands" / f"{family}.py" for family in ("versions", "delivery", "server")
}


def room_of(path: Path) -> str:
    return path.relative_to(SRC).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """Rooms of ours that a module names in its relative imports, also inside functions."""
    package = path.relative_to(SRC).parts[:-1]
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            names = node.module.split(".") if node.module else []
            targets = [(*base, *names)] if names else [(*base, a.name) for a in node.names]
            rooms |= {target[0] for target in targets if target}
    return rooms


@pytest.mark.parametrize("path", sorted(SRC.rglob("*.py")), ids=lambda p: str(p.relative_to(SRC)))
def test_imports_point_one_way(path):
    room = room_of(path)
    if room not in WIRES_ALL:
        assert imported_rooms(path) - {room} <= MAY_IMPORT[room]


@pytest.mark.parametrize("path", sorted(SRC.rglob("*.py")), ids=lambda p: str(p.relative_to(SRC)))
def test_imports_of_our_own_are_relative(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and not node.level:
            assert not (node.module or "").startswith("mqbg")
        if isinstance(node, ast.Import):
            assert not any(alias.name.startswith("mqbg") for alias in node.names)


def test_packages_are_the_folders_of_src():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {
        ".".join(("mqbg", *path.parent.relative_to(SRC).parts)) for path in SRC.rglob("__init__.py")
    }
    assert set(listed) == folders


@pytest.mark.parametrize("path", sorted(SRC.rglob("*.py")), ids=lambda p: str(p.relative_to(SRC)))
def test_no_module_reads_the_clock(path):
    text = path.read_text(encoding="utf-8")
    if path not in MAY_READ_THE_CLOCK:
        assert not re.search(r"datetime\.now\(|datetime\.today\(|utcnow\(|time\.time\(", text)


def test_every_dependency_has_its_reason():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(name for extra in extras for name in extra)]
    reasons = (ROOT / "CONTRIBUTING.md").read_text().lower()
    names = {re.split(r"[\[<>=! ]", requirement)[0] for requirement in wanted}
    assert not {name for name in names if name not in reasons}


def test_nothing_generated_is_committed():
    done = subprocess.run(
        ["git", "ls-files", "data", "mlruns", "demo"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip("not a git checkout")
    assert set(done.stdout.split()) <= {"data/README.md", "mlruns/README.md"}


def test_no_notebook_stores_outputs():
    assert not [
        path for path in ROOT.glob("notebooks/*.ipynb") if '"output_type"' in path.read_text()
    ]
