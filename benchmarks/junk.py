"""Bodies of 8 MB that nobody should send to `POST /v1/score`: the server's CPU seconds for each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
from mqbg.serve.api.examples import REQUEST
from mqbg.serve.api.group_tables import OPTION_KEYS

from .serving import KEYED, Served, scored_world, serving

BYTES = 8_000_000
PROMISED = 1.0  # CPU seconds
WARM_UP = 5  # requests before them


def run() -> None:
    """Prints what each body costs, and what a list of groups does with unknown names and known."""
    with scored_world() as folder, serving(folder, 1) as server:
        for _number in range(WARM_UP):
            _cpu_seconds(server, json.dumps(REQUEST).encode())
        worst = 0.0
        for name, body in _bodies():
            took, status = _cpu_seconds(server, body)
            worst = max(worst, took)
            print(f"{name}, {len(body) / 1e6:.1f} MB: {took:.2f} CPU s, status {status}")
        print(f"the dearest: {worst:.2f} CPU s (promised {PROMISED:g})")
        for name, kind in (("unknown", "kind {} {}"), ("known", REQUEST["activities"][0]["kind"])):
            took, status = _cpu_seconds(server, _many_groups(kind))
            print(f"500 groups with 30,000 {name} kinds: {took:.2f} CPU s, status {status}")


def _cpu_seconds(server: Served, body: bytes) -> tuple[float, int]:
    begun = server.cpu_seconds()
    answer = httpx.post(f"{server.url}/v1/score", content=body, headers=KEYED, timeout=600)
    return server.cpu_seconds() - begun, answer.status_code


def _bodies() -> Iterator[tuple[str, bytes]]:
    long = "a " * (BYTES // 2)
    for key, column in (
        ("account", "name"), ("account", "industry"), ("solution", "name"), ("contacts", "title"),
        ("contacts", "full_name"), ("members", "role"), ("activities", "kind"),
        ("activities", "occurred_at"), ("contents", "title"), ("account", "a column of none"),
        ("buying_group", "group_id"),
    ):  # fmt: skip
        yield f"a long {key}.{column}", _with(key, **{column: long})
    yield "a long key", json.dumps({**REQUEST, long: 1}).encode()
    yield "an object of many keys", _with("account", **{f"k{n}": 1 for n in range(600_000)})
    contact, activity = REQUEST["contacts"][0], REQUEST["activities"][0]
    others = [
        {**contact, "contact_id": f"x{n}", **{f"{n} {more}": 1 for more in range(90)}}
        for n in range(4_800)
    ]
    yield "columns of their own in each row", _of(contacts=[*REQUEST["contacts"], *others])
    kinds = [{**activity, "activity_id": f"x{n}", "kind": f"kind {n}"} for n in range(9_000)]
    yield "a kind of its own for each activity", _of(activities=kinds)
    yield "brackets", b"[" * BYTES
    yield "digits", b'{"as_of": ' + b"1" * BYTES + b"}"
    yield "empty objects", b'{"groups": [' + b"{}," * (BYTES // 3) + b"{}]}"


def _with(key: str, **values: Any) -> bytes:
    """The example with other values in the first row of a key."""
    rows = REQUEST[key]
    return _of(**{key: {**rows, **values} if isinstance(rows, dict) else _first(rows, values)})


def _first(rows: list[dict[str, Any]], values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**rows[0], **values}, *rows[1:]]


def _of(**keys: Any) -> bytes:
    return json.dumps({**REQUEST, **keys}).encode()


def _many_groups(kind: str) -> bytes:
    group = {key: part for key, part in REQUEST.items() if key not in OPTION_KEYS}
    activity = REQUEST["activities"][0]
    groups = [
        {
            **group,
            "activities": [
                {**activity, "activity_id": f"x{n}", "kind": kind.format(number, n)}
                for n in range(60)
            ],
        }
        for number in range(500)
    ]
    return json.dumps({"as_of": REQUEST["as_of"], "groups": groups}).encode()
