"""Pages beside the API: only pages, only for those who may look."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from mqbg.contract import BadInput
from mqbg.serve.api.keys import ApiKeys, KeyRing
from mqbg.serve.api.live_pages import create_live_pages, open_static_pages
from mqbg.settings import Settings

PAGES = ("index.html", "model.html", "style.css", "groups/g1-0.html")


@pytest.fixture
def looking(client_of, settings, pages_folder):
    with client_of(settings, pages=open_static_pages(pages_folder, KeyRing(ApiKeys()))) as client:
        yield client


@pytest.fixture
def guarded(client_of, settings, keys, pages_folder):
    with client_of(settings, keys, open_static_pages(pages_folder, KeyRing(keys))) as client:
        yield client


def password(text):
    return {"Authorization": "Basic " + base64.b64encode(f"me:{text}".encode()).decode()}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_served_as_it_was_written(looking, pages_folder, page):
    answer = looking.get(f"/{page}")
    assert answer.content == (pages_folder / page).read_bytes()
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["content-type"].startswith(("text/html", "text/css"))


def test_the_first_page_is_found_from_the_root(looking):
    assert looking.get("/", follow_redirects=True).text == "<p>index.html"


@pytest.mark.parametrize(
    "path",
    ["/private.txt", "/groups/", "/groups/none.html", "/../outside.html", "/%2e%2e/outside.html",
     "/groups/../../outside.html", "/groups/..%2f..%2foutside.html", "/groups%5c..%5coutside.html",
     "//etc/passwd", "/groups/%00"],
)  # fmt: skip
def test_nothing_else_is_served(looking, path):
    url = looking.base_url.copy_with(raw_path=path.encode())
    answer = looking.send(looking.build_request("GET", url))
    assert answer.status_code == 404
    assert "private" not in answer.text
    assert "outside" not in answer.text


def test_a_foreign_name_sees_no_page(looking):
    assert looking.get("/index.html", headers={"Host": "evil.example"}).status_code == 403


def test_pages_ask_a_browser_for_the_key(guarded, bearer):
    answer = guarded.get("/index.html")
    assert answer.status_code == 401
    assert "Basic" in answer.headers["www-authenticate"]
    key = bearer("reader")["Authorization"].removeprefix("Bearer ")
    assert guarded.get("/index.html", headers=password(key)).status_code == 200
    assert guarded.get("/index.html", headers=password(key + "x")).status_code == 401
    assert guarded.get("/index.html", headers=bearer("scorer")).status_code == 403


def test_the_api_keeps_its_paths(looking):
    assert looking.get("/v1/groups").json()["total"] > 0
    assert looking.put("/v1/groups").status_code == 405


def test_a_folder_without_pages_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"index\.html"):
        open_static_pages(tmp_path, KeyRing(ApiKeys()))


def test_pages_that_may_name_who_was_forgotten_are_served_no_more(
    client_of, settings, pages_folder, as_of, monkeypatch
):
    def stopped(*_arguments):
        raise OSError("no process")

    monkeypatch.setattr("mqbg.serve.api.live_pages.ProcessPoolExecutor", stopped)
    live = create_live_pages(KeyRing(ApiKeys()), settings, "none")
    try:
        with client_of(settings, pages=live.app) as client:
            live.app.serve_folder(pages_folder)
            live.rebuild(as_of)
            assert client.get("/index.html").status_code == 200
            live.rebuild(as_of, "somebody")
            assert client.get("/index.html").status_code == 404
    finally:
        live.close()


@pytest.mark.slow
def test_pages_that_cannot_be_made_leave_those_before(
    client_of, settings, pages_folder, tmp_path, as_of, caplog
):
    live = create_live_pages(
        KeyRing(ApiKeys()), replace(settings, explain=Settings().explain), str(tmp_path / "none")
    )
    try:
        with client_of(settings, pages=live.app) as client:
            assert client.get("/index.html").status_code == 404
            live.app.serve_folder(pages_folder)
            live.rebuild(as_of)
            assert client.get("/index.html").status_code == 200
    finally:
        live.close()
    assert "no new pages were made" in caplog.text
    assert not live.root_folder.exists()
