"""The portfolio: order, names, limits, what the script needs, and what changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

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
from mqbg.serve.pages import portfolio


def test_the_portfolio_is_in_order_of_rank_and_names_the_strongest_member(source, tmp_path):
    scored = two_groups()
    upside_down = replace(scored, scores=scored.scores.take([1, 0]))
    written(upside_down, source, tmp_path / "out")
    page = Page(tmp_path / "out" / "index.html")
    assert page.links[2:] == [f"groups/{page_name(group_id)}" for group_id in ("g1", "g2")]
    assert page.texts.count("Mori Aya") == 2


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
    links = Page(tmp_path / "out" / "index.html").links[2:]
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
    owners = [a.get("data-owner") for tag, a in index.tags if "data-status" in a]
    assert owners == ["Ito", "Abe"]


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
    assert sum(tag == "tr" for tag, _attributes in page.tags) == 1 + 20
    assert len(page.links) == 2 + 5


def test_ten_thousand_groups_are_listed_and_five_hundred_have_pages():
    assert (portfolio.MAX_LISTED, portfolio.MAX_PAGES) == (10_000, 500)


@pytest.mark.parametrize(
    "group_id", ["../../up", "a/b\\c", "CON", "東京 1", "", "  ", "a" * 400, "%2e", "g?x=1#y", "🙂"]
)
def test_a_group_id_of_odd_characters_has_a_page_in_its_folder(source, tmp_path, group_id):
    written(tables([score_row(group_id, -3.0, 0.0, 1)]), source, tmp_path / "out")
    (page,) = (tmp_path / "out" / "groups").iterdir()
    assert Page(tmp_path / "out" / "index.html").links[-1] == f"groups/{page.name}"


def test_rows_carry_what_the_filters_choose_by_and_the_figures_that_are_sorted(tmp_path):
    tiered = opened(SOURCE_NAMES, tiers={"a1": "A & B"})
    written(two_groups(), tiered, tmp_path / "out")
    page = Page(tmp_path / "out" / "index.html")
    rows = [attributes for tag, attributes in page.tags if "data-status" in attributes]
    assert rows == [
        {
            "data-task": task,
            "data-status": status,
            "data-solution": "Ledger",
            "data-tier": "A & B",
            "data-owner": "",
        }
        for task, status in (("work", "qualified"), ("watch", "nurture"))
    ]
    options = [attributes["value"] for tag, attributes in page.tags if tag == "option"]
    assert {"qualified", "nurture", "A & B"} <= set(options)
    values = [float(a["data-value"]) for _tag, a in page.tags if a.get("data-value")]
    assert len(values) == 2 * 5  # task, rank, readiness, score, completeness
    assert values[1:3] == [1, pytest.approx(1 / (1 + 2.718281828459045))]


def test_without_a_script_the_filters_are_hidden_and_the_table_is_there(source, tmp_path):
    written(two_groups(), source, tmp_path / "out")
    page = Page(tmp_path / "out" / "index.html")
    (form,) = (attributes for tag, attributes in page.tags if tag == "form")
    assert "hidden" in form
    assert not any("hidden" in attributes for tag, attributes in page.tags if tag == "tr")


def test_data_without_tiers_has_no_column_and_no_filter_for_them(source, tmp_path):
    written(two_groups(), source, tmp_path / "out")
    page = Page(tmp_path / "out" / "index.html")
    assert "tier" not in page.texts
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
