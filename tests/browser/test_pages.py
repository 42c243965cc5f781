"""The report in a browser: opened from a folder, used by keyboard, on a phone, without a script."""

from __future__ import annotations

import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from crowd import GROUPS, made_source
from made_report import member_row, score_row, tables, written
from mqbg.explain.language import load_language
from mqbg.serve.batch.page_name import page_name
from mqbg.serve.pages import POLICY

PHONE = {"width": 360, "height": 640}
FIRST = "#groups tbody tr:not([hidden]) th"


def all_pages(folder):
    return sorted(folder.rglob("*.html"))


def tab_to(page, target):
    """Presses Tab until the target has the focus."""
    for _step in range(60):
        page.keyboard.press("Tab")
        if target.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"Tab does not lead to {target}")


LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerk"  # of group 3
SUMMARY = "Arrow 5 K.K.: Product 1, as of May 1, 2024 (threshold 20.0%)\nChance of conversion"


def shown_accounts(page):
    return page.locator(FIRST).evaluate_all("all => all.map(e => e.firstChild.textContent)")


def column(page, name):
    """The values of a column by which rows are sorted, from top to bottom."""
    cells = page.locator(f"#groups tbody td[data-cell={name}]")
    return [float(text) for text in cells.evaluate_all("all => all.map(e => e.dataset.value)")]


@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_page_opens_from_a_folder_and_asks_for_nothing_but_files(tab, folders, language):
    opened = tab()
    folder = folders[language]
    for path in all_pages(folder):
        opened.page.goto(path.as_uri())
        assert opened.page.locator("html").get_attribute("lang") == language
        # The style and the script came through the policy.
        assert opened.page.evaluate("getComputedStyle(document.body).margin") == "0px"
    assert opened.said == []
    assert {url for url in opened.asked if not url.startswith(("file://", "data:"))} == set()
    beside = {(folder / name).as_uri() for name in ("style.css", "pages.js")}
    assert beside <= set(opened.asked)


