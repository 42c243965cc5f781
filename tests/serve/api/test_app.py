"""What holds for every request: who may ask, what an error says, what is logged and counted."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time
from dataclasses import replace

import httpx
import pytest
from mqbg.serve.api.examples import REQUEST

GROUP = "/v1/groups/nobody"
READ_PATHS = ("/v1/groups", GROUP, f"{GROUP}/history", "/v1/model", "/metrics")
BODY = json.dumps(REQUEST)
AS_JSON = {"Content-Type": "application/json"}


@pytest.fixture
def guarded(client_of, settings, keys):
    """A server with keys."""
    with client_of(settings, keys) as client:
        yield client


@pytest.mark.parametrize("path", READ_PATHS)
def test_without_a_key_nothing_is_read(guarded, path):
    answer = guarded.get(path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", READ_PATHS)
def test_a_key_to_score_does_not_read(guarded, bearer, path):
    assert guarded.get(path, headers=bearer("scorer")).status_code == 403


@pytest.mark.parametrize("path", READ_PATHS)
def test_a_key_to_read_reads(guarded, bearer, path):
    assert guarded.get(path, headers=bearer("reader")).status_code in (200, 404)


def test_a_key_to_read_does_not_score(guarded, bearer):
    assert guarded.post("/v1/score", content=BODY, headers=AS_JSON).status_code == 401
    answer = guarded.post("/v1/score", content=BODY, headers={**AS_JSON, **bearer("reader")})
    assert answer.status_code == 403


def test_without_a_key_no_body_is_read(guarded):
    """A stranger's hundred megabytes are refused before they arrive."""
    with socket.create_connection((guarded.base_url.host, guarded.base_url.port)) as line:
        line.sendall(
            b"POST /v1/score HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 104857600\r\n\r\n"
        )
        assert b" 401 " in line.recv(100)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_needs_no_key(guarded, path):
    assert guarded.get(path).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1:80", ""])
def test_without_keys_a_foreign_name_is_refused(client, host):
    """A page elsewhere can have its name lead to 127.0.0.1, and would read every score."""
    for path in READ_PATHS:
        assert client.get(path, headers={"Host": host}).status_code in (400, 403)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:80", "localhost:1"])
def test_without_keys_the_machines_own_names_are_answered(client, host):
    assert client.get("/v1/model", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("GET", "/", 404), ("PUT", "/v1/groups", 405),
     ("GET", "/v1/score", 405), ("GET", "/docs", 404), ("BREW", "/v1/model", 405)],
)  # fmt: skip
def test_other_paths_and_methods_are_refused(client, method, path, status):
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].startswith("expected")


@pytest.mark.parametrize(
    "headers",
    [{}, {"Content-Type": "text/plain"}, {"Content-Type": "application/xml"},
     {**AS_JSON, "Content-Encoding": "gzip"}],
)  # fmt: skip
def test_another_type_than_json_is_refused(client, headers):
    assert client.post("/v1/score", content=BODY, headers=headers).status_code == 415


def test_a_body_over_the_limit_is_refused_as_soon_as_it_is_known(client_of, with_limits):
    with client_of(with_limits(max_body_bytes=1000)) as client:
        answer = client.post("/v1/score", content="x" * 1001, headers=AS_JSON)
        assert answer.status_code == 413
        parts = (b"x" * 100 for _ in range(11))  # of a length that nobody declares
        assert client.post("/v1/score", content=parts, headers=AS_JSON).status_code == 413


