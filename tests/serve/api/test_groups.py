"""What the API tells of stored scores, held against the tables that were stored."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import sqlalchemy as sa
from mqbg.serve.api.score_cache import ResponseCache
from mqbg.serve.forget.person import Person
from mqbg.serve.forget.store_rows import forget_in_store
from mqbg.serve.store.connection import open_store
from mqbg.serve.store.schema import STORED_TABLES
from mqbg.settings import StoreSettings


def plain(rows):
    return json.loads(json.dumps(rows, default=lambda value: value.isoformat() + "Z"))


def ids(answer):
    return [row["group_id"] for row in answer.json()["groups"]]


@pytest.fixture
def own_url(tmp_path, keep, scored):
    """A store of the test's own, with the run."""
    url = f"sqlite:///{tmp_path}/own.sqlite"
    keep(url, scored)
    return url


@pytest.fixture
def own(own_url, client_of, settings):
    """A server of that store."""
    with client_of(replace(settings, store=StoreSettings(url=own_url))) as client:
        yield client


def test_pages_hold_all_groups_in_order_of_rank(client, stored):
    found = []
    for offset in range(0, stored.scores.num_rows, 7):
        answer = client.get("/v1/groups", params={"limit": 7, "offset": offset})
        found += ids(answer)
    by_rank = stored.scores.sort_by([("rank", "ascending"), ("group_id", "ascending")])
    assert found == by_rank["group_id"].to_pylist()
    assert answer.json()["total"] == stored.scores.num_rows


def test_a_filter_leaves_what_it_says(client, stored):
    rows = stored.scores.to_pylist()
    solution = rows[0]["solution_id"]
    for query, fits in {
        f"solution_id={solution}": lambda row: row["solution_id"] == solution,
        "status=qualified": lambda row: row["status"] == "qualified",
        "status=qualified&status=nurture": lambda _row: True,
        "status=qualified,nurture": lambda _row: True,
        "status=qualified%2C%20none": lambda row: row["status"] == "qualified",
        "least_readiness=0.1": lambda row: row["readiness"] >= 0.1,
        f"account_id={rows[0]['account_id']}": lambda r: r["account_id"] == rows[0]["account_id"],
        "search=g0001": lambda row: "G0001" in row["group_id"],
        "search=%25": lambda _row: False,  # a per cent sign is no pattern
    }.items():
        answer = client.get(f"/v1/groups?{query}&limit=200")
        assert set(ids(answer)) == {row["group_id"] for row in rows if fits(row)}, query
        assert answer.json()["total"] == len(ids(answer))


def test_groups_are_sorted_by_any_column(client, stored):
    answer = client.get("/v1/groups?sort=completeness&order=descending&limit=200").json()["groups"]
    values = [row["completeness"] for row in answer]
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize(
    "query",
    ["sort=nothing", "sort=top_reasons", "limit=0", "limit=201", "limit=x", "offset=-1",
     "order=up", "least_readiness=nan", "least_readiness=2", "search=%00", "status=%07"],
)  # fmt: skip
def test_a_query_that_cannot_be_meant_is_refused(client, query):
    answer = client.get(f"/v1/groups?{query}")
    assert answer.status_code == 422
    assert "expected" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "says"),
    [("/v1/groups?state=qualified", "the nearest known one is 'status'"),
     ("/v1/groups?accounts=a", "the nearest known one is 'account_id'"),
     ("/v1/model?x=1", "leave it out"), ("/v1/groups/g?" + "y" * 90, "yy…'"),
     ("/v1/groups?status=" + ",".join(map(str, range(300))), "at most 200 values, got 301")],
)  # fmt: skip
def test_what_no_query_reads_is_refused_with_the_nearest_name(client, path, says):
    answer = client.get(path)
    assert answer.status_code == 422
    assert says in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "found"),
    [("a%2Fb", "group a/b"), ("a/b", "group a/b"), ("a%2Fb/history", "history a/b"),
     ("a%2Fhistory", "group a/history"), ("a%2Fhistory/history", "history a/history"),
     ("a/b/history", "history a/b"), ("history", "group history")],
)  # fmt: skip
def test_an_id_may_hold_slashes(client, monkeypatch, path, found):
    cache = client.standing.score_cache
    monkeypatch.setattr(cache, "group", lambda group_id: json.dumps(f"group {group_id}").encode())
    monkeypatch.setattr(cache, "history", lambda group_id: f'"history {group_id}"'.encode())
    url = client.base_url.copy_with(raw_path=f"/v1/groups/{path}".encode())
    assert client.send(client.build_request("GET", url)).json() == found


@pytest.mark.parametrize("path", ["/v1/groups", "/v1/model", "/healthz", "/readyz", "/metrics"])
def test_head_answers_as_get_does_without_a_body(client, path):
    answer = client.head(path)
    assert answer.status_code == 200
    assert answer.content == b""
    if path != "/metrics":
        assert answer.headers["content-length"] == client.get(path).headers["content-length"]


