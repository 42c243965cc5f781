"""The repository keeps its own rules: rooms, packages, documents."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src"

# What each room may import of ours (design.md, rooms). A room may always import itself.
MAY_IMPORT = {
    "contract": set(),
    "support": {"contract"},
    "settings": {"contract", "support"},
    "source": {"contract", "settings", "support"},
    "intake": {"contract", "settings", "source", "support"},
    "simulate": {"contract", "support"},
    "features": {"contract", "settings", "source", "support"},
    "model": {"contract", "settings", "source", "features", "support"},
    "train": {"contract", "settings", "source", "features", "model", "support"},
    "explain": {"contract", "settings", "source", "features", "model", "support"},
    "serve": {"contract", "settings", "source", "features", "model", "explain", "support"},
}
# The same inside `serve`: deliveries stand on the store, forgetting on both, pages and API on top.
MAY_IMPORT_IN_SERVE = {
    "__init__": set(),
    "batch": set(),
    "store": {"batch"},
    "delivery": {"batch", "store"},
    "forget": {"batch", "store", "delivery"},
    "pages": {"batch"},
    "api": {"batch", "store", "pages"},
}
WIRES_ALL = {"commands", "__init__"}
# Who made which version champion, and when; when a push may be tried again; how long requests take.
MAY_READ_THE_CLOCK = {
    SRC / "commands" / f"{family}.py" for family in ("versions", "delivery", "server")
}


MODULES = sorted(SRC.rglob("*.py"))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def room_of(path: Path) -> str:
    return path.relative_to(SRC).parts[0].removesuffix(".py")


def imported_modules(path: Path) -> set[tuple[str, ...]]:
    """What a module names in its relative imports, also inside functions: parts of its path."""
    package = path.relative_to(SRC).parts[:-1]
    modules = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            names = node.module.split(".") if node.module else []
            modules |= {(*base, *names, alias.name) for alias in node.names}
    return modules


def test_imports_point_one_way():
    wrong = {}
    for path in MODULES:
        room = room_of(path)
        if room not in WIRES_ALL:
            rooms = {module[0] for module in imported_modules(path)}
            wrong[str(path.relative_to(SRC))] = rooms - {room} - MAY_IMPORT[room]
    assert {name: rooms for name, rooms in wrong.items() if rooms} == {}


def test_imports_inside_serve_point_one_way():
    wrong = {}
    for path in sorted((SRC / "serve").rglob("*.py")):
        part = path.relative_to(SRC / "serve").parts[0].removesuffix(".py")
        parts = {module[1] for module in imported_modules(path) if module[0] == "serve"}
        wrong[str(path.relative_to(SRC))] = parts - {part} - MAY_IMPORT_IN_SERVE[part]
    assert {name: parts for name, parts in wrong.items() if parts} == {}


def modules_of(folder: Path) -> dict[tuple[str, ...], Path]:
    """Every module of a package under the names by which it is imported; () is the package."""
    modules = {}
    for path in folder.rglob("*.py"):
        names = path.relative_to(folder).with_suffix("").parts
        modules[names[:-1] if path.name == "__init__.py" else names] = path
    return modules


def imports_of(
    module: tuple[str, ...], modules: dict[tuple[str, ...], Path]
) -> set[tuple[str, ...]]:
    """Modules that one imports anywhere in it, and the packages that Python runs on the way.

    Packages that the module itself lies in are left out: they have begun before it.
    """
    path = modules[module]
    package = module if path.name == "__init__.py" else module[:-1]
    found = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            target = (*base, *(node.module.split(".") if node.module else ()))
            for alias in node.names:
                whole = (*target, alias.name) if (*target, alias.name) in modules else target
                on_the_way = {whole[:end] for end in range(1, len(whole))}
                found |= {whole, *(one for one in on_the_way if one != module[: len(one)])}
    return found - {module}


def import_circle(folder: Path) -> tuple[str, ...]:
    """The modules of one import circle, the first again at the end; () if there is none."""
    modules = modules_of(folder)
    try:
        TopologicalSorter({name: imports_of(name, modules) for name in modules}).prepare()
    except CycleError as error:
        return tuple(".".join(name) or "(the package)" for name in error.args[1])
    return ()


def test_no_modules_import_each_other_in_a_circle():
    assert import_circle(SRC) == ()


@pytest.mark.parametrize(
    ("files", "circle"),
    [
        ({"a": "from .b import x", "b": "def f():\n    from . import a"}, {"a", "b"}),
        (
            {
                "a": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .b import X",
                "b": "from .a import y",
            },
            {"a", "b"},
        ),
        (
            {"room/__init__": "from .one import x", "room/one": "from ..a import y",
             "a": "from .room.two import z", "room/two": ""},
            {"a", "room", "room.one"},
        ),
        (
            {"room/__init__": "from .one import x\nz = 1", "room/one": "from . import z"},
            {"room", "room.one"},
        ),
        ({"room/__init__": "from .one import x", "room/one": "from .two import x", "room/two": ""},
         set()),
    ],
    ids=["in a function", "for types alone", "through a package", "of its package", "no circle"],
)  # fmt: skip
def test_an_import_circle_is_found_wherever_it_is_closed(tmp_path, files, circle):
    for name, text in {"__init__": "", **files}.items():
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert set(import_circle(tmp_path)) == circle


def absolute_imports(tree: ast.Module) -> set[str]:
    """Modules that are imported by their whole name."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module or "")
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def test_imports_of_our_own_are_relative():
    assert [
        str(path.relative_to(SRC))
        for path in MODULES
        if any(name.startswith("mqbg") for name in absolute_imports(parsed(path)))
    ] == []


def test_packages_are_the_folders_of_src():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {
        ".".join(("mqbg", *path.parent.relative_to(SRC).parts)) for path in SRC.rglob("__init__.py")
    }
    assert set(listed) == folders


def test_no_module_reads_the_clock():
    clock = re.compile(r"datetime\.now\(|datetime\.today\(|utcnow\(|time\.time\(")
    readers = {path for path in MODULES if clock.search(path.read_text(encoding="utf-8"))}
    assert readers <= MAY_READ_THE_CLOCK


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
    written = {
        "data/README.md",
        "mlruns/README.md",
        "data/titles/README.md",
        "data/titles/titles.csv",
    }
    assert set(done.stdout.split()) <= written


def test_no_notebook_stores_outputs():
    assert not [
        path for path in ROOT.glob("notebooks/*.ipynb") if '"output_type"' in path.read_text()
    ]


def test_no_module_of_the_package_is_longer_than_400_lines():
    lines = {path: path.read_text(encoding="utf-8").count("\n") for path in SRC.rglob("*.py")}
    assert [str(path.relative_to(SRC)) for path, count in lines.items() if count > 400] == []
