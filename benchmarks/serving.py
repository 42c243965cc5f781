"""A running `mqbg serve` with a model, a store and a world of its own, for the benchmarks of it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
from mqbg.serve.api.group_tables import SINGLE_ROW_KEYS

from .timing import mqbg

GROUPS = 3_000
AS_OF = "2024-12-01"
KEY = "benchmark-key-0123456789"
READ_ONLY = "benchmark-read-0123456789"
KEYED = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
STARTING = 120.0  # seconds
MEMBERS, ACTIVITIES = 8, 200


@dataclass(frozen=True)
class Served:
    """A server that answers.

    Attributes:
        url: of it.
        pid: of its process.
        folder: with the tables in `world`, the run in `scores` and the store.
        log: what it writes to stderr.
    """

    url: str
    pid: int
    folder: Path
    log: Path

    def cpu_seconds(self) -> float:
        """User and system time of its processes so far."""
        return sum(_cpu_seconds(pid) for pid in self._pids())

    def resident_mb(self) -> float:
        """Memory that its processes hold; what they share counts once."""
        return sum(_proportional_mb(pid) for pid in self._pids())

    def _pids(self) -> list[str]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [str(self.pid), *children]


def _cpu_seconds(pid: str) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _proportional_mb(pid: str) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return float("nan")


@contextmanager
def served() -> Iterator[Served]:
    """Simulates, trains, scores and serves; all of it is gone at the end."""
    with scored_world() as folder, serving(folder) as server:
        yield server


@contextmanager
def scored_world() -> Iterator[Path]:
    """A folder with tables, a model and a run; gone at the end."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        mqbg(folder, "simulate", "world", "--groups", str(GROUPS))
        mqbg(folder, "train", "world")
        mqbg(folder, "score", "world", "--as-of", AS_OF, "--out", "scores")
        yield folder


@contextmanager
def serving(folder: Path, processes: int = 0) -> Iterator[Served]:
    """A server of such a folder.

    Args:
        folder: of `scored_world`.
        processes: [api] processes.
    """
    settings = folder / "serve.toml"
    settings.write_text(f"[api]\nprocesses = {processes}\n")
    program = str(Path(sys.executable).parent / "mqbg")
    command = [program, "serve", "--port", "0", "--config", str(settings)]
    keys = f"bench:read+score:{KEY},reader:read:{READ_ONLY}"
    log = folder / "serve.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(  # noqa: S603 - our own command
            command, cwd=folder, stderr=errors, env=os.environ | {"MQBG_API_KEYS": keys}
        ) as process,
    ):
        try:
            yield Served(_address(log, process), process.pid, folder, log)
        finally:
            process.terminate()


def _address(log: Path, process: subprocess.Popen[bytes]) -> str:
    until = time.monotonic() + STARTING
    while time.monotonic() < until and process.poll() is None:
        for word in log.read_text().split():
            if word.startswith("http://"):
                with httpx.Client(base_url=word) as client:
                    try:
                        client.get("/healthz").raise_for_status()
                    except httpx.TransportError:
                        break
                return word
        time.sleep(0.2)
    raise SystemExit(f"the server did not start:\n{log.read_text()}")


def bodies(world: Path, count: int) -> list[dict[str, Any]]:
    """What a client would send of groups with 8 members and 200 activities, or near it.

    Args:
        world: the tables.
        count: of groups.
    """
    tables = {path.stem: pd.read_parquet(path) for path in world.glob("*.parquet")}
    closed = tables["stage_events"]
    closed = closed[closed["stage"].isin(["opportunity", "won", "lost"])]["group_id"]
    members, groups = tables["members"], tables["buying_groups"]
    open_then = groups[(groups["created_at"] < AS_OF) & ~groups["group_id"].isin(closed)]
    sizes = members[members["group_id"].isin(open_then["group_id"])].groupby("group_id").size()
    wanted = (sizes - MEMBERS).abs().sort_values(kind="stable").index[: 4 * count]
    found = [_body(tables, group_id) for group_id in wanted]
    found.sort(key=lambda body: abs(len(body["activities"]) - ACTIVITIES))
    return found[:count]


def _body(tables: dict[str, pd.DataFrame], group_id: str) -> dict[str, Any]:
    group = _rows(tables["buying_groups"], "group_id", [group_id])[0]
    account, solution = group["account_id"], group["solution_id"]
    members = _rows(tables["members"], "group_id", [group_id])
    people = [row["contact_id"] for row in members]
    contacts = _rows(tables["contacts"], "contact_id", people)
    activities = tables["activities"]
    fits = (activities["group_id"].isna() | (activities["group_id"] == group_id)) & (
        activities["solution_id"].isna() | (activities["solution_id"] == solution)
    )
    mine = _rows(activities[fits], "contact_id", people)[-ACTIVITIES:]
    seen = {row["content_id"] for row in mine if "content_id" in row}
    contents = _rows(tables["contents"], "content_id", seen)
    for row in contents:
        row.pop("solution_id", None)
    others = {row["account_id"] for row in contacts} - {account}
    ones = {
        "accounts": _rows(tables["accounts"], "account_id", [account])[0],
        "solutions": _rows(tables["solutions"], "solution_id", [solution])[0],
        "buying_groups": group,
    }
    return {
        "as_of": AS_OF,
        **{key: ones[table] for key, table in SINGLE_ROW_KEYS.items()},
        "other_accounts": _rows(tables["accounts"], "account_id", others),
        "contacts": contacts,
        "members": members,
        "activities": mine,
        "contents": contents,
        "stage_events": _rows(tables["stage_events"], "group_id", [group_id]),
    }


def _rows(table: pd.DataFrame, column: str, values: Any) -> list[dict[str, Any]]:
    rows = table[table[column].isin(list(values))].to_dict("records")
    return [{name: _plain(v) for name, v in row.items() if not pd.isna(v)} for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.isoformat() + "Z"
    return value.item() if hasattr(value, "item") else value
