"""Kills nights at chosen points, and compares what is left with what should be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, product
from pathlib import Path

import nightly
import sqlalchemy as sa
from crm import ARRIVED, CALM, CARRIED_OUT, Crm, Mood
from mqbg.serve.delivery.alerts.channels import idempotency_key
from mqbg.serve.delivery.alerts.triggers import find_due_alerts
from mqbg.serve.delivery.outbox.outbox_table import outbox
from mqbg.serve.store.connection import open_store
from mqbg.serve.store.schema import transitions

BAD = Mood(0.08, 0.08, 0.06, 0.06, 0.1, 0.04, 0.03, slow_seconds=0.02)
NIGHTS_TO_REACH = 8
"""Nights within which a kill point must come; a night after a kill may have less to do."""


@dataclass(frozen=True)
class KillPoint:
    """Where a night dies by SIGKILL.

    Attributes:
        commit: whether inside a commit of the store, else at a request of the CRM.
        number: which one, from 1; requests are counted on from night to night until they reach it.
        done: whether the commit has been made, or the request carried out; nobody hears of either.
        again: whether the next night is the killed one, begun again, and not the one after it.
    """

    commit: bool
    number: int
    done: bool
    again: bool = True


@dataclass
class Result:
    """What a round of kills left."""

    groups: int
    killed: list[KillPoint] = field(default_factory=list)
    finished: int = 0
    wrong: list[str] = field(default_factory=list)
    alerts: int = 0
    repeated: int = 0  # alerts that the receiver saw again, with their key


class RequestKill:
    """Kills a night's process at a request, from the CRM, which never answers it."""

    def __init__(self, point: KillPoint) -> None:
        """At the point's number and moment."""
        self._point, self._seen = point, 0
        self._moment = CARRIED_OUT if point.done else ARRIVED
        self._known, self._lock = threading.Event(), threading.Lock()
        self._process = 0

    def of(self, process: int) -> None:
        """Says which process the requests come from."""
        self._process = process
        self._known.set()

    def __call__(self, moment: str) -> bool:
        """Counts a moment of a request; true where it was the one."""
        with self._lock:
            self._seen += moment == self._moment
            if moment != self._moment or self._seen != self._point.number:
                return False
        self._known.wait()
        os.kill(self._process, signal.SIGKILL)
        return True


def every_point(highest: int) -> Iterator[KillPoint]:
    """Kill points without end: each request and commit in turn, before and after it is done.

    Args:
        highest: number of a request or commit, after which they begin again at 1.
    """
    for number in count():
        for commit, done, again in product((False, True), (False, True), (False, True)):
            yield KillPoint(commit, 1 + number % highest, done, again)


def kill_at(
    store_url: str, crm: Crm, rounds: Sequence[Sequence[KillPoint]], *, groups: int
) -> Result:
    """A whole night, then rounds: one night that is killed at each point, and a whole one.

    The killed nights meet a CRM in a bad mood, the whole ones a calm one; after each of these the
    CRM is compared with the store, so that no later night makes good what a kill has spoiled.
    """
    result, number = Result(groups), 0
    with _nights(crm) as parent:
        for points in [(), *rounds]:
            crm.mood = BAD
            for point in points:
                number = _kill(parent, store_url, crm, number, result, point)
            crm.mood = CALM
            number += 1
            if status := _night(parent, store_url, crm, number, groups):
                result.wrong.append(f"night {number}, a calm one, ended with {status}")
            _compare(store_url, crm, number, groups, result)
    return result


@contextmanager
def _nights(crm: Crm) -> Iterator[subprocess.Popen[bytes]]:
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
        yield parent
        parent.stdin.close()


def _kill(
    parent: subprocess.Popen[bytes],
    store_url: str,
    crm: Crm,
    number: int,
    result: Result,
    point: KillPoint,
) -> int:
    """Nights until one dies at the point; the number of the last."""
    kill = None if point.commit else RequestKill(point)
    for attempt in range(NIGHTS_TO_REACH):
        number += attempt > 0 or not point.again
        status = _night(parent, store_url, crm, number, result.groups, point, kill)
        if status == -signal.SIGKILL:
            result.killed.append(point)
            break
        result.finished += status in (0, 1)
        if status not in (0, 1):
            result.wrong.append(f"night {number} ended with {status}")
    return number


def _night(
    parent: subprocess.Popen[bytes],
    store_url: str,
    crm: Crm,
    number: int,
    groups: int,
    point: KillPoint | None = None,
    kill: RequestKill | None = None,
) -> int:
    """How the night's process ended."""
    dies = {"number": point.number, "done": point.done} if point and point.commit else None
    given = {
        "store_url": store_url, "url": crm.url, "number": number, "groups": groups,
        "dies_at_commit": dies,
    }  # fmt: skip
    crm.watch = kill
    parent.stdin.write(json.dumps(given).encode() + b"\n")
    child = int(parent.stdout.readline())
    if kill:
        kill.of(child)
    status = int(parent.stdout.readline())
    crm.watch = None
    return status


def _compare(store_url: str, crm: Crm, number: int, groups: int, result: Result) -> None:
    with open_store(store_url) as store, store.begin() as connection:
        rows = connection.execute(sa.select(outbox)).mappings().all()
        moves = connection.execute(sa.select(transitions).where(transitions.c.alert)).all()
        due = find_due_alerts(connection, nightly.as_of(number), nightly.settings_for("").alerts)
    _compare_records(crm, rows, number, groups, result)
    # By hand: every transition that deserves an alert; and falls as the store finds them.
    wanted = {f"{row.group_id}|{row.as_of.isoformat()}|{row.to_status}" for row in moves}
    wanted |= {alert.key for alert in due}
    # What a digest tells is told where a digest is.
    digested = {row["object_id"] for row in rows if row["state"] == "digested"}
    digests = {row["object_id"] for row in rows if row["object_id"].startswith("digest|")}
    if bool(digested) != bool(digests):
        result.wrong.append(f"{len(digested)} alerts and {len(digests)} digests of them")
    wanted = wanted - digested | digests
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
    if unsent := [row for row in rows if row["state"] not in ("sent", "digested")]:
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
