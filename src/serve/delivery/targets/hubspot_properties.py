"""Properties that HubSpot must have before it can hold scores."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ....settings.delivery import HubSpotSettings
from .answers import read_object
from .hubspot_batch_upsert import JSON_HEADERS, object_rows
from .no_response import NoResponse
from .service_client import ServiceClient
from .target import TargetUnavailable

_NUMBER_FIELDS = {
    "score", "readiness", "readiness_low", "readiness_high", "log_odds", "base_log_odds",
    "completeness", "engaged_completeness", "engagement", "threshold", "completeness_threshold",
    "rank", "expected_completeness",
}  # fmt: skip
_MULTILINE_FIELDS = {"top_reasons", "summary", "next_step"}


def property_definitions(settings: HubSpotSettings) -> list[dict[str, Any]]:
    """The properties that the settings map to, and the unique one."""
    definitions = [unique_property(settings.id_property, settings.property_group)]
    for name, property_name in settings.mapping.items():
        is_number = name in _NUMBER_FIELDS
        field_type = "number" if is_number else "textarea" if name in _MULTILINE_FIELDS else "text"
        definitions.append(
            {
                "name": property_name,
                "label": f"MQBG {name.replace('_', ' ')}",
                "type": "number" if is_number else "string",
                "fieldType": field_type,
                "groupName": settings.property_group,
            }
        )
    return definitions


def unique_property(name: str, group: str) -> dict[str, Any]:
    """The unique property that records are found by."""
    return {
        "name": name,
        "label": "MQBG group id",
        "type": "string",
        "fieldType": "text",
        "hasUniqueValue": True,
        "groupName": group or "engagement",
    }


def create_missing_properties(
    client: ServiceClient,
    settings: HubSpotSettings,
    object_type: str,
    properties: Sequence[Mapping[str, Any]],
) -> list[str]:
    """Makes the properties that an object lacks; returns their names.

    Raises:
        TargetUnavailable: HubSpot does not list or make them.
    """
    path = settings.properties_path.format(object_type=object_type)
    try:
        list_response = client.request("GET", path)
        if not list_response.is_success:
            raise _properties_refused(object_type, client.status_reason(list_response))
        existing = {
            str(row.get("name")) for row in object_rows(read_object(list_response), "results")
        }
        missing = [row for row in properties if row["name"] not in existing]
        if not missing:
            return []
        body = json.dumps({"inputs": missing})
        create_response = client.request(
            "POST", f"{path}/batch/create", content=body, headers=JSON_HEADERS
        )
        refused = not create_response.is_success or object_rows(
            read_object(create_response), "errors"
        )
    except NoResponse as no_response:
        raise TargetUnavailable(
            f"hubspot: expected an answer, got none ({no_response}); run again"
        ) from None
    if refused:
        raise _properties_refused(object_type, client.status_reason(create_response))
    return [f"{object_type}: {row['name']}" for row in missing]


def _properties_refused(object_type: str, reason: str) -> TargetUnavailable:
    return TargetUnavailable(
        f"hubspot: expected to list and make properties of {object_type}, got {reason}; give the "
        "token the scopes of its schema, or make the properties by hand"
    )
