"""The report: what its pages hold, and that they hold nothing else."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import ibis
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mqbg.bundle import Bundle, Training
from mqbg.calibrated import Blend, Platt, VennAbers
from mqbg.contract import BadInput
from mqbg.explain.words import words
from mqbg.features.template import Template, TemplateRole
from mqbg.features.vocabulary import Vocabulary
from mqbg.serve.charts import adding_up, gauge, scale_end, waterfall
from mqbg.serve.pages import is_ours, write_report
from mqbg.serve.portfolio import page_name
from mqbg.serve.scoring import Scored
from mqbg.serve.tables import FILES
from mqbg.settings import Role, Settings
from mqbg.source import Source
from mqbg.threshold import Estimate, Expected, Thresholds

Row = dict[str, Any]
AS_OF = datetime(2024, 5, 1)
DAY = datetime(2024, 4, 20, 9)
EVIL = "<script>alert('x')</script>\"&"
TAGS = {
    "html", "head", "meta", "title", "style", "body", "header", "nav", "a", "main", "footer", "p",
    "h1", "h2", "section", "dl", "dt", "dd", "div", "small", "span", "b", "br", "ul", "li",
    "table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "svg", "rect", "line",
    "details", "summary", "code", "label", "textarea",
}  # fmt: skip


def chance(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds))


NOTHING = Estimate(None, None, None)
EXPECTED = Expected(Estimate(3.25, 2.0, 4.5), NOTHING, NOTHING, NOTHING)


def model() -> Bundle:
    roles = (
        TemplateRole("buyer", "buyer", Role(), {}),
        TemplateRole("judge", "judge", Role(required=2), {}),
        TemplateRole("guest", "guest", Role(required=0), {}),
        TemplateRole("elsewhere", "elsewhere", None, {"s9": Role()}),
    )
    return Bundle(
        trees="",
        blend=Blend(1.0, 100, 0.0, 0.0, 0.0, 0.0),
        settings=Settings(),
        vocabulary=Vocabulary(Template(roles), ("web",)),
        category_values={},
        calibrator=Platt(1.0, 0.0),
        interval=VennAbers((0.0,), (0.1,), (0.2,)),
        thresholds=Thresholds("capacity", 0.6, 0.2, expected=EXPECTED),
        typical=(),
        training=Training("cafe", 1234, 56, AS_OF, AS_OF, AS_OF, 0),
    )


def score_row(group_id: str, base: float, added: float, rank: int, **given: Any) -> Row:
    readiness = chance(base + added)
    return {
        "group_id": group_id,
        "account_id": "a1",
        "solution_id": "s1",
        "as_of": AS_OF,
        "model_version": "4",
        "readiness": readiness,
        "readiness_low": 0.8 * readiness,
        "readiness_high": 0.5 + 0.5 * readiness,
        "score": round(100 * readiness),
        "log_odds": base + added,
        "base_log_odds": base,
        "completeness": 0.5,
        "engaged_completeness": 0.25,
        "engagement": 41.0,
        "threshold": 0.2,
        "completeness_threshold": 0.6,
        "status": "nurture",
        "rank": rank,
        "missing_roles": ["judge"],
        "top_reasons": ["because of spring"],
        "single_point_of_failure": None,
    } | given


def member_row(score: Row, contact_id: str, contribution: float, **given: Any) -> Row:
    moved = score["log_odds"] - score["base_log_odds"]
    per_log_odds = 100 * (score["readiness"] - chance(score["base_log_odds"])) / moved
    return {
        "group_id": score["group_id"],
        "as_of": AS_OF,
        "contact_id": contact_id,
        "role": "buyer",
        "contribution": contribution,
        "contribution_se": 0.0,
        "points": contribution * per_log_odds,
        "last_activity_at": DAY,
        "last_activity_kind": "pricing_view",
        "activities_30d": 3,
        "top_kinds": ["pricing_view", "web_visit"],
        "if_leaves": -1.25,
        "summary": "not shown",
    } | given


def summary_of(score: Row) -> str:
    return f"About {score['group_id']}.\nAs it is."


def tables(
    scores: Sequence[Row], members: Sequence[Row] = (), actions: Sequence[Row] = ()
) -> Scored:
    summaries = [
        {"group_id": row["group_id"], "as_of": row["as_of"], "summary": summary_of(row)}
        for row in scores
    ]
    given = {
        "scores": scores, "stakeholders": members, "actions": actions, "summaries": summaries,
    }  # fmt: skip
    return Scored(
        **{
            name: pa.Table.from_pylist(list(given.get(name, ())), schema)
            for name, schema in FILES.items()
        }
    )


def opened(
    accounts: dict[str, str], contacts: Sequence[tuple[str, str | None, str | None]] = ()
) -> Source:
    people = [{"contact_id": i, "full_name": n, "title": t} for i, n, t in contacts]
    text = pa.string()
    fields = [("contact_id", text), ("full_name", text), ("title", text), ("department", text)]
    given = {
        "accounts": pa.table({"account_id": list(accounts), "name": list(accounts.values())}),
        "solutions": pa.table({"solution_id": ["s1"], "name": ["Ledger"]}),
        "contacts": pa.Table.from_pylist(people, pa.schema(fields)),
    }
    backend = ibis.duckdb.connect(threads=1)
    held = {name: backend.create_table(name, table) for name, table in given.items()}
    return Source(backend, held, {}, (), "given")


SOURCE_NAMES = {"a1": "Arrow K.K."}


@pytest.fixture(scope="module")
def source() -> Source:
    return opened(SOURCE_NAMES, [("c1", "Mori Aya", "Director"), ("c2", None, None)])


def two_groups() -> Scored:
    first = score_row("g1", -3.0, 2.0, 1, status="qualified", single_point_of_failure="c1")
    second = score_row("g2", -2.0, -0.5, 2, missing_roles=[], top_reasons=[])
    members = [
        member_row(first, "c1", 1.7, contribution_se=0.1),
        member_row(first, "c2", 0.6, role="judge", activities_30d=0, last_activity_at=None),
        member_row(first, "c3", -0.3, role="outsider"),
        member_row(second, "c1", -0.5),
    ]
    action = {"group_id": "g1", "as_of": AS_OF, "action": "fill_role", "role": "judge"}
    return tables([first, second], members, [action | {"points": 3.0, "text": "Find a judge."}])


class Page(HTMLParser):
    """What a page is made of: tags with attributes, texts, links, the cells that are summed."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.parts: list[str] = []
        self.total = ""
        self._mark = ""
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        names = dict(attrs)
        self._mark = "part" if "data-part" in names else "total" if "data-total" in names else ""

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - HTMLParser passes it
        self._mark = ""

    def handle_data(self, data: str) -> None:
        if not data.strip():
            return
        self.texts.append(data.strip())
        if self._mark == "part":
            self.parts.append(data)
        elif self._mark == "total":
            self.total = data

    @property
    def links(self) -> list[str]:
        return [str(attributes["href"]) for _tag, attributes in self.tags if "href" in attributes]


