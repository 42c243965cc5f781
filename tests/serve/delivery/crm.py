"""A local stand-in for HubSpot, Salesforce, Dynamics 365 and webhooks, which can misbehave.

It checks the shape of every request by itself, from the vendors' descriptions, and notes what is
wrong in `problems`; answers, refusals and accidents are drawn from a seed.
"""

from __future__ import annotations

import csv
import io
import json
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "sesame-token"  # noqa: S105 - of a stand-in
MANY = 100  # HubSpot's inputs a request
COMPOSITE = 200  # Salesforce's records a request
ARRIVED, CARRIED_OUT = "arrived", "carried out"


@dataclass
class Mood:
    """Shares of requests with which something goes wrong."""

    too_many: float = 0.0  # 429 with Retry-After, in turns as seconds and as a date
    broken: float = 0.0  # 500 or 502, in turns
    reset: float = 0.0  # the connection breaks before the request is carried out
    lost: float = 0.0  # ... and after it
    slow: float = 0.0  # the answer takes `slow_seconds`
    refused: float = 0.0  # of records: refused this time
    whole: float = 0.0  # 400 for the whole request
    slow_seconds: float = 0.05
    wait_seconds: float = 0.0


CALM = Mood()
Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Crm:
    """What the stand-in holds and saw."""

    mood: Mood = field(default_factory=Mood)
    seed: int = 7
    held: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    ids: dict[tuple[str, str], str] = field(default_factory=dict)
    pairs: set[tuple[str, str]] = field(default_factory=set)
    posted: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    properties: dict[str, set[str]] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    at: list[float] = field(default_factory=list)
    never: dict[str, str] = field(default_factory=dict)  # object_id -> reason it is always refused
    poison: set[str] = field(default_factory=set)  # 400 for every batch that holds one
    locked: bool = False
    url: str = ""
    override: Callable[[str, str, bytes], Answer | None] | None = None
    """Called with method, path and body of every request; its answer goes before our own."""
    watch: Callable[[str], bool] | None = None
    """Called at ARRIVED and CARRIED_OUT of every request; true: its client is gone, no answer."""

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)  # noqa: S311 - no secret
        self.lock = threading.Lock()
        self.turn = 0

    def lost_client(self, moment: str) -> bool:
        """Whether nobody waits for an answer from this moment on."""
        return self.watch is not None and self.watch(moment)

    def said(self, sentence: str) -> None:
        self.problems.append(sentence)

    def expect(self, holds: bool, sentence: str) -> None:
        if not holds:
            self.said(sentence)

    def remote_id(self, kind: str, key: str) -> str:
        return self.ids.setdefault((kind, key), str(1000 + len(self.ids)))

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """What it holds of a kind, by key."""
        return {key: value for (there, key), value in self.held.items() if there == kind}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    crm: Crm

    def log_message(self, *_: object) -> None:
        pass

    def _serve(self) -> None:
        crm = self.crm
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with crm.lock:
            crm.seen[self.command + " " + urlsplit(self.path).path] += 1
            crm.at.append(time.monotonic())
            accident = _accident(crm)
        if crm.lost_client(ARRIVED) or accident == "reset":
            return self._reset()
        if crm.override and (own := crm.override(self.command, self.path, body)) is not None:
            return self._reply(*own)
        if accident in ("429", "500"):
            return self._accident(accident)
        if accident == "slow":
            time.sleep(crm.mood.slow_seconds)
        with crm.lock:
            status, headers, answer = self._answer(body, whole=accident == "whole")
        if crm.lost_client(CARRIED_OUT) or accident == "lost":
            return self._reset()
        return self._reply(status, headers, answer)

    do_GET = do_POST = do_PATCH = do_PUT = _serve  # noqa: N815

    def _reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()
        self.close_connection = True

    def _accident(self, accident: str) -> None:
        crm = self.crm
        crm.turn += 1
        if accident == "500":
            return self._reply(500 if crm.turn % 2 else 502, {}, b"<html>oops</html>")
        wait = crm.mood.wait_seconds
        now = datetime.now(UTC)
        date = format_datetime(now + timedelta(seconds=wait), usegmt=True)
        header = {"Retry-After": str(wait) if crm.turn % 2 else date}
        return self._reply(429, header, b'{"message": "too many requests"}')

    def _reply(self, status: int, headers: dict[str, str], answer: bytes) -> None:
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client was killed

    def _answer(self, body: bytes, *, whole: bool) -> tuple[int, dict[str, str], bytes]:
        crm, path = self.crm, urlsplit(self.path).path
        if path.startswith("/hook"):
            return _hook(crm, dict(self.headers), body)
        if path.endswith("/token"):
            return 200, {}, json.dumps({"access_token": TOKEN}).encode()
        if crm.locked or self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {}, json.dumps({"message": "expired"}).encode()
        if whole:
            return 400, {}, json.dumps({"category": "VALIDATION_ERROR", "message": "no"}).encode()
        for part, serve in _SERVICES:
            if part in path:
                return serve(crm, self.command, path, dict(self.headers), body)
        crm.said(f"unknown path {path}")
        return 404, {}, b"{}"


