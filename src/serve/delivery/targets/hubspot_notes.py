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
from ....settings.delivery import HubSpot as Own
from ..desired_records import Columns, group_columns
from .bisect_batch import Halving, Refusal
from .hubspot_batch_upsert import JSON, upsert
from .service_client import Unanswered, Web
from .target import Given, Item, Outcome

OBJECT = "notes"


class Notes:
    """Writes notes and ties them to their records."""

    def __init__(self, web: Web, own: Own) -> None:
        self._web, self._own = web, own
        self._halving = Halving(self._post)

    def send(self, items: Sequence[Item]) -> list[Outcome]:
        """One outcome for each note; one whose record has no id yet waits for it."""
        ready = [item for item in items if item.parent_id]
        done = iter(self._halving.send(ready) if ready else [])
        waits = Outcome("the group's own record is not written yet", counts=False)
        return [next(done) if item.parent_id else waits for item in items]

    def _post(self, items: Sequence[Item]) -> list[Outcome] | Refusal:
        path = self._own.path.format(object_type=OBJECT)
        answer = upsert(self._web, path, self._own.note_id_property, items)
        return answer if isinstance(answer, Refusal) else self._tied(items, answer)

    def _tied(self, items: Sequence[Item], outcomes: list[Outcome]) -> list[Outcome]:
        pairs = [
            {"from": {"id": outcome.remote_id}, "to": {"id": item.parent_id}}
            for item, outcome in zip(items, outcomes, strict=True)
            if outcome.error is None
        ]
        if not pairs:
            return outcomes
        path = self._own.associations_path.format(object_type=self._own.object_type)
        content = json.dumps({"inputs": pairs})
        try:
            answer = self._web.call("POST", path, content=content, headers=JSON)
            error = None if answer.is_success else f"status {answer.status_code}"
        except Unanswered as silence:
            error = str(silence)
        if error is None:
            return outcomes
        loose = f"the note is written, and not yet tied to its record: {error}"
        return [
            Outcome(loose, outcome.remote_id) if outcome.error is None else outcome
            for outcome in outcomes
        ]


def note_columns(given: Given, settings: Settings) -> tuple[list[str], Columns, Mapping[str, str]]:
    """Notes of the groups whose status the settings name: group_ids, columns, property names."""
    columns = group_columns(given, settings, ("status", "summary", "as_of"))
    statuses = settings.push.hubspot.notes
    rows = [
        (group_id, _html(summary), as_of)
        for group_id, status, summary, as_of in zip(*columns.values(), strict=True)
        if status in statuses and summary
    ]
    ids, bodies, instants = (list(column) for column in zip(*rows, strict=True)) if rows else _NONE
    made: dict[str, list[Any]] = {"summary": bodies, "as_of": instants}
    return ids, made, {"summary": "hs_note_body", "as_of": "hs_timestamp"}


_NONE: tuple[list[Any], list[Any], list[Any]] = ([], [], [])


def _html(text: str | None) -> str:
    return escape(text or "").replace("\n", "<br>")