def written(scored: Scored, source: Source, out: Path, language: str = "en", **given: Any) -> Path:
    return write_report(scored, source, model(), out, words=words(language), **given)


def all_pages(out: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in sorted(out.rglob("*.html"))}


def group_page(out: Path, group_id: str) -> Page:
    return Page(out / "groups" / page_name(group_id))


def tenths(text: str) -> int:
    return round(10 * float(text.replace("\N{MINUS SIGN}", "-").replace(",", "")))


def figures() -> pd.DataFrame:
    nan = float("nan")
    rows = [
        ("all accounts", "mqbg", "roc_auc", 0.81, 0.79, 0.83),
        ("all accounts", "mqbg", "brier", 0.05, 0.04, 0.06),
        ("all accounts", EVIL, "roc_auc", 0.5, 0.5, 0.5),
        ("all accounts", EVIL, "brier", 0.07, 0.06, 0.08),
        ("unseen accounts", "mqbg", "roc_auc", nan, nan, nan),
    ]
    frame = pd.DataFrame(rows, columns=["population", "method", "figure", "value", "low", "high"])
    return frame.assign(rows=1000, conversions=90, accounts=200)


def test_every_link_leads_to_a_page_of_the_report(source, tmp_path):
    index = written(two_groups(), source, tmp_path / "out")
    assert index == tmp_path / "out" / "index.html"
    pages = all_pages(tmp_path / "out")
    assert len(pages) == 4
    reached = {
        (path.parent / link).resolve() for path, page in pages.items() for link in page.links
    }
    assert reached == {path.resolve() for path in pages}


