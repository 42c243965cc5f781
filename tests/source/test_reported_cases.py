"""Small inputs of public reports, kept beside the repository: what `check` says of each."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from mqbg.source.checks import check_source
from mqbg.source.problems import Report
from mqbg.source.staging import open_source

CASES = Path(__file__).parents[2].parent / "shared" / "cases"
pytestmark = pytest.mark.skipif(not CASES.exists(), reason="the cases are not in the repository")


def report_on(data: Path) -> Report:
    with open_source(data, threads=1, strict=False) as source:
        return check_source(source)


def broken(report: Report) -> set[tuple[str, str, str, int]]:
    return {(p.table, p.column, str(p.rule), p.count) for p in report.problems}


REFUSED = {
    "08-zone-abbreviations": {("activities", "occurred_at", "does not convert", 3)},
    "10-dot-as-thousands": {("accounts", "employees", "decimals or thousands", 2)},
    "20-blanks-as-keys": {("members", "role", "null where required", 1)},
    "21-padded-ids": {("members", "contact_id", "dangling key", 3)},
    "24-null-as-text": {("members", "role", "null where required", 1)},
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_meant_is_refused(case):
    assert broken(report_on(CASES / case / "data")) == REFUSED[case]


@pytest.mark.parametrize(
    "case",
    ["12-doubled-carriage-return", "13-semicolons", "17-parquet-names-by-case", "28-header-twice"],
)
def test_what_can_be_meant_is_read(case):
    assert report_on(CASES / case / "data").problems == ()


def test_padded_ids_are_explained():
    (problem,) = report_on(CASES / "21-padded-ids" / "data").problems
    assert problem.hint == "3 of them match without the blanks around them"


def test_what_stands_for_no_value_is_said():
    for case, places in {
        "20-blanks-as-keys": {"members.csv, role", "activities.csv, group_id"},
        "24-null-as-text": {"accounts.csv, industry", "members.csv, role"},
    }.items():
        warnings = report_on(CASES / case / "data").warnings
        assert {w.split(":")[0] for w in warnings if "taken for empty" in w} == places


def test_second_headers_are_said():
    warnings = report_on(CASES / "28-header-twice" / "data").warnings
    assert [said for said in warnings if "repeats the header" in said] == [
        "accounts.csv: row 2 repeats the header and was left out",
        "solutions.csv: row 2 repeats the header and was left out",
    ]


def _packed(folder: Path) -> None:
    path = folder / "activities.csv"
    (folder / "activities.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


def _in_capitals(folder: Path) -> None:
    (folder / "activities.csv").rename(folder / "Activities.CSV")


def _in_a_folder(folder: Path) -> None:
    (folder / "activities").mkdir()
    (folder / "activities.csv").rename(folder / "activities" / "part-0000.csv")


def _numbered(folder: Path) -> None:
    (folder / "activities.csv").rename(folder / "activities_000000000000.csv")


@pytest.mark.parametrize("change", [_packed, _in_capitals, _in_a_folder, _numbered])
def test_a_table_is_found_as_exports_name_it(tmp_path, change: Callable[[Path], None]):
    data = tmp_path / "data"
    shutil.copytree(CASES / "30-parts-and-gz" / "data", data)
    change(data)
    report = report_on(data)
    assert report.problems == ()
    assert report.rows["activities"] == 3
