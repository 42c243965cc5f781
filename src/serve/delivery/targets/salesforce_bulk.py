"""Bulk API 2.0: a job, a CSV, a wait, and the results of each record."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from .service_client import Unanswered, Web
from .target import Item, Outcome

JSON = {"Content-Type": "application/json; charset=UTF-8"}
DONE, ENDED = "JobComplete", ("Failed", "Aborted")
MAX_REASON = 300


@dataclass(frozen=True, slots=True)
class Bulk:
    """How jobs are run.

    Attributes:
        web: Salesforce.
        poll_seconds: between two looks at a job.
        patience_seconds: how long to wait for one.
        clock: seconds that only rise.
        sleep: waits so many seconds.
    """

    web: Web
    poll_seconds: float
    patience_seconds: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Job:
    """What is upserted.

    Attributes:
        object: of Salesforce.
        external_id: its field that holds the object_id.
        path: of ingest jobs.
    """

    object: str
    external_id: str
    path: str


def bulk_upsert(bulk: Bulk, job: Job, items: Sequence[Item]) -> list[Outcome]:
    """Upserts many records of one kind; one outcome for each, in their order.

    Raises:
        Unanswered: nobody knows what became of the job.
        Stopped: see `Web.call`.
    """
    made = {
        "object": job.object, "externalIdFieldName": job.external_id, "operation": "upsert",
        "contentType": "CSV", "lineEnding": "LF",
    }  # fmt: skip
    opened = bulk.web.call("POST", job.path, content=json.dumps(made), headers=JSON)
    if not opened.is_success:
        return [Outcome(f"status {opened.status_code}: {opened.text[:MAX_REASON]}")] * len(items)
    place = f"{job.path}/{_object(opened).get('id')}"
    steps = (
        ("PUT", f"{place}/batches", table(job, items), {"Content-Type": "text/csv"}),
        ("PATCH", place, json.dumps({"state": "UploadComplete"}), JSON),
    )
    for method, path, content, headers in steps:
        answer = bulk.web.call(method, path, content=content, headers=headers)
        if not answer.is_success:
            reason = f"status {answer.status_code}: {answer.text[:MAX_REASON]}"
            return [Outcome(reason)] * len(items)
    ended = _ended(bulk, place)
    if ended.get("state") in ENDED:
        return [Outcome(str(ended.get("errorMessage") or "the job failed"))] * len(items)
    return _outcomes(bulk, job, place, items)


def table(job: Job, items: Sequence[Item]) -> bytes:
    """The records as the CSV that Bulk API 2.0 reads.

    Texts stand as they are, whatever they begin with: what reads this is no spreadsheet, and an
    apostrophe before a text would come to stand in Salesforce. `#N/A` empties a field.
    """
    payloads = [json.loads(item.payload) for item in items]
    names = list(payloads[0])
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow([job.external_id, *names])
    for item, payload in zip(items, payloads, strict=True):
        values = (payload.get(name) for name in names)
        writer.writerow([item.object_id, *("#N/A" if v in (None, "") else v for v in values)])
    return sink.getvalue().encode()


def _ended(bulk: Bulk, place: str) -> dict[str, Any]:
    until = bulk.clock() + bulk.patience_seconds
    while True:
        said = _object(bulk.web.call("GET", place))
        if said.get("state") in (DONE, *ENDED):
            return said
        if bulk.clock() >= until:
            raise Unanswered(f"the bulk job is still {said.get('state')}")
        bulk.sleep(bulk.poll_seconds)


def _outcomes(bulk: Bulk, job: Job, place: str, items: Sequence[Item]) -> list[Outcome]:
    written = {
        row.get(job.external_id, ""): row.get("sf__Id")
        for row in _results(bulk, f"{place}/successfulResults/")
    }
    refused = {
        row.get(job.external_id, ""): row.get("sf__Error") or "refused without a reason"
        for row in _results(bulk, f"{place}/failedResults/")
    }
    outcomes = []
    for item in items:
        if item.object_id in written:
            outcomes.append(Outcome(remote_id=written[item.object_id]))
        elif item.object_id in refused:
            outcomes.append(Outcome(refused[item.object_id][:MAX_REASON]))
        else:
            outcomes.append(Outcome("not processed by the bulk job", counts=False))
    return outcomes


def _results(bulk: Bulk, path: str) -> Iterator[dict[str, str]]:
    answer = bulk.web.call("GET", path)
    if not answer.is_success:
        raise Unanswered(f"status {answer.status_code} in place of the job's results")
    text = answer.content.decode("utf-8-sig")
    yield from csv.DictReader(io.StringIO(text, newline=""))


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        said = answer.json()
    except ValueError:
        said = None
    return said if isinstance(said, dict) else {}
