"""Services that answer as nobody should: no wait without an end, no word taken for another."""

from __future__ import annotations

import ast
import gzip
import json
import socket
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from mqbg.serve.delivery.targets import service_client
from mqbg.serve.delivery.targets.service_client import parse_retry_after
from mqbg.serve.delivery.targets.target import Outcome

RECORDS = 3


class Raw:
    """A receiver of raw bytes, which answers each connection with raw bytes."""

    def __init__(self, answer, host="127.0.0.1"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._answer, self.ended = answer, threading.Event()
        self._listening = socket.create_server((host, 0), family=family)
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._listening.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self):
        with suppress(OSError):
            while True:
                line, _ = self._listening.accept()
                self._threads.append(threading.Thread(target=self._talk, args=(line,)))
                self._threads[-1].start()

    def _talk(self, line):
        with line, suppress(OSError):
            line.recv(65536)
            for part in self._answer:
                line.sendall(part)
                if self.ended.wait(0.02):
                    return

    def close(self):
        self.ended.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join()


@contextmanager
def raw(answer, **options):
    server = Raw(answer, **options)
    try:
        yield server
    finally:
        server.close()


ENDLESS = {
    "a header in drops": [b"HTTP/1.1 200 OK\r\nX-Drops: ", *[b"x"] * 10_000],
    "headers without an end": [b"HTTP/1.1 200 OK\r\n", *[b"X-More: 1\r\n"] * 2_000],
    "interim answers": [b"HTTP/1.1 102 Processing\r\n\r\n"] * 10_000,
    "chunks without an end": [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *[b"1\r\nx\r\n"] * 10_000
    ],
}  # fmt: skip


@pytest.mark.parametrize("answer", ENDLESS.values(), ids=ENDLESS)
def test_an_answer_without_an_end_is_no_answer(push, rows, monkeypatch, answer):
    monkeypatch.setattr(service_client, "MAX_ANSWER_TIMEOUTS", 1)
    with raw(answer) as server:
        done = push("webhook", server, RECORDS, timeout_seconds=0.1, tries=1)
    assert done.accepted == 0
    assert "complete" in str(done.rejected or done.stop_reason)
    assert {attempts for _, attempts, _ in rows().values()} == {0}


def test_an_answer_that_is_packed_twice_is_not_unpacked(push, rows):
    body = gzip.compress(gzip.compress(b"{}"))
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\nContent-Length: {len(body)}\r\n\r\n"
    with raw([head.encode() + body]) as server:
        done = push("webhook", server, RECORDS, tries=1)
    assert done.accepted == 0
    assert "packed several times" in str(done.rejected)


def test_an_address_of_ipv6_is_reached(push):
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        server = Raw([b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"], host="::1")
    except OSError:
        pytest.skip("this machine has no address of IPv6")
    try:
        assert push("webhook", server, RECORDS).accepted == RECORDS
    finally:
        server.close()


def test_a_proxy_that_is_away_is_the_targets_fault(stand, push, rows, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    crm = stand()
    done = push("webhook", crm, RECORDS, tries=1)
    assert (done.accepted, sum(crm.seen.values())) == (0, 0)
    assert "Connection refused" in str(done.rejected)
    assert {attempts for _, attempts, _ in rows().values()} == {0}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("-7", 0.0),
        ("nan", 0.0),
        ("1e999", float("inf")),
        ("Thu, 01 Jan 2026 00:00:30 GMT", 30.0),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0.0),
        ("Thu, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Thu, 99 Jan 2026 00:00:00 GMT", None),
        ("Thu, 01 Jan 2026 00:00:30 -0000", None),  # of no zone
        ("soon", None),
        ("", None),
    ],
)
def test_a_wait_is_read_as_it_is_meant_or_not_at_all(text, seconds):
    headers = {"Retry-After": text, "Date": "Thu, 01 Jan 2026 00:00:00 GMT"}
    assert parse_retry_after(httpx.Response(503, headers=headers)) == seconds


@pytest.mark.parametrize(
    "body",
    [
        b'{"rejected": ["g1"]}',
        b'{"rejected": {"g1": "no"}}',
        b'{"rejected": "all"}',
        b'{"rejected": [{"id": "g1", "reason": "no"}]}',
        b'{"rejected": [{"group_id": "g1", "rea',
    ],
)
def test_a_webhook_that_rejects_in_another_way_has_taken_nothing(stand, push, rows, body):
    done = push("webhook", stand(override=lambda *_: (200, {}, body)), RECORDS, tries=1)
    assert done.accepted == 0
    assert "no answer" in done.rejected[0][1]
    assert {attempts for _, attempts, _ in rows().values()} == {0}


@pytest.mark.parametrize(
    "body", [b"", b"ok", b"{}", b"[1]", b'{"rejected": []}', b"x" * 10_000_000]
)
def test_a_webhook_may_answer_anything_else(stand, push, body):
    assert push("webhook", stand(override=lambda *_: (200, {}, body)), RECORDS).accepted == RECORDS


HALF, NOTHING = "\ud800", "\x00"  # half a character, and one that PostgreSQL takes in no text


def answer_of(name, text):
    """A 200 of a service that refuses a record with a text, and takes another with it as its id."""
    answers = {
        "hubspot": {
            "results": [{"id": text, "objectWriteTraceId": "g0"}],
            "errors": [{"message": text, "context": {"objectWriteTraceId": ["g1"]}}],
        },
        "salesforce": [
            {"success": True, "id": text},
            {"success": False, "errors": [{"message": text}]},
        ],
        "webhook": {"rejected": [{"group_id": "g1", "reason": text}]},
    }
    return json.dumps(answers[name]).encode()