def test_a_script_that_stands_in_a_page_is_refused(tab, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    path = tmp_path / "copy" / "model.html"
    evil = '<script>document.title = "evil"</script><p style="color: red">'
    path.write_text(path.read_text().replace("<main>", f"<main>{evil}"))
    opened = tab()
    opened.page.goto(path.as_uri())
    assert opened.page.title() == load_language("en").word_tables["labels"]["model_page"]
    assert len(opened.said) == 2
    assert all("Content Security Policy" in text for text in opened.said)


class Served(SimpleHTTPRequestHandler):
    def end_headers(self):
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def log_message(self, *_given):
        pass


def test_pages_work_on_a_server_below_a_path_of_its_own(tab, folder):
    handler = partial(Served, directory=str(folder.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        opened = tab()
        home = f"http://127.0.0.1:{server.server_port}/{folder.name}/"
        opened.page.goto(f"{home}index.html")
        opened.page.locator(f"{FIRST} a").first.click()
        opened.page.locator("header a").first.click()
        assert len(shown_accounts(opened.page)) == GROUPS
        server.shutdown()
    assert opened.said == []
    assert all(url.startswith((home, "data:")) for url in opened.asked)


@pytest.mark.parametrize(
    ("name", "first"),
    [("rank", "ascending"), *((name, "descending") for name in ("readiness", "completeness"))],
)
def test_columns_are_sorted_by_keyboard_and_say_so(tab, folder, name, first):
    page = tab().page
    page.goto((folder / "index.html").as_uri())
    head = page.get_by_role("columnheader", name=name, exact=True)
    tab_to(page, head.get_by_role("button"))
    other = {"ascending": "descending", "descending": "ascending"}[first]
    for key, order in (("Enter", first), ("Space", other)):
        page.keyboard.press(key)
        assert head.get_attribute("aria-sort") == order
        assert column(page, name) == sorted(column(page, name), reverse=order == "descending")
    assert page.locator("#groups th[aria-sort]").count() == 1


def test_texts_are_sorted_as_people_do(tab, folder):
    page = tab().page
    page.goto((folder / "index.html").as_uri())
    page.get_by_role("button", name="account").press("Enter")
    arrows = [name for name in shown_accounts(page) if name.startswith("Arrow")]
    assert arrows[:3] == ["Arrow 0 K.K.", "Arrow 1 K.K.", "Arrow 2 K.K."]
    assert arrows.index("Arrow 9 K.K.") < arrows.index("Arrow 10 K.K.")


def test_filters_and_search_work_by_keyboard_and_tell_how_many_are_left(tab, folder):
    page = tab().page
    page.goto((folder / "index.html").as_uri())
    told = page.get_by_role("status")
    assert told.text_content() == f"Groups found: {GROUPS} / {GROUPS}"
    tab_to(page, page.get_by_role("combobox", name="status"))
    page.keyboard.type("qual")
    assert told.text_content() == f"Groups found: {len(range(1, GROUPS, 3))} / {GROUPS}"
    page.keyboard.press("Tab")  # solution
    page.keyboard.type("Product 1")
    both = [n for n in range(GROUPS) if n % 3 == 1 and n % 2 == 1]
    assert len(shown_accounts(page)) == len(both)
    page.get_by_role("searchbox", name="search").focus()
    page.keyboard.type("ａＲＲＯＷ 13")  # wide letters and capitals do not matter
    page.get_by_text(f"Groups found: 1 / {GROUPS}").wait_for()
    assert shown_accounts(page) == ["Arrow 13 K.K."]
    tab_to(page, page.get_by_role("button", name="Show all"))
    page.keyboard.press("Enter")
    page.get_by_text(f"Groups found: {GROUPS} / {GROUPS}").wait_for()


def test_of_very_many_groups_the_first_are_shown_and_more_when_asked(tab, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    script = tmp_path / "copy" / "pages.js"
    script.write_text(script.read_text().replace("STEP = 100", "STEP = 15"))
    page = tab().page
    page.goto((tmp_path / "copy" / "index.html").as_uri())
    more = page.get_by_role("button", name="Show more")
    assert len(shown_accounts(page)) == 15
    assert page.get_by_role("status").text_content() == f"Groups found: {GROUPS} / {GROUPS}"
    more.press("Enter")
    assert len(shown_accounts(page)) == 30
    focused = page.evaluate("document.activeElement.textContent")
    assert focused == shown_accounts(page)[15]
    more.press("Enter")
    assert len(shown_accounts(page)) == GROUPS
    assert not more.is_visible()
    page.get_by_role("button", name="rank").press("Enter")
    page.get_by_role("button", name="rank").press("Enter")
    assert shown_accounts(page)[0] == f"Arrow {GROUPS - 1} K.K."
    assert len(shown_accounts(page)) == 15


def test_the_way_back_leads_to_the_same_choice(tab, folder):
    page = tab().page
    page.goto((folder / "index.html").as_uri())
    page.get_by_role("combobox", name="tier").select_option("B")
    page.get_by_role("button", name="change", exact=True).press("Enter")
    before = shown_accounts(page)
    assert len(before) == GROUPS // 2
    page.locator(f"{FIRST} a").first.click()
    page.go_back()
    assert shown_accounts(page) == before
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    assert shown_accounts(page) == before
    assert page.get_by_role("combobox", name="tier").input_value() == "B"


def test_an_address_that_asks_for_what_is_not_there_shows_everything(tab, folder):
    opened = tab()
    opened.page.goto(f"{(folder / 'index.html').as_uri()}#status=gone&sort=99 up&tier=%ZZ")
    assert len(shown_accounts(opened.page)) == GROUPS
    assert opened.said == []


def test_the_summary_is_copied_by_keyboard_and_the_page_says_so(tab, folder):
    page = tab(permissions=["clipboard-read", "clipboard-write"]).page
    page.goto((folder / "groups" / page_name("g5")).as_uri())
    tab_to(page, page.get_by_role("button", name="Copy"))
    page.keyboard.press("Enter")
    page.get_by_text("Copied.").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").startswith(SUMMARY)
    assert page.get_by_role("status").text_content() == "Copied."


def test_without_a_clipboard_the_summary_is_selected_instead(tab, folder):
    page = tab().page
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.add_init_script("document.execCommand = () => false")
    page.goto((folder / "groups" / page_name("g5")).as_uri())
    page.get_by_role("button", name="Copy").press("Enter")
    page.get_by_text(load_language("en").word_tables["labels"]["not_copied"]).wait_for()
    assert page.evaluate("getSelection().toString()").startswith(SUMMARY)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_on_a_phone_no_page_scrolls_sideways(tab, folders, language):
    opened = tab(viewport=PHONE)
    for path in all_pages(folders[language]):
        opened.page.goto(path.as_uri())
        opened.page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert opened.page.evaluate(wide) == 0, path.name


def test_without_a_script_the_table_and_the_summary_are_there(tab, folder):
    page = tab(java_script_enabled=False).page
    page.goto((folder / "index.html").as_uri())
    assert page.locator("#groups tbody tr").count() == GROUPS
    assert not page.get_by_role("searchbox").is_visible()
    assert page.locator("#groups button").count() == 0
    page.locator(f"{FIRST} a").nth(5).click()
    assert page.locator("#summary").is_visible()
    assert not page.locator("#copy").is_visible()


def test_everything_that_can_be_used_has_a_name_and_shows_its_focus(tab, folder):
    page = tab().page
    for path in (folder / "index.html", folder / "groups" / page_name("g5")):
        page.goto(path.as_uri())
        for one in page.locator("button:visible, input:visible, select:visible").all()[:20]:
            named = "e => (e.labels?.[0] ?? e).textContent.trim() || e.ariaLabel"
            assert one.evaluate(named)
            one.focus()
            page.keyboard.press("Shift+Tab")
            page.keyboard.press("Tab")
            style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert style == "solid"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "ja"])
def test_axe_finds_nothing_that_keeps_people_from_using_a_page(tab, folders, axe, language, scheme):
    page = tab(bypass_csp=True, color_scheme=scheme).page  # the policy would refuse axe itself
    folder = folders[language]
    for name in ("index.html", "model.html", *(f"groups/{page_name(g)}" for g in ("g0", "g39"))):
        page.goto((folder / name).as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
        page.evaluate(axe)
        found = page.evaluate("axe.run()")
        assert len(found["passes"]) > 20
        assert [
            (one["impact"], one["id"], one["nodes"][0]["html"]) for one in found["violations"]
        ] == []


def test_every_control_is_reached_by_tab(tab, folder):
    page = tab().page
    for name in ("index.html", f"groups/{page_name('g39')}"):
        page.goto((folder / name).as_uri())
        page.evaluate("window.reached = new Set()")
        controls = "a[href], button, input, select, textarea, summary"
        wanted = page.evaluate(
            f"[...document.querySelectorAll('{controls}')].filter(e => e.checkVisibility() && "
            "(e.type !== 'radio' || e.checked)).length"
        )
        for _step in range(wanted + 20):
            page.keyboard.press("Tab")
            page.evaluate(
                f"(e => e.matches('{controls}') && reached.add(e))(document.activeElement)"
            )
        assert page.evaluate("reached.size") == wanted


def test_the_page_of_four_hundred_members_is_short_before_it_is_unfolded(tab, folder):
    page = tab(viewport={"width": 1440, "height": 900}).page
    page.goto((folder / "groups" / page_name(f"g{GROUPS - 1}")).as_uri())
    assert page.evaluate("document.documentElement.scrollHeight") < 3000


def test_rows_of_the_script_are_those_of_the_page(tab, folders):
    """The page's own rows are written by Python, the script's by itself; both show the same."""
    for folder in folders.values():
        without, with_script = tab(java_script_enabled=False).page, tab().page
        shown = []
        for page in (without, with_script):
            page.goto((folder / "index.html").as_uri())
            shown.append(page.locator("#groups tbody tr").all_inner_texts())
        assert shown[0] == shown[1]
        assert len(shown[0]) == GROUPS


def test_accepted_and_rejected_groups_are_a_choice_of_their_own(tab, tmp_path):
    statuses = ("accepted", "nurture", "rejected", "qualified")
    rows = [score_row(f"g{n}", -3.0, 0.0, n + 1, account_id=f"a{n}", status=s)
            for n, s in enumerate(statuses)]  # fmt: skip
    written(tables(rows), made_source(), tmp_path / "out")
    page = tab().page
    page.goto((tmp_path / "out" / "index.html").as_uri())
    assert shown_accounts(page) == [LONG, "Arrow 1 K.K."]
    tab_to(page, page.get_by_role("radio").first)
    page.keyboard.press("ArrowRight")
    assert shown_accounts(page) == ["Arrow 0 K.K."]
    page.get_by_role("searchbox", name="search").fill("donau")
    page.get_by_role("link", name=LONG).wait_for()
    assert shown_accounts(page) == [LONG]  # what is looked for is found wherever it is listed


def test_the_index_of_ten_thousand_groups_is_small_and_finds_the_last_of_them(tab, tmp_path):
    rows = [score_row(f"g{n:05}", -3.0, -n / 10_000, n + 1, status="qualified")
            for n in range(10_000)]  # fmt: skip
    members = [member_row(row, "c1", -n / 10_000) for n, row in enumerate(rows) if n]
    written(tables(rows, members), made_source(), tmp_path / "out", pages=1)
    assert (tmp_path / "out" / "index.html").stat().st_size < 1_000_000
    page = tab().page
    page.goto((tmp_path / "out" / "index.html").as_uri())
    page.get_by_role("searchbox", name="search").fill("g09999")
    page.get_by_text("Groups found: 1 / 10,000").wait_for()
    assert "g09999" in page.locator("#groups tbody tr").inner_text()
