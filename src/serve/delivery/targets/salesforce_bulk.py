"""Bulk API 2.0: a job, a CSV, a wait, and the results of each record."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from .answers import MAX_REASON, read_object
from .no_response import NoResponse
from .service_client import ServiceClient
from .target import OutboxRecord, Outcome, TargetUnavailable, printable

JSON_HEADERS = {"Content-Type": "application/json; charset=UTF-8"}
COMPLETE_STATE, FAILED_STATES = "JobComplete", ("Failed", "Aborted")


@dataclass(frozen=True, slots=True)
class BulkClient:
    """How jobs are run.

    Attributes:
        client: Salesforce.
        poll_seconds: between two looks at a job.
        timeout_seconds: how long to wait for one.
        clock: seconds that only rise.
        sleep: waits this many seconds.
    """

    client: ServiceClient
    poll_seconds: float
    timeout_seconds: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class BulkJob:
    """What is upserted.

    Attributes:
        object: of Salesforce.
        external_id: its field that holds the object_id.
        path: of ingest jobs.
    """

    object: str
    external_id: str
    path: str


def bulk_upsert(bulk: BulkClient, job: BulkJob, records: Sequence[OutboxRecord]) -> list[Outcome]:
    """Upserts many records of one kind; one outcome for each, in their order.

    Raises:
        NoResponse: nobody knows what became of the job.
        TargetUnavailable: the job is refused as a whole; and see `ServiceClient.request`.
    """
    job_request = {
        "object": job.object, "externalIdFieldName": job.external_id, "operation": "upsert",
        "contentType": "CSV", "lineEnding": "LF",
    }  # fmt: skip
    created = bulk.client.request(
        "POST", job.path, content=json.dumps(job_request), headers=JSON_HEADERS
    )
    if not created.is_success:
        raise _job_refused(bulk.client.status_reason(created))
    job_id = read_object(created).get("id")
    if not isinstance(job_id, str) or not job_id:
        raise NoResponse("an answer without the bulk job's id")
    job_path = f"{job.path}/{quote(job_id, safe='')}"
    steps = (
        ("PUT", f"{job_path}/batches", job_csv(job, records), {"Content-Type": "text/csv"}),
        ("PATCH", job_path, json.dumps({"state": "UploadComplete"}), JSON_HEADERS),
    )
    for method, path, content, headers in steps:
        response = bulk.client.request(method, path, content=content, headers=headers)
        if not response.is_success:
            raise _job_refused(bulk.client.status_reason(response))
    final_state = _wait_for_end(bulk, job_path)
    if final_state.get("state") in FAILED_STATES:
        raise _job_refused(str(final_state.get("errorMessage") or "the job failed"))
    return _outcomes(bulk, job, job_path, records)


def _job_refused(reason: str) -> TargetUnavailable:
    """A job that is refused as a whole; one bad record is refused by itself."""
    return TargetUnavailable(
        f"salesforce: expected the bulk job to be taken, got {printable(reason)[:MAX_REASON]}; "
        "correct that in Salesforce or in [push.salesforce]. No record counts this as an attempt"
    )


def job_csv(job: BulkJob, records: Sequence[OutboxRecord]) -> bytes:
    """The records as the CSV that Bulk API 2.0 reads.

    Texts are as they came, whatever they begin with: what reads this is no spreadsheet, and an
    apostrophe before a text would end up in Salesforce. `#N/A` empties a field.
    """
    payloads = [json.loads(record.payload) for record in records]
    names = list(payloads[0])
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow([job.external_id, *names])
    for record, payload in zip(records, payloads, strict=True):
        values = (payload.get(name) for name in names)
        writer.writerow([record.object_id, *("#N/A" if v in (None, "") else v for v in values)])
    return sink.getvalue().encode()


def _wait_for_end(bulk: BulkClient, job_path: str) -> dict[str, Any]:
    deadline = bulk.clock() + bulk.timeout_seconds
    while True:
        body = read_object(bulk.client.request("GET", job_path))
        if body.get("state") in (COMPLETE_STATE, *FAILED_STATES):
            return body
        if bulk.clock() >= deadline:
            raise NoResponse(f"the bulk job is still {body.get('state')}")
        bulk.sleep(bulk.poll_seconds)


def _outcomes(
    bulk: BulkClient, job: BulkJob, job_path: str, records: Sequence[OutboxRecord]
) -> list[Outcome]:
    written = {
        row.get(job.external_id, ""): row.get("sf__Id")
        for row in _result_rows(bulk, f"{job_path}/successfulResults/")
    }
    refused = {
        row.get(job.external_id, ""): row.get("sf__Error") or "refused without a reason"
        for row in _result_rows(bulk, f"{job_path}/failedResults/")
    }
    outcomes = []
    for record in records:
        if record.object_id in written:
            outcomes.append(Outcome(remote_id=written[record.object_id]))
        elif record.object_id in refused:
            outcomes.append(Outcome(refused[record.object_id][:MAX_REASON]))
        else:
            outcomes.append(Outcome("not processed by the bulk job", counts_as_attempt=False))
    return outcomes


def _result_rows(bulk: BulkClient, path: str) -> Iterator[dict[str, str]]:
    response = bulk.client.request("GET", path)
    if not response.is_success:
        raise NoResponse(f"status {response.status_code} in place of the job's results")
    try:
        text = response.content.decode("utf-8-sig")
        yield from csv.DictReader(io.StringIO(text, newline=""))
    except (UnicodeDecodeError, csv.Error) as error:
        raise NoResponse(f"no CSV in place of the job's results ({error})") from None
