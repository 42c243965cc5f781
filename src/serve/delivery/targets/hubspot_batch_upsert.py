"""HubSpot's batch upsert, and what its answers say of each record."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import httpx

from .bisect_batch import Refusal
from .service_client import Web
from .target import Item, Outcome

BATCH = 100
"""Records a request may hold."""

JSON = {"Content-Type": "application/json"}
MAX_REASON = 300


def upsert(web: Web, path: str, id_property: str, items: Sequence[Item]) -> list[Outcome] | Refusal:
    """One batch upsert.

    Args:
        web: HubSpot.
        path: of the upsert.
        id_property: unique property that holds the object_id.
        items: at most `BATCH`; payloads are the properties, all texts.
    """
    answer = web.call("POST", path, content=_body(id_property, items), headers=JSON)
    if not answer.is_success:
        return Refusal(reason(parsed(answer), answer.status_code))
    return _outcomes(parsed(answer), id_property, items)


def _body(id_property: str, items: Sequence[Item]) -> bytes:
    named = json.dumps(id_property)
    inputs = []
    for item in items:
        key = json.dumps(item.object_id)
        inputs.append(
            f'{{"id":{key},"idProperty":{named},"objectWriteTraceId":{key},'
            f'"properties":{item.payload}}}'
        )
    return f'{{"inputs":[{",".join(inputs)}]}}'.encode()


def parsed(answer: httpx.Response) -> Mapping[str, Any]:
    """The body of an answer; empty where it is no JSON object."""
    try:
        said = json.loads(answer.content)
    except ValueError:
        said = None
    return said if isinstance(said, dict) else {}


def _outcomes(said: Mapping[str, Any], id_property: str, items: Sequence[Item]) -> list[Outcome]:
    written, refused = _written(said, id_property), _refused(said)
    outcomes = []
    for item in items:
        if item.object_id in written:
            outcomes.append(Outcome(remote_id=written[item.object_id]))
        elif item.object_id in refused:
            outcomes.append(Outcome(refused[item.object_id]))
        else:
            outcomes.append(Outcome("not in HubSpot's answer"))
    return outcomes


def _written(said: Mapping[str, Any], id_property: str) -> dict[str, str]:
    """Ids at HubSpot by trace id; or by the unique property, where the trace id is not echoed."""
    found = {}
    for record in rows(said, "results"):
        properties = record.get("properties")
        own = properties.get(id_property) if isinstance(properties, dict) else None
        if (key := record.get("objectWriteTraceId") or own) and record.get("id"):
            found[str(key)] = str(record["id"])
    return found


def _refused(said: Mapping[str, Any]) -> dict[str, str]:
    """Reasons by trace id."""
    found = {}
    for error in rows(said, "errors"):
        context = error.get("context")
        keys = context.get("objectWriteTraceId") if isinstance(context, dict) else None
        for key in keys if isinstance(keys, list) else [keys] if keys else []:
            found[str(key)] = reason(error, None)
    return found


def reason(error: Mapping[str, Any], status: int | None) -> str:
    """Category and message, and what stands within: any of it may be absent."""
    inner = [row.get("message") for row in rows(error, "errors")]
    parts = [error.get("category"), error.get("message"), *inner[:3]]
    text = ": ".join(dict.fromkeys(str(part) for part in parts if part))
    return (text or f"refused with status {status or HTTPStatus.MULTI_STATUS}")[:MAX_REASON]


def rows(said: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects of a list in an answer; none where it is absent."""
    found = said.get(name)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
