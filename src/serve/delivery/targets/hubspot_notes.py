"""Notes with a group's summary: one for each group, rewritten when the summary changes.

A note has no key of its own that we could name, so a unique property made by `--prepare` holds the
group_id; upserting by it makes a repeated request harmless. Associating a pair twice changes
nothing either.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ....settings import Settings
from ....settings.delivery import HubSpotSettings
from ..desired_records import Columns, group_columns
from .bisect_batch import BisectBatch, Refusal
from .hubspot_batch_upsert import JSON_HEADERS, upsert_batch
from .no_response import NoResponse
from .service_client import ServiceClient
from .target import OutboxRecord, Outcome, PushInputs

OBJECT_TYPE = "notes"


class NoteWriter:
    """Writes notes and ties them to their records."""

    def __init__(self, client: ServiceClient, settings: HubSpotSettings) -> None:
        self._client, self._settings = client, settings
        self._batches = BisectBatch("hubspot", self._post_batch)

    def send(self, records: Sequence[OutboxRecord]) -> list[Outcome]:
        """One outcome for each note; one whose record has no id yet waits for it."""
        ready = [record for record in records if record.parent_id]
        outcomes = iter(self._batches.send(ready) if ready else [])
        not_ready = Outcome("the group's own record is not written yet", counts_as_attempt=False)
        return [next(outcomes) if record.parent_id else not_ready for record in records]

    def _post_batch(self, records: Sequence[OutboxRecord]) -> list[Outcome] | Refusal:
        path = self._settings.path.format(object_type=OBJECT_TYPE)
        result = upsert_batch(self._client, path, self._settings.note_id_property, records)
        return result if isinstance(result, Refusal) else self._associate(records, result)

    def _associate(self, records: Sequence[OutboxRecord], outcomes: list[Outcome]) -> list[Outcome]:
        pairs = [
            {"from": {"id": outcome.remote_id}, "to": {"id": record.parent_id}}
            for record, outcome in zip(records, outcomes, strict=True)
            if outcome.error is None
        ]
        if not pairs:
            return outcomes
        path = self._settings.associations_path.format(object_type=self._settings.object_type)
        content = json.dumps({"inputs": pairs})
        try:
            response = self._client.request("POST", path, content=content, headers=JSON_HEADERS)
            error = None if response.is_success else self._client.status_reason(response)
        except NoResponse as no_response:
            error = str(no_response)
        if error is None:
            return outcomes
        reason = f"the note is written, and not yet tied to its record: {error}"
        return [
            Outcome(reason, outcome.remote_id) if outcome.error is None else outcome
            for outcome in outcomes
        ]


def note_columns(
    inputs: PushInputs, settings: Settings
) -> tuple[list[str], Columns, Mapping[str, str]]:
    """Notes of the groups whose status the settings name: group_ids, columns, property names."""
    columns = group_columns(inputs, settings, ("status", "summary", "as_of"))
    statuses = settings.push.hubspot.notes
    rows = [
        (group_id, _html(summary), as_of)
        for group_id, status, summary, as_of in zip(*columns.values(), strict=True)
        if status in statuses and summary
    ]
    ids, bodies, instants = (
        (list(column) for column in zip(*rows, strict=True)) if rows else _NO_NOTES
    )
    note_fields: dict[str, list[Any]] = {"summary": bodies, "as_of": instants}
    return ids, note_fields, {"summary": "hs_note_body", "as_of": "hs_timestamp"}


_NO_NOTES: tuple[list[Any], list[Any], list[Any]] = ([], [], [])


def _html(text: str | None) -> str:
    return escape(text or "").replace("\n", "<br>")
