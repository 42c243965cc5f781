"""Kills nights at random moments, and compares what is left with what should be."""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import nightly
import sqlalchemy as sa
from crm import CALM, Crm, Mood
from mqbg.serve.delivery.alerts.channels import idempotency_key
from mqbg.serve.delivery.alerts.triggers import find_due_alerts
from mqbg.serve.delivery.outbox.outbox_table import outbox
from mqbg.serve.store.connection import open_store
from mqbg.serve.store.schema import transitions

BAD = Mood(0.08, 0.08, 0.06, 0.06, 0.1, 0.04, 0.03, slow_seconds=0.02)


@dataclass
class Result:
    """What a round of kills left."""

    kills: int = 0
    finished: int = 0
    nights: int = 0
    groups: int = 0
    wrong: list[str] = field(default_factory=list)
    alerts: int = 0
    halfway: int = 0  # killed after their first request
    repeated: int = 0  # alerts that the receiver saw again, with their key


def kill_at_random(store_url: str, crm: Crm, *, kills: int, groups: int, seed: int) -> Result:
    """Nights that are killed, then one that is not, in a calm mood."""
    draw, result, number = random.Random(seed), Result(groups=groups), 0  # noqa: S311
    environment = {
        **os.environ,
        "MQBG_HUBSPOT_TOKEN": "sesame-token",
        "MQBG_SLACK_URL": f"{crm.url}/hook/slack",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    with subprocess.Popen(
        [sys.executable, nightly.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        env=environment,
        cwd=Path(nightly.__file__).parent,
    ) as parent:
        for crm.mood in (CALM, BAD):  # the second, of its own length, for the kills to fall within
            _, usual = _night(parent, store_url, crm, number, groups, None)
            number += 1
        while result.kills < kills:
            number += draw.random() < 0.7
            delay = draw.uniform(0.0, usual)
            seen = sum(crm.seen.values())
            status, took = _night(parent, store_url, crm, number, groups, delay)
            if status in (0, 1):
                usual = 0.5 * usual + 0.6 * took
            result.kills += status == -signal.SIGKILL
            result.halfway += status == -signal.SIGKILL and sum(crm.seen.values()) > seen
            result.finished += status in (0, 1)
            if status not in (0, 1, -signal.SIGKILL):
                result.wrong.append(f"night {number} ended with {status}")
        crm.mood = CALM
        status, _ = _night(parent, store_url, crm, number, groups, None)
        if status:
            result.wrong.append(f"the last night ended with {status}")
        parent.stdin.close()
    result.nights = number + 1
    _compare(store_url, crm, number, groups, result)
    return result


def _night(
    parent: subprocess.Popen[bytes],
    store_url: str,
    crm: Crm,
    number: int,
    groups: int,
    delay: float | None,
) -> tuple[int, float]:
    given = {"store_url": store_url, "url": crm.url, "number": number, "groups": groups}
    parent.stdin.write(json.dumps(given).encode() + b"\n")
    child, start = int(parent.stdout.readline()), time.monotonic()
    if delay is not None and not select.select([parent.stdout], [], [], delay)[0]:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    status = int(parent.stdout.readline())
    return status, time.monotonic() - start


def _compare(store_url: str, crm: Crm, number: int, groups: int, result: Result) -> None:
    with open_store(store_url) as store, store.begin() as connection:
        rows = connection.execute(sa.select(outbox)).mappings().all()
        moves = connection.execute(sa.select(transitions).where(transitions.c.alert)).all()
        due = find_due_alerts(connection, nightly.as_of(number), nightly.settings_for("").alerts)
    _compare_records(crm, rows, number, groups, result)
    # By hand: every transition that deserves an alert; and falls as the store finds them.
    wanted = {f"{row.group_id}|{row.as_of.isoformat()}|{row.to_status}" for row in moves}
    wanted |= {alert.key for alert in due}
    told = Counter(headers["Idempotency-Key"] for headers, _ in crm.posted)
    bodies = {(headers["Idempotency-Key"], body) for headers, body in crm.posted}
    result.alerts, result.repeated = len(wanted), sum(told.values()) - len(told)
    if missed := {key for key in wanted if idempotency_key(key) not in told}:
        result.wrong.append(f"missed alerts: {sorted(missed)[:5]}")
    if len(told) != len(bodies):
        result.wrong.append("an alert came again with another text")
    result.wrong += crm.problems[:5]


def _compare_records(
    crm: Crm, rows: list[sa.RowMapping], number: int, groups: int, result: Result
) -> None:
    if unsent := [row for row in rows if row["state"] != "sent"]:
        result.wrong.append(f"{len(unsent)} rows are not sent, such as {dict(unsent[0])}")
    for kind, object_type in (("group", "deals"), ("note", "notes")):
        held = crm.of(object_type)
        mine = {row["object_id"]: row["payload"] for row in rows if row["kind"] == kind}
        if held != {key: json.loads(payload) for key, payload in mine.items()}:
            result.wrong.append(f"{object_type} stand otherwise than in the outbox")
    for row in nightly.tables(number, groups).scores.to_pylist():
        stands = crm.of("deals").get(row["group_id"], {})
        if stands.get("mqbg_score") != str(row["score"]):
            result.wrong.append(f"{row['group_id']} stands at {stands.get('mqbg_score')}")
