"""The data reference says what the contract declares, and its example rows keep the contract."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from mqbg.contract import TABLES
from mqbg.source.checks import check_source
from mqbg.source.column_meanings import MEANINGS, TABLE_MEANINGS
from mqbg.source.reference import data_reference
from mqbg.source.staging import open_source

PAGE = Path(__file__).parents[2] / "docs" / "data.md"
BLOCK = re.compile(r"^## (\w+)\??\n.*?```csv\n(.*?)```", re.DOTALL | re.MULTILINE)
OPTIONAL = [(t, c) for t in TABLES.values() for c in t.columns if not c.required]


def test_the_page_is_the_contract_s():
    assert PAGE.read_text(encoding="utf-8") == data_reference(), "run `make docs` and commit it"


def test_every_table_and_column_has_words_and_nothing_else_has():
    assert set(TABLE_MEANINGS) == set(TABLES)
    assert set(MEANINGS) == {f"{t.name}.{c.name}" for t in TABLES.values() for c in t.columns}


@pytest.mark.parametrize(("table", "column"), OPTIONAL, ids=lambda x: x.name)
def test_whatever_may_be_absent_says_what_its_absence_costs(table, column):
    assert MEANINGS[f"{table.name}.{column.name}"].without


def test_the_example_rows_keep_the_contract(tmp_path):
    for name, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
        (header, row) = csv.reader(text.splitlines())
        assert header == list(TABLES[name].column_names)
        assert len(row) == len(header)
    with open_source(tmp_path, threads=1) as source:
        report = check_source(source)
    assert report.problems == ()
    assert report.rows == dict.fromkeys(TABLES, 1)


def test_every_line_has_all_its_cells_and_no_word_that_a_browser_takes_for_a_tag():
    lines = [line for line in data_reference().splitlines() if line.startswith("| `")]
    assert len(lines) == len(MEANINGS)
    for line in lines:
        assert len(line.split(" | ")) == 5
        assert not re.search(r"<\w+>", line)