def _accident(crm: Crm) -> str | None:
    mood, drawn = crm.mood, crm.draw.random()
    for name, share in (
        ("429", mood.too_many), ("500", mood.broken), ("reset", mood.reset), ("lost", mood.lost),
        ("slow", mood.slow), ("whole", mood.whole),
    ):  # fmt: skip
        if drawn < share:
            return name
        drawn -= share
    return None


def _refusal(crm: Crm, key: str) -> str | None:
    if key in crm.never:
        return crm.never[key]
    return "not now" if crm.draw.random() < crm.mood.refused else None


def _hubspot(crm: Crm, _command: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
    crm.expect(headers.get("Content-Type") == "application/json", "hubspot: content type")
    object_type = path.split("/")[4]
    said = json.loads(body)
    crm.expect(set(said) == {"inputs"}, f"hubspot: keys {set(said)}")
    inputs = said["inputs"]
    crm.expect(0 < len(inputs) <= MANY, f"hubspot: {len(inputs)} inputs")
    traces = [row.get("objectWriteTraceId") for row in inputs]
    crm.expect(len(set(traces)) == len(traces) and None not in traces, "hubspot: trace ids")
    for row in inputs:
        allowed = {"id", "idProperty", "objectWriteTraceId", "properties"}
        crm.expect(set(row) == allowed, f"hubspot: input keys {set(row)}")
        texts = all(isinstance(value, str) for value in row["properties"].values())
        crm.expect(texts, "hubspot: a property value is no text")
        crm.expect(isinstance(row["id"], str) and bool(row["idProperty"]), "hubspot: id")
    if poisoned := [row["id"] for row in inputs if row["id"] in crm.poison]:
        error = {"status": "error", "category": "VALIDATION_ERROR", "message": f"bad {poisoned[0]}"}
        return 400, {}, json.dumps(error).encode()
    missing = _missing_property(crm, object_type, inputs)
    if missing:
        error = {"status": "error", "message": f"Property {missing} does not exist"}
        return 400, {}, json.dumps(error).encode()
    results, errors = [], []
    for row in inputs:
        if reason := _refusal(crm, row["id"]):
            context = {"objectWriteTraceId": [row["objectWriteTraceId"]]}
            errors.append({"status": "error", "message": reason, "context": context})
            continue
        new = (object_type, row["id"]) not in crm.held
        crm.held.setdefault((object_type, row["id"]), {}).update(row["properties"])
        remote = crm.remote_id(object_type, row["id"])
        echo = {"id": remote, "new": new, "objectWriteTraceId": row["objectWriteTraceId"]}
        results.append(echo | {"properties": {row["idProperty"]: row["id"]}})
    answer: dict[str, Any] = {"status": "COMPLETE", "results": results}
    if errors:
        answer |= {"numErrors": len(errors), "errors": errors}
    return 207 if errors else 200, {}, json.dumps(answer).encode()


def _missing_property(crm: Crm, object_type: str, inputs: list[dict[str, Any]]) -> str | None:
    if object_type not in crm.properties:
        return None
    known = crm.properties[object_type]
    named = {name for row in inputs for name in row["properties"]}
    return next(iter(sorted(named - known)), None)


def _properties(crm: Crm, command: str, path: str, _headers: dict[str, str], body: bytes) -> Answer:
    object_type = path.split("/")[4]
    known = crm.properties.setdefault(object_type, {"hs_note_body", "hs_timestamp", "dealname"})
    if command == "GET":
        return 200, {}, json.dumps({"results": [{"name": name} for name in known]}).encode()
    rows = json.loads(body)["inputs"]
    for row in rows:
        needed = {"name", "label", "type", "fieldType", "groupName"}
        crm.expect(needed <= set(row), f"hubspot: property {row}")
        known.add(row["name"])
    return 201, {}, json.dumps({"results": rows}).encode()


def _associations(
    crm: Crm, _command: str, _path: str, _headers: dict[str, str], body: bytes
) -> Answer:
    for row in json.loads(body)["inputs"]:
        crm.pairs.add((row["from"]["id"], row["to"]["id"]))
    return 200, {}, json.dumps({"status": "COMPLETE", "results": []}).encode()


def _composite(crm: Crm, command: str, path: str, _headers: dict[str, str], body: bytes) -> Answer:
    crm.expect(command == "PATCH", f"salesforce: {command}")
    name, key = path.split("/")[-2:]
    said = json.loads(body)
    crm.expect(said["allOrNone"] is False, "salesforce: allOrNone")
    records = said["records"]
    crm.expect(0 < len(records) <= COMPOSITE, f"salesforce: {len(records)} records")
    crm.expect(all(row["attributes"] == {"type": name} for row in records), "salesforce: type")
    if any(row[key] in crm.poison for row in records):
        return 400, {}, json.dumps([{"errorCode": "JSON_PARSER_ERROR", "message": "bad"}]).encode()
    answers = [_salesforce_row(crm, name, key, row) for row in records]
    return 200, {}, json.dumps(answers).encode()


def _salesforce_row(crm: Crm, name: str, key: str, row: dict[str, Any]) -> dict[str, Any]:
    if reason := _refusal(crm, row[key]):
        error = {"statusCode": "ENTITY_IS_DELETED", "message": reason, "fields": []}
        return {"success": False, "errors": [error]}
    fields = {n: value for n, value in row.items() if n not in ("attributes", key)}
    crm.held.setdefault((name, row[key]), {}).update(fields)
    return {"id": crm.remote_id(name, row[key]), "success": True, "errors": [], "created": False}


def _bulk(crm: Crm, command: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
    parts = path.split("/jobs/ingest")[1].strip("/").split("/")
    if parts == [""]:
        said = json.loads(body)
        crm.expect(said["operation"] == "upsert" and said["contentType"] == "CSV", "bulk: job")
        job_id = f"job{len(crm.jobs)}"
        crm.jobs[job_id] = {**said, "state": "Open", "csv": b"", "looks": 0}
        return 200, {}, json.dumps({"id": job_id, "state": "Open"}).encode()
    job = crm.jobs[parts[0]]
    if command == "PUT":
        crm.expect(headers.get("Content-Type") == "text/csv", "bulk: content type")
        job["csv"] = body
        return 201, {}, b""
    if command == "PATCH":
        job["state"] = "InProgress"
        _run_bulk(crm, job)
        return 200, {}, b"{}"
    if len(parts) == 1:
        job["looks"] += 1
        state = "JobComplete" if job["looks"] > 1 else "InProgress"
        return 200, {}, json.dumps({"state": state}).encode()
    rows = job["done"] if parts[1] == "successfulResults" else job["failed"]
    sink = io.StringIO()
    if rows:
        writer = csv.DictWriter(sink, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return 200, {}, sink.getvalue().encode()


def _run_bulk(crm: Crm, job: dict[str, Any]) -> None:
    key, job["done"], job["failed"] = job["externalIdFieldName"], [], []
    for row in csv.DictReader(io.StringIO(job["csv"].decode(), newline="")):
        if reason := _refusal(crm, row[key]):
            job["failed"].append({"sf__Id": "", "sf__Error": reason, **row})
            continue
        values = {n: None if v == "#N/A" else v for n, v in row.items() if n != key}
        crm.held.setdefault((job["object"], row[key]), {}).update(values)
        remote = crm.remote_id(job["object"], row[key])
        job["done"].append({"sf__Id": remote, "sf__Created": "false", **row})


def _dynamics(crm: Crm, command: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
    crm.expect(command == "PATCH", f"dynamics: {command}")
    crm.expect(headers.get("OData-Version") == "4.0", "dynamics: OData-Version")
    key = unquote(path[path.index("(") + 1 : -1])
    said = json.loads(body)
    for name, high in (("msdyn_score", 100), ("msdyn_scoretrend", 3), ("msdyn_grade", 3)):
        if name in said:
            whole = isinstance(said[name], int) and 0 <= said[name] <= high
            crm.expect(whole, f"dynamics: {name} = {said[name]!r}")
    if reason := crm.never.get(key):
        return 404, {}, json.dumps({"error": {"code": "0x0", "message": reason}}).encode()
    crm.held.setdefault(("scores", key), {}).update(said)
    there = f"{crm.url}/api/data/v9.2/msdyn_predictivescores({crm.remote_id('scores', key)})"
    return 204, {"OData-EntityId": there}, b""


def _hook(crm: Crm, headers: dict[str, str], body: bytes) -> Answer:
    crm.posted.append((headers, body))
    said = json.loads(body)
    rejected = []
    if "records" in said:
        if any(row["group_id"] in crm.poison for row in said["records"]):
            return 422, {}, b"no"
        for row in said["records"]:
            if reason := _refusal(crm, row["group_id"]):
                rejected.append({"group_id": row["group_id"], "reason": reason})
            else:
                crm.held[("hook", row["group_id"])] = row
    return 200, {}, json.dumps({"rejected": rejected}).encode()


_SERVICES: tuple[tuple[str, Callable[..., Answer]], ...] = (
    ("/batch/upsert", _hubspot),
    ("/properties/", _properties),
    ("/associations/", _associations),
    ("/composite/sobjects/", _composite),
    ("/jobs/ingest", _bulk),
    ("/msdyn_predictivescores", _dynamics),
)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed breaks its connection at any moment; so do our own resets."""


@contextmanager
def standing_in(crm: Crm) -> Iterator[Crm]:
    """Serves it on loopback; its address is `crm.url`."""
    handler = type("Handler", (_Handler,), {"crm": crm})
    server = _Server(("127.0.0.1", 0), handler)
    crm.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield crm
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
