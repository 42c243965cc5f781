"""Dynamics 365 Sales: scores of outside models in its table of predictive scores.

Source: the table reference of msdyn_predictivescore, and Upsert a table row, both of Microsoft.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import httpx

from ....settings import Settings
from ....settings.delivery import Dynamics as Own
from ..desired_records import GRADES, TRENDS, as_scalar, group_columns, wanted
from .service_client import Unanswered, Web
from .target import GROUP, Given, Item, Outcome, Wanted

NAMESPACE = uuid.UUID("6d716267-0000-5000-8000-736636a3c001")
"""Of the ids that we derive from group_ids; never changes."""

HEADERS = {
    "Content-Type": "application/json; charset=utf-8",
    "Accept": "application/json",
    "OData-Version": "4.0",
    "OData-MaxVersion": "4.0",
}
MAX_REASON = 300


class Dynamics:
    """One PATCH for each group, which makes the score or changes it.

    The group_id is what `msdyn_entityid` holds. Grades A to D are 0 to 3; so are the trends
    improving, steady, declining and not enough information.
    """

    name = "dynamics"
    kinds = (GROUP,)

    def __init__(self, web: Web, own: Own) -> None:
        self._web, self._own = web, own
        self.connections = self._own.connections

    def batch(self, kind: str, records: int) -> int:  # noqa: ARG002 - of the protocol
        """A request holds one."""
        return 1

    def prepare(self) -> list[str]:
        """Nothing: the table comes with Dynamics 365 Sales."""
        return []

    def send(self, items: Sequence[Item]) -> list[Outcome]:
        """One request for each record."""
        return [self._sent(item) for item in items]

    def _sent(self, item: Item) -> Outcome:
        own = self._own
        key = {"msdyn_entityid": item.object_id, "msdyn_entitytype": own.entity_type}
        body = json.loads(item.payload)
        if own.key == "derived":
            place, body = str(uuid.uuid5(NAMESPACE, item.object_id)), body | key
        else:
            place = ",".join(f"{name}={_literal(value)}" for name, value in key.items())
        path = f"/api/data/v{own.version}/msdyn_predictivescores({place})"
        content = json.dumps(body, ensure_ascii=False).encode()
        try:
            answer = self._web.call("PATCH", path, content=content, headers=HEADERS)
        except Unanswered as silence:
            return Outcome(f"no answer: {silence}", counts=False)
        if answer.is_success:
            return Outcome(remote_id=_entity_id(answer))
        return Outcome(f"status {answer.status_code}: {_message(answer)}"[:MAX_REASON])


def _literal(text: str) -> str:
    """A text in an OData key: quotes doubled, then safe for a URL."""
    return "'" + quote(text.replace("'", "''"), safe="") + "'"


def _entity_id(answer: httpx.Response) -> str | None:
    return answer.headers.get("OData-EntityId") or None


def _message(answer: httpx.Response) -> str:
    try:
        said: Any = answer.json()
        return str(said["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return answer.text


def dynamics_records(given: Given, settings: Settings) -> list[Wanted]:
    """Every scored group."""
    mapping = settings.push.dynamics.mapping
    columns = group_columns(given, settings, tuple(mapping))
    for name, codes in (("trend", TRENDS), ("grade", GRADES)):
        if name in columns:
            columns[name] = [codes.index(value) for value in columns[name]]
    return [wanted(GROUP, columns["group_id"], columns, mapping, as_scalar)]