def test_a_body_that_dawdles_is_refused(client_of, with_limits):
    with (
        client_of(with_limits(body_seconds=0.2)) as client,
        socket.create_connection((client.base_url.host, client.base_url.port)) as line,
    ):
        line.sendall(
            b"POST /v1/score HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )
        assert b" 408 " in line.recv(100)


def test_more_requests_than_may_wait_are_sent_away(client_of, with_limits, monkeypatch):
    with client_of(with_limits(workers=1, waiting=1)) as client:
        hold, begun = threading.Event(), threading.Semaphore(0)

        def slow(_body, _model):
            begun.release()
            hold.wait(120)
            return b'{"done": true}'

        monkeypatch.setattr(client.standing.workers, "_score_in_thread", slow)

        async def ask():
            async with httpx.AsyncClient(base_url=client.base_url, timeout=60) as many:
                posts = [
                    asyncio.create_task(many.post("/v1/score", content=BODY, headers=AS_JSON))
                    for _ in range(3)
                ]
                done, _waiting = await asyncio.wait(posts, return_when=asyncio.FIRST_COMPLETED)
                hold.set()
                return [one.result() for one in done], [await one for one in posts]

        first, everyone = asyncio.run(ask())
    assert [one.status_code for one in first] == [503]
    assert first[0].headers["retry-after"] == "1"
    assert sorted(one.status_code for one in everyone) == [200, 200, 503]


def test_an_error_that_nobody_expected_says_nothing_but_its_id(
    client, monkeypatch, lines_of_requests
):
    def broken(_group_id):
        raise RuntimeError("Mai Ito, mai@example.com")

    monkeypatch.setattr(client.standing.score_cache, "group", broken)
    with lines_of_requests() as lines:
        answer = client.get(GROUP, headers={"X-Request-Id": "abc-1"})
        (line,) = lines(1)
    assert answer.status_code == 500
    assert answer.json()["request_id"] == "abc-1"
    assert "Mai" not in answer.text
    assert "Traceback" not in answer.text
    assert line["error"] == "RuntimeError"
    assert "Mai" not in json.dumps(line)


def test_the_log_names_the_route_and_nobody(client_of, settings, keys, bearer, lines_of_requests):
    with lines_of_requests() as written, client_of(settings, keys) as client:
        client.get(
            "/v1/groups/secret-group?search=Mai",
            headers={**bearer("reader"), "X-Request-Id": "night-7"},
        )
        client.post(
            "/v1/score", content='{"account": "Mai Ito"}', headers={**AS_JSON, **bearer("both")}
        )
        lines = written(2)
    assert [(one["route"], one["status"], one["key"]) for one in lines] == [
        ("/v1/groups/{group_id}", 422, "reader"), ("/v1/score", 422, "both")
    ]  # fmt: skip
    assert lines[0]["request_id"] == "night-7"
    assert not re.search("secret|Mai|0123456789", json.dumps(lines))


@pytest.mark.parametrize("given", ["abc", "A-1", "x" * 64])
def test_a_request_keeps_its_id(client, given):
    assert client.get("/healthz", headers={"X-Request-Id": given}).headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "<b>", "a;b"])
def test_an_id_that_could_do_harm_gives_way(client, given):
    found = client.get("/healthz", headers={"X-Request-Id": given}).headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", found)


def test_every_answer_tells_the_browser_to_load_nothing(client):
    for path in ("/healthz", "/v1/groups", "/nothing"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers


def test_figures_count_by_route(client_of, settings):
    with client_of(settings) as client:
        client.get(GROUP)
        client.get(f"{GROUP}2")
        text = client.get("/metrics").text
    line = 'mqbg_requests_total{method="GET",route="/v1/groups/{group_id}",status="404"} 2.0'
    assert line in text
    assert "nobody" not in text
    assert 'mqbg_model_info{name="mqbg",version="7"} 1.0' in text
    assert "mqbg_store_up 1.0" in text


def test_another_champion_is_taken_over_and_what_is_under_way_ends_with_the_old_one(
    client_of, settings, monkeypatch, posted
):
    begun, hold, answers = threading.Event(), threading.Event(), []
    with client_of(settings) as client:
        standing = client.standing
        real = standing.workers._score_in_thread

        def slow(body, model):
            begun.set()
            assert hold.wait(120)
            return real(body, model)

        monkeypatch.setattr(standing.workers, "_score_in_thread", slow)
        asking = threading.Thread(target=lambda: answers.append(posted(client, REQUEST).json()))
        asking.start()
        assert begun.wait(120)
        standing.champion.next = replace(standing.champion.model, version="8")
        assert standing.champion.refresh(standing.workers.adopt)
        hold.set()
        asking.join()
        answers.append(posted(client, REQUEST).json())
        assert client.get("/v1/model").json()["version"] == "8"
    assert [answer["score"]["model_version"] for answer in answers] == ["7", "8"]


def test_the_server_looks_for_news_by_itself(client_of, with_limits):
    with client_of(with_limits(refresh_seconds=0.05, reload_seconds=0.05)) as client:
        champion = client.standing.champion
        champion.next = replace(champion.model, version="9")
        until = time.monotonic() + 120  # it is taken over at the next look, whenever that is
        while (version := client.get("/v1/model").json()["version"]) != "9":
            assert time.monotonic() < until, f"version {version} stays"
