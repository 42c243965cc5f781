"""The feature reference says what the catalogue declares."""

from __future__ import annotations

import re
from pathlib import Path

from mqbg.features.declare.reference import feature_reference

PAGE = Path(__file__).parents[3] / "docs" / "features.md"


def test_the_page_is_the_catalogue_s():
    assert PAGE.read_text(encoding="utf-8") == feature_reference(), (
        "run `make docs` and commit the page"
    )


def test_the_catalogue_declares_ninety_to_a_hundred_and_forty_features():
    lines = [line for line in feature_reference().splitlines() if line.startswith("| `")]
    assert 90 <= len(lines) <= 140
    assert f"There are {len(lines)} of them" in feature_reference()


def test_every_line_has_all_its_cells_and_no_word_that_a_browser_takes_for_a_tag():
    for line in feature_reference().splitlines():
        if line.startswith("| `"):
            assert len(line.split(" | ")) == 5
            assert not re.search(r"<\w+>", re.sub(r"`[^`]*`", "", line))
