"""HubSpot's batch upsert, and what its answers say of each record."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from typing import Any

from .answers import MAX_REASON, read_object
from .bisect_batch import Refusal
from .service_client import ServiceClient
from .target import OutboxRecord, Outcome

BATCH_SIZE = 100
"""Records a request may hold."""

JSON_HEADERS = {"Content-Type": "application/json"}


def upsert_batch(
    client: ServiceClient, path: str, id_property: str, records: Sequence[OutboxRecord]
) -> list[Outcome] | Refusal:
    """One batch upsert.

    Args:
        client: HubSpot.
        path: of the upsert.
        id_property: unique property that holds the object_id.
        records: at most `BATCH_SIZE`; payloads are the properties, all texts.
    """
    response = client.request(
        "POST", path, content=_request_body(id_property, records), headers=JSON_HEADERS
    )
    if not response.is_success:
        return Refusal(client.status_reason(response))
    return _outcomes(read_object(response), id_property, records)


def _request_body(id_property: str, records: Sequence[OutboxRecord]) -> bytes:
    id_property_json = json.dumps(id_property)
    inputs = []
    for record in records:
        key = json.dumps(record.object_id)
        inputs.append(
            f'{{"id":{key},"idProperty":{id_property_json},"objectWriteTraceId":{key},'
            f'"properties":{record.payload}}}'
        )
    return f'{{"inputs":[{",".join(inputs)}]}}'.encode()


def _outcomes(
    body: Mapping[str, Any], id_property: str, records: Sequence[OutboxRecord]
) -> list[Outcome]:
    written = _written_ids(body, id_property)
    refused, unmatched = _refusal_reasons(body, {record.object_id for record in records})
    missing = "not in HubSpot's answer"
    if unmatched:
        missing += f", which names errors of no record: {'; '.join(unmatched)}"
    outcomes = []
    for record in records:
        if record.object_id in written:
            outcomes.append(Outcome(remote_id=written[record.object_id]))
        elif record.object_id in refused:
            outcomes.append(Outcome(refused[record.object_id]))
        else:
            outcomes.append(Outcome(missing[:MAX_REASON]))
    return outcomes


def _written_ids(body: Mapping[str, Any], id_property: str) -> dict[str, str]:
    """Ids at HubSpot by trace id; or by the unique property, where the trace id is not echoed."""
    ids_by_key = {}
    for result_row in object_rows(body, "results"):
        properties = result_row.get("properties")
        object_id = properties.get(id_property) if isinstance(properties, dict) else None
        if (key := result_row.get("objectWriteTraceId") or object_id) and result_row.get("id"):
            ids_by_key[str(key)] = str(result_row["id"])
    return ids_by_key


def _refusal_reasons(
    body: Mapping[str, Any], object_ids: Set[str]
) -> tuple[dict[str, str], list[str]]:
    """Reasons by object_id, through the trace id or else `context.ids`; and those of nobody."""
    reasons: dict[str, str] = {}
    unmatched: list[str] = []
    for error in object_rows(body, "errors"):
        context = error.get("context")
        keys: list[str] = []
        for name in ("objectWriteTraceId", "ids", "id"):
            value = context.get(name) if isinstance(context, dict) else None
            keys += map(str, value if isinstance(value, list) else [value])
        if found := object_ids & set(keys):
            reasons |= dict.fromkeys(found, error_reason(error))
        else:
            unmatched.append(error_reason(error))
    return reasons, list(dict.fromkeys(unmatched))[:3]


def error_reason(error: Mapping[str, Any]) -> str:
    """Category and message, and what is within: any of it may be absent."""
    inner = [row.get("message") for row in object_rows(error, "errors")]
    parts = [error.get("category"), error.get("message"), *inner[:3]]
    text = ": ".join(dict.fromkeys(str(part) for part in parts if part))
    return (text or "refused without a reason")[:MAX_REASON]


def object_rows(body: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects of a list in an answer; none where it is absent."""
    found = body.get(name)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
