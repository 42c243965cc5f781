"""Dynamics 365 Sales: scores of outside models in its table of predictive scores.

Source: the table reference of msdyn_predictivescore, and Upsert a table row, both of Microsoft.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from urllib.parse import quote

import httpx

from ....settings import Settings
from ....settings.delivery import DynamicsSettings
from ..desired_records import GRADES, TRENDS, as_scalar, build_desired_records, group_columns
from .no_response import NoResponse
from .service_client import ServiceClient
from .target import GROUP, DesiredRecords, OutboxRecord, Outcome, PushInputs

ID_NAMESPACE = uuid.UUID("6d716267-0000-5000-8000-736636a3c001")
"""Of the ids that we derive from group_ids; never changes."""

HEADERS = {
    "Content-Type": "application/json; charset=utf-8",
    "Accept": "application/json",
    "OData-Version": "4.0",
    "OData-MaxVersion": "4.0",
}


class DynamicsTarget:
    """One PATCH for each group, which makes the score or changes it.

    The group_id is what `msdyn_entityid` holds. Grades A to D are 0 to 3; so are the trends
    improving, steady, declining and not enough information.
    """

    name = "dynamics"
    kinds = (GROUP,)

    def __init__(self, client: ServiceClient, settings: DynamicsSettings) -> None:
        self._client, self._settings = client, settings
        self.connections = self._settings.connections

    def batch_size(self, kind: str, record_count: int) -> int:  # noqa: ARG002 - of the protocol
        """A request holds one."""
        return 1

    def prepare(self) -> list[str]:
        """Nothing: the table comes with Dynamics 365 Sales."""
        return []

    def send(self, records: Sequence[OutboxRecord]) -> list[Outcome]:
        """One request for each record."""
        return [self._send_one(record) for record in records]

    def _send_one(self, record: OutboxRecord) -> Outcome:
        settings = self._settings
        key = {"msdyn_entityid": record.object_id, "msdyn_entitytype": settings.entity_type}
        body = json.loads(record.payload)
        if settings.key == "derived":
            record_key, body = str(uuid.uuid5(ID_NAMESPACE, record.object_id)), body | key
        else:
            record_key = ",".join(f"{name}={_odata_literal(value)}" for name, value in key.items())
        path = f"/api/data/v{settings.version}/msdyn_predictivescores({record_key})"
        content = json.dumps(body, ensure_ascii=False).encode()
        try:
            response = self._client.request("PATCH", path, content=content, headers=HEADERS)
        except NoResponse as no_response:
            return Outcome(f"no answer: {no_response}", counts_as_attempt=False)
        if response.is_success:
            return Outcome(remote_id=_entity_id(response))
        return Outcome(self._client.status_reason(response))


def _odata_literal(text: str) -> str:
    """A text in an OData key: quotes doubled, then safe for a URL."""
    return "'" + quote(text.replace("'", "''"), safe="") + "'"


def _entity_id(response: httpx.Response) -> str | None:
    return response.headers.get("OData-EntityId") or None


def dynamics_records(inputs: PushInputs, settings: Settings) -> list[DesiredRecords]:
    """Every scored group."""
    mapping = settings.push.dynamics.mapping
    columns = group_columns(inputs, settings, tuple(mapping))
    for name, codes in (("trend", TRENDS), ("grade", GRADES)):
        if name in columns:
            columns[name] = [codes.index(value) for value in columns[name]]
    return [build_desired_records(GROUP, columns["group_id"], columns, mapping, as_scalar)]