@pytest.mark.parametrize("name", ["hubspot", "salesforce", "webhook"])
def test_words_that_no_store_holds_are_kept_without_them(stand, push, rows, name):
    body = answer_of(name, f"no{HALF}{NOTHING}t")
    done = push(name, stand(override=lambda *_: (200, {}, body)), 2)
    assert (done.accepted, len(done.rejected)) == (1, 1)
    assert rows()["g1"] == ("failed", 1, "no  t")


@pytest.mark.parametrize("name", ["hubspot", "salesforce", "dynamics", "webhook"])
def test_a_refusal_in_words_that_no_terminal_shows_is_a_sentence(stand, push, name):
    body = b'{"message": "no\\ud800\\u0000t"}'
    done = push(name, stand(override=lambda *_: (400, {}, body)), 8)
    assert "no t" in done.stop_reason
    done.stop_reason.encode()


@pytest.mark.parametrize("given", [{"a": 1}, ["x"], True, 1.5, ""])
def test_an_id_of_another_kind_is_none(given):
    assert Outcome(remote_id=given).remote_id in (None, "True")
    assert Outcome(remote_id=17).remote_id == "17"


def bulk(stand, push, **answers):
    """A push by a bulk job, one of whose answers is another."""

    def override(method, path, _body):
        last = path.rstrip("/").rpartition("/")[2]
        step = "open" if last == "ingest" else last if last == "batches" else method
        return answers.get(step)

    return push("salesforce", stand(override=override), 250, bulk_above=0, tries=1)


REFUSED = (400, {}, b'[{"errorCode": "INVALID_FIELD", "message": "No such column"}]')
JOB = (200, {}, b'{"id": "7"}')


@pytest.mark.parametrize(
    "answers",
    [
        {"open": REFUSED},
        {"open": JOB, "batches": REFUSED},
        {"open": JOB, "batches": (201, {}, b""), "PATCH": REFUSED},
        {
            "open": JOB,
            "batches": (201, {}, b""),
            "PATCH": JOB,
            "GET": (200, {}, b'{"state": "Failed", "errorMessage": "No such column"}'),
        },
    ],
)  # fmt: skip
def test_a_bulk_job_that_is_refused_as_a_whole_is_the_targets_fault(stand, push, rows, answers):
    done = bulk(stand, push, **answers)
    assert (done.accepted, done.rejected, done.unsent) == (0, (), 250)
    assert "No such column" in done.stop_reason
    assert {(state, attempts) for state, attempts, _ in rows().values()} == {("pending", 0)}


@pytest.mark.parametrize("body", [b"{}", b'{"id": null}', b'{"id": {}}'])
def test_a_bulk_job_without_an_id_is_no_answer(stand, push, rows, body):
    done = bulk(stand, push, open=(200, {}, body))
    assert "without the bulk job's id" in done.rejected[0][1]
    assert {attempts for _, attempts, _ in rows().values()} == {0}


def test_refusals_of_single_records_that_hit_every_one_are_the_targets(stand, push, rows):
    def full(_method, _path, body):
        row = {"success": False, "errors": [{"statusCode": "STORAGE_LIMIT_EXCEEDED"}]}
        return 200, {}, json.dumps([row] * len(json.loads(body)["records"])).encode()

    done = push("salesforce", stand(override=full), 450)
    assert (done.accepted, done.rejected, done.unsent) == (0, (), 450)
    assert "STORAGE_LIMIT_EXCEEDED" in done.stop_reason
    assert {attempts for _, attempts, _ in rows().values()} == {0}


def test_a_receiver_of_ten_megabytes_is_read_and_no_longer_than_a_while(push):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n"
    begun = time.monotonic()
    with raw([head, *[b"x" * 2_500_000] * 4]) as server:
        assert push("webhook", server, RECORDS).accepted == RECORDS
    assert time.monotonic() - begun < 60


READINGS = {"json", "load", "loads", "decode", "iter_text", "iter_lines"}
READ_ELSEWHERE = {
    "json.loads(record.payload)",  # of the outbox: our own
    "json.loads(line)",  # of a file of ours
    "tomllib.loads(chosen.read_text(encoding='utf-8'))",  # the sentences of alerts
    "response.content.decode('utf-8-sig')",  # an answer: CSV, which bulk jobs alone end with
}


def readings(source: str) -> set[str]:
    """What a module decodes: calls that do, and `.text` of whatever is no block of a message."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in READINGS:
            found.add(ast.unparse(node))
        if isinstance(node, ast.Attribute) and node.attr == "text":
            found |= {ast.unparse(node)} - {"block.text", "blocks[0].text", "blocks[1].text"}
    return found


def test_no_module_but_answers_decodes_what_a_service_answers():
    folder = Path(service_client.__file__).parents[1]
    modules = {
        path.name: readings(path.read_text(encoding="utf-8"))
        for part in ("targets", "alerts")
        for path in (folder / part).rglob("*.py")
    }
    assert "json.loads(response.content)" in modules.pop("answers.py")
    assert set().union(*modules.values()) == READ_ELSEWHERE


@pytest.mark.parametrize(
    "reader",
    ["response.json()", "json.loads(response.content)", "loads(body)", "answer.text",
     "response.content.decode()"],
)  # fmt: skip
def test_a_second_reader_of_answers_would_be_found(reader):
    assert readings(f"said = {reader}") - READ_ELSEWHERE == {reader}
