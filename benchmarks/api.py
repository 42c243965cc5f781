"""`mqbg serve` under load, with one process that scores and with several, asked from another."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import pyarrow.parquet as pq
from mqbg.serve.api.group_tables import MAX_GROUPS

from .serving import KEYED, Served, bodies, scored_world, serving

RATE, SECONDS = 20.0, 60.0
READERS, READ_SECONDS = 8, 20.0
FLAT_MINUTES = 10
BODIES = 40
TOGETHER_RUNS = 4
PROCESSES = (1, 0)  # one, and as many as there are processors


def run() -> None:
    """Prints times of scoring at 20 requests a second, reads a second, and memory over time."""
    with scored_world() as folder:
        texts = [json.dumps(body).encode() for body in bodies(folder / "world", BODIES)]
        sizes = [json.loads(text) for text in texts]
        members = np.mean([len(body["members"]) for body in sizes])
        activities = np.mean([len(body["activities"]) for body in sizes])
        print(f"{BODIES} bodies: {members:.1f} members and {activities:.0f} activities at the mean")
        for processes in PROCESSES:
            with serving(folder, processes) as server:
                print(f"[api] processes = {processes}: {server.resident_mb():.0f} MB at the start")
                for measure in (alone, at_a_rate, reads):
                    print(f"yardstick, a loop of plain Python: {yardstick():.0f} ms")
                    measure(server, texts)
        with serving(folder) as server:
            flat(server, texts)


def yardstick() -> float:
    """Milliseconds of a fixed loop at best: machines differ, and one from moment to moment."""
    took = []
    for _ in range(5):
        begun, counts = time.perf_counter(), dict.fromkeys(range(97), 0)
        for number in range(1_000_000):
            counts[number % 97] += number
        took.append(time.perf_counter() - begun)
    return min(took) * 1000


def alone(server: Served, texts: list[bytes]) -> None:
    """One request after the other."""
    with httpx.Client(base_url=server.url, headers=KEYED, timeout=60) as client:
        for text in texts[:5]:
            client.post("/v1/score", content=text).raise_for_status()
        took = []
        for text in texts * 3:
            begun = time.perf_counter()
            client.post("/v1/score", content=text).raise_for_status()
            took.append(time.perf_counter() - begun)
    print(f"POST /v1/score, one after the other: {_percentiles(took)}")


def together() -> None:
    """Prints what one body with as many groups as one may hold takes, beside one group a body."""
    with scored_world() as folder:
        groups = bodies(folder / "world", MAX_GROUPS)
        texts = [json.dumps(body).encode() for body in groups[:BODIES]]
        for processes in PROCESSES:
            with serving(folder, processes) as server:
                print(f"[api] processes = {processes}")
                print(f"yardstick, a loop of plain Python: {yardstick():.0f} ms")
                alone(server, texts)
                in_one_body(server, groups)


def in_one_body(server: Served, groups: list[dict[str, Any]]) -> None:
    """Posts all groups in one body, some times."""
    listed = [{key: part for key, part in group.items() if key != "as_of"} for group in groups]
    text = json.dumps({"as_of": groups[0]["as_of"], "groups": listed}).encode()
    took = []
    with httpx.Client(base_url=server.url, headers=KEYED, timeout=600) as client:
        for _ in range(TOGETHER_RUNS):
            begun, cpu = time.perf_counter(), server.cpu_seconds()
            answer = client.post("/v1/score", content=text).raise_for_status()
            took.append((time.perf_counter() - begun, server.cpu_seconds() - cpu))
    scored = sum("score" in one for one in answer.json()["groups"])
    wall, cpu = (1000 * min(part) / len(groups) for part in zip(*took, strict=True))
    activities = np.mean([len(group["activities"]) for group in groups])
    print(f"POST /v1/score, {len(groups)} groups of {activities:.0f} activities in one body "
          f"({len(text) / 1e6:.1f} MB), {scored} scored: {wall:.2f} ms a group, {cpu:.2f} of CPU "
          f"(promised 2.5)")  # fmt: skip


def at_a_rate(server: Served, texts: list[bytes]) -> None:
    """At 20 requests a second, for a minute."""
    asyncio.run(posted(server, texts, SECONDS))


async def posted(server: Served, texts: list[bytes], seconds: float, *, said: bool = True) -> None:
    """An open loop: each request begins when it is due, whether those before have ended or not."""
    took: list[float] = []
    statuses: Counter[int] = Counter()
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(
        base_url=server.url, headers=KEYED, timeout=60, limits=limits
    ) as client:

        async def one(text: bytes, due: float) -> None:
            answer = await client.post("/v1/score", content=text)
            statuses[answer.status_code] += 1
            if answer.is_success:
                took.append(time.perf_counter() - due)

        begun, tasks = time.perf_counter(), []
        for number in range(int(RATE * seconds)):
            due = begun + number / RATE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.append(asyncio.create_task(one(texts[number % len(texts)], due)))
        await asyncio.gather(*tasks)
    if said:
        print(f"POST /v1/score at {RATE:g} a second for {seconds:g} s: {_percentiles(took)}; "
              f"statuses {dict(statuses)}")  # fmt: skip


def reads(server: Served, _texts: list[bytes]) -> None:
    """A closed loop of readers, each on a connection of its own."""
    ids = pq.read_table(server.folder / "scores" / "scores.parquet")["group_id"].to_pylist()
    address = urlsplit(server.url)
    until = time.perf_counter() + READ_SECONDS

    def read(first: int) -> list[float]:
        connection, took = HTTPConnection(address.hostname or "", address.port), []
        number = first
        while time.perf_counter() < until:
            begun = time.perf_counter()
            connection.request("GET", f"/v1/groups/{ids[number % len(ids)]}", headers=KEYED)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise SystemExit(f"a read was answered with {answer.status}")
            took.append(time.perf_counter() - begun)
            number += READERS
        return took

    with ThreadPoolExecutor(READERS) as pool:
        took = [one for part in pool.map(read, range(READERS)) for one in part]
    print(f"GET /v1/groups/{{id}} of {len(ids):,} groups, {READERS} readers: "
          f"{len(took) / READ_SECONDS:,.0f} a second; {_percentiles(took)}")  # fmt: skip


def flat(server: Served, texts: list[bytes]) -> None:
    """Memory of the server, minute by minute, while it scores."""
    memory = []
    for _ in range(FLAT_MINUTES):
        asyncio.run(posted(server, texts, 60.0, said=False))
        memory.append(server.resident_mb())
    print(f"memory after each of {FLAT_MINUTES} minutes at {RATE:g} a second, MB: "
          f"{', '.join(f'{one:.0f}' for one in memory)}")  # fmt: skip


def _percentiles(took: list[float]) -> str:
    half, most, worst = np.quantile(took, [0.5, 0.99, 1.0]) * 1000
    return f"p50 {half:.1f} ms, p99 {most:.1f} ms, worst {worst:.0f} ms, {len(took):,} requests"
