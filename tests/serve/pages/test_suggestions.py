"""Suggested people on a group's page: for roles that it lacks, with reasons, in both languages."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_report import SOURCE_NAMES, group_page, opened, two_groups, written
from mqbg.contract import BadInput
from mqbg.explain.language import load_language
from mqbg.serve.pages.suggestions import SUGGESTIONS_FILE, read_suggestions

CONTACTS = [
    ("c1", "Mori Aya", "Director"), ("c2", None, None), ("p1", "Sato Ken", "法務部長"),
    ("p2", "Abe Jun", "Counsel"),
]  # fmt: skip
LAST = datetime(2024, 4, 20)


def suggested(contact_id, rank=1, **given):
    return {
        "group_id": "g1", "role": "judge", "rank": rank, "contact_id": contact_id,
        "probability": 0.75, "activities_90d": 0, "last_activity_at": None,
        "reasons": ["not shown"],
    } | given  # fmt: skip


def source_beside(folder, rows):
    path = folder / SUGGESTIONS_FILE
    path.parent.mkdir()
    pq.write_table(pa.Table.from_pylist(rows), path)
    return replace(opened(SOURCE_NAMES, CONTACTS), name=str(folder))


@pytest.fixture
def source(tmp_path):
    rows = [
        suggested("p2", 2, probability=1.0),
        suggested("p1", activities_90d=2, last_activity_at=LAST),
        suggested("c2", 3),  # a member by now
        suggested("gone", 4),  # no contact any more
        suggested("p2", role="buyer"),  # that the group does not lack
        suggested("p2", group_id="g2"),  # which lacks nothing
    ]
    return source_beside(tmp_path, rows)


def test_a_page_names_who_may_fill_a_missing_role_the_best_first_with_reasons(source, tmp_path):
    written(two_groups(), source, tmp_path / "out")
    page, other = (" ".join(group_page(tmp_path / "out", one).texts) for one in ("g1", "g2"))
    assert "People of this account who may fill a missing role" in page
    first = "Sato Ken Title “法務部長” points to judge (75%). 2 activities in the last 90 days."
    second = "Abe Jun Title “Counsel” points to judge. Not active yet."
    assert page.index(first) < page.index(second)
    assert page.count("Title “") == 2
    assert "Title “" not in other


def test_reasons_are_written_in_the_language_of_the_page(source):
    (first, *_), japanese = read_suggestions(source).by_group["g1"][1:], load_language("ja")
    assert first.contact_id == "p1"
    assert first.reasons(japanese) == [
        "役職「法務部長」からjudgeとみられます（確からしさ75%）。",
        "直近90日間の活動は2件です。",
    ]


def test_somebody_silent_for_long_has_the_day_of_the_last_activity(tmp_path):
    source = source_beside(tmp_path, [suggested("p1", last_activity_at=LAST)])
    (one,) = read_suggestions(source).by_group["g1"]
    assert one.reasons(load_language("en"))[1] == "Last active Apr 20, 2024."


def test_without_the_file_there_are_none(tmp_path):
    source = replace(opened(SOURCE_NAMES, CONTACTS), name=str(tmp_path))
    assert read_suggestions(source).by_group == {}


@pytest.mark.parametrize("content", [b"no parquet", None])
def test_a_damaged_file_is_refused(tmp_path, content):
    source = source_beside(tmp_path, [{"group_id": "g1"}])
    if content:
        (tmp_path / SUGGESTIONS_FILE).write_bytes(content)
    with pytest.raises(BadInput, match="expected the suggestions that `mqbg import` writes"):
        read_suggestions(source)
