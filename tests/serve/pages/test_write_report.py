"""The report as a whole: what its pages load, that values are escaped, how a folder is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from made_report import (
    AS_OF,
    EVIL,
    Page,
    all_pages,
    figures,
    group_page,
    member_row,
    model,
    opened,
    record,
    score_row,
    tables,
    two_groups,
    written,
)
from mqbg.contract import BadInput
from mqbg.explain.language import load_language
from mqbg.serve.batch.page_name import page_name
from mqbg.serve.pages import POLICY, is_report_file
from mqbg.serve.pages.content_security_policy import PAGE_POLICY

TAGS = {
    "html", "head", "meta", "title", "link", "script", "body", "header", "nav", "a", "main",
    "footer", "p", "h1", "h2", "h3", "section", "dl", "dt", "dd", "div", "small", "span", "b",
    "br", "ul", "ol", "li", "table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td",
    "svg", "rect", "line", "path", "circle", "g", "text", "details", "summary", "code", "form",
    "label", "textarea", "input", "select", "option", "button", "fieldset", "legend", "template",
    "noscript", "polyline",
}  # fmt: skip


def test_every_link_leads_to_a_page_of_the_report(source, tmp_path):
    index = written(two_groups(), source, tmp_path / "out")
    assert index == tmp_path / "out" / "index.html"
    pages = all_pages(tmp_path / "out")
    assert len(pages) == 4
    reached = {
        (path.parent / link).resolve() for path, page in pages.items() for link in page.links
    }
    assert reached == {path.resolve() for path in pages} | {tmp_path / "out" / "portfolio.csv"}


def test_every_language_has_the_same_pages_and_a_switch_between_them(source, tmp_path):
    out = tmp_path / "out"
    written(two_groups(), source, out, "ja", more_languages=[load_language("en")])
    names = {path.relative_to(out) for path in out.rglob("*.html")}
    japanese = {name for name in names if name.parts[0] != "lang-en"}
    assert names == japanese | {Path("lang-en") / name for name in japanese}
    for name in japanese:
        for folder, other in ((out, out / "lang-en"), (out / "lang-en", out)):
            page = Page(folder / name)
            targets = {((folder / name).parent / link).resolve() for link in page.links}
            assert other / name in targets
    assert Page(out / "index.html").tags[0] == ("html", {"lang": "ja"})
    assert Page(out / "lang-en" / "index.html").tags[0] == ("html", {"lang": "en"})
    assert all(is_report_file(path.name) for path in out.iterdir())


def test_a_report_appears_whole_or_not_at_all(source, tmp_path):
    def stop(_label: str, share: float) -> None:
        if share > 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        written(two_groups(), source, tmp_path / "out", progress=stop)
    assert not list(tmp_path.iterdir())
    written(two_groups(), source, tmp_path / "out")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.html")}
    with pytest.raises(KeyboardInterrupt):
        written(two_groups(), source, tmp_path / "out", "ja", progress=stop)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.html")} == before


def test_an_earlier_report_gives_way_and_a_foreign_folder_does_not(source, tmp_path):
    out = tmp_path / "out"
    written(two_groups(), source, out)
    written(tables([score_row("g9", -3.0, 0.0, 1)]), source, out)
    assert [path.name for path in (out / "groups").iterdir()] == [page_name("g9")]
    assert all(is_report_file(path.name) for path in out.iterdir())
    (out / "notes.txt").write_text("mine")
    with pytest.raises(BadInput, match=r"notes\.txt"):
        written(two_groups(), source, out)
    assert (out / "notes.txt").read_text() == "mine"


def test_the_same_scores_give_the_same_bytes(source, tmp_path):
    written(two_groups(), source, tmp_path / "one")
    written(two_groups(), source, tmp_path / "two")
    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / name).rglob("*.html")}
        for name in ("one", "two")
    )
    assert one == two


def test_every_value_is_escaped(tmp_path):
    score = score_row(
        EVIL, -3.0, 2.0, 1, account_id=EVIL, solution_id=EVIL, status=EVIL, model_version=EVIL,
        missing_roles=[EVIL], top_reasons=[EVIL], single_point_of_failure=EVIL,
    )  # fmt: skip
    member = member_row(
        score, EVIL, 2.0, role=EVIL, last_activity_kind=EVIL, top_kinds=[EVIL], summary=EVIL
    )
    action = {"group_id": EVIL, "as_of": AS_OF, "action": EVIL, "text": EVIL}
    scored = tables([score], [member], [action])
    evil = opened({EVIL: EVIL}, [(EVIL, EVIL, EVIL)])
    written(scored, evil, tmp_path / "out", figures=figures())
    pages = all_pages(tmp_path / "out")
    for page in pages.values():
        assert {tag for tag, _attributes in page.tags} <= TAGS
        assert EVIL not in page.source
        assert any(EVIL in text for text in page.texts)
    # heading, summary, reason, name, title, two roles, status, kinds, action, and in `title`
    page = group_page(tmp_path / "out", EVIL)
    assert sum(EVIL in text for text in page.texts) >= 10


@pytest.mark.parametrize("language", ["en", "ja"])
def test_pages_are_in_the_language_asked_for(source, tmp_path, language):
    written(two_groups(), source, tmp_path / "out", language, figures=figures())
    label = load_language(language).word_tables["labels"]
    for page in all_pages(tmp_path / "out").values():
        assert page.tags[0] == ("html", {"lang": language})
        assert {label["portfolio"], label["model_page"]} <= set(page.texts)
    page = group_page(tmp_path / "out", "g1")
    expected = ("reasons", "stakeholders", "coverage", "actions", "single_point")
    assert {label[name] for name in expected} <= set(page.texts)
    assert load_language(language).word("kinds", "pricing_view") in page.texts
    assert any(text.startswith("±") for text in page.texts)


def test_both_languages_have_the_same_labels_and_sentences():
    english, japanese = load_language("en"), load_language("ja")
    assert set(english.word_tables["labels"]) == set(japanese.word_tables["labels"])
    assert set(english.sentences) == set(japanese.sentences)


def test_tables_have_captions_and_headings_and_can_be_scrolled_by_keyboard(source, tmp_path):
    written(two_groups(), source, tmp_path / "out", figures=figures())
    for page in all_pages(tmp_path / "out").values():
        names = [tag for tag, _attributes in page.tags]
        assert names.count("table") == names.count("caption") > 0
        assert all(attributes.get("scope") for tag, attributes in page.tags if tag == "th")
        for place, name in enumerate(names):
            if name == "table":
                around = page.tags[place - 1][1]
                assert around["tabindex"] == "0"
                assert around["aria-label"]


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_page_loads_the_style_and_the_script_beside_it_and_nothing_else(
    source, tmp_path, language
):
    out = tmp_path / "out"
    written(two_groups(), source, out, language, record=record())
    for path, page in all_pages(out).items():
        assert {tag for tag, _attributes in page.tags} <= TAGS
        assert not re.search(r"https?:|//|@import|url\(", page.source)
        loaded = [
            attributes.get("src") or attributes["href"]
            for tag, attributes in page.tags
            if tag in {"link", "script"} and attributes.get("href") != "data:,"
        ]
        assert [(path.parent / one).resolve() for one in loaded] == [
            out / "style.css",
            out / "pages.js",
            *([out / "portfolio.js"] if path.name == "index.html" else []),
        ]
        for _tag, attributes in page.tags:
            assert not any(name.startswith("on") or name == "style" for name in attributes)
    for beside in ("style.css", "pages.js"):
        assert not re.search(r"https?:|@import|url\(|innerHTML|eval", (out / beside).read_text())


def test_no_script_and_no_style_stands_in_a_page(source, tmp_path):
    written(two_groups(), source, tmp_path / "out", record=record())
    for page in all_pages(tmp_path / "out").values():
        assert set(re.findall("<script[^>]*>(.*?)</script>", page.source, re.DOTALL)) == {""}
        assert "<style" not in page.source


def test_the_policy_lets_through_what_lies_beside_a_page_and_nothing_else(source, tmp_path):
    written(two_groups(), source, tmp_path / "out")
    for page in all_pages(tmp_path / "out").values():
        (policy,) = (
            str(attributes["content"])
            for _tag, attributes in page.tags
            if attributes.get("http-equiv") == "Content-Security-Policy"
        )
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
        assert rules == {
            "default-src": "'none'",
            "style-src": "'self' file:",
            "script-src": "'self' file:",
            "img-src": "'self' file: data:",
            "base-uri": "'none'",
            "form-action": "'none'",
        }


def test_the_header_of_a_server_is_the_pages_own_policy_without_files():
    assert PAGE_POLICY.replace(" file:", "") == POLICY


def test_whatever_has_a_label_for_a_name_names_a_field_that_is_there(source, tmp_path):
    written(two_groups(), source, tmp_path / "out")
    for page in all_pages(tmp_path / "out").values():
        ids = [attributes["id"] for _tag, attributes in page.tags if attributes.get("id")]
        assert len(ids) == len(set(ids))
        named = [attributes["for"] for _tag, attributes in page.tags if attributes.get("for")]
        assert set(named) <= set(ids)


def test_no_english_label_stands_in_a_japanese_page(source, tmp_path):
    written(two_groups(), source, tmp_path / "out", "ja", record=record())
    english, japanese = (
        set(load_language(code).word_tables["labels"].values()) for code in ("en", "ja")
    )
    for page in all_pages(tmp_path / "out").values():
        texts = set(page.texts) - set(model().catalogue.feature_names)  # columns stay as they are
        assert texts & (english - japanese) == set()
