"""Pushing 100,000 groups at HubSpot's limits: what the client costs beyond the limits.

The limits are HubSpot's own, in real time: 190 requests in 10 s, 100 records a request. The
stand-in of the tests answers from another process; what it costs is not the client's.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from bisect import bisect_left
from datetime import datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pyarrow as pa
from mqbg.serve.batch.score_tables import SCORE_SCHEMAS
from mqbg.serve.batch.scoring import ScoreTables
from mqbg.serve.delivery.nightly_job import push
from mqbg.serve.delivery.targets.hubspot_batch_upsert import BATCH_SIZE
from mqbg.serve.delivery.targets.rate_limiter import WINDOW_SECONDS
from mqbg.serve.store.connection import open_store
from mqbg.settings import PushSettings, Settings
from mqbg.settings.delivery import HubSpotSettings

STAND_IN = Path(__file__).parents[1] / "tests" / "serve" / "delivery"
GROUPS = 100_000
AS_OF = datetime(2025, 3, 1)


def run(groups: int = GROUPS) -> None:
    """Prints wall and CPU seconds beside what the limits alone cost."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_stand_in, args=(there,))
    process.start()
    os.environ["MQBG_HUBSPOT_TOKEN"] = "sesame-token"  # noqa: S105 - of the stand-in
    settings = Settings(push=PushSettings(hubspot=HubSpotSettings(url=here.recv())))
    scored = _scored(groups)
    with tempfile.TemporaryDirectory() as folder:
        _measure(f"sqlite:///{folder}/store.sqlite", scored, settings, groups)
    here.send(None)
    held, problems, most = here.recv()
    process.join()
    print(f"at the target: {held:,} groups, {problems} malformed requests")
    print(f"most requests in any 10 s, as they arrived: {most}")


def _measure(url: str, scored: ScoreTables, settings: Settings, groups: int) -> None:
    limits = groups / BATCH_SIZE / settings.push.hubspot.requests_per_10_seconds * WINDOW_SECONDS
    with open_store(url) as store:
        wall, cpu = time.perf_counter(), _cpu()
        done = push(store, "hubspot", scored, settings, lambda: AS_OF).delivered
        took, used = time.perf_counter() - wall, _cpu() - cpu
        print(f"{done.accepted:,} accepted, {len(done.rejected)} rejected, {done.unsent} left")
        print(f"the limits alone: {limits:.1f} s; in all: {took:.1f} s wall, {used:.2f} s CPU")
        print(f"wall beyond the limits: {took / limits - 1:.1%}; CPU: {used / limits:.1%} of them")
        wall, cpu = time.perf_counter(), _cpu()
        again = push(store, "hubspot", scored, settings, lambda: AS_OF)
        took, used = time.perf_counter() - wall, _cpu() - cpu
        print(f"a night without changes: {took:.2f} s wall, {used:.2f} s CPU, {again.changed} sent")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory: {peak:,.0f} MB")


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _stand_in(connection: Connection) -> None:
    sys.path.insert(0, str(STAND_IN))
    from crm import Crm, standing_in

    with standing_in(Crm()) as crm:
        connection.send(crm.url)
        connection.recv()
        at = sorted(crm.at)
        most = max(
            place + 1 - bisect_left(at, instant - WINDOW_SECONDS)
            for place, instant in enumerate(at)
        )
        connection.send((len(crm.held), len(crm.problems), most))


def _scored(groups: int) -> ScoreTables:
    """Scores with the texts that real ones have."""
    draw = np.random.default_rng(7)
    ids = [f"0065g00000{number:08d}" for number in range(groups)]
    readiness = draw.beta(1, 6, groups)
    reasons = [
        f"Engagement raises the score: points in the last {days} days." for days in range(90)
    ]
    steps = [f"Win over somebody in the role {role}." for role in ("champion", "user", "buyer")]
    columns = {name: pa.nulls(groups, field.type) for name, field in _fields("scores")} | {
        "group_id": pa.array(ids),
        "as_of": pa.array([AS_OF] * groups, pa.timestamp("us")),
        "model_version": pa.array(["3"] * groups),
        "readiness": pa.array(readiness),
        "score": pa.array(np.round(100 * readiness).astype("int64")),
        "completeness": pa.array(draw.integers(0, 9, groups) / 8),
        "engagement": pa.array(np.round(draw.uniform(0, 100, groups), 1)),
        "status": pa.array(["qualified" if share > 0.3 else "nurture" for share in readiness]),
        "missing_roles": pa.array([["champion", "budget_holder"][: n % 3] for n in range(groups)]),
        "top_reasons": pa.array([[reasons[n * k % 90] for k in (1, 7, 11)] for n in range(groups)]),
    }
    scores = pa.table(
        [columns[name] for name in SCORE_SCHEMAS["scores"].names], schema=SCORE_SCHEMAS["scores"]
    )
    action = {name: pa.nulls(groups, field.type) for name, field in _fields("actions")} | {
        "group_id": pa.array(ids),
        "text": pa.array([steps[n % 3] for n in range(groups)]),
    }
    actions = pa.table(
        [action[name] for name in SCORE_SCHEMAS["actions"].names], schema=SCORE_SCHEMAS["actions"]
    )
    others = {name: schema.empty_table() for name, schema in SCORE_SCHEMAS.items()}
    return ScoreTables(**(others | {"scores": scores, "actions": actions}))


def _fields(name: str) -> list[tuple[str, pa.Field]]:
    return [(field.name, field) for field in SCORE_SCHEMAS[name]]
