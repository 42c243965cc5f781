"""Salesforce: upserts by an external id, 200 a request, or by Bulk API 2.0 where there are many.

Sources: REST API Developer Guide (Upsert Multiple Records with Fewer Round-Trips) and Bulk API 2.0
Developer Guide.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from ....settings import Settings
from ....settings.delivery import SalesforceSettings
from ..desired_records import Columns, as_scalar, build_desired_records, group_columns
from .answers import MAX_REASON, read_json
from .bisect_batch import BisectBatch, Refusal
from .no_response import NoResponse
from .salesforce_bulk import BulkClient, BulkJob, bulk_upsert
from .service_client import ServiceClient
from .target import GROUP, MEMBER, DesiredRecords, OutboxRecord, Outcome, PushInputs

COMPOSITE_BATCH_SIZE = 200
"""Records a request may hold."""

ROW_LOCKED = "UNABLE_TO_LOCK_ROW"
"""Of a record that another process of Salesforce writes to just now."""

BULK_BATCH_SIZE = 100_000
"""Records of a bulk job: well below its limit of 150 MB."""


class SalesforceTarget:
    """Fields on the object that stands for groups, and if wished one record for each stakeholder.

    Every answer is read record by record: Salesforce says 200 also where records failed. A record
    refused for what it is (deleted, locked, a rule) fails alone, as `allOrNone` is false.
    """

    name = "salesforce"

    def __init__(
        self,
        client: ServiceClient,
        settings: SalesforceSettings,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._settings, self._sleep = client, settings, sleep
        self._batches = {kind: BisectBatch(self.name, self._post_batch) for kind in self.kinds}
        self.connections = self._settings.connections

    @property
    def kinds(self) -> tuple[str, ...]:
        """Stakeholders last: their records refer to their group's."""
        return (GROUP, MEMBER) if self._settings.member_object else (GROUP,)

    def batch_size(self, kind: str, record_count: int) -> int:  # noqa: ARG002 - of the protocol
        """Few go by composite requests, many by bulk jobs."""
        return BULK_BATCH_SIZE if record_count > self._settings.bulk_above else COMPOSITE_BATCH_SIZE

    def prepare(self) -> list[str]:
        """Nothing: custom fields need a deployment, which an administrator does."""
        return []

    def send(self, records: Sequence[OutboxRecord]) -> list[Outcome]:
        """One request, or a bulk job where the batch is larger than a request may be.

        Records that another process of Salesforce held locked are sent again, after a wait.
        """
        outcomes = self._send_once(records)
        for attempt in range(1, self._settings.tries):
            locked = [
                position
                for position, outcome in enumerate(outcomes)
                if outcome.error is not None and ROW_LOCKED in outcome.error
            ]
            if not locked:
                break
            self._sleep(min(self._settings.wait_seconds, 2.0 ** (attempt - 1)))
            again = self._send_once([records[position] for position in locked])
            for position, outcome in zip(locked, again, strict=True):
                outcomes[position] = outcome
        return outcomes

    def _send_once(self, records: Sequence[OutboxRecord]) -> list[Outcome]:
        kind = records[0].kind
        if len(records) <= COMPOSITE_BATCH_SIZE:
            return self._batches[kind].send(records)
        settings = self._settings
        job = BulkJob(
            *_object_and_external_id(settings, kind),
            f"/services/data/v{settings.version}/jobs/ingest",
        )
        bulk = BulkClient(self._client, settings.bulk_poll_seconds, settings.bulk_patience_seconds)
        try:
            return bulk_upsert(bulk, job, records)
        except NoResponse as no_response:
            return [Outcome(f"no answer: {no_response}", counts_as_attempt=False)] * len(records)

    def _post_batch(self, records: Sequence[OutboxRecord]) -> list[Outcome] | Refusal:
        object_name, external_id = _object_and_external_id(self._settings, records[0].kind)
        path = (
            f"/services/data/v{self._settings.version}/composite/sobjects/{object_name}/"
            f"{external_id}"
        )
        payloads = [
            {
                "attributes": {"type": object_name},
                external_id: record.object_id,
                **nest_relations(json.loads(record.payload)),
            }
            for record in records
        ]
        body = json.dumps({"allOrNone": False, "records": payloads}, ensure_ascii=False)
        headers = {"Content-Type": "application/json; charset=UTF-8"}
        response = self._client.request("PATCH", path, content=body.encode(), headers=headers)
        if not response.is_success:
            return Refusal(self._client.status_reason(response))
        return _outcomes(read_json(response), len(records))


