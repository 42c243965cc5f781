"""A source that knows one account and two of the people in `made_report`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # made_report.py is no package's module

from made_report import SOURCE_NAMES, opened


@pytest.fixture(scope="session")
def source():
    return opened(SOURCE_NAMES, [("c1", "Mori Aya", "Director"), ("c2", None, None)])
