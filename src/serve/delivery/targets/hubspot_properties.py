"""Properties that HubSpot must have before it can hold scores."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from ....settings.delivery import HubSpot as Own
from .hubspot_batch_upsert import JSON, parsed, reason, rows
from .service_client import Unanswered, Web
from .target import Stopped

_NUMBERS = {
    "score", "readiness", "readiness_low", "readiness_high", "log_odds", "base_log_odds",
    "completeness", "engaged_completeness", "engagement", "threshold", "completeness_threshold",
    "rank",
}  # fmt: skip
_LONG = {"top_reasons", "summary", "next_step"}


def properties_of(own: Own) -> list[dict[str, Any]]:
    """The properties that the settings map to, and the unique one."""
    made = [identity(own.id_property, own.property_group)]
    for name, there in own.mapping.items():
        number = name in _NUMBERS
        shown = "number" if number else "textarea" if name in _LONG else "text"
        made.append(
            {
                "name": there,
                "label": f"MQBG {name.replace('_', ' ')}",
                "type": "number" if number else "string",
                "fieldType": shown,
                "groupName": own.property_group,
            }
        )
    return made


def identity(name: str, group: str) -> dict[str, Any]:
    """The unique property that records are found by."""
    return {
        "name": name,
        "label": "MQBG group id",
        "type": "string",
        "fieldType": "text",
        "hasUniqueValue": True,
        "groupName": group or "engagement",
    }


def make(
    web: Web, own: Own, object_type: str, properties: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Makes the properties that an object lacks; returns their names.

    Raises:
        Stopped: HubSpot does not list or make them.
    """
    path = own.properties_path.format(object_type=object_type)
    try:
        listed = web.call("GET", path)
        if not listed.is_success:
            raise _no_properties(object_type, listed)
        there = {str(row.get("name")) for row in rows(parsed(listed), "results")}
        missing = [row for row in properties if row["name"] not in there]
        if not missing:
            return []
        body = json.dumps({"inputs": missing})
        done = web.call("POST", f"{path}/batch/create", content=body, headers=JSON)
    except Unanswered as silence:
        raise Stopped(f"hubspot: expected an answer, got none ({silence}); run again") from None
    if not done.is_success or rows(parsed(done), "errors"):
        raise _no_properties(object_type, done)
    return [f"{object_type}: {row['name']}" for row in missing]


def _no_properties(object_type: str, answer: httpx.Response) -> Stopped:
    return Stopped(
        f"hubspot: expected to list and make properties of {object_type}, got status "
        f"{answer.status_code} ({reason(parsed(answer), answer.status_code)}); give the token "
        "the scopes of its schema, or make the properties by hand"
    )
