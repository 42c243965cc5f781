"""Chromium, and reports to open in it; runs with MQBG_BROWSER=1."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "serve" / "pages"))  # made_report.py

sys.path.insert(0, str(Path(__file__).parent))  # crowd.py

from crowd import AS_OF, made_source, scored_groups
from made_report import record, written

AXE = Path(__file__).parents[2] / ".venv" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
"""Where `make test-browser` puts axe-core, which finds what keeps people from using a page."""

NAMES = ("chromium", "chromium-browser", "google-chrome")


@dataclass
class Opened:
    """A tab, and what it complained of and asked for."""

    page: object
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def chromium():
    if os.environ.get("MQBG_BROWSER") != "1":
        pytest.skip("opens pages in Chromium: set MQBG_BROWSER=1")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"needs Chromium: none of {', '.join(NAMES)} is here")
    playwright = pytest.importorskip("playwright.sync_api")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's own wants no root
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=sandbox)
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium):
    """Opens tabs that note whatever they complain of and ask for."""
    contexts = []

    def open_tab(**given):
        context = chromium.new_context(**given)
        contexts.append(context)
        found = Opened(context.new_page())
        found.page.set_default_timeout(5000)
        found.page.on("console", lambda message: found.said.append(message.text))
        found.page.on("pageerror", lambda error: found.said.append(str(error)))
        context.on("request", lambda request: found.asked.append(request.url))
        return found

    yield open_tab
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def axe():
    """The script of axe-core."""
    if not AXE.is_file():
        pytest.skip("needs axe-core, which `make test-browser` brings where there is npm")
    return AXE.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """The same report in English and in Japanese."""
    out, source = tmp_path_factory.mktemp("reports"), made_source()
    before = scored_groups(AS_OF.replace(month=4))
    for language in ("en", "ja"):
        written(scored_groups(), source, out / language, language, record=record(), before=before)
    return {language: out / language for language in ("en", "ja")}


@pytest.fixture(scope="session")
def folder(chromium, folders):
    return folders["en"]
