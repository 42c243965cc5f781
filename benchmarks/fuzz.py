"""Ten thousand requests that nobody should send: made up from the description, and by hand."""

from __future__ import annotations

import copy
import hashlib
import json
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import numpy as np
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as tries
from mqbg.serve.api.examples import REQUEST

from .serving import KEYED, READ_ONLY, Served, served

REQUESTS = 10_000
MADE_UP = 5_000
SEED = 29
PATHS = ("/v1/groups", "/v1/groups/{}", "/v1/groups/{}/history", "/v1/{}", "/{}", "/groups/{}")

TEXTS = (
    "' OR 1=1 --", "'; DROP TABLE scores; --", "1); DELETE FROM outbox; --", '"', "\\", "%", "_",
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "{{7*7}}", "${7*7}", "=1+1",
    "@SUM(A1)", "../../etc/passwd", "\u202egpj", "\u0000", "\u0007", "\x7f", "\x85", "\ud800",
    "\ufeff", "ｍｑｂｇ", "😀" * 50, "a" * 100_000, "", " ", "null", "NaN", "-0", "1e400",
    "2025-02-30", "9999-12-31T23:59:59Z", "0001-01-01", "2025-09-01T00:00:00+99:00",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    *TEXTS, None, True, False, 0, -1, 2**53, 2**63, 10**400, -(10**30), 1e308, -1e308, 5e-324, 0.1,
    float("nan"), float("inf"), [], {}, [[]], [None], {"a": {"b": {}}}, [[[[[[[[[[1]]]]]]]]]],
)  # fmt: skip
RAW = (
    b"", b"{", b"nul", b"[]", b"\xff\xfe{}", b"\x00" * 1000, b'{"as_of": 1e999}', b'{"a":1,"a":1}',
    b"[" * 200_000, b'{"a":' * 200_000, b'"' + b"a" * 1_000_000, b"9" * 100_000,
    b'{"as_of": ' + b"9" * 100_000 + b"}", b"\xef\xbb\xbf{}",
)  # fmt: skip
LARGE = 100_000_000  # bytes
LONGEST_READ = 60_000  # bytes of an address; the server's own limit is 64 KiB of a head


class Tally:
    """What came back, and whether any of it should not have."""

    def __init__(self) -> None:
        """Nothing came yet."""
        self.statuses: Counter[int] = Counter()
        self.wrong: list[str] = []

    def note(self, what: str, answer: httpx.Response, *allowed: int) -> None:
        """Keeps an answer in mind."""
        self.statuses[answer.status_code] += 1
        if answer.status_code >= 500 and answer.status_code != 503:
            self.wrong.append(f"{what}: {answer.status_code}")
        if allowed and answer.status_code not in allowed:
            self.wrong.append(f"{what}: {answer.status_code}, not one of {allowed}")
        if "Traceback" in answer.text or 'File "' in answer.text:
            self.wrong.append(f"{what}: shows a traceback")


def run() -> None:
    """Sends them, and prints what came back and whether anything changed."""
    with served() as server:
        tally, before, begun = Tally(), _state(server), time.perf_counter()
        with httpx.Client(base_url=server.url, timeout=120) as client:
            made_up(server, tally)
            large(client, tally)
            made_by_hand(client, tally)
            still = client.post("/v1/score", content=json.dumps(REQUEST), headers=KEYED)
        took = time.perf_counter() - begun
        print(f"{tally.statuses.total():,} requests in {took:.0f} s, by status: "
              f"{dict(sorted(tally.statuses.items()))}")  # fmt: skip
        print(f"wrong: {tally.wrong[:10] or 'nothing'}")
        print(f"the store is as it was: {_state(server) == before}; "
              f"a proper request is answered with {still.status_code}")  # fmt: skip
        errors = server.log.read_text().count('"level": "error"')
        print(f"errors in the log: {errors}")
        print(f"memory: {server.resident_mb():.0f} MB")


def _state(server: Served) -> str:
    """Every byte of the store, and what the API tells of all groups."""
    digest = hashlib.sha256((server.folder / "mqbg-store.sqlite").read_bytes())
    with httpx.Client(base_url=server.url, headers=KEYED, timeout=60) as client:
        digest.update(client.get("/v1/groups", params={"limit": 200}).content)
    return digest.hexdigest()