def test_answers_are_kept_up_to_a_number_of_bytes():
    cache = ResponseCache(max_bytes=1000)
    for number in range(3):
        cache.put(str(number), b"x" * 200)  # with its key some 400
        assert cache.get("0")  # asked for again, so the others go first
    assert [cache.get(str(number)) is not None for number in range(3)] == [True, False, True]
    assert cache.size <= 1000
    cache.put("large", b"x" * 2000)
    assert cache.size == 0


def test_a_group_is_told_with_all_its_rows(client, stored):
    group_id = stored.stakeholders["group_id"][0].as_py()
    told = client.get(f"/v1/groups/{group_id}").json()
    (row,) = stored.scores.filter(pc.field("group_id") == group_id).to_pylist()
    assert told["score"] == plain(row)
    for name in ("stakeholders", "actions", "horizons", "themes"):
        rows = getattr(stored, name).filter(pc.field("group_id") == group_id).to_pylist()
        assert sorted(told[name], key=repr) == sorted(plain(rows), key=repr)
    moves = [move["to_status"] for move in told["transitions"]]
    assert moves == (["qualified"] if row["status"] == "qualified" else [])


@pytest.mark.parametrize("group_id", ["none", "' OR 1=1 --", "%F0%9F%98%80", "..%2f..%2fmodel"])
def test_a_group_that_is_not_there_is_not_found(client, group_id):
    for path in (f"/v1/groups/{group_id}", f"/v1/groups/{group_id}/history"):
        assert client.get(path).status_code == 404


def test_history_holds_every_run(own, own_url, keep, scored, as_of):
    later = as_of + timedelta(days=1)
    keep(own_url, moved_to(scored, later), later)
    group_id = scored.scores["group_id"][0].as_py()
    own.standing.score_cache.refresh()
    answer = own.get(f"/v1/groups/{group_id}/history").json()
    assert [row["as_of"] for row in answer["scores"]] == [
        as_of.isoformat() + "Z", later.isoformat() + "Z"
    ]  # fmt: skip


def moved_to(scored, at: datetime):
    """The same scores as those of another cut-off."""
    tables = {}
    for name in ("scores", "stakeholders", "actions", "horizons", "themes", "summaries"):
        table = getattr(scored, name)
        place = table.schema.get_field_index("as_of")
        times = pa.repeat(pa.scalar(at, pa.timestamp("us")), table.num_rows)
        tables[name] = table.set_column(place, "as_of", times)
    return type(scored)(**tables)


def test_a_later_run_is_taken_over_as_a_whole(own, own_url, keep, scored, as_of):
    group_id = scored.scores["group_id"][0].as_py()
    assert own.get(f"/v1/groups/{group_id}").json()["score"]["as_of"].startswith("2025-07-01")
    later = as_of + timedelta(days=7)
    keep(own_url, moved_to(scored, later), later)
    assert own.standing.score_cache.refresh()
    assert own.get(f"/v1/groups/{group_id}").json()["score"]["as_of"].startswith("2025-07-08")
    assert own.get("/v1/groups").json()["as_of"].startswith("2025-07-08")
    assert not own.standing.score_cache.refresh()


def test_who_was_forgotten_is_not_told_any_more(own, own_url, scored):
    row = scored.stakeholders.to_pylist()[0]
    path = f"/v1/groups/{row['group_id']}"
    assert row["contact_id"] in own.get(path).text
    with open_store(own_url) as store:
        forget_in_store(store, Person(row["contact_id"], ()))
    assert own.standing.score_cache.refresh()
    assert row["contact_id"] not in own.get(path).text


def test_who_was_forgotten_is_not_told_any_more_where_a_text_alone_names_them(own, own_url):
    with open_store(own_url) as store, store.begin() as connection:
        summaries = STORED_TABLES["summaries"]
        group_id = connection.scalar(sa.select(summaries.c.group_id).limit(1))
        told = summaries.c.group_id == group_id
        connection.execute(sa.update(summaries).where(told).values(summary="Ask Mai Quux"))
    path = f"/v1/groups/{group_id}"
    assert "Quux" in own.get(path).text
    with open_store(own_url) as store:
        forgotten = forget_in_store(store, Person("C-quux", ("Mai Quux",)))
    assert forgotten.counts == {"summaries texts": 1}
    assert own.standing.score_cache.refresh()
    assert "Quux" not in own.get(path).text


def test_a_store_that_went_away_is_said_so(own, own_url):
    path = own_url.removeprefix("sqlite:///")
    with open(path, "r+b") as file:
        file.write(b"no database at all" * 100)
    own.standing.score_cache.close()
    own.standing.score_cache.refresh()
    for unread in ("/v1/groups", "/v1/groups/unasked", "/readyz"):
        answer = own.get(unread)
        assert answer.status_code == 503
        assert "the store" in answer.json()["detail"]


def test_before_the_first_run_there_are_no_groups(client_of, settings, tmp_path):
    empty = replace(settings, store=StoreSettings(url=f"sqlite:///{tmp_path}/none.sqlite"))
    with client_of(empty) as client:
        assert client.get("/v1/groups").json()["groups"] == []
        assert client.get("/v1/groups/g1").status_code == 404
        assert client.get("/v1/groups/g1/history").status_code == 404
        assert client.get("/readyz").json()["store"] == "no run yet"
    assert not (tmp_path / "none.sqlite").exists()
