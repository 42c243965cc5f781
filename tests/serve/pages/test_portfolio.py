"""The portfolio: order, names, limits, what the script needs, and what changed."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from made_report import (
    SOURCE_NAMES,
    Page,
    member_row,
    opened,
    score_row,
    tables,
    two_groups,
    written,
)
from mqbg.contract import BadInput
from mqbg.serve.batch.page_name import page_name
from mqbg.serve.batch.score_history import HistoryPoint, ScoreHistory
from mqbg.serve.pages import portfolio
from mqbg.serve.pages.portfolio_files import CSV_FILE, DATA_FILE


def group_links(page: Page) -> list[str]:
    return [link for link in page.links if link.startswith("groups/")]


def data_rows(out: Path) -> list[dict]:
    """The rows that the script renders, as objects."""
    text = (out / DATA_FILE).read_text(encoding="utf-8")
    data = json.loads(text.removeprefix("globalThis.portfolioData = ").rstrip().rstrip(";"))
    worded = set(data["worded"])
    return [
        {
            field: data["words"][value] if field in worded else value
            for field, value in zip(data["fields"], row, strict=True)
        }
        for row in data["rows"]
    ]


def test_the_portfolio_is_in_order_of_rank_and_names_the_strongest_member(source, tmp_path):
    scored = two_groups()
    upside_down = replace(scored, scores=scored.scores.take([1, 0]))
    written(upside_down, source, tmp_path / "out")
    page = Page(tmp_path / "out" / "index.html")
    assert group_links(page) == [f"groups/{page_name(group_id)}" for group_id in ("g1", "g2")]
    assert page.texts.count("Mori Aya") == 2  # one in each row


def test_what_is_to_be_worked_today_comes_before_a_readier_group_that_is_with_sales(tmp_path):
    rows = [
        score_row("g1", -3.0, 2.0, 1, status="accepted"),
        score_row("g2", -3.0, 1.0, 2, status="nurture"),
        score_row("g3", -3.0, 0.5, 3, status="qualified"),
    ]
    members = [
        member_row(row, "c1", added) for row, added in zip(rows, (2.0, 1.0, 0.5), strict=True)
    ]
    written(tables(rows, members), opened(SOURCE_NAMES), tmp_path / "out")
    links = group_links(Page(tmp_path / "out" / "index.html"))
    assert links == [f"groups/{page_name(group_id)}" for group_id in ("g3", "g2", "g1")]


def test_a_group_shows_its_record_in_the_crm_and_links_to_http_alone(tmp_path):
    records = [
        {"group_id": "g1", "name": "Deal 7", "owner": "Ito", "url": "https://crm.example/7"},
        {"group_id": "g2", "owner": "Abe", "url": "javascript:alert(1)"},
    ]
    written(two_groups(), opened(SOURCE_NAMES, groups=records), tmp_path / "out")
    index = Page(tmp_path / "out" / "index.html")
    page = Page(tmp_path / "out" / "groups" / page_name("g1"))
    for shown in (index, page):
        assert "https://crm.example/7" in shown.links
        assert "javascript:" not in shown.source
    assert {"Ito", "Abe"} <= set(index.texts)
    assert any("Deal 7" in text and "g1" in text for text in page.texts)
    assert [row["owner"] for row in data_rows(tmp_path / "out")] == ["Ito", "Abe"]


def test_names_that_the_source_does_not_know_give_way_to_ids(tmp_path):
    score = score_row("g1", -3.0, 2.0, 1)
    gone = score_row("g2", -3.0, 1.0, 2, account_id="a-gone", solution_id="s-gone")
    members = [member_row(score, "c-gone", 2.0), member_row(gone, "c-gone", 1.0)]
    written(tables([score, gone], members), opened(SOURCE_NAMES), tmp_path / "out")
    texts = Page(tmp_path / "out" / "index.html").texts
    assert {"Arrow K.K.", "a-gone", "s-gone", "contact c-gone"} <= set(texts)


def test_other_data_than_the_scores_were_made_from_is_refused(tmp_path):
    with pytest.raises(BadInput, match="none of the 1 accounts of the scores is in given"):
        written(two_groups(), opened({"b1": "Other"}), tmp_path / "out")


def test_scores_of_no_group_or_of_two_cut_offs_are_refused(source, tmp_path):
    with pytest.raises(BadInput, match="at least one group"):
        written(tables([]), source, tmp_path / "out")
    later = score_row("g2", -3.0, 0.0, 2, as_of=datetime(2024, 6, 1))
    with pytest.raises(BadInput, match="one cut-off, got 2: 2024-05-01 to 2024-06-01"):
        written(tables([score_row("g1", -3.0, 0.0, 1), later]), source, tmp_path / "out")


def test_the_limits_hold_and_the_portfolio_states_them(source, tmp_path, monkeypatch):
    monkeypatch.setattr(portfolio, "MAX_LISTED", 20)
    rows = [score_row(f"g{n}", -3.0, -n / 1000, n + 1) for n in range(21)]
    members = [member_row(row, "c1", -n / 1000) for n, row in enumerate(rows) if n]
    written(tables(rows, members), source, tmp_path / "out", pages=5)
    files = {path.name for path in (tmp_path / "out" / "groups").iterdir()}
    assert files == {page_name(f"g{n}") for n in range(5)}
    page = Page(tmp_path / "out" / "index.html")
    assert "The table lists the 20 readiest of 21 groups." in page.texts
    assert "The 5 readiest groups have a page of their own." in page.texts
    assert len(data_rows(tmp_path / "out")) == 20
    assert len(group_links(page)) == 5


def test_ten_thousand_groups_are_listed_and_five_hundred_have_pages():
    assert (portfolio.MAX_LISTED, portfolio.MAX_PAGES) == (10_000, 500)


ODD = ("../../up", "a/b\\c", "CON", "東京 1", "", "  ", "a" * 400, "%2e", "g?x=1#y", "🙂")


def test_every_group_id_of_odd_characters_has_a_page_of_its_own_in_the_folder(source, tmp_path):
    rows = [score_row(group_id, -3.0, 0.0, n + 1) for n, group_id in enumerate(ODD)]
    written(tables(rows), source, tmp_path / "out")
    pages = {f"groups/{page.name}" for page in (tmp_path / "out" / "groups").iterdir()}
    assert len(pages) == len(ODD)
    links = group_links(Page(tmp_path / "out" / "index.html"))
    assert (set(links), len(links)) == (pages, len(ODD))


def test_rows_carry_what_the_filters_choose_by_and_the_figures_that_are_sorted(tmp_path):
    tiered = opened(SOURCE_NAMES, tiers={"a1": "A & B"})
    written(two_groups(), tiered, tmp_path / "out")
    page = Page(tmp_path / "out" / "index.html")
    fields = ("task", "status", "solution", "tier", "owner", "rank", "readiness", "completeness")
    assert [[row[field] for field in fields] for row in data_rows(tmp_path / "out")] == [
        ["work", "qualified", "Ledger", "A & B", "", 1, 269, 50],
        ["watch", "nurture", "Ledger", "A & B", "", 2, 76, 50],
    ]
    options = [attributes["value"] for tag, attributes in page.tags if tag == "option"]
    assert {"qualified", "nurture", "A & B"} <= set(options)
    values = [float(a["data-value"]) for _tag, a in page.tags if a.get("data-value")]
    assert values[:8] == [1, 1, 269, 50, 3, 2, 76, 50]  # task, rank, readiness, completeness


def test_the_page_holds_the_first_rows_and_the_data_file_all_of_them(source, tmp_path):
    rows = [score_row(f"g{n}", -3.0, -n / 1000, n + 1) for n in range(130)]
    members = [member_row(row, "c1", -n / 1000) for n, row in enumerate(rows) if n]
    written(tables(rows, members), source, tmp_path / "out", pages=1)
    page = Page(tmp_path / "out" / "index.html")
    assert sum(tag == "tr" for tag, _attributes in page.tags) == 1 + 100 + 1  # one is for cloning
    assert [row["group_id"] for row in data_rows(tmp_path / "out")] == [r["group_id"] for r in rows]


def test_the_csv_has_every_group_and_no_formula(tmp_path):
    evil = opened({"a1": "=HYPERLINK(1)"}, groups=[{"group_id": "g1", "owner": "@cmd"}])
    written(two_groups(), evil, tmp_path / "out")
    text = (tmp_path / "out" / CSV_FILE).read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["group id"] for row in rows] == ["g1", "g2"]
    assert {row["account"] for row in rows} == {"'=HYPERLINK(1)"}
    assert rows[0]["owner"] == "'@cmd"
    assert [float(row["readiness, %"]) for row in rows] == [26.9, 7.6]


def test_accepted_and_rejected_groups_are_listed_apart(tmp_path):
    statuses = ("accepted", "nurture", "rejected", "qualified")
    rows = [score_row(f"g{n}", -3.0, 0.0, n + 1, status=s) for n, s in enumerate(statuses)]
    written(tables(rows), opened(SOURCE_NAMES), tmp_path / "out")
    found = {row["status"]: row["view"] for row in data_rows(tmp_path / "out")}
    assert found == {
        "accepted": "accepted", "nurture": "open", "rejected": "rejected", "qualified": "open",
    }  # fmt: skip
    page = Page(tmp_path / "out" / "index.html")
    radios = [a["value"] for tag, a in page.tags if tag == "input" and a.get("type") == "radio"]
    assert radios == ["open", "accepted", "rejected", "all"]


@pytest.mark.parametrize(
    ("then", "words"),
    [
        ({"status": "nurture"}, "now qualified (MQBG)"),
        ({"status": "qualified", "missing_roles": []}, "no judge any more"),
        ({"status": "qualified", "missing_roles": ["judge", "buyer"]}, "buyer found"),
        ({"status": "qualified"}, "score rose"),
        (None, "scored for the first time"),
    ],
)
def test_what_changed_is_said_in_a_few_words(source, tmp_path, then, words):
    at = datetime(2024, 4, 1)
    earlier = [score_row("g2", -3.0, 1.5, 2, as_of=at)]
    if then is not None:
        earlier.append(score_row("g1", -3.0, 1.5, 1, as_of=at, **then))
    written(two_groups(), source, tmp_path / "out", before=tables(earlier))
    row = next(row for row in data_rows(tmp_path / "out") if row["group_id"] == "g1")
    assert row["changed"] == words
    assert len(words.split()) <= 5


def test_the_trend_follows_the_runs_and_the_page_says_what_was_not_delivered(source, tmp_path):
    days = [datetime(2024, month, 1) for month in (3, 4, 5)]
    points = tuple(
        HistoryPoint(day, value, 0.2, "nurture")
        for day, value in zip(days, (0.1, 0.2, 0.3), strict=True)
    )
    history = ScoreHistory(tuple(days), {"g1": points}, failed=(("hubspot", 3),))
    written(two_groups(), source, tmp_path / "out", history=history)
    rows = {row["group_id"]: row for row in data_rows(tmp_path / "out")}
    heights = [int(pair.split(",")[1]) for pair in rows["g1"]["trend"].split()]
    assert heights == sorted(heights, reverse=True)
    assert len(heights) == 3
    assert rows["g2"]["trend"] == ""
    assert "not delivered: hubspot: 3" in Page(tmp_path / "out" / "index.html").texts


def test_without_a_script_the_filters_are_hidden_and_the_table_is_there(source, tmp_path):
    written(two_groups(), source, tmp_path / "out")
    page = Page(tmp_path / "out" / "index.html")
    (form,) = (attributes for tag, attributes in page.tags if tag == "form")
    assert "hidden" in form
    assert not any("hidden" in attributes for tag, attributes in page.tags if tag == "tr")


def test_data_without_tiers_has_no_column_and_no_filter_for_them(source, tmp_path):
    written(two_groups(), source, tmp_path / "out")
    page = Page(tmp_path / "out" / "index.html")
    assert not any("tier" in text for text in page.texts)
    assert not any(a.get("data-filter") == "tier" for _tag, a in page.tags)


def test_the_change_since_earlier_scores_is_that_of_the_shown_scores(source, tmp_path):
    now = two_groups()
    before = tables([score_row("g1", -3.0, 1.5, 1, as_of=datetime(2024, 4, 1))])
    written(now, source, tmp_path / "out", before=before)
    page = Page(tmp_path / "out" / "index.html")
    assert "change" in page.texts
    assert "+8.7" in page.texts  # 26.9 now, 18.2 then
    assert "–" in page.texts  # g2 was not scored then


@pytest.mark.parametrize("then", [datetime(2024, 5, 1), datetime(2024, 6, 1)])
def test_earlier_scores_that_are_not_earlier_are_refused(source, tmp_path, then):
    before = tables([score_row("g1", -3.0, 1.5, 1, as_of=then)])
    with pytest.raises(BadInput, match=r"^--before: expected scores of a cut-off before 2024-05"):
        written(two_groups(), source, tmp_path / "out", before=before)
    assert not list(tmp_path.iterdir())