@pytest.mark.parametrize("language", ["en", "ja"])
def test_nothing_is_loaded_and_no_script_stands_in_a_page(source, tmp_path, language):
    written(two_groups(), source, tmp_path / "out", language, figures=figures())
    for page in all_pages(tmp_path / "out").values():
        assert {tag for tag, _attributes in page.tags} <= TAGS
        assert not re.search(r"https?:|//|@import|url\(", page.source)
        for _tag, attributes in page.tags:
            assert not any(name.startswith("on") or name in {"src", "style"} for name in attributes)


def test_the_policy_lets_only_the_page_s_own_style_through(source, tmp_path):
    written(two_groups(), source, tmp_path / "out")
    for page in all_pages(tmp_path / "out").values():
        (policy,) = (
            str(attributes["content"])
            for _tag, attributes in page.tags
            if attributes.get("http-equiv") == "Content-Security-Policy"
        )
        (style,) = re.findall("<style>(.*?)</style>", page.source, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert policy.startswith("default-src 'none'; ")
        assert f"style-src 'sha256-{digest}';" in policy


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


def test_a_group_s_summary_stands_in_a_box_to_copy_line_by_line(source, tmp_path):
    written(two_groups(), source, tmp_path / "out")
    page = group_page(tmp_path / "out", "g1")
    ((_tag, box),) = (one for one in page.tags if one[0] == "textarea")
    assert "readonly" in box
    assert ("label", {"for": box["id"]}) in page.tags
    assert "About g1.\nAs it is." in page.texts


def test_scores_without_summaries_have_pages_without_the_box(source, tmp_path):
    bare = two_groups()
    written(replace(bare, summaries=bare.summaries.slice(0, 0)), source, tmp_path / "out")
    page = group_page(tmp_path / "out", "g1")
    assert "textarea" not in {tag for tag, _attributes in page.tags}


def test_the_shown_parts_add_up_to_the_shown_score(source, tmp_path):
    scored = two_groups()
    written(scored, source, tmp_path / "out")
    for score in scored.scores.to_pylist():
        page = group_page(tmp_path / "out", score["group_id"])
        assert sum(map(tenths, page.parts)) == tenths(page.total)
        assert page.total == f"{100 * score['readiness']:.1f}"
        assert len(page.parts) == 1 + (3 if score["group_id"] == "g1" else 1)


def test_a_group_with_many_members_shows_the_largest_parts_and_the_rest_as_one(source, tmp_path):
    score = score_row("g1", -3.0, 2.0, 1)
    members = [member_row(score, f"m{number:03}", 2.0 / 400) for number in range(398)]
    members += [member_row(score, "big", 1.0), member_row(score, "small", -0.99)]
    written(tables([score], members), source, tmp_path / "out")
    page = group_page(tmp_path / "out", "g1")
    assert len(page.parts) == 1 + 50 + 1
    assert sum(map(tenths, page.parts)) == tenths(page.total)
    assert "350 others, together" in page.texts
    assert {"contact big", "contact small"} <= set(page.texts)


def test_parts_that_do_not_add_up_to_the_score_are_refused(source, tmp_path):
    score = score_row("g1", -3.0, 2.0, 1)
    half = tables([score], [member_row(score, "c1", 1.0)])
    with pytest.raises(BadInput, match=r"'g1' to add up to its score of 26\.894"):
        written(half, source, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_group_without_members_has_a_page_that_says_so(source, tmp_path):
    score = score_row("g1", -3.0, 0.0, 1)
    written(tables([score]), source, tmp_path / "out")
    page = group_page(tmp_path / "out", "g1")
    assert words("en").words["labels"]["no_stakeholders"] in page.texts
    assert page.parts == ["+4.7"]
    assert page.total == "4.7"
    assert "nobody" in Page(tmp_path / "out" / "index.html").texts


def test_a_role_is_missing_quiet_filled_welcome_or_not_in_the_template(source, tmp_path):
    score = score_row("g1", -3.0, 2.0, 1)
    written(two_groups(), source, tmp_path / "full")
    written(
        tables([score | {"missing_roles": []}], [member_row(score, "c1", 2.0, activities_30d=0)]),
        source,
        tmp_path / "quiet",
    )
    full, quiet = (group_page(tmp_path / name, "g1").source for name in ("full", "quiet"))

    def states(text: str) -> dict[str, str]:
        found = re.findall(r'class="name">([^<]*)</th>\s*<td><span class="status state-(\w+)', text)
        return dict(found)

    assert states(full) == {
        "buyer": "filled", "judge": "missing", "guest": "welcome", "outsider": "unnamed",
    }  # fmt: skip
    assert states(quiet)["buyer"] == "quiet"


def test_the_portfolio_is_in_order_of_rank_and_names_the_strongest_member(source, tmp_path):
    scored = two_groups()
    upside_down = replace(scored, scores=scored.scores.take([1, 0]))
    written(upside_down, source, tmp_path / "out")
    page = Page(tmp_path / "out" / "index.html")
    assert page.links[2:] == [f"groups/{page_name(group_id)}" for group_id in ("g1", "g2")]
    assert page.texts.count("Mori Aya") == 2


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


def test_the_limits_hold_and_the_portfolio_states_them(source, tmp_path):
    rows = [score_row(f"g{n}", -3.0, -n / 1000, n + 1) for n in range(2001)]
    members = [member_row(row, "c1", -n / 1000) for n, row in enumerate(rows) if n]
    written(tables(rows, members), source, tmp_path / "out")
    files = {path.name for path in (tmp_path / "out" / "groups").iterdir()}
    assert files == {page_name(f"g{n}") for n in range(500)}
    page = Page(tmp_path / "out" / "index.html")
    assert "The table lists the 2,000 readiest of 2,001 groups." in page.texts
    assert "The 500 readiest groups have a page of their own." in page.texts
    assert sum(tag == "tr" for tag, _attributes in page.tags) == 1 + 2000
    assert len(page.links) == 2 + 500


@pytest.mark.parametrize(
    "group_id", ["../../up", "a/b\\c", "CON", "東京 1", "", "  ", "a" * 400, "%2e", "g?x=1#y", "🙂"]
)
def test_a_group_id_of_odd_characters_has_a_page_in_its_folder(source, tmp_path, group_id):
    written(tables([score_row(group_id, -3.0, 0.0, 1)]), source, tmp_path / "out")
    (page,) = (tmp_path / "out" / "groups").iterdir()
    assert Page(tmp_path / "out" / "index.html").links[-1] == f"groups/{page.name}"


@settings(derandomize=True, max_examples=200)
@given(st.lists(st.text(), min_size=2, max_size=20, unique=True))
@example(["g1", "G1", "g-1", "g_1", "g 1"])
def test_page_names_differ_and_any_system_takes_them(group_ids):
    names = [page_name(group_id) for group_id in group_ids]
    assert len(set(names)) == len(group_ids)
    assert all(re.fullmatch(r"[a-z0-9-]{1,54}\.html", name) for name in names)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_pages_are_in_the_language_asked_for(source, tmp_path, language):
    written(two_groups(), source, tmp_path / "out", language, figures=figures())
    label = words(language).words["labels"]
    for page in all_pages(tmp_path / "out").values():
        assert page.tags[0] == ("html", {"lang": language})
        assert {label["portfolio"], label["model_page"]} <= set(page.texts)
    page = group_page(tmp_path / "out", "g1")
    expected = ("reasons", "stakeholders", "coverage", "actions", "single_point")
    assert {label[name] for name in expected} <= set(page.texts)
    assert words(language).word("kinds", "pricing_view") in page.texts
    assert any(text.startswith("±") for text in page.texts)


def test_both_languages_have_the_same_labels_and_sentences():
    english, japanese = words("en"), words("ja")
    assert set(english.words["labels"]) == set(japanese.words["labels"])
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


def test_the_model_s_page_says_what_it_learned_from_and_how_good_it_is(source, tmp_path):
    written(two_groups(), source, tmp_path / "out", figures=figures())
    texts = Page(tmp_path / "out" / "model.html").texts
    assert {"1,234", "56", "(4.5%)", "cafe", "20.0%", "3.2", "0.810", "(0.790 to 0.830)"} <= set(
        texts
    )
    assert "all accounts: 1,000 snapshots, 90 conversions, 200 accounts" in texts
    names = set(model().catalogue.names)
    assert names <= set(texts)
    # One outcome only: the figure is a dash, not a NaN.
    assert "–" in texts
    assert not any("nan" in re.findall(r"\w+", text) for text in texts)


def test_without_figures_the_model_s_page_says_where_they_are(source, tmp_path):
    written(two_groups(), source, tmp_path / "out")
    texts = Page(tmp_path / "out" / "model.html").texts
    assert words("en").words["labels"]["no_figures"] in texts


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
    assert all(is_ours(path.name) for path in out.iterdir())
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


POINTS = st.floats(-100, 100).filter(lambda value: value == 0 or abs(value) > 1e-9)


@settings(derandomize=True, max_examples=300)
@given(st.lists(POINTS, min_size=1, max_size=40))
@example([0.05, 0.05, 0.05])
@example([0.3, 0.0, -0.3, 2.9999999999999996])
def test_rounded_parts_add_up_and_none_is_off_by_a_tenth(parts):
    total = math.fsum(parts)
    shown = adding_up(parts, total)
    assert sum(round(10 * part) for part in shown) == tenths(f"{total:.1f}")
    for part, as_shown in zip(parts, shown, strict=True):
        assert abs(part - as_shown) < 0.1 + 1e-9
        assert part != 0 or as_shown == 0


@settings(derandomize=True, max_examples=200)
@given(st.lists(POINTS, min_size=1, max_size=40))
def test_a_waterfall_stays_in_its_picture_and_each_bar_starts_where_the_last_ended(parts):
    bars = waterfall(parts)
    assert all(bar.x >= 0 and bar.x + bar.width <= 100.01 for bar in bars)
    assert all(bar.up == (part >= 0) for bar, part in zip(bars, parts, strict=True))
    ends = [sum(parts[:n]) for n in range(len(parts) + 1)]
    left, right = min(ends), max(ends)
    for n, bar in enumerate(bars):
        if right > left and bar.width > 1.5:
            expected = 100 * (min(ends[n], ends[n + 1]) - left) / (right - left)
            assert bar.x == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(
    ("largest", "end"), [(0.0, 0.01), (0.01, 0.01), (0.011, 0.02), (0.41, 0.5), (0.99, 1.0)]
)
def test_a_scale_ends_at_the_next_round_number(largest, end):
    assert scale_end(largest) == end


def test_what_lies_beyond_the_scale_is_put_on_its_edge():
    at = gauge(0.1, 0.3, 0.2, 0.9, 0.4)
    assert (at.low, at.width, at.readiness, at.threshold) == (25.0, 50.0, 50.0, 100.0)