def nest_relations(fields: dict[str, Any]) -> dict[str, Any]:
    """`{"Group__r.Key__c": "g1"}` as `{"Group__r": {"Key__c": "g1"}}`."""
    nested_fields: dict[str, Any] = {}
    for name, value in fields.items():
        relation, dot, key = name.partition(".")
        nested_fields[relation] = {key: value} if dot else value
    return nested_fields


def _object_and_external_id(settings: SalesforceSettings, kind: str) -> tuple[str, str]:
    if kind == MEMBER:
        return settings.member_object, settings.member_external_id
    return settings.object, settings.external_id


def _outcomes(body: Any, count: int) -> list[Outcome]:
    """In the order of the records, as Salesforce answers.

    Raises:
        NoResponse: the answer is not one row for each record.
    """
    if not isinstance(body, list) or len(body) != count:
        raise NoResponse("an answer without a row for each record")
    missing = Outcome("not in Salesforce's answer", counts_as_attempt=False)
    return [_outcome(row) if isinstance(row, dict) else missing for row in body]


def _outcome(row: dict[str, Any]) -> Outcome:
    if row.get("success") is True:
        return Outcome(remote_id=row.get("id"))
    return Outcome(_error_reasons(row.get("errors")))


def _error_reasons(rows: Any) -> str:
    texts = []
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict):
            parts = (row.get("statusCode") or row.get("errorCode"), row.get("message"))
            texts.append(": ".join(str(part) for part in parts if part))
    return ("; ".join(texts) or "refused without a reason")[:MAX_REASON]


def stakeholder_id(group_id: str, contact_id: str) -> str:
    """The external id of a stakeholder, different for every pair; it does not hold the contact's.

    Args:
        group_id: of the group.
        contact_id: of the person.
    """
    return f"{quote(group_id, safe='')}:{contact_digest(contact_id)}"


def contact_digest(contact_id: str) -> str:
    """What stands for a contact in keys that outlive the contact: 32 hexadecimal digits."""
    return hashlib.blake2b(contact_id.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _stakeholder_columns(
    inputs: PushInputs, settings: Settings
) -> tuple[list[str], Columns, dict[str, str]]:
    target_settings, table = settings.push.salesforce, inputs.scored.stakeholders
    groups, contacts = table["group_id"].to_pylist(), table["contact_id"].to_pylist()
    mapping = target_settings.member_mapping
    columns: Columns = {
        name: [
            round(value, settings.push.decimals) if isinstance(value, float) else value
            for value in table[name].to_pylist()
        ]
        for name in mapping
    }
    columns |= {"group": groups, "contact": contacts}
    mapping |= {"group": f"{target_settings.member_group}.{target_settings.external_id}"}
    if target_settings.member_contact:
        mapping |= {
            "contact": f"{target_settings.member_contact}.{target_settings.contact_external_id}"
        }
    ids = [stakeholder_id(*pair) for pair in zip(groups, contacts, strict=True)]
    return ids, columns, mapping


def salesforce_records(inputs: PushInputs, settings: Settings) -> list[DesiredRecords]:
    """Every scored group, and every stakeholder if there is an object for them."""
    target_settings = settings.push.salesforce
    columns = group_columns(inputs, settings, tuple(target_settings.mapping))
    groups = build_desired_records(
        GROUP, columns["group_id"], columns, target_settings.mapping, as_scalar
    )
    if not target_settings.member_object:
        return [groups]
    ids, members, member_mapping = _stakeholder_columns(inputs, settings)
    return [groups, build_desired_records(MEMBER, ids, members, member_mapping, as_scalar)]