def made_by_hand(client: httpx.Client, tally: Tally) -> None:
    """Bodies with one thing wrong, or more; odd paths, queries, headers and keys."""
    draw = np.random.default_rng(SEED)
    for number in range(max(0, REQUESTS - tally.statuses.total())):
        kind = number % 5
        if kind < 3:
            body = RAW[int(draw.integers(len(RAW)))] if number % 50 == 0 else _mutated(draw)
            answer = client.post("/v1/score", content=body, headers=KEYED)
            tally.note(f"body {body[:200]!r}", answer, 200, 413, 422)
        elif kind == 3:
            path = PATHS[int(draw.integers(len(PATHS)))].format(quote(_text(draw), safe=""))
            query = {
                str(draw.choice(["search", "sort", "limit", "status", "order", "x"])): _text(draw)
            }
            shown = {name: value.encode("utf-8", "replace") for name, value in query.items()}
            answer = client.get(path[:8000], params=shown, headers=KEYED)
            tally.note(f"path {path[:100]}", answer, 200, 404, 405, 414, 422, 400)
        else:
            given, expected = _stranger(draw)
            headers = {"Content-Type": "application/json", **given}
            answer = client.post("/v1/score", content=_mutated(draw), headers=headers)
            tally.note(f"key {given}", answer, expected)


def _text(draw: np.random.Generator) -> str:
    text = TEXTS[int(draw.integers(len(TEXTS)))][:2000]
    return text.encode("utf-8", "replace").decode()


def _stranger(draw: np.random.Generator) -> tuple[dict[str, str], int]:
    wrong = [
        {}, {"Authorization": "Bearer nothing"}, {"Authorization": "Basic ####"},
        {"X-API-Key": "' OR 1=1 --"}, {"Authorization": "Bearer " + "a" * 4000},
    ]  # fmt: skip
    if draw.random() < 0.3:
        return {"Authorization": f"Bearer {READ_ONLY}"}, 403
    return wrong[int(draw.integers(len(wrong)))], 401


def _mutated(draw: np.random.Generator) -> bytes:
    tree = copy.deepcopy(REQUEST)
    for _ in range(int(draw.integers(1, 4))):
        places = list(_places(tree))
        holder, key = places[int(draw.integers(len(places)))]
        if draw.random() < 0.15:
            del holder[key]
        elif draw.random() < 0.1 and isinstance(holder, list):
            holder.extend([copy.deepcopy(holder[key])] * int(draw.integers(1, 2000)))
        else:
            holder[key] = VALUES[int(draw.integers(len(VALUES)))]
    return json.dumps(tree).encode()


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    keys: Any = tree if isinstance(tree, dict) else range(len(tree))
    for key in keys:
        yield tree, key
        if isinstance(tree[key], dict | list):
            yield from _places(tree[key])


def large(client: httpx.Client, tally: Tally) -> None:
    """Bodies of 100 MB: declared, in chunks, and from a stranger."""
    chunk = b" " * 1_000_000
    for headers, expected in ((KEYED, 413), ({"Content-Type": "application/json"}, 401)):
        for content in (chunk * 100, (chunk for _ in range(100))):
            try:
                answer = client.post("/v1/score", content=content, headers=headers)
            except httpx.TransportError:
                tally.statuses[expected] += 1  # it hung up while we still wrote, as it may
            else:
                tally.note("100 MB", answer, expected)


def made_up(server: Served, tally: Tally) -> None:
    """What schemathesis makes up from the description."""
    warnings.simplefilter("ignore")
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    operations = [one.ok() for one in schema.get_all_operations()]
    modes = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
    left, chances = MADE_UP, len(operations) * len(modes)
    # Those with little to make up come first, and leave what they cannot use to the others.
    for operation in sorted(operations, key=lambda one: len(json.dumps(one.definition.raw))):
        for mode in modes:
            left -= _tried(operation, mode, left // chances, tally)
            chances -= 1


def _tried(operation: Any, mode: Any, count: int, tally: Tally) -> int:
    done = 0
    try:
        cases = operation.as_strategy(generation_mode=mode)

        @seed(SEED)
        @tries(
            max_examples=count, deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(cases)
        def ask(case: Any) -> None:
            nonlocal done
            done += 1
            try:
                answer = case.call(headers=KEYED)
            except requests.RequestException:
                # Of an address that it does not read to its end, it hangs up on who still writes.
                if len(urlencode(case.query or {}, doseq=True)) < LONGEST_READ:
                    tally.wrong.append(f"{operation.label}: no answer")
                tally.statuses[400] += 1
                return
            tally.statuses[answer.status_code] += 1
            if answer.status_code >= 500 and answer.status_code != 503:
                tally.wrong.append(f"{operation.label}: {answer.status_code}")
            if b"Traceback" in answer.content:
                tally.wrong.append(f"{operation.label}: shows a traceback")

        ask()
    except Exception as error:  # an operation without parameters has nothing to get wrong
        if done == 0:
            print(f"{operation.label}, {mode.value}: none ({type(error).__name__})")
        else:
            raise
    return done
