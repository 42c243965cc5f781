"""README and docs: their commands run, their links lead somewhere, the reference is whole."""

from __future__ import annotations

import doctest
import inspect
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import httpx
import mqbg
import pyarrow.parquet as pq
import pytest
from mqbg.commands.app import app
from typer.main import get_command

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
BIN = Path(sys.executable).parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("[!.]*/README.md"), *DOCS.rglob("*.md")])
WRITTEN_PAGES = [page for page in PAGES if not {"_generated", "_notebooks"} & set(page.parts)]
# One folder, one after the other: what a page builds on, the pages before it have made.
RUN_IN_ORDER = ("tutorial.md", "how-to/train-and-promote.md", "how-to/serve.md")


def commands_of(page):
    """The lines of the page's `sh` blocks, without comments; scripts have tests of their own."""
    blocks = re.findall(r"```sh\n(?!#!)(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.strip().splitlines()]
    return [command for line in lines if (command := line.partition("  # ")[0].strip())]


def name_of(page):
    return str(page.relative_to(ROOT))


# ---------------------------------------------------------------- as they are written


@pytest.mark.parametrize("page", WRITTEN_PAGES, ids=name_of)
def test_every_link_to_a_file_leads_to_one(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    if page == DOCS / "contributing.md":
        return
    files = [target.partition("#")[0] for target in targets if "://" not in target]
    generated = ("_generated/", "../_generated/")  # the site's own build checks these
    missing = [
        one for one in files if one and not one.startswith(generated)
        and not (page.parent / one).exists()
    ]  # fmt: skip
    assert missing == []


def test_every_page_of_the_docs_is_in_the_table_of_contents():
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    contents = set(re.findall(r"^([\w/-]+)$", index, re.MULTILINE))
    pages = {str(p.relative_to(DOCS))[:-3] for p in WRITTEN_PAGES if DOCS in p.parents}
    assert pages - {"index"} <= contents


def test_every_command_is_shown_at_work_in_the_readme_or_the_docs():
    shown = "\n".join(page.read_text(encoding="utf-8") for page in WRITTEN_PAGES)
    for name in get_command(app).commands:
        assert re.search(rf"(mqbg|make) {name}\b", shown), name


@pytest.mark.parametrize("page", [p for p in WRITTEN_PAGES if commands_of(p)], ids=name_of)
def test_every_command_of_a_page_is_one_that_is_known(page):
    known = set(get_command(app).commands)
    for command in commands_of(page):
        program, *arguments = shlex.split(command)
        if Path(program).name == "mqbg":
            assert arguments[0] in known, command
        elif program == "make":
            subprocess.run(
                ["make", "--dry-run", *arguments], cwd=ROOT, check=True, capture_output=True
            )
        else:
            assert program in ("curl", ".venv/bin/mlflow"), command


# ---------------------------------------------------------------- the reference


@pytest.fixture(scope="module")
def reference():
    sys.path.insert(0, str(DOCS))
    try:
        import reference_from_code
    finally:
        sys.path.remove(str(DOCS))
    return reference_from_code.pages()


def rows_of(page):
    """Heading and cells of every table row of a page."""
    heading = ""
    for line in page.splitlines():
        if line.startswith("## "):
            heading = line[3:]
        elif line.startswith("| `"):
            yield heading, [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_every_key_of_every_section_of_the_settings_has_a_meaning(reference):
    rows = [row for row in rows_of(reference["settings.md"]) if row[0] != "Default kinds"]
    assert len(rows) > 100
    assert [(section, cells[0]) for section, cells in rows if not cells[-1]] == []


def test_every_argument_and_option_of_every_command_has_a_meaning(reference):
    rows = list(rows_of(reference["commands.md"]))
    assert {heading for heading, _ in rows} >= {"mqbg score", "mqbg train", "mqbg import"}
    assert [(heading, cells[0]) for heading, cells in rows if not cells[-1]] == []


# ---------------------------------------------------------------- as they run


@pytest.mark.slow
def test_the_commands_of_the_docs_run_one_after_the_other(tmp_path):
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    # The same commands with a lighter training: what it finds is tested elsewhere.
    (tmp_path / "mqbg.toml").write_text(
        "[model]\nrefits = 2\nresamples = 20\nablation = false\n[thresholds]\nheld_out_nights = 3\n"
    )
    ran = []
    for command in (c for name in RUN_IN_ORDER for c in commands_of(DOCS / name)):
        program, *arguments = shlex.split(command)
        if Path(program).name != "mqbg":
            continue
        if "$GROUP_ID" in arguments:
            scores = pq.read_table(tmp_path / "data" / "scores" / "scores.parquet")
            group_id = scores["group_id"][0].as_py()
            arguments = [group_id if one == "$GROUP_ID" else one for one in arguments]
        arguments = [str(BIN / "mqbg"), *arguments]
        ran.append(arguments[1])
        if arguments[1] == "serve":
            answers_over_http([*arguments, "--port", "0"], tmp_path, environment)
            continue
        done = subprocess.run(
            arguments, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    assert ran == [
        *("simulate", "check", "probe", "train", "score", "report", "explain", "explain"),
        *("explain", "run", "push", "features", "train", "compare", "promote", "rollback"),
        *("features", "serve"),
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


@pytest.mark.slow
def test_the_examples_of_the_python_api_run_as_they_are_printed(simulated, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    Path("data").mkdir()
    Path("data/world").symlink_to(simulated(400, 13), target_is_directory=True)
    Path("mqbg.toml").write_text(
        "[model]\nrefits = 2\nresamples = 10\nablation = false\nfew_conversions = 10\n"
        "[thresholds]\nheld_out_nights = 3\n"
    )
    names = {}
    runner = doctest.DocTestRunner()
    functions = (
        *("simulate", "load_settings", "open_source", "features", "probe", "drift", "train"),
        *("load_model", "score", "explain", "explain_change"),
    )
    assert {name for name in mqbg.__all__ if inspect.isfunction(getattr(mqbg, name))} == set(
        functions
    )
    for name in functions:
        source = getattr(mqbg, name)
        [found] = doctest.DocTestFinder(recurse=False).find(source, name, globs=names)
        assert found.examples, name
        runner.run(found, clear_globs=False)
        names.update(found.globs)
    assert runner.summarize(verbose=False).failed == 0
