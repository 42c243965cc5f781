"""HubSpot: batch upserts of deals or a custom object by a unique property, and notes on them.

Sources: HubSpot's own OpenAPI descriptions of CRM objects and properties, and its reference of
account details, version 2026-03.
"""

from __future__ import annotations

from collections.abc import Sequence

from ....settings import Settings
from ....settings.delivery import HubSpotSettings
from ..desired_records import as_text, build_desired_records, group_columns
from .answers import read_object
from .bisect_batch import BisectBatch, Refusal
from .hubspot_batch_upsert import BATCH_SIZE, upsert_batch
from .hubspot_notes import NoteWriter, note_columns
from .hubspot_properties import create_missing_properties, property_definitions, unique_property
from .no_response import NoResponse
from .service_client import ServiceClient
from .target import (
    GROUP,
    NOTE,
    DesiredRecords,
    OutboxRecord,
    Outcome,
    PushInputs,
    TargetUnavailable,
)

ACCOUNT_PATH = "/account-info/2026-03/details"


class HubSpotTarget:
    """Upserts by a unique property that holds the group_id, so a repeated request changes nothing.

    Every input names the property in `idProperty` (without it HubSpot may change nothing and say
    nothing) and carries a trace id of its own, by which the errors of a partly refused batch name
    their records. A record counts as written when HubSpot names it in its answer.
    """

    name = "hubspot"

    def __init__(self, client: ServiceClient, settings: HubSpotSettings) -> None:
        self._client, self._settings = client, settings
        self._group_batches = BisectBatch(self.name, self._post_batch)
        self._note_writer = NoteWriter(client, settings)
        self.connections = settings.connections

    @property
    def kinds(self) -> tuple[str, ...]:
        """Notes last: they hang on records, whose ids HubSpot tells."""
        return (GROUP, NOTE) if self._settings.notes else (GROUP,)

    def batch_size(self, kind: str, record_count: int) -> int:  # noqa: ARG002 - of the protocol
        """As many as a request may hold."""
        return BATCH_SIZE

    def send(self, records: Sequence[OutboxRecord]) -> list[Outcome]:
        """One request, or more where records are refused."""
        return (
            self._note_writer.send(records)
            if records[0].kind == NOTE
            else self._group_batches.send(records)
        )

    def _post_batch(self, records: Sequence[OutboxRecord]) -> list[Outcome] | Refusal:
        path = self._settings.path.format(object_type=self._settings.object_type)
        return upsert_batch(self._client, path, self._settings.id_property, records)

    def prepare(self) -> list[str]:
        """Makes the properties that are not there yet."""
        settings = self._settings
        created = create_missing_properties(
            self._client, settings, settings.object_type, property_definitions(settings)
        )
        if settings.notes:
            created += create_missing_properties(
                self._client, settings, "notes", [unique_property(settings.note_id_property, "")]
            )
        return created


def require_portal(client: ServiceClient, portal_id: str) -> None:
    """Makes sure that the token opens the account of the settings.

    Args:
        client: of HubSpot.
        portal_id: the account's number; "" checks nothing.

    Raises:
        TargetUnavailable: it opens another one, or HubSpot does not say which.
    """
    if not portal_id:
        return
    try:
        response = client.request("GET", ACCOUNT_PATH)
        found = read_object(response).get("portalId") if response.is_success else None
        reason = "" if response.is_success else f" ({client.status_reason(response)})"
    except NoResponse as no_response:
        found, reason = None, f" ({no_response})"
    if str(found) != portal_id:
        told = "an answer without a number" if found is None else f"one of account {found}"
        raise TargetUnavailable(
            f"hubspot: expected a token of account {portal_id}, as [push.hubspot] portal_id says, "
            f"got {told}{reason}; use that account's token, or change the setting"
        )


def hubspot_records(inputs: PushInputs, settings: Settings) -> list[DesiredRecords]:
    """Every scored group, and a note on those whose status the settings name."""
    target_settings = settings.push.hubspot
    columns = group_columns(inputs, settings, tuple(target_settings.mapping))
    groups = build_desired_records(
        GROUP, columns["group_id"], columns, target_settings.mapping, as_text
    )
    if not target_settings.notes:
        return [groups]
    ids, note_fields, note_mapping = note_columns(inputs, settings)
    return [groups, build_desired_records(NOTE, ids, note_fields, note_mapping, as_text)]
